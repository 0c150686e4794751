/* The paper's reversible layer, step by step in the page.

   First the mathematics: pure functions that mirror gsrgnn/book/walkthrough/layer_steps.py name by name and in the same
   order of floating-point operations, on window.gsrgnnStepThrough. Then the views (which matrices a step shows, and the
   arithmetic of one entry), the drawing of the layer, and the widget, which fills #step-through. */

(function () {
  "use strict";

  // ---------------------------------------------------------------- mathematics

  const zeros = (rows, columns) => Array.from({ length: rows }, () => new Array(columns).fill(0));
  const entrywise = (a, b, f) => a.map((row, i) => row.map((x, j) => f(x, b[i][j])));
  const add = (a, b) => entrywise(a, b, (x, y) => x + y);
  const subtract = (a, b) => entrywise(a, b, (x, y) => x - y);
  const transpose = (a) => a[0].map((_, j) => a.map((row) => row[j]));
  const multiply = (a, b) => a.map((row) => {
    const sums = new Array(b[0].length).fill(0);
    row.forEach((weight, j) => { if (weight !== 0) b[j].forEach((x, t) => { sums[t] += weight * x; }); });
    return sums;
  });
  const split = (x) => [x.map((row) => row.slice(0, row.length / 2)), x.map((row) => row.slice(row.length / 2))];
  const concat = (left, right) => left.map((row, i) => [...row, ...right[i]]);
  const gather = (x, indices) => indices.map((row, i) => row.map((c) => x[i][c]));

  function scatter(values, indices, width) {
    const dense = zeros(values.length, width);
    indices.forEach((row, i) => row.forEach((c, t) => { dense[i][c] = values[i][t]; }));
    return dense;
  }

  function groupSparse(x, k) {
    const indices = x.map((row) => row.map((_, c) => c).sort((a, b) => row[b] - row[a] || a - b)
      .slice(0, k).sort((a, b) => a - b));
    return [gather(x, indices), indices];
  }

  function block(A, V, I, width, reading) {
    if (reading === "own") return scatter(multiply(A, V), I, width);
    return multiply(A, scatter(V, I, width));
  }

  function blockBackward(A, dM, I, reading) {
    if (reading === "own") return multiply(transpose(A), gather(dM, I));
    return gather(multiply(transpose(A), dM), I);
  }

  const largest = (k) => (k === 1 ? "largest entry" : `${k} largest entries`);

  function blockSentence(which, values, reading) {
    const place = reading === "neighbour"
      ? "each value stays at its neighbour's column" : "the sum goes to its own column";
    return `The ${which} block adds up the ${values} of each node's neighbours; ${place}.`;
  }

  function backwardSentence(made, grad, indices, reading) {
    return reading === "neighbour"
      ? `The gradient of the block's input is Aᵀ ${grad}, and of that only the kept positions ${indices}: ${made}.`
      : `The gradient of the block's input is Aᵀ times the entries of ${grad} at the positions ${indices}: ${made}.`;
  }

  function trace(steps) {
    const named = steps.map(([number, line, name, matrices, sentence]) => ({ number, line, name, matrices, sentence }));
    return { steps: named, matrices: Object.assign({}, ...named.map((step) => step.matrices)) };
  }

  function forward({ A, X, k, residual, reading }) {
    const sparse = residual === "sparse";
    const [X1, X2] = split(X), width = X1[0].length;
    const [V2, I2] = groupSparse(X2, k);
    const M1 = block(A, V2, I2, width, reading);
    const Y1 = add(X1, M1);
    const [V1, I1] = groupSparse(Y1, k);
    const M2 = block(A, V1, I1, width, reading);
    const R2 = sparse ? scatter(V2, I2, width) : X2;
    const Y2 = add(R2, M2);
    const rest = sparse ? "what GS dropped from group 2 is gone" : "group 2 keeps all its entries";
    return trace([
      [1, 4, "Split", { X1, X2 },
        "The columns of X are split into two groups: X1 on the left, X2 on the right."],
      [2, 5, "GS of group 2", { V2, I2 },
        `GS keeps the ${largest(k)} of each row of X2: values V2 and their columns I2.`],
      [3, 6, "First block", { M1 }, blockSentence("first", "V2", reading)],
      [4, 7, "Add to group 1", { Y1 }, "The first block's output is added to group 1: Y1 = X1 + M1."],
      [5, 8, "GS of the new group 1", { V1, I1 },
        `GS keeps the ${largest(k)} of each row of Y1: values V1 and their columns I1.`],
      [6, 9, "Second block", { M2 }, blockSentence("second", "V1", reading)],
      [7, 10, "Residual", { R2, Y2 },
        `The second block's output is added to ${sparse ? "the scattered V2" : "X2"}: Y2 = R2 + M2; ${rest}.`],
      [8, 11, "Concatenate", { Y: concat(Y1, Y2) }, "The two groups side by side are the layer's output Y."],
    ]);
  }

  function backward(state) {
    const { A, dY, k, residual, reading } = state;
    const sparse = residual === "sparse", kept = forward(state).matrices;
    const [Y1, Y2] = split(kept.Y), [dY1, dY2] = split(dY), width = Y1[0].length;
    const [V1, I1] = groupSparse(Y1, k);
    const M2 = block(A, V1, I1, width, reading);
    const R2 = subtract(Y2, M2);
    const dV1 = blockBackward(A, dY2, I1, reading);
    const dX1 = add(dY1, scatter(dV1, I1, width));
    const [V2, I2] = sparse ? [kept.V2, kept.I2] : groupSparse(R2, k);
    const M1 = block(A, V2, I2, width, reading);
    const X1 = subtract(Y1, M1);
    const dV2 = blockBackward(A, dX1, I2, reading);
    const dR2 = sparse ? scatter(gather(dY2, I2), I2, width) : dY2;
    const dX2 = add(dR2, scatter(dV2, I2, width));
    let pair = sparse ? "V2 and I2 were kept by the forward pass, because R2 lacks what GS dropped."
      : "With the dense residual R2 is X2, and GS of it gives V2 and I2 again.";
    if (String(I2) !== String(kept.I2)) {
      pair += " Rounding has turned a tie the other way: I2 differs from the forward pass.";
    }
    return trace([
      [1, 11, "Split", { Y1, Y2, dY1, dY2 },
        "The output Y and the incoming gradient dY are split into the same two groups."],
      [2, 8, "Recompute GS of group 1", { V1, I1 },
        `GS keeps the ${largest(k)} of each row of Y1, as in the forward pass: V1 and I1.`],
      [3, 9, "Recompute the second block", { M2 }, "The second block of V1 and I1 gives M2 again."],
      [4, 10, "Undo the second block", { R2 }, "Subtracting it leaves the residual: R2 = Y2 − M2."],
      [5, 9, "Differentiate the second block", { dV1 }, backwardSentence("dV1", "dY2", "I1", reading)],
      [6, 8, "Gradient of group 1", { dX1 },
        "dV1, put back at the columns I1, is added to dY1: dX1 is the gradient of Y1, hence of X1."],
      [7, 5, sparse ? "GS of group 2: kept" : "Recompute GS of group 2", { V2, I2 }, pair],
      [8, 6, "Recompute the first block", { M1 }, "The first block of V2 and I2 gives M1 again."],
      [9, 7, "Undo the first block", { X1 }, "Subtracting it gives the layer's input back: X1 = Y1 − M1."],
      [10, 6, "Differentiate the first block", { dV2 }, backwardSentence("dV2", "dX1", "I2", reading)],
      [11, 5, "Gradient of group 2", { dR2, dX2 },
        `The residual path passes ${sparse ? "only the kept positions" : "all"} of dY2; `
        + "dV2, put back at the columns I2, is added: dX2."],
      [12, 4, "Concatenate", { dX: concat(dX1, dX2) },
        "The two groups side by side are the gradient dX that goes on to the layer before."],
    ]);
  }

  // Sections 4.3 (A, X) and 4.4 (the incoming gradient). `ours` marks the entries that stand in for unreadable ones.
  const example = {
    A: [[1, 0, 1, 0], [0, 1, 0, 1], [1, 0, 0, 1], [0, 1, 1, 0]],
    X: [[0.37, 0.76, 0.45, 0.17], [0.38, 0.31, 0.21, 0.40], [0.86, 0.50, 0.73, 0.07], [0.14, 0.02, 0.15, 0.49]],
    dY: [[0.37, -0.82, 0.15, -0.53], [-0.21, 0.68, -0.94, 0.07], [0.91, -0.13, 0.45, -0.76],
      [-0.62, 0.29, -0.08, 0.83]],
    ours: { X: ["2,0", "2,1"], dY: ["2,1", "2,3"] },
  };

  window.gsrgnnStepThrough = { forward, backward, example };

  // ---------------------------------------------------------------- numbers in words

  function number(value, decimals) {
    return Math.abs(value) < 1e-9 ? "0" : value.toFixed(decimals).replace("-", "−");
  }

  function sum(terms, total, decimals) {
    const joined = terms.map((x, i) => {
      if (i === 0) return number(x, decimals);
      return x < -1e-9 ? ` − ${number(-x, decimals)}` : ` + ${number(x, decimals)}`;
    }).join("");
    return terms.length > 1 ? `${joined} = ${number(total, decimals)}` : number(total, decimals);
  }

  function listed(items, noun) {
    if (items.length === 1) return `${noun} ${items[0]}`;
    return `${noun}s ${items.slice(0, -1).join(", ")} and ${items[items.length - 1]}`;
  }

  // ---------------------------------------------------------------- views
  // A view is { rows: [[item, ...], ...], result, explain(r, c) -> { text, uses } }: an item is an operator or the
  // name of a matrix, `result` the matrix whose entries can be explained, `uses` the entries that make one.

  const entry = (name, r, c) => `${name}, node ${r}, column ${c}`;

  function splitView(pairs) {
    const [whole, left, right] = pairs[pairs.length - 1];
    return {
      rows: pairs.map(([name, one, two]) => [name, "=", one, "|", two]),
      result: right,
      explain: (m, r, c) => ({
        text: `${entry(right, r, c)} is ${whole}'s column ${c + m[left][0].length}: `,
        terms: [m[right][r][c]], total: m[right][r][c],
        uses: [[whole, r, c + m[left][0].length]],
      }),
    };
  }

  function concatView(left, right, whole) {
    return {
      rows: [[left, "|", right, "=", whole]],
      result: whole,
      explain(m, r, c) {
        const width = m[left][0].length, [from, column] = c < width ? [left, c] : [right, c - width];
        return {
          text: `${entry(whole, r, c)} is ${from}'s column ${column}: `,
          terms: [m[whole][r][c]], total: m[whole][r][c], uses: [[from, r, column]],
        };
      },
    };
  }

  function gsView(x, V, I, kept) {
    return {
      rows: [kept ? ["kept:", V, "at", I] : ["GS(", x, ", k) =", V, "at", I]],
      result: V,
      marks: { [x]: I },
      explain(m, r, t, { decimals }) {
        const c = m[I][r][t], row = m[x][r], shown = row.map((v) => number(v, decimals)).join(" and ");
        const at = `${V}, node ${r}: ${number(m[V][r][t], decimals)} at column ${c}`;
        if (kept) return { text: `${at}, as the forward pass left it.`, uses: [[I, r, t]] };
        const uses = [...row.map((_, column) => [x, r, column]), [I, r, t]];
        if (m[I][r].length === row.length) return { text: `${at}; k = ${row.length} keeps every column.`, uses };
        const why = row.filter((v) => v === row[c]).length > 1
          ? `${shown} are equal, and the lower column is kept` : `it is the larger of ${shown}`;
        return { text: `${at}: ${why}.`, uses };
      },
    };
  }

  function blockView(V, I, M, reading) {
    return {
      rows: [reading === "neighbour"
        ? ["A", "· scatter(", V, ",", I, ") =", M] : ["scatter(", "A", "·", V, ",", I, ") =", M]],
      result: M,
      explain(m, r, c) {
        const neighbours = m.A[r].flatMap((weight, j) => (weight ? [j] : []));
        const at = `${entry(M, r, c)}: `;
        if (!neighbours.length) return { text: `${at}node ${r} has no neighbour, so it stays 0.`, uses: [] };
        const edges = neighbours.map((j) => ["A", r, j]);
        const picked = `row ${r} of A picks ${listed(neighbours, "node")}`;
        if (reading === "own") {
          const t = m[I][r].indexOf(c);
          if (t < 0) {
            const own = m[I][r][0];
            return { text: `${at}node ${r}'s own column is ${own}, so column ${c} stays 0.`, uses: [[I, r, 0]] };
          }
          return {
            text: `${at}${picked}; their sum goes to node ${r}'s own column ${c}: `,
            terms: neighbours.map((j) => m[V][j][t]), total: m[M][r][c],
            uses: [...edges, ...neighbours.map((j) => [V, j, t]), [I, r, t]],
          };
        }
        const found = neighbours.flatMap((j) => (m[I][j].includes(c) ? [[j, m[I][j].indexOf(c)]] : []));
        if (!found.length) {
          return { text: `${at}${picked}; none of them keeps column ${c}, so it stays 0.`, uses: edges };
        }
        return {
          text: `${at}${picked}; column ${c} is kept by ${listed(found.map(([j]) => j), "node")}: `,
          terms: found.map(([j, t]) => m[V][j][t]), total: m[M][r][c],
          uses: [...edges, ...found.flatMap(([j, t]) => [[V, j, t], [I, j, t]])],
        };
      },
    };
  }

  function sumView(a, sign, b, result) {
    return {
      rows: [[a, sign, b, "=", result]],
      result,
      explain: (m, r, c) => ({
        text: `${entry(result, r, c)}: `, total: m[result][r][c],
        terms: [m[a][r][c], sign === "−" ? -m[b][r][c] : m[b][r][c]],
        uses: [[a, r, c], [b, r, c]],
      }),
    };
  }

  function gradientView(dM, I, dV, reading) {
    return {
      rows: [reading === "neighbour"
        ? ["gather(", "Aᵀ", "·", dM, ",", I, ") =", dV] : ["Aᵀ", "· gather(", dM, ",", I, ") =", dV]],
      result: dV,
      explain(m, r, t) {
        const column = (j) => m[I][reading === "neighbour" ? r : j][t];
        const reached = m["Aᵀ"][r].flatMap((weight, j) => (weight ? [j] : []));
        const at = `${dV}, node ${r}, column ${m[I][r][t]}: `;
        if (!reached.length) return { text: `${at}no node has node ${r} as neighbour, so it is 0.`, uses: [] };
        const where = reading === "neighbour"
          ? `in column ${column(r)}, which node ${r} kept` : "each in its own column";
        return {
          text: `${at}node ${r} was added to ${listed(reached, "node")}; their ${dM} ${where}: `,
          terms: reached.map((j) => m[dM][j][column(j)]), total: m[dV][r][t],
          uses: reached.flatMap((j) => [["Aᵀ", r, j], [dM, j, column(j)]]).concat([[I, r, t]]),
        };
      },
    };
  }

  function addGradientView(base, dV, I, result) {
    return {
      rows: [[base, "+ scatter(", dV, ",", I, ") =", result]],
      result,
      explain(m, r, c) {
        const t = m[I][r].indexOf(c);
        const dropped = t < 0 ? `node ${r} dropped column ${c}, so no block sends it a gradient: ` : "";
        return {
          text: `${entry(result, r, c)}: ${dropped}`, total: m[result][r][c],
          terms: t < 0 ? [m[base][r][c]] : [m[base][r][c], m[dV][r][t]],
          uses: [[base, r, c], ...(t < 0 ? [] : [[dV, r, t], [I, r, t]])],
        };
      },
    };
  }

  function views({ residual, reading }) {
    const sparse = residual === "sparse";
    return [
      splitView([["X", "X1", "X2"]]),
      gsView("X2", "V2", "I2"),
      blockView("V2", "I2", "M1", reading),
      sumView("X1", "+", "M1", "Y1"),
      gsView("Y1", "V1", "I1"),
      blockView("V1", "I1", "M2", reading),
      sumView("R2", "+", "M2", "Y2"),
      concatView("Y1", "Y2", "Y"),
      splitView([["Y", "Y1", "Y2"], ["dY", "dY1", "dY2"]]),
      gsView("Y1", "V1", "I1"),
      blockView("V1", "I1", "M2", reading),
      sumView("Y2", "−", "M2", "R2"),
      gradientView("dY2", "I1", "dV1", reading),
      addGradientView("dY1", "dV1", "I1", "dX1"),
      gsView("R2", "V2", "I2", sparse),
      blockView("V2", "I2", "M1", reading),
      sumView("Y1", "−", "M1", "X1"),
      gradientView("dX1", "I2", "dV2", reading),
      addGradientView("dR2", "dV2", "I2", "dX2"),
      concatView("dX1", "dX2", "dX"),
    ];
  }

  // ---------------------------------------------------------------- elements

  function fill(element, attributes, children) {
    Object.entries(attributes).forEach(([key, value]) => {
      if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
      else if (value || value === 0) element.setAttribute(key, value);
    });
    element.append(...children);
    return element;
  }
  const html = (tag, attributes = {}, ...children) => fill(document.createElement(tag), attributes, children);
  const svg = (tag, attributes = {}, ...children) =>
    fill(document.createElementNS("http://www.w3.org/2000/svg", tag), attributes, children);

  const classes = (...names) => names.filter(Boolean).join(" ");

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

  // A matrix to look at. `kept` holds the columns to mark, `used` the entries "name,row,column" of the arithmetic.
  function table(name, values, { decimals, isResult, kept, used, chosen }) {
    const width = values[0].length, edge = edgeOf(name, width);
    const cell = (value, r, c) => {
      const text = isWhole(name) ? String(value) : number(value, decimals);
      const isZero = text === "0" && !isWhole(name);
      const isKept = kept && kept[r].includes(c), isUsed = used && used.has(`${name},${r},${c}`);
      const isChosen = chosen && chosen[0] === r && chosen[1] === c;
      const marks = [isKept && "kept", isUsed && "used", isChosen && "worked out"].filter(Boolean);
      const padded = isZero ? `0\u2008${"\u2007".repeat(decimals)}` : text;  // a lone 0, with the points in line
      return html("td", {
        class: classes(c === edge && "gsr-edge", isZero && "gsr-zero", isKept && "gsr-kept", isUsed && "step-used",
          isChosen && "step-chosen"),
        "aria-label": marks.length > 0 && `${text}, ${marks.join(", ")}`,
        "data-entry": chosen && `${r},${c}`,
      }, isKept ? html("b", {}, padded) : padded);
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
        type: "radio", name: `step-${name}`, value, ...(state[name] === value && { checked: "checked" }),
        onchange() {
          state[name] = value;
          changed();
        },
      }), ` ${words}`)));
  }

  function randomExample() {
    const entry = (low) => Math.round(100 * (low + (1 - low) * Math.random())) / 100;
    const draw = (low) => zeros(4, 4).map((row) => row.map(() => entry(low)));
    const A = zeros(4, 4);
    A.forEach((row, i) => row.forEach((_, j) => { if (j <= i) A[i][j] = A[j][i] = Number(Math.random() < 0.5); }));
    return { A, X: draw(0), dY: draw(-1) };
  }

  // ---------------------------------------------------------------- the widget

  function start(root) {
    const { A, X, dY } = example;
    const state = { A: copied(A), X: copied(X), dY: copied(dY), k: 1, residual: "sparse", reading: "neighbour" };
    let position = 0;
    let chosen = null;  // the entry that is worked out; null: the first that most numbers make
    let isExample = true;

    const restart = () => { chosen = null; show(); };
    const edited = () => { isExample = false; restart(); };
    const settings = html("div", { class: "step-settings" },
      choice(state, "k", "Kept of each row, k", [[1, "1"], [2, "2"]], restart),
      choice(state, "residual", "Residual of group 2",
        [["sparse", "sparse: scatter(V2, I2)"], ["dense", "dense: X2"]], restart),
      choice(state, "reading", "A block puts its sums at",
        [["neighbour", "the neighbour's column"], ["own", "the row's own column"]], restart));

    const moves = [["First", "⇤ First", () => 0], ["Back", "← Back", () => position - 1],
      ["Next", "Next →", () => position + 1], ["Last", "Last ⇥", () => TOTAL - 1]].map(([name, words, to]) =>
      html("button", { type: "button", "aria-label": `${name} step`, onclick: () => go(to()) }, words));
    const list = html("select", { onchange: () => go(Number(list.value)) });
    const bar = html("div", { class: "step-bar" }, ...moves,
      html("label", {}, html("span", { class: "step-hidden" }, "Go to step"), list));

    const picture = html("div", { class: "step-drawing" });
    const heading = html("p", { class: "step-heading" });
    const sentence = html("p");
    const arithmetic = html("p", { class: "step-arithmetic" });
    const equations = html("div", {
      onclick(event) {
        const cell = event.target.closest("[data-entry]");
        if (cell) choose(cell.dataset.entry.split(",").map(Number));
      },
    });
    const stage = html("div", {
      class: "step-stage", tabindex: 0, role: "group",
      "aria-label": "The layer. Left and right: steps. Home and End: first and last. Up and down: entries.",
    }, picture,
    html("div", { class: "step-words", "aria-live": "polite", "aria-atomic": "true" }, heading, sentence, arithmetic),
    equations, html("button", { type: "button", onclick: () => pick(1) }, "Another entry"));
    const past = html("div", { class: "step-past" });

    const numberEditors = [numberEditor(state, "X", "the layer's input", edited),
      numberEditor(state, "dY", "the incoming gradient", edited)];
    const editors = [edgeEditor(state, edited), ...numberEditors];
    const origin = html("p", { class: "step-origin" });
    const loaded = html("span", { role: "status", class: "step-hidden" });
    const loader = (words, make) => html("button", {
      type: "button",
      onclick() {
        load(make());
        loaded.textContent = `${words} is loaded.`;
      },
    }, words);
    const data = html("div", { class: "step-data", role: "group", "aria-label": "The numbers: edit any" },
      html("div", { class: "step-tables" }, ...editors.map(({ element }) => element)), origin,
      html("div", { class: "step-bar" }, loader("The paper's example", () => example),
        loader("A random example", randomExample), loaded));

    function load(from) {
      ["A", "X", "dY"].forEach((name) => { state[name] = copied(from[name]); });
      numberEditors.forEach((editor) => editor.load());
      isExample = from === example;
      restart();
    }

    function go(to) {
      const next = Math.max(0, Math.min(TOTAL - 1, to));
      if (next === position) return;
      position = next;
      restart();
    }

    function choose(at) {
      chosen = at;
      show();
    }

    function pick(by) {
      const { matrices, view } = computed();
      const width = matrices[view.result][0].length, count = matrices[view.result].length * width;
      const [r, c] = entryOf(matrices, view), next = (r * width + c + by + count) % count;
      choose([Math.floor(next / width), next % width]);
    }

    function entryOf(matrices, view) {
      if (chosen) return chosen;
      const all = matrices[view.result].flatMap((row, r) => row.map((_, c) => [r, c]));
      const numbers = ([r, c]) => view.explain(matrices, r, c, { decimals: 2 }).uses.length;
      return all.reduce((best, at) => (numbers(at) > numbers(best) ? at : best));
    }

    function computed() {
      const there = forward(state), back = backward(state);
      return {
        steps: [...there.steps, ...back.steps],
        matrices: {
          A: state.A, "Aᵀ": transpose(state.A), X: state.X, dY: state.dY,
          ...there.matrices, ...(position < FORWARD ? {} : back.matrices),
        },
        view: views(state)[position],
      };
    }

    function show() {
      const { steps, matrices, view } = computed(), step = steps[position];
      const [pass, first, length] = position < FORWARD
        ? ["Forward", 0, FORWARD] : ["Backward", FORWARD, TOTAL - FORWARD];
      const decimals = Math.max(...[...state.X, ...state.dY].flat().map(decimalsOf));
      const at = entryOf(matrices, view);
      const { text, terms, total, uses } = view.explain(matrices, at[0], at[1], { decimals });

      picture.replaceChildren(drawing(position, state.residual, step));
      heading.replaceChildren(html("strong", {}, `${pass} ${step.number} of ${length}: ${step.name}`),
        html("span", {}, ` Algorithm 1, line ${step.line}`));
      sentence.textContent = step.sentence;
      arithmetic.textContent = terms ? `${text}${sum(terms, total, decimals)}.` : text;
      equations.replaceChildren(...view.rows.map((row) => equation(row, matrices, view, {
        decimals, used: new Set(uses.map(String)), at,
      })));
      past.replaceChildren(...steps.slice(first, position + 1).flatMap((shown) => Object.entries(shown.matrices).map(
        ([name, values]) => table(name, values, { decimals, isResult: shown === step }))));

      list.replaceChildren(...[["Forward", 0, FORWARD], ["Backward", FORWARD, TOTAL]].map(([label, from, to]) =>
        html("optgroup", { label }, ...steps.slice(from, to).map((other, i) =>
          html("option", { value: from + i }, `${label} ${other.number}: ${other.name}`)))));
      list.value = String(position);
      moves.forEach((button, i) => {  // aria-disabled, not disabled: the focus stays where it is
        button.setAttribute("aria-disabled", String(position === (i < 2 ? 0 : TOTAL - 1)));
      });
      editors.forEach((editor) => editor.update());
      origin.textContent = classes(isExample && "A and X are section 4.3's, dY is section 4.4's incoming gradient.",
        data.querySelector(".step-ours:not(:empty)") && "† unreadable in our copy of the paper: the number is ours.");
    }

    // On one line stay an operator and its matrix, and a pair of values and indices.
    function equation(row, matrices, view, { decimals, used, at }) {
      const groups = [];
      row.forEach((item, i) => {
        const isMatrix = item in matrices, isResult = item === view.result;
        const kept = view.marks && matrices[view.marks[item]], chosenEntry = isResult && at;
        const element = isMatrix
          ? table(item, matrices[item], { decimals, isResult, kept, used, chosen: chosenEntry })
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
        ArrowRight: () => go(position + 1), ArrowLeft: () => go(position - 1),
        Home: () => go(0), End: () => go(TOTAL - 1),
        ArrowDown: () => pick(1), ArrowUp: () => pick(-1),
      }[event.key];
      if (!action) return;
      event.preventDefault();
      event.stopPropagation();
      action();
    });

    root.replaceChildren(settings, bar, stage, data,
      html("details", {}, html("summary", {}, "Every matrix of this pass so far"), past));
    load(example);
  }

  const root = document.getElementById("step-through");
  if (root) start(root);
})();
