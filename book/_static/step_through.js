/* The step-through: the numbers that a reader edits, and the widget that fills #step-through. The layer is computed in
   step_layer.js, put into words in step_views.js and drawn in step_pictures.js. */

(function () {
  "use strict";

  const { classes, fill, html } = window.gsrgnnElements;
  const {
    algorithm, backward, drawing, edgeOf, example, flip, FORWARD, forward, fromFragment, graph, grid, inMemory, memory,
    number, sum, table, toFragment, TOTAL, views,
  } = window.gsrgnnStepThrough;
  const transpose = (a) => a[0].map((_, j) => a.map((row) => row[j]));

  // ---------------------------------------------------------------- what the reader edits

  const decimalsOf = (value) => Math.min(4, Math.max(2, (String(value).split(".")[1] || "").length));
  const copied = (matrix) => matrix.map((row) => [...row]);

  function parse(text) {
    const plain = text.trim().replace("−", "-").replace(",", ".");
    if (!/^[-+]?(\d+\.?\d*|\.\d+)$/.test(plain)) return { error: "is not a number: write one such as 0.45 or −1" };
    if (Math.abs(Number(plain)) > 1000) return { error: "is out of range: write a number from −1000 to 1000" };
    return { value: Number(plain) };
  }

  // Text fields for state[name]. What is not a number is refused beside the field, and the last good one stays in use.
  function numberEditor(state, name, title, changed) {
    const messages = html("div", { role: "alert", id: `step-errors-${name}`, class: "step-errors" });
    const inUse = (r, c) => number(state[name][r][c], decimalsOf(state[name][r][c]));

    function report(field, error) {
      field.error = error;
      if (error) fill(field.input, { "aria-invalid": "true", "aria-describedby": messages.id }, []);
      else ["aria-invalid", "aria-describedby"].forEach((attribute) => field.input.removeAttribute(attribute));
      const errors = fields.flat().filter((other) => other.error);
      messages.replaceChildren(...errors.map((other) => html("p", {}, other.error)));
    }

    function read(field) {
      const { r, c, input } = field, { value, error } = parse(input.value);
      report(field, error && `Node ${r}, column ${c}: “${input.value.trim()}” ${error}. `
        + `${inUse(r, c)} stays in use; Escape restores it.`);
      if (error || value === state[name][r][c]) return;
      state[name][r][c] = value;
      changed();
    }

    const fields = state[name].map((row, r) => row.map((_, c) => {
      const field = { r, c, mark: html("span", { class: "step-ours" }) };
      field.input = html("input", {
        type: "text", inputmode: "decimal", autocomplete: "off", spellcheck: "false", size: 4,
        "aria-label": `${name}, node ${r}, column ${c}`,
        oninput: () => read(field),
        onkeydown(event) {
          if (event.key !== "Escape") return;
          field.input.value = inUse(r, c);
          report(field);
        },
      });
      return field;
    }));
    const edge = edgeOf(name, fields[0].length);
    const cells = fields.map((row) => row.map(({ c, input, mark }) =>
      html("td", { class: c === edge && "gsr-edge" }, input, mark)));
    return {
      element: html("div", {}, grid(`${name}, ${title}`, fields[0].map((_, c) => String(c)), cells,
        { class: "gsr-matrix step-input" }, edge), messages),
      load: () => fields.flat().forEach((field) => {
        field.input.value = inUse(field.r, field.c);
        report(field);
      }),
      update: () => fields.flat().forEach(({ r, c, mark }) => {
        const isOurs = example.ours[name].includes(`${r},${c}`) && state[name][r][c] === example[name][r][c];
        mark.textContent = isOurs ? "†" : "";
      }),
    };
  }

  // Buttons for the edges; each of the two of an edge turns both.
  function edgeEditor(state, changed) {
    const label = (i, j) => (i === j ? `self-loop of node ${i}` : `edge between nodes ${i} and ${j}`);
    const buttons = state.A.map((row, i) => row.map((_, j) => html("button", {
      type: "button", "data-edge": `${i},${j}`, "aria-label": label(i, j),
      onclick() {
        state.A[i][j] = state.A[j][i] = 1 - state.A[i][j];
        changed();
      },
    })));
    return {
      element: html("div", {}, grid("A, the edges", buttons.map((_, j) => String(j)),
        buttons.map((row) => row.map((button) => html("td", {}, button))), { class: "gsr-matrix step-input" })),
      update: () => buttons.forEach((row, i) => row.forEach((button, j) => {
        button.textContent = state.A[i][j];
        button.setAttribute("aria-pressed", String(state.A[i][j] === 1));
      })),
    };
  }

  function choice(state, name, legend, options, changed) {
    return html("fieldset", {}, html("legend", {}, legend), ...options.map(([value, words]) => html("label", {},
      html("input", {
        type: "radio", name: `step-${name}`, value: String(value), ...(state[name] === value && { checked: "checked" }),
        onchange() {
          state[name] = value;
          changed();
        },
      }), ` ${words}`)));
  }

  function randomExample() {
    const entry = (low) => Math.round(100 * (low + (1 - low) * Math.random())) / 100;
    const draw = (low) => example.X.map((row) => row.map(() => entry(low)));
    const A = copied(example.A);
    A.forEach((row, i) => row.forEach((_, j) => { if (j <= i) A[i][j] = A[j][i] = Number(Math.random() < 0.5); }));
    return { A, X: draw(0), dY: draw(-1) };
  }

  // ---------------------------------------------------------------- predict, then reveal

  // A form that asks for one number; `answered(right)` is called once for each question that is answered or revealed.
  function questions(answered) {
    const input = html("input", { type: "text", inputmode: "decimal", autocomplete: "off", size: 6, id: "step-answer" });
    const label = html("label", { for: input.id });
    const verdict = html("span", { role: "status", class: "step-verdict" });
    let wanted = null;

    function check() {
      const { value, error } = parse(input.value);
      if (error) verdict.textContent = `“${input.value.trim()}” ${error}.`;
      else if (Math.abs(value - wanted.value) <= wanted.within) answered(true);
      else verdict.textContent = `Not ${number(value, wanted.decimals)}. Try again, or reveal it.`;
    }

    const element = html("form", {
      class: "step-question",
      onsubmit(event) {
        event.preventDefault();
        check();
      },
    }, label, input, html("button", { type: "submit" }, "Check"),
    html("button", { type: "button", onclick: () => answered(false) }, "Reveal"), verdict);
    return {
      element,
      ask(words, value, decimals) {
        wanted = { value, decimals, within: 0.5001 * 10 ** -decimals };
        label.textContent = `${words}: what will it be?`;
        input.value = verdict.textContent = "";
      },
    };
  }

  // ---------------------------------------------------------------- the widget

  const PAUSE = 3000;  // milliseconds between two steps that play by themselves

  function start(root) {
    const state = { ...fromFragment(location.hash) };  // entry: the one that is worked out, chosen by the reader
    let revealed = false;
    let tally = [0, 0];
    let timer = null;
    let linked = toFragment(state);

    const restart = () => { delete state.entry; revealed = false; show(); };
    const edited = restart;
    const settings = html("div", { class: "step-settings" });
    const moves = [["First", "⇤ First", () => 0], ["Back", "← Back", () => state.step - 1],
      ["Next", "Next →", () => state.step + 1], ["Last", "Last ⇥", () => TOTAL - 1]].map(([name, words, to]) =>
      html("button", { type: "button", "aria-label": `${name} step`, onclick: () => { pause(); go(to()); } }, words));
    const player = html("button", { type: "button", onclick: () => (timer ? pause() : play()) });
    const list = html("select", { onchange: () => { pause(); go(Number(list.value)); } });
    const bar = html("div", { class: "step-bar" }, ...moves.slice(0, 2), player, ...moves.slice(2),
      html("label", {}, html("span", { class: "step-hidden" }, "Go to step"), list));

    const pictures = html("div", { class: "step-pictures" });
    const heading = html("p", { class: "step-heading" });
    const sentence = html("p");
    const arithmetic = html("p", { class: "step-arithmetic" });
    const question = questions((isRight) => {
      tally = [tally[0] + Number(isRight), tally[1] + 1];
      revealed = true;
      show();
      arithmetic.prepend(isRight ? "Right. " : "");
      stage.focus({ preventScroll: true });
    });
    const equations = html("div", {
      onclick(event) {
        const cell = event.target.closest("[data-entry]");
        if (cell) choose(cell.dataset.entry.split(",").map(Number));
      },
    });
    const lines = html("div");
    const held = html("div");
    const stage = html("div", {
      class: "step-stage", tabindex: 0, role: "group",
      "aria-label": "The layer. Left and right: steps. Home and End: first and last. Up and down: entries.",
    }, pictures,
    html("div", { class: "step-columns" },
      html("div", {},
        html("div", { class: "step-words", "aria-live": "polite", "aria-atomic": "true" }, heading, sentence, arithmetic),
        question.element, held),
      lines),
    equations, html("button", { type: "button", onclick: () => pick(1) }, "Another entry"));
    const past = html("div", { class: "step-past" });

    const numberEditors = [numberEditor(state, "X", "the layer's input", edited),
      numberEditor(state, "dY", "the incoming gradient", edited)];
    const editors = [edgeEditor(state, edited), ...numberEditors];
    const origin = html("p", { class: "step-origin" });
    const said = html("span", { role: "status", class: "step-hidden" });
    const loader = (words, make) => html("button", {
      type: "button",
      onclick() {
        load(make());
        said.textContent = `${words} is loaded.`;
      },
    }, words);
    const data = html("div", { class: "step-data", role: "group", "aria-label": "The numbers: edit any" },
      html("div", { class: "step-tables" }, ...editors.map(({ element }) => element)), origin,
      html("div", { class: "step-bar" }, loader("The paper's example", () => example),
        loader("A random example", randomExample),
        loader("A choice that flips", () => ({ ...flip, k: 1, residual: "dense", reading: "neighbour", numbers: "digits", step: 14 })),
        said));

    function setUp() {
      settings.replaceChildren(
        choice(state, "k", "Kept of each row, k", [[1, "1"], [2, "2"]], restart),
        choice(state, "residual", "Residual of group 2",
          [["sparse", "sparse: scatter(V2, I2)"], ["dense", "dense: X2"]], restart),
        choice(state, "reading", "A block puts its sums at",
          [["neighbour", "the neighbour's column"], ["own", "the row's own column"]], restart),
        choice(state, "numbers", "The stream's numbers", [["exact", "as computed"], ["digits", "of two digits"],
          ["steps", "whole steps of 0.01"]], restart),
        choice(state, "predict", "The result", [[false, "show"], [true, "predict first"]], () => {
          pause();
          tally = [0, 0];
          restart();
        }));
      numberEditors.forEach((editor) => editor.load());
    }

    function load(from) {
      pause();
      Object.assign(state, from, { A: copied(from.A), X: copied(from.X), dY: copied(from.dY) });
      setUp();
      restart();
    }

    function go(to) {
      const next = Math.max(0, Math.min(TOTAL - 1, to));
      if (next === state.step) return;
      state.step = next;
      restart();
    }

    function play() {
      if (state.step === TOTAL - 1) go(0);
      if (state.predict) {
        state.predict = false;
        setUp();
        restart();
      }
      timer = setInterval(() => {
        go(state.step + 1);
        if (state.step === TOTAL - 1) pause();
      }, PAUSE);
      showPlayer();
    }

    function pause() {
      clearInterval(timer);
      timer = null;
      showPlayer();
    }

    function showPlayer() {
      player.textContent = timer ? "❚❚ Pause" : "▶ Play";
      player.setAttribute("aria-label", timer ? "Pause" : "Play: a step every 3 seconds");
    }

    function choose(at) {
      pause();
      state.entry = at;
      show();
    }

    function pick(by) {
      const { matrices, view } = computed();
      const width = matrices[view.result][0].length, count = matrices[view.result].length * width;
      const [r, c] = entryOf(matrices, view), next = (r * width + c + by + count) % count;
      choose([Math.floor(next / width), next % width]);
    }

    // The reader's, else the first that most numbers make.
    function entryOf(matrices, view) {
      const all = matrices[view.result].flatMap((row, r) => row.map((_, c) => [r, c]));
      if (state.entry && all.some((at) => String(at) === String(state.entry))) return state.entry;
      const numbers = ([r, c]) => view.explain(matrices, r, c, { decimals: 2 }).uses.length;
      return all.reduce((best, at) => (numbers(at) > numbers(best) ? at : best));
    }

    function computed() {
      const there = forward(state), back = backward(state), isBack = state.step >= FORWARD;
      return {
        steps: [...there.steps, ...back.steps],
        matrices: {
          A: state.A, "Aᵀ": transpose(state.A), X: state.X, dY: state.dY,
          ...there.matrices, ...(isBack ? back.matrices : {}),
        },
        before: isBack ? there.matrices : {},
        view: views(state)[state.step],
      };
    }

    function show() {
      const { steps, matrices, before, view } = computed(), step = steps[state.step];
      const [pass, first, length] = state.step < FORWARD
        ? ["Forward", 0, FORWARD] : ["Backward", FORWARD, TOTAL - FORWARD];
      const decimals = Math.max(...[...state.X, ...state.dY].flat().map(decimalsOf));
      const at = entryOf(matrices, view), isHidden = state.predict && !revealed;
      const { text, terms, total, uses } = view.explain(matrices, at[0], at[1], { decimals });

      pictures.replaceChildren(
        html("div", { class: "step-drawing" }, drawing(state.step, state.residual, step)),
        html("div", { class: "step-drawing step-graph" }, graph(state.A, uses, at[0])));
      heading.replaceChildren(html("strong", {}, `${pass} ${step.number} of ${length}: ${step.name}`),
        html("span", {}, ` Algorithm 1, line ${step.line}`),
        tally[1] ? html("span", {}, ` Predicted: ${tally[0]} of ${tally[1]}`) : "");
      sentence.textContent = step.sentence;
      arithmetic.hidden = isHidden;
      arithmetic.textContent = terms ? `${text}${sum(terms, total, decimals)}.` : text;
      question.element.hidden = !isHidden;
      if (isHidden) {
        const place = /^d?V\d$/.test(view.result) ? `${["1st", "2nd"][at[1]]} entry` : `column ${at[1]}`;
        question.ask(`${view.result}, node ${at[0]}, ${place}`, matrices[view.result][at[0]][at[1]], decimals);
      }
      const made = (name) => isHidden && name in step.matrices;
      equations.replaceChildren(...view.rows.map((row) => equation(row, matrices, view, {
        decimals, used: new Set(uses.map(String)), at, before, made,
      })));
      lines.replaceChildren(algorithm(state.step, state.residual, step));
      const holds = [...Array(TOTAL).keys()].map((number) => inMemory(state, number));
      const totals = holds.flatMap(({ now, autograd }) => [now, autograd]).map((arrays) =>
        arrays.reduce((total, { numbers }) => total + numbers, 0));
      held.replaceChildren(memory(holds[state.step], holds[state.step - 1] || { now: [], autograd: [] }, Math.max(...totals)));
      past.replaceChildren(...steps.slice(first, state.step + 1).flatMap((shown) => Object.entries(shown.matrices).map(
        ([name, values]) => table(name, values, {
          decimals, isResult: shown === step, isHidden: isHidden && shown === step, before: before[name],
        }))));

      list.replaceChildren(...[["Forward", 0, FORWARD], ["Backward", FORWARD, TOTAL]].map(([label, from, to]) =>
        html("optgroup", { label }, ...steps.slice(from, to).map((other, i) =>
          html("option", { value: from + i }, `${label} ${other.number}: ${other.name}`)))));
      list.value = String(state.step);
      moves.forEach((button, i) => {  // aria-disabled, not disabled: the focus stays where it is
        button.setAttribute("aria-disabled", String(state.step === (i < 2 ? 0 : TOTAL - 1)));
      });
      editors.forEach((editor) => editor.update());
      const same = (name) => String(state[name]) === String(example[name]);
      origin.textContent = classes(["A", "X", "dY"].every(same) && "A and X are section 4.3's, dY is section 4.4's incoming gradient.",
        data.querySelector(".step-ours:not(:empty)") && "† unreadable in our copy of the paper: the number is ours.");
      remember();
    }

    // The address is the permanent link; it stays as it was opened until the reader changes something.
    function remember() {
      const fragment = toFragment(state);
      if (fragment === linked) return;
      linked = fragment;
      history.replaceState(null, "", `#${fragment}`);
    }

    // On one line stay an operator and its matrix, and a pair of values and indices.
    function equation(row, matrices, view, { decimals, used, at, before, made }) {
      const groups = [];
      row.forEach((item, i) => {
        const isMatrix = item in matrices, isResult = item === view.result;
        const kept = view.marks && !made(view.marks[item]) && matrices[view.marks[item]], chosen = isResult && at;
        const element = isMatrix
          ? table(item, matrices[item], {
            decimals, isResult, kept, used, chosen, before: before[item], isHidden: made(item),
          })
          : html("span", { class: "gsr-operator" }, item);
        const joins = item === "," || (isMatrix && i > 0 && !(row[i - 1] in matrices));
        if (joins) groups[groups.length - 1].append(element);
        else groups.push(html("span", {}, element));
      });
      return html("div", { class: "step-equation" }, ...groups);
    }

    root.addEventListener("keydown", (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey || event.target.matches("input, select")) return;
      const action = {
        ArrowRight: () => go(state.step + 1), ArrowLeft: () => go(state.step - 1),
        Home: () => go(0), End: () => go(TOTAL - 1),
        ArrowDown: () => pick(1), ArrowUp: () => pick(-1),
      }[event.key];
      if (!action) return;
      event.preventDefault();
      event.stopPropagation();
      pause();
      action();
    });
    addEventListener("hashchange", () => {
      if (!location.hash.startsWith("#step=")) return;  // a heading of this page
      pause();
      Object.assign(state, { entry: undefined }, fromFragment(location.hash));
      setUp();
      revealed = false;
      show();
    });
    document.addEventListener("visibilitychange", () => { if (document.hidden) pause(); });

    root.replaceChildren(settings, bar, stage, data,
      html("details", {}, html("summary", {}, "Every matrix of this pass so far"), past));
    setUp();
    showPlayer();
    show();
  }

  const root = document.getElementById("step-through");
  if (root) start(root);
})();
