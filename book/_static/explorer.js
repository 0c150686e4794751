/* The explorer of memory and time: fills #explorer from the data in #explorer-data, by the formulas of
   explorer_formulas.js. */

(function () {
  "use strict";

  const { classes, html, svg } = window.gsrgnnElements;
  const { formulas } = window.gsrgnnExplorer;

  // ---------------------------------------------------------------- sizes that can be chosen

  const decades = (from, to, mantissas) => {
    const values = [];
    for (let ten = from; ten <= to; ten *= 10) values.push(...mantissas.map((m) => Math.round(m * ten)));
    return [...new Set(values)].filter((value) => value <= to);
  };
  const TENTHS = [1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 8];
  const SIZES = {
    cells: { label: "Cells", least: 100, most: 1e7, stops: decades(1000, 1e6, TENTHS) },
    edges: { label: "Directed edges", least: 100, most: 1e10, stops: decades(1e5, 1e9, TENTHS) },
    width: {
      label: "Width of the stream, D", least: 2, most: 4096, even: true,
      stops: [16, 32, 48, 64, 96, 128, 192, 256, 384, 512, 768, 1024, 1536, 2048],
    },
    layers: { label: "Layers, L", least: 1, most: 10000, stops: decades(1, 10000, [1, 2, 3, 4, 5, 6, 7, 8, 9]) },
    k: { label: "Kept of each row, k", least: 1, most: 2048, stops: [1, 2, 4, 8, 16, 32, 64, 128, 256, 512] },
  };
  const GB = 1e9;
  const OWN = "own";

  // What is wrong with a number for a size, in words; nothing where it will do.
  function wrong(name, value, state) {
    const { least, even } = SIZES[name], most = name === "k" ? state.width / 2 : SIZES[name].most;
    if (!Number.isInteger(value) || value < least || value > most) {
      return `a whole number from ${count(least)} to ${count(most)}${name === "k" ? ", half of the width" : ""}`;
    }
    return even && value % 2 ? "an even number: the stream has two groups" : "";
  }

  // ---------------------------------------------------------------- in words

  const count = (value) => value.toLocaleString("en-US");

  function digits(value) {
    return value >= 100 ? count(Math.round(value)) : value >= 10 ? value.toFixed(1) : value.toFixed(2);
  }

  function bytes(value) {
    if (value >= GB) return `${digits(value / GB)}\u00a0GB`;
    return value >= 1e6 ? `${digits(value / 1e6)}\u00a0MB` : `${digits(value / 1e3)}\u00a0kB`;
  }

  function seconds(value) {
    if (value < 1) return `${digits(1000 * value)}\u00a0ms`;
    if (value < 120) return `${digits(value)}\u00a0s`;
    return value < 7200 ? `${digits(value / 60)}\u00a0min` : `${digits(value / 3600)}\u00a0h`;
  }

  function listed(words) {
    return words.length < 2 ? words.join("") : `${words.slice(0, -1).join(", ")} and ${words[words.length - 1]}`;
  }

  // ---------------------------------------------------------------- permanent links

  const KEYS = [...Object.keys(SIZES), "budget"];
  const toFragment = (state) => KEYS.map((name) => `${name}=${state[name]}`).join("&");

  // What cannot be read is left as it is in `first`.
  function fromFragment(fragment, first, budgets) {
    const given = new URLSearchParams(fragment.replace(/^#/, "")), state = { ...first };
    Object.keys(SIZES).forEach((name) => {
      const value = Number(given.get(name));
      if (!wrong(name, value, state)) state[name] = value;
    });
    state.k = Math.min(state.k, state.width / 2);
    const budget = Number(given.get("budget"));
    if (budgets.includes(budget)) state.budget = budget;
    return state;
  }

  // ---------------------------------------------------------------- the chart
  // Memory against depth, both logarithmic: a line a way, and what was measured at these sizes.

  function chart({ ways, state, points, budgets, width, memoryOf }) {
    const height = Math.round(Math.min(420, Math.max(300, 0.6 * width)));
    const box = { left: 58, right: width - 24, top: 14, bottom: height - 40 };
    const deepest = state.layers > 1000 ? 10000 : 1000;
    const every = ways.map((way) => memoryOf(way.key, 1));
    const low = 10 ** Math.floor(Math.log10(Math.min(...every)));
    const high = Math.max(2e11, 1.5 * memoryOf("sparse", state.layers));
    const x = (layers) => box.left + (box.right - box.left) * Math.log(layers) / Math.log(deepest);
    const y = (value) => box.bottom - (box.bottom - box.top) * Math.log(value / low) / Math.log(high / low);
    const text = (at, up, words, kind) => svg("text", { x: at, y: up, class: kind }, words);
    const depths = [...new Set(decades(1, deepest, [1, 1.25, 1.5, 2, 2.5, 3, 4, 5, 6, 7, 8, 9]))];

    const ticks = [];
    for (let ten = 1; ten <= deepest; ten *= 10) {
      ticks.push(svg("path", { d: `M${x(ten)} ${box.top}V${box.bottom}`, class: "explorer-grid" }),
        text(x(ten), box.bottom + 16, count(ten), "explorer-middle"));
    }
    for (let ten = low; ten <= high; ten *= 10) {
      ticks.push(svg("path", { d: `M${box.left} ${y(ten)}H${box.right}`, class: "explorer-grid" }),
        text(box.left - 6, y(ten) + 4, bytes(ten).replace(/\.0+/, ""), "explorer-end"));
    }
    const inSight = budgets.filter((budget) => budget * GB <= high);
    const kind = (name, budget) => classes(name, budget === state.budget && "explorer-chosen");
    const limits = inSight.map((budget) => svg("path", {
      d: `M${box.left} ${y(budget * GB)}H${box.right}`, class: kind("explorer-budget", budget),
    }));
    const limitNames = inSight.map((budget) =>
      text(box.left + 4, y(budget * GB) - 3, `${budget}\u00a0GB`, kind("explorer-limit", budget)));

    const placed = [];
    const lines = ways.flatMap((way, i) => {
      const inside = depths.filter((layers) => memoryOf(way.key, layers) <= high);
      if (!inside.length) return [];
      const last = inside[inside.length - 1];
      const at = [x(last) + 10, y(memoryOf(way.key, last)) + 4];
      while (placed.some(([a, b]) => Math.abs(a - at[0]) < 12 && Math.abs(b - at[1]) < 12)) at[1] += 12;
      placed.push(at);
      return [
        svg("path", {
          d: `M${inside.map((layers) => `${x(layers)} ${y(memoryOf(way.key, layers))}`).join("L")}`,
          class: `explorer-line explorer-way-${i}`,
        }),
        text(...at, letter(i), `explorer-middle explorer-letter explorer-way-${i}`)];
    });
    const here = ways.flatMap((way, i) => {
      const value = memoryOf(way.key, state.layers);
      return value > high ? [] : [svg("circle", {
        cx: x(state.layers), cy: y(value), r: 4, class: `explorer-here explorer-way-${i}` })];
    });
    const measured = points.filter((point) => point.layers <= deepest).map((point) => {
      const [a, b] = [x(point.layers), y(point.bytes)];
      return svg("path", {
        d: `M${a} ${b - 6}L${a + 6} ${b}L${a} ${b + 6}L${a - 6} ${b}z`,
        class: `explorer-measured explorer-way-${ways.findIndex((way) => way.key === point.way)}`,
      });
    });
    return svg("svg", {
      viewBox: `0 0 ${width} ${height}`, width, height, role: "img",
      "aria-label": "Chart of memory against the number of layers, a line a way, with the limits of the cards. "
        + "The table below has its numbers.",
    }, ...ticks, ...limits, svg("path", {
      d: `M${x(state.layers)} ${box.top}V${box.bottom}`, class: "explorer-depth" }), ...lines, ...here, ...measured, ...limitNames,
    text((box.left + box.right) / 2, height - 6, "layers", "explorer-middle"));
  }

  const letter = (i) => "ABCDEFGHIJ"[i];

  // ---------------------------------------------------------------- the page

  function start(root, data) {
    const { memory, total, greatest, stepSeconds, nearest } = formulas(data);
    const { ways, presets, constants: { budgets } } = data;
    const measuredPoints = data.points.filter((point) => point.bytes);
    const timedPoints = data.points.filter((point) => point.seconds);
    const machines = [...new Set(timedPoints.map((point) => point.machine))];
    const example = presets.find((preset) => preset.name === "356-R") || presets[0];
    const first = { cells: example.cells, edges: example.edges, width: 384, layers: 100, k: 4, budget: budgets[0] };
    const state = fromFragment(location.hash, first, budgets);
    let machine = machines[0];
    let linked = toFragment(state);

    // What was measured at sizes like these: cells and edges to 2%, width and k the same.
    const near = (a, b) => Math.abs(a - b) <= 0.02 * b;
    const isLike = (point) => near(point.cells, state.cells) && near(point.edges, state.edges)
      && point.width === state.width && (!ways.find((way) => way.key === point.way).hasK || point.k === state.k);

    const circuits = [
      ...presets.map(({ name, cells, edges }) => ({ label: name, group: "Table 1 of the paper", sizes: { cells, edges } })),
      ...data.measured.map(({ circuit, cells, edges, width }) => ({
        label: `${circuit}, width ${width}`, group: "Measured here", sizes: { cells, edges, width },
      })),
    ];
    const groups = [...new Set(circuits.map(({ group }) => group))];
    const circuit = html("select", {
      id: "explorer-circuit",
      onchange() {
        if (circuit.value === OWN) return;
        Object.assign(state, circuits[Number(circuit.value)].sizes);
        state.k = Math.min(state.k, state.width / 2);
        update();
      },
    }, html("option", { value: OWN }, "sizes of your own"), ...groups.map((label) => html("optgroup", { label },
      ...circuits.map((one, i) => one.group === label && html("option", { value: String(i) }, one.label)))));

    const fields = Object.entries(SIZES).map(([name, { label, stops, most, least, even }]) => {
      const error = html("p", { class: "explorer-error", id: `explorer-error-${name}`, role: "alert" });
      const range = html("input", {
        type: "range", min: 0, max: stops.length - 1, step: 1, id: `explorer-range-${name}`, "aria-label": label,
        oninput: () => set(stops[Number(range.value)]),
      });
      const exact = html("input", {
        type: "number", min: least, max: most, step: even ? 2 : 1, inputmode: "numeric", id: `explorer-${name}`,
        oninput: () => set(exact.value.trim() === "" ? NaN : Number(exact.value), true),
        onblur: () => show(),
      });

      function set(value, typed = false) {
        if (!typed && name === "k") value = Math.min(value, state.width / 2);
        const words = wrong(name, value, state);
        error.textContent = words && `${label}: ${words}. ${count(state[name])} stays in use.`;
        if (words) {
          exact.setAttribute("aria-invalid", "true");
          exact.setAttribute("aria-describedby", error.id);
          return;
        }
        state[name] = value;
        state.k = Math.min(state.k, state.width / 2);
        update(typed ? exact : undefined);
      }

      function show(but) {
        const nearestStop = stops.reduce((best, stop, i) =>
          (Math.abs(Math.log(stop / state[name])) < Math.abs(Math.log(stops[best] / state[name])) ? i : best), 0);
        range.value = String(nearestStop);
        range.setAttribute("aria-valuetext", count(state[name]));
        if (exact === but) return;
        exact.value = String(state[name]);
        error.textContent = "";
        exact.removeAttribute("aria-invalid");
        exact.removeAttribute("aria-describedby");
      }
      return {
        show,
        element: html("div", { class: "explorer-field" },
          html("label", { for: exact.id }, label), range, exact, error),
      };
    });

    const budgetChoice = html("fieldset", { class: "explorer-budgets" }, html("legend", {}, "Memory of the card"),
      ...budgets.map((budget) => html("label", {}, html("input", {
        type: "radio", name: "explorer-budget", value: String(budget),
        onchange() {
          state.budget = budget;
          update();
        },
      }), ` ${budget}\u00a0GB`)));
    const machineChoice = html("select", {
      id: "explorer-machine",
      onchange() {
        machine = machineChoice.value;
        update();
      },
    }, ...machines.map((name) => html("option", {}, name)));

    const answer = html("div", { class: "explorer-answer" });
    const spoken = html("p", { role: "status", class: "explorer-spoken" });
    const picture = html("div", { class: "explorer-chart" });
    const caption = html("figcaption");
    const body = html("tbody", { role: "rowgroup" });
    const heads = html("tr", { role: "row" });
    const times = html("p", { class: "explorer-note" });

    function update(but) {
      fields.forEach((field) => field.show(but));
      const isHere = ({ sizes }) => Object.entries(sizes).every(([name, value]) => state[name] === value);
      if (circuit.value === OWN || !isHere(circuits[Number(circuit.value)])) {
        const found = circuits.findIndex(isHere);
        circuit.value = found < 0 ? OWN : String(found);
      }
      budgetChoice.querySelectorAll("input").forEach((input) => { input.checked = Number(input.value) === state.budget; });
      say();
      draw();
      fillTable();
      const fragment = toFragment(state);
      if (fragment !== linked) {
        linked = fragment;
        history.replaceState(null, "", `#${fragment}`);
      }
    }

    function say() {
      const deepest = ways.map((way) => ({ way, layers: greatest(way.key, state, state.budget * GB, "layers") }))
        .sort((a, b) => b.layers - a.layers);
      const most = data.constants.largest.layers;
      const fits = deepest.filter(({ layers }) => layers), none = deepest.filter(({ layers }) => !layers);
      answer.replaceChildren(
        html("p", {}, html("strong", {}, `What fits in ${state.budget} GB?`),
          ` With ${count(state.cells)} cells, ${count(state.edges)} directed edges, width ${state.width} and k = ${state.k}, at most`),
        html("ul", {}, ...fits.map(({ way, layers }) => html("li", {},
          html("strong", {}, `${layers >= most ? `${count(most)} or more` : count(layers)} layer${layers > 1 ? "s" : ""}`), ` of ${way.label}`))),
        html("p", {}, ...(none.length ? [html("strong", {}, "Not one layer"), ` of ${listed(none.map(({ way }) => way.label))}: `
          + `a step of one takes ${listed(none.map(({ way }) => bytes(total(way.key, { ...state, layers: 1 }))))}.`] : [])));
      clearTimeout(say.timer);
      say.timer = setTimeout(() => { spoken.textContent = answer.textContent; }, 600);
    }

    function draw() {
      const points = measuredPoints.filter(isLike);
      const width = Math.max(280, Math.min(760, picture.clientWidth || 700));
      picture.replaceChildren(chart({
        ways, state, points, budgets, width,
        memoryOf: (key, layers) => total(key, { ...state, layers }),
      }));
      const from = [...new Set(points.map((point) => `${point.circuit}, ${point.machine}`))];
      caption.textContent = `Memory that a training step adds, by depth. Lines: formulas. Dots: ${count(state.layers)} layers. `
        + (points.length ? `Diamonds: ${points.length} measured step${points.length > 1 ? "s" : ""} (${from.join("; ")}).`
          : "Nothing was measured at these sizes: choose a circuit under “Measured here”.");
    }

    function fillTable() {
      heads.replaceChildren(...["way", `a step of ${count(state.layers)} layers`, "fits from", `most layers in ${state.budget}\u00a0GB`,
        `largest width in ${state.budget}\u00a0GB`, "time of a step"].map((words) =>
        html("th", { scope: "col", role: "columnheader" }, words)));
      const labels = [...heads.cells].map((cell) => cell.textContent), used = [];
      body.replaceChildren(...ways.map((way, i) => {
        const terms = memory(way.key, state), all = total(way.key, state);
        const card = budgets.find((budget) => all <= budget * GB);
        const layers = greatest(way.key, state, state.budget * GB, "layers");
        const width = greatest(way.key, state, state.budget * GB, "width");
        const timed = nearest(timedPoints.filter((point) => point.machine === machine), way.key, state);
        const isMeasured = timed && isLike(timed) && timed.layers === state.layers;
        if (timed) used.push(timed);
        const parts = Object.entries(terms).filter(([, value]) => value).map(([name, value]) => `${name} ${bytes(value)}`);
        const cells = [
          [html("strong", {}, bytes(all)), html("small", {}, parts.join(" · "))],
          [card ? `${card}\u00a0GB` : `more than ${budgets[budgets.length - 1]}\u00a0GB`],
          [layers ? count(layers) : "none"],
          [width ? count(width) : "none"],
          [timed ? `${isMeasured ? "" : "about "}${seconds(stepSeconds(way.key, state, timed))}` : "not measured",
            isMeasured && html("small", {}, "measured")],
        ];
        const isOver = all > state.budget * GB;
        return html("tr", { role: "row", class: isOver && "explorer-over" },
          html("th", { scope: "row", role: "rowheader" }, svg("svg", {
            width: 34, height: 10, "aria-hidden": "true", class: "explorer-swatch",
          }, svg("path", { d: "M1 5H33", class: `explorer-line explorer-way-${i}` })), `${letter(i)}. ${way.label}`),
          ...cells.map((content, c) => html("td", { role: "cell", "data-label": labels[c + 1] }, ...content)));
      }));
      const where = [...new Set(used.map(({ circuit: name, width: d, layers, date }) =>
        `${name}, width ${d}, ${layers} layer${layers > 1 ? "s" : ""}, ${date}`))];
      times.textContent = used.length ? `Times: ${machine}. “About” is scaled from the nearest measured step of that way by what `
        + `a step moves and multiplies; such an estimate can be off by a factor of three. Measured: ${where.join("; ")}.` : "";
    }

    root.replaceChildren(
      html("form", { class: "explorer-controls", onsubmit: (event) => event.preventDefault() },
        html("div", { class: "explorer-field" }, html("label", { for: circuit.id }, "Circuit"), circuit),
        ...fields.map(({ element }) => element), budgetChoice,
        machines.length > 1 && html("div", { class: "explorer-field" },
          html("label", { for: machineChoice.id }, "Times of"), machineChoice)),
      answer, spoken, html("figure", {}, picture, caption),
      html("table", { class: "explorer-table", role: "table" },
        html("caption", {}, "Each way at these sizes"), html("thead", { role: "rowgroup" }, heads), body),
      times);
    addEventListener("hashchange", () => {
      if (!location.hash.startsWith("#cells=")) return;  // a heading of this page
      Object.assign(state, fromFragment(location.hash, first, budgets));
      update();
    });
    let drawn = 0;
    new ResizeObserver(() => {
      if (picture.clientWidth !== drawn) draw();
      drawn = picture.clientWidth;
    }).observe(picture);
    update();
  }

  const root = document.getElementById("explorer"), source = document.getElementById("explorer-data");
  if (root && source) start(root, JSON.parse(source.textContent));
})();
