/* The pictures of the step-through: matrices, the layer, the graph, Algorithm 1, and what is in memory. */

(function () {
  "use strict";

  const { classes, html, svg } = window.gsrgnnElements;
  const { number } = window.gsrgnnStepThrough;

  // A table in brackets; `edge` is the column before which the second group starts.
  function grid(caption, columns, cells, attributes, edge = -1) {
    const side = (c) => ({ class: c === edge && "gsr-edge" });
    return html("table", attributes, html("caption", {}, caption),
      html("thead", {}, html("tr", {}, html("td"),
        ...columns.map((label, c) => html("th", { scope: "col", ...side(c) }, label)))),
      html("tbody", {}, ...cells.map((row, r) => html("tr", {}, html("th", { scope: "row" }, String(r)), ...row))));
  }

  const isWhole = (name) => /^(I\d|Aᵀ?)$/.test(name);
  const isCompressed = (name) => /^(I|V|dV)\d$/.test(name);
  const edgeOf = (name, width) => (/^d?[XY]$/.test(name) ? width / 2 : -1);

  // A matrix to look at. `kept` holds the columns to mark, `used` the entries "name,row,column" of the arithmetic,
  // `before` the matrix that the forward pass had; the numbers of a hidden one are to be predicted.
  function table(name, values, { decimals, isResult, kept, used, chosen, before, isHidden }) {
    const width = values[0].length, edge = edgeOf(name, width);
    const cell = (value, r, c) => {
      const text = isWhole(name) ? String(value) : number(value, decimals);
      const isZero = text === "0" && !isWhole(name);
      const isKept = kept && kept[r].includes(c), isUsed = used && used.has(`${name},${r},${c}`);
      const isChosen = chosen && chosen[0] === r && chosen[1] === c;
      const inWords = (x) => (isWhole(name) ? String(x) : number(x, decimals));
      const was = before && Math.abs(before[r][c] - value) > 1e-9 ? inWords(before[r][c]) : "";
      const marks = [isKept && "kept", isUsed && "used", isChosen && "worked out", was && `was ${was} going forward`]
        .filter(Boolean);
      if (isHidden) {
        return html("td", { class: classes("step-hidden-entry", isChosen && "step-chosen"), "data-entry": chosen && `${r},${c}`,
          "aria-label": isChosen ? "to predict" : "hidden" }, "?");
      }
      const padded = isZero ? `0\u2008${"\u2007".repeat(decimals)}` : text;  // a lone 0, with the points in line
      return html("td", {
        class: classes(c === edge && "gsr-edge", isZero && "gsr-zero", isKept && "gsr-kept", isUsed && "step-used",
          isChosen && "step-chosen", was && "gsr-differs"),
        "aria-label": marks.length > 0 && `${text}, ${marks.join(", ")}`,
        "data-entry": chosen && `${r},${c}`,
      }, isKept ? html("b", {}, padded) : padded, was && html("small", {}, `≠ ${was}`));
    };
    const columns = values[0].map((_, c) => (isCompressed(name) ? ["1st", "2nd"][c] : String(c)));
    return grid(name, columns, values.map((row, r) => row.map((value, c) => cell(value, r, c))),
      { class: classes("gsr-matrix", isResult && "step-result"), "data-name": name }, edge);
  }

  // ---------------------------------------------------------------- the drawing
  // Group 1 runs along the top, group 2 along the bottom; one block climbs from 2 to 1, the other comes down.

  const WIRES = {
    x1: "M44 36H140", x2: "M44 168H68", v2: "M110 168H152V114", m1: "M152 90V48", y1: "M164 36H338",
    gs1: "M262 36V58", v1: "M262 82V106", m2: "M262 130V156", y2: "M274 168H338",
  };
  const RESIDUAL = {
    sparse: { wire: "M152 168H250", label: [194, 161, "R2"] },
    dense: { wire: "M56 168V200H262V180", label: [150, 194, "R2"] },
  };
  const BOXES = {
    x1: [26, 36, 36, "X1"], x2: [26, 168, 36, "X2"], gs2: [89, 168, 42, "GS"], block1: [152, 102, 58, "block"],
    gs1: [262, 70, 42, "GS"], block2: [262, 118, 58, "block"], y1: [356, 36, 36, "Y1"], y2: [356, 168, 36, "Y2"],
  };
  const SUMS = { add1: [152, 36], add2: [262, 168] };
  const LABELS = {
    v2: [112, 160, "V2, I2"], m1: [158, 74, "M1"], v1: [267, 98, "V1, I1"], m2: [267, 148, "M2"],
  };
  // Of each step: what it does, the parts (w- for wires) that light up, and what a gradient step calls them.
  const MODES = {
    forward: "forward →", backward: "← backward", recompute: "recompute →", undo: "← undo", gradient: "← gradient",
  };
  const LIT = [
    { mode: "forward", parts: "x1 x2" },
    { mode: "forward", parts: "w-x2 gs2" },
    { mode: "forward", parts: "w-v2 block1" },
    { mode: "forward", parts: "w-x1 w-m1 add1" },
    { mode: "forward", parts: "w-gs1 gs1" },
    { mode: "forward", parts: "w-v1 block2" },
    { mode: "forward", parts: "w-m2 w-r2 add2" },
    { mode: "forward", parts: "w-y1 w-y2 y1 y2" },
    { mode: "backward", parts: "y1 y2" },
    { mode: "recompute", parts: "w-gs1 gs1" },
    { mode: "recompute", parts: "w-v1 block2" },
    { mode: "undo", parts: "w-y2 w-m2 w-r2 add2" },
    { mode: "gradient", parts: "w-m2 block2 w-v1", names: { "w-m2": "dY2", "w-v1": "dV1" } },
    { mode: "gradient", parts: "w-y1 w-gs1 gs1 add1 w-x1", names: { "w-v1": "dV1", y1: "dY1", x1: "dX1" } },
    { mode: "recompute", parts: "gs2" },
    { mode: "recompute", parts: "w-v2 block1" },
    { mode: "undo", parts: "w-y1 w-m1 w-x1 add1" },
    { mode: "gradient", parts: "w-m1 block1 w-v2", names: { "w-m1": "dX1", "w-v2": "dV2" } },
    { mode: "gradient", parts: "w-r2 gs2 w-x2", names: { "w-v2": "dV2", "w-r2": "dR2", x2: "dX2", y2: "dY2" } },
    { mode: "gradient", parts: "x1 x2", names: { x1: "dX1", x2: "dX2", y1: "dY1", y2: "dY2" } },
  ];
  const FORWARD = 8, TOTAL = LIT.length;

  function drawing(position, residual, step) {
    const { mode, parts, names = {} } = LIT[position];
    const lit = new Set(parts.split(" ")), isBack = mode === "undo" || mode === "gradient";
    const state = (id) => (lit.has(id) ? "step-lit" : "step-dim");
    const text = (x, y, words, kind) => svg("text", { x, y, class: kind }, words);
    const box = (id, shape, x, y, words) =>
      svg("g", { class: `step-box ${state(id)}` }, shape, text(x, y + 5, words, "step-middle"));
    const arrow = (kind, size) => svg("marker", {
      id: `step-arrow-${kind}`, class: `step-${kind}`, viewBox: "0 0 8 8", refX: 7, refY: 4,
      markerWidth: size, markerHeight: size, orient: "auto-start-reverse", markerUnits: "userSpaceOnUse",
    }, svg("path", { d: "M0 0L8 4L0 8z" }));

    const wires = Object.entries({ ...WIRES, r2: RESIDUAL[residual].wire }).map(([name, d]) => {
      const id = `w-${name}`, reversed = lit.has(id) && isBack;
      return svg("path", {
        d, class: classes("step-wire", state(id), reversed && "step-back"),
        [reversed ? "marker-start" : "marker-end"]: `url(#step-arrow-${lit.has(id) ? "lit" : "dim"})`,
      });
    });
    const boxes = Object.entries(BOXES).map(([id, [x, y, width, words]]) => box(id,
      svg("rect", { x: x - width / 2, y: y - 12, width, height: 24, rx: /^[xy]/.test(id) ? 2 : 10 }),
      x, y, names[id] || words));
    const sums = Object.entries(SUMS).map(([id, [x, y]]) =>
      box(id, svg("circle", { cx: x, cy: y, r: 11 }), x, y, mode === "undo" && lit.has(id) ? "−" : "+"));
    const labels = Object.entries({ ...LABELS, r2: RESIDUAL[residual].label }).map(([name, [x, y, words]]) =>
      text(x, y, names[`w-${name}`] || words, `step-label ${state(`w-${name}`)}`));

    return svg("svg", {
      viewBox: `0 0 382 ${residual === "dense" ? 208 : 188}`, role: "img",
      "aria-label": `The layer; lit: ${step.name} (${mode}). Group 1 runs along the top, group 2 along the bottom.`,
    }, svg("defs", {}, arrow("dim", 7), arrow("lit", 10)), ...wires, ...boxes, ...sums, ...labels,
    text(8, 14, "group 1", "step-label"), text(8, 149, "group 2", "step-label"),
    text(374, 14, MODES[mode], "step-mode"));
  }


  // ---------------------------------------------------------------- the graph

  const NODES = [[58, 44], [152, 44], [58, 122], [152, 122]], RADIUS = 15;

  // `uses` are the entries [matrix, row, column] of the arithmetic: of A and Aᵀ, each is an edge from column to row.
  function graph(A, uses, row) {
    const lit = uses.filter(([name]) => /^Aᵀ?$/.test(name)).map(([, to, from]) => [from, to]);
    const edges = A.flatMap((weights, i) => weights.flatMap((weight, j) => (weight && j <= i ? [[j, i]] : [])));
    const has = (pairs, i, j) => pairs.some(([a, b]) => a === i && b === j);
    const sources = new Set(lit.map(([from]) => from));

    function line([i, j], attributes) {
      const [x, y] = NODES[i], [u, v] = NODES[j];
      if (i === j) {
        const left = x < 100 ? -1 : 1, up = y < 80 ? -1 : 1;
        return svg("circle", { cx: x + 15 * left, cy: y + 15 * up, r: 12, ...attributes });
      }
      const length = Math.hypot(u - x, v - y), [a, b] = [(u - x) / length, (v - y) / length];
      const end = attributes["marker-end"] ? RADIUS + 2 : RADIUS;
      return svg("path", { d: `M${x + RADIUS * a} ${y + RADIUS * b}L${u - end * a} ${v - end * b}`, ...attributes });
    }

    const arrow = svg("marker", {
      id: "step-arrow-edge", class: "step-lit", viewBox: "0 0 8 8", refX: 7, refY: 4, markerWidth: 10, markerHeight: 10,
      orient: "auto", markerUnits: "userSpaceOnUse",
    }, svg("path", { d: "M0 0L8 4L0 8z" }));
    const nodes = NODES.map(([x, y], i) => svg("g", {
      class: classes("step-box", i === row || sources.has(i) ? "step-lit" : "step-dim", i === row && "step-target"),
    }, svg("circle", { cx: x, cy: y, r: RADIUS }), svg("text", { x, y: y + 5, class: "step-middle" }, String(i))));
    const joined = (pairs, sign) => pairs.map(([i, j]) => `${i}${sign}${j}`).join(", ");
    return svg("svg", {
      viewBox: "0 0 210 166", role: "img",
      "aria-label": `The graph. Edges: ${joined(edges, "–") || "none"}. `
        + (lit.length ? `In use: ${joined(lit, " to ")}.` : "None is in use."),
    }, svg("defs", {}, arrow),
    ...edges.filter(([i, j]) => !has(lit, i, j) && !has(lit, j, i)).map((edge) => line(edge, { class: "step-wire step-dim" })),
    ...lit.map((edge) => line(edge, {
      class: "step-wire step-lit", ...(edge[0] !== edge[1] && { "marker-end": "url(#step-arrow-edge)" }),
    })), ...nodes);
  }

  // ---------------------------------------------------------------- Algorithm 1

  const LINES = [
    "Input: graph G, features X, layers L, k", "Output: predictions", "for l = 1 to L do", "X1, X2 ← Split(X)",
    "V2, I2 ← GS(X2, k)", "M1 ← Forward(V2, I2, G)", "Y1 ← X1 + M1", "V1, I1 ← GS(Y1, k)", "M2 ← Forward(V1, I1, G)",
    "Y2 ← scatter(V2, I2) + M2", "X ← Concat(Y1, Y2)", "end for", "return OutputLayer(X)",
  ];
  const DONE = {
    forward: "", backward: "back", recompute: "computed again", undo: "undone", gradient: "differentiated",
  };
  const FIRST_OF_LAYER = 4, LAST_OF_LAYER = 11;

  function algorithm(position, residual, step) {
    const words = DONE[LIT[position].mode];
    return html("ol", { class: "step-algorithm", "aria-label": "Algorithm 1, in this page's names" }, ...LINES.map((line, i) => {
      const isLit = i + 1 === step.line, text = i === 9 && residual === "dense" ? "Y2 ← X2 + M2 (dense)" : line;
      const inLayer = i + 1 >= FIRST_OF_LAYER && i + 1 <= LAST_OF_LAYER;
      return html("li", { class: classes(isLit && "step-line", inLayer && "step-inner"), "aria-current": isLit && "step" },
        html("code", {}, text), isLit && words ? html("em", {}, ` ${words}`) : "");
    }));
  }

  // ---------------------------------------------------------------- memory

  // Two bars of numbers held, against the most that either ever holds, and the arrays in them.
  function memory({ now, autograd }, before, most) {
    const total = (arrays) => arrays.reduce((sum, { numbers }) => sum + numbers, 0);
    const lane = (label, arrays, earlier, kind) => {
      const fresh = (name) => !earlier.some((other) => other.name === name);
      const bar = html("span", { class: "step-fill" });
      bar.style.width = `${100 * total(arrays) / most}%`;
      return html("div", { class: `step-lane step-${kind}` },
        html("p", {}, `${label}: `, html("strong", {}, `${total(arrays)} numbers`)),
        html("div", { class: "step-track", "aria-hidden": "true" }, bar),
        html("ul", { "aria-label": label }, ...arrays.map(({ name, numbers }) =>
          html("li", { class: classes(fresh(name) && "step-new") }, name, html("small", {}, ` ${numbers}`)))));
    };
    return html("div", { class: "step-memory" },
      lane("In memory now", now, before.now, "now"),
      lane("Autograd would keep for the way back", autograd, before.autograd, "autograd"));
  }

  Object.assign(window.gsrgnnStepThrough, {
    algorithm, drawing, edgeOf, FORWARD, graph, grid, memory, table, TOTAL,
  });
})();
