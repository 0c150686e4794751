/* The paper's reversible layer as pure functions, which mirror gsrgnn/book/walkthrough/layer_steps.py name by name and in
   the same order of floating-point operations; and what a layer holds in memory at each of its steps. */

(function () {
  "use strict";

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

  // What the machine can hold of a number of the stream: all of it, two digits, or whole steps of 0.01.
  const HOLDS = {
    exact: (x) => x,
    digits: (x) => Number(x.toPrecision(2)),
    steps: (x) => Math.round(100 * x) / 100,
  };
  const held = (x, numbers = "exact") => x.map((row) => row.map(HOLDS[numbers]));
  const apart = (a, b) => a.flatMap((row, i) => row.filter((x, j) => Math.abs(x - b[i][j]) > 1e-9)).length;

  function forward({ A, X, k, residual, reading, numbers }) {
    const sparse = residual === "sparse";
    const [X1, X2] = split(held(X, numbers)), width = X1[0].length;
    const [V2, I2] = groupSparse(X2, k);
    const M1 = held(block(A, V2, I2, width, reading), numbers);
    const Y1 = held(add(X1, M1), numbers);
    const [V1, I1] = groupSparse(Y1, k);
    const M2 = held(block(A, V1, I1, width, reading), numbers);
    const R2 = sparse ? scatter(V2, I2, width) : X2;
    const Y2 = held(add(R2, M2), numbers);
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
    const { A, dY, k, residual, reading, numbers } = state;
    const sparse = residual === "sparse", kept = forward(state).matrices;
    const [Y1, Y2] = split(kept.Y), [dY1, dY2] = split(dY), width = Y1[0].length;
    const [V1, I1] = groupSparse(Y1, k);
    const M2 = held(block(A, V1, I1, width, reading), numbers);
    const R2 = held(subtract(Y2, M2), numbers);
    const dV1 = blockBackward(A, dY2, I1, reading);
    const dX1 = add(dY1, scatter(dV1, I1, width));
    const [V2, I2] = sparse ? [kept.V2, kept.I2] : groupSparse(R2, k);
    const M1 = held(block(A, V2, I2, width, reading), numbers);
    const X1 = held(subtract(Y1, M1), numbers);
    const dV2 = blockBackward(A, dX1, I2, reading);
    const dR2 = sparse ? scatter(gather(dY2, I2), I2, width) : dY2;
    const dX2 = add(dR2, scatter(dV2, I2, width));
    let pair = sparse ? "V2 and I2 were kept by the forward pass, because R2 lacks what GS dropped."
      : "With the dense residual R2 is X2, and GS of it gives V2 and I2 again.";
    if (String(I2) !== String(kept.I2)) {
      pair += numbers === "digits" ? " Rounding has flipped a choice of GS: I2 differs from the forward pass."
        : " Rounding has turned a tie the other way: I2 differs from the forward pass.";
    }
    const lost = (name, now) => {
      const count = numbers === "digits" && apart(now, kept[name]);
      return count ? ` Rounding: ${count} of its numbers ${count > 1 ? "are" : "is"} not what the forward pass had.` : "";
    };
    const right = add(dR2, scatter(blockBackward(A, dX1, kept.I2, reading), kept.I2, width));
    const wrong = numbers === "digits" && apart(dX2, right) ? ` The gradient is wrong: ${apart(dX2, right)} of its `
      + "numbers are not those of the columns that the forward pass chose." : "";
    return trace([
      [1, 11, "Split", { Y1, Y2, dY1, dY2 },
        "The output Y and the incoming gradient dY are split into the same two groups."],
      [2, 8, "Recompute GS of group 1", { V1, I1 },
        `GS keeps the ${largest(k)} of each row of Y1, as in the forward pass: V1 and I1.`],
      [3, 9, "Recompute the second block", { M2 }, "The second block of V1 and I1 gives M2 again."],
      [4, 10, "Undo the second block", { R2 }, `Subtracting it leaves the residual: R2 = Y2 − M2.${lost("R2", R2)}`],
      [5, 9, "Differentiate the second block", { dV1 }, backwardSentence("dV1", "dY2", "I1", reading)],
      [6, 8, "Gradient of group 1", { dX1 },
        "dV1, put back at the columns I1, is added to dY1: dX1 is the gradient of Y1, hence of X1."],
      [7, 5, sparse ? "GS of group 2: kept" : "Recompute GS of group 2", { V2, I2 }, pair],
      [8, 6, "Recompute the first block", { M1 }, "The first block of V2 and I2 gives M1 again."],
      [9, 7, "Undo the first block", { X1 }, `Subtracting it gives the layer's input back: X1 = Y1 − M1.${lost("X1", X1)}`],
      [10, 6, "Differentiate the first block", { dV2 }, backwardSentence("dV2", "dX1", "I2", reading)],
      [11, 5, "Gradient of group 2", { dR2, dX2 },
        `The residual path passes ${sparse ? "only the kept positions" : "all"} of dY2; `
        + `dV2, put back at the columns I2, is added: dX2.${wrong}`],
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

  // Undone in numbers of two digits, node 0 keeps another column of group 2 than it did going forward.
  const flip = { ...example, X: [[0.37, 0.76, 0.43, 0.42], ...example.X.slice(1)] };

  // ---------------------------------------------------------------- memory
  // What a layer holds after each of its steps, where every array is dropped when nothing needs it any more.

  const LIVE = {
    sparse: ["X1 X2", "X1 V2 I2", "X1 V2 I2 M1", "Y1 V2 I2", "Y1 V2 I2 V1 I1", "Y1 V2 I2 V1 I1 M2", "Y1 Y2 V2 I2",
      "Y V2 I2",
      "Y1 Y2 dY1 dY2 V2 I2", "Y1 Y2 V1 I1 dY1 dY2 V2 I2", "Y1 Y2 V1 I1 M2 dY1 dY2 V2 I2", "Y1 V1 I1 dY1 dY2 V2 I2",
      "Y1 I1 dV1 dY1 dY2 V2 I2", "Y1 dX1 dY2 V2 I2", "Y1 dX1 dY2 V2 I2", "Y1 M1 dX1 dY2 V2 I2", "X1 dX1 dY2 V2 I2",
      "X1 dV2 dX1 dY2 V2 I2", "X1 dX1 dX2", "X1 dX"],
    dense: ["X1 X2", "X1 X2 V2 I2", "X1 X2 M1", "Y1 X2", "Y1 X2 V1 I1", "Y1 X2 V1 I1 M2", "Y1 Y2", "Y",
      "Y1 Y2 dY1 dY2", "Y1 Y2 V1 I1 dY1 dY2", "Y1 Y2 V1 I1 M2 dY1 dY2", "Y1 R2 V1 I1 dY1 dY2",
      "Y1 R2 I1 dV1 dY1 dY2", "Y1 R2 dX1 dY2", "Y1 R2 V2 I2 dX1 dY2", "Y1 R2 V2 I2 M1 dX1 dY2", "X1 R2 V2 I2 dX1 dY2",
      "X1 R2 I2 dV2 dX1 dY2", "X1 R2 dX1 dX2", "X1 R2 dX"],
  };
  // With the Linear and the LayerNorm that the package's blocks have, autograd keeps of a block the positions, what the
  // Linear reads, what the LayerNorm reads, and two moments a row; it drops them when the block is differentiated.
  const FIRST = ["I2", "A·S2", "Z1", "moments of Z1"], SECOND = ["I1", "A·S1", "Z2", "moments of Z2"];
  const BY_AUTOGRAD = [
    [], ["I2"], FIRST, FIRST, [...FIRST, "I1"], ...Array(7).fill([...FIRST, ...SECOND]), [...FIRST, "I1"],
    ...Array(4).fill(FIRST), ["I2"], [], [],
  ];

  // Names and numbers, the step being the index in LIVE: all that is there now, and what autograd would have kept.
  function inMemory({ X, k, residual }, step) {
    const entries = X.length * X[0].length / 2;
    const count = (name) => {
      if (/^d?[XY]$/.test(name)) return 2 * entries;
      if (/^(I|d?V)/.test(name)) return X.length * k;
      return name.startsWith("moments") ? 2 * X.length : entries;
    };
    const counted = (names) => names.map((name) => ({ name, numbers: count(name) }));
    return { now: counted(LIVE[residual][step].split(" ")), autograd: counted(BY_AUTOGRAD[step]) };
  }

  // ---------------------------------------------------------------- permanent links
  // A state as the fragment of an address: the step, what differs from the page's first state, matrices row by row.

  const FIRST_STATE = { step: 0, k: 1, residual: "sparse", reading: "neighbour", numbers: "exact", predict: false };
  const ALLOWED = {
    k: ["1", "2"], residual: ["sparse", "dense"], reading: ["neighbour", "own"], numbers: Object.keys(HOLDS),
    predict: ["true", "false"],
  };
  const SIZE = 4, LARGEST = 1000;

  function toFragment(state) {
    const parts = [`step=${state.step + 1}`];
    Object.keys(ALLOWED).forEach((name) => { if (state[name] !== FIRST_STATE[name]) parts.push(`${name}=${state[name]}`); });
    if (state.entry) parts.push(`entry=${state.entry.join(",")}`);
    ["A", "X", "dY"].forEach((name) => {
      if (String(state[name]) !== String(example[name])) parts.push(`${name}=${state[name].flat().join(",")}`);
    });
    return parts.join("&");
  }

  // What cannot be read is left as the page begins.
  function fromFragment(fragment) {
    const given = new URLSearchParams(fragment.replace(/^#/, ""));
    const state = { ...FIRST_STATE };
    Object.entries(ALLOWED).forEach(([name, values]) => {
      const value = given.get(name);
      if (values.includes(value)) state[name] = { k: Number(value), predict: value === "true" }[name] ?? value;
    });
    const step = Number(given.get("step"));
    if (Number.isInteger(step) && step >= 1 && step <= LIVE.sparse.length) state.step = step - 1;
    const listed = (name) => (given.get(name) || "").split(",").map((text) => (text.trim() ? Number(text) : NaN));
    const entry = listed("entry");
    if (entry.length === 2 && entry.every((at) => Number.isInteger(at) && at >= 0 && at < SIZE)) state.entry = entry;
    ["A", "X", "dY"].forEach((name) => {
      const numbers = listed(name), rows = zeros(SIZE, 0).map((_, r) => numbers.slice(SIZE * r, SIZE * (r + 1)));
      const fits = numbers.length === SIZE ** 2 && numbers.every((x) => Math.abs(x) <= LARGEST)
        && (name !== "A" || rows.every((row, r) => row.every((x, c) => (x === 0 || x === 1) && x === rows[c][r])));
      state[name] = (fits ? rows : example[name]).map((row) => [...row]);
    });
    return state;
  }

  window.gsrgnnStepThrough = { forward, backward, inMemory, toFragment, fromFragment, example, flip, apart };
})();
