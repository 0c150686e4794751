/* The views of the step-through: which matrices a step shows, and the arithmetic of one entry in words. */

(function () {
  "use strict";

  function number(value, decimals) {
    return Math.abs(value) < 1e-9 ? "0" : value.toFixed(decimals).replace("-", "−");
  }

  function sum(terms, total, decimals) {
    const joined = terms.map((x, i) => {
      if (i === 0) return number(x, decimals);
      return x < -1e-9 ? ` − ${number(-x, decimals)}` : ` + ${number(x, decimals)}`;
    }).join("");
    const exact = terms.reduce((x, y) => x + y), shown = terms.length > 1 ? `${joined} = ${number(exact, decimals)}` : joined;
    return Math.abs(exact - total) > 1e-9 ? `${shown}, held as ${number(total, decimals)}` : shown;
  }

  function listed(items, noun) {
    if (items.length === 1) return `${noun} ${items[0]}`;
    return `${noun}s ${items.slice(0, -1).join(", ")} and ${items[items.length - 1]}`;
  }

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

  Object.assign(window.gsrgnnStepThrough, { number, sum, views });
})();
