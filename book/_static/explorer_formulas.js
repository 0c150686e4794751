/* Memory and time of a training step by formula: the functions of gsrgnn/book/explorer.py, name by name, for the sizes
   that a reader of the explorer chooses. */

(function () {
  "use strict";

  // `constants` and the rest of the data are what gsrgnn.book.explorer.data gives.
  function formulas({ constants, machines, ways }) {
    const indexBytes = (columns) => (columns <= 256 ? 1 : columns <= 32768 ? 2 : 4);
    const wayOf = (key) => ways.find((way) => way.key === key);

    function memory(way, { cells, edges, width, layers, k }) {
      const d = Math.floor(width / 2), index = indexBytes(d), stream = 4 * cells * width;
      const ends = 8 * cells * width + 8 * cells, gsr = layers * 2 * (d * d + 3 * d);
      const terms = (kept, working, messages, parameters) => ({ kept, working, messages, parameters: 16 * parameters });
      if (way === "graphsage") {
        return terms(ends + layers * (2 * stream + 4 * cells), 0, edges * (4 * width + constants.targetSort),
          layers * (2 * width ** 2 + width));
      }
      if (way === "checkpoints") {
        const segment = Math.max(1, Math.round(Math.sqrt(layers)));
        const kept = Math.ceil(layers / segment), last = layers % segment;
        const most = last ? Math.max(kept + 3 * last, kept - 1 + 3 * segment) : kept + 3 * segment;
        return terms(ends + kept * stream, (most - kept) * stream, 0, layers * (2 * width ** 2 + 3 * width));
      }
      if (way === "messages" || way === "revgnn") {
        const messages = way === "messages" ? edges * (4 * d + constants.targetSort) : 0;
        return terms(ends, 5 * stream, messages, layers * 2 * (2 * d * d + 3 * d));
      }
      if (way === "autograd") return terms(ends + layers * cells * (8 * width + 16 + 2 * k * index), stream, 0, gsr);
      const entries = way === "sparse" ? layers * cells * k * (4 + index) : 0;
      const working = 3 * stream + cells * k * (8 + index) + 4 * constants.blocks * d * d;
      return terms(ends + stream + 4 * (cells + 2 * width) + entries, working, 0, gsr);
    }

    const total = (way, sizes) => Object.values(memory(way, sizes)).reduce((sum, bytes) => sum + bytes, 0);

    // The most layers, or the largest even width, with which a step fits into `budget` bytes; 0 where none does.
    function greatest(way, sizes, budget, what) {
      const step = what === "width" ? 2 : 1, least = what === "width" ? 2 * sizes.k : 1;
      let low = Math.ceil(least / step) - 1, high = Math.floor(constants.largest[what] / step);
      while (low < high) {
        const middle = Math.floor((low + high + 1) / 2);
        if (total(way, { ...sizes, [what]: step * middle }) <= budget) low = middle;
        else high = middle - 1;
      }
      return step * low >= least ? step * low : 0;
    }

    // estimate.Setting.step: seconds by a model of what a step moves, multiplies and launches.
    function expected(way, device, { cells, edges, width, layers, k }) {
      const { model, route, hasK } = wayOf(way), machine = machines[device];
      const reversible = model.includes("Rev") || model === "GSRGNN" ? 1 : 0;
      const d = Math.floor(width / (1 + reversible)), pins = constants.pins * cells, row = hasK ? 5 * k : 4 * d;
      const sums = { nets: pins * (16 + row + 4 * d), csr: edges * (8 + row) };
      const streams = { GSRGNN: 15, RevGNN: 30 }[model] || 20;
      const messages = route in sums ? 0 : 12 * 4 * edges * d;
      const inner = hasK && machine.kept_alone ? Math.min(d, 2 * k) : d;
      const multiplied = 4 * (model === "GSRGNN" ? 1 : 2) * cells * d * inner;
      const block = streams * 4 * cells * d / machine.moved + 3 * (sums[route] || 0) / machine.summed
        + messages / machine.messages + multiplied / machine.multiplied + 2 * streams * machine.operation;
      return layers * (1 + reversible) * block;
    }

    function stepSeconds(way, sizes, measured) {
      return measured.seconds * expected(way, measured.device, sizes) / expected(way, measured.device, measured);
    }

    // Of the points of a way, the one whose sizes are nearest: the sum of the ratios' logarithms.
    function nearest(points, way, sizes) {
      const names = ["cells", "edges", "width", "layers", ...(wayOf(way).hasK ? ["k"] : [])];
      const distance = (point) => names.reduce((sum, name) => sum + Math.abs(Math.log(point[name] / sizes[name])), 0);
      return points.filter((point) => point.way === way).reduce(
        (best, point) => (best && distance(best) <= distance(point) ? best : point), undefined);
    }

    return { memory, total, greatest, expected, stepSeconds, nearest };
  }

  window.gsrgnnExplorer = { formulas };
})();
