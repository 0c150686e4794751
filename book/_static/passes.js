/* The picture of the front page: what a training step holds in memory, layer by layer. Fills #passes from #passes-data,
   which gsrgnn.book.passes makes, in place of the drawing that is there. */

(function () {
  "use strict";

  const { html, svg } = window.gsrgnnElements;
  const GB = 1e9, SECONDS = 12;

  function gigabytes(bytes) {
    return `${(bytes / GB).toFixed(bytes < 10 * GB ? 2 : 1)}\u00a0GB`;
  }

  // "forward, layer 37 of 100", as a reader says it.
  function inWords(at, layers) {
    if (at === 0) return "before the first layer";
    if (at === 2 * layers) return "back at the first layer";
    return at <= layers ? `forward, after layer ${at} of ${layers}` : `backward, ${2 * layers - at} layers to go`;
  }

  function chart(networks, at, width) {
    const layers = (networks[0].bytes.length - 1) / 2, height = Math.round(Math.min(300, Math.max(220, 0.4 * width)));
    const box = { left: 44, right: width - 10, top: 22, bottom: height - 34 };
    const most = Math.max(...networks.flatMap(({ bytes }) => bytes)), step = most > 15 * GB ? 5 * GB : 2 * GB;
    const top = Math.ceil(most / step) * step;
    const x = (place) => box.left + (box.right - box.left) * place / (2 * layers);
    const y = (bytes) => box.bottom - (box.bottom - box.top) * bytes / top;
    const text = (where, up, words, kind) => svg("text", { x: where, y: up, class: kind }, words);
    const path = ({ bytes }, from, to) => `M${bytes.slice(from, to + 1)
      .map((value, i) => `${x(from + i).toFixed(1)} ${y(value).toFixed(1)}`).join("L")}`;
    const grid = [];
    for (let value = 0; value <= top; value += step) {
      grid.push(svg("path", { d: `M${box.left} ${y(value)}H${box.right}`, class: "explorer-grid" }),
        text(box.left - 6, y(value) + 4, value / GB, "explorer-end"));
    }
    grid.push(svg("path", { d: `M${x(layers)} ${box.top}V${box.bottom}`, class: "explorer-grid" }),
      text(box.left - 38, box.top - 10, "GB"), text(x(layers / 2), box.bottom + 18, "forward", "explorer-middle"),
      text(x(layers), box.bottom + 18, `layer ${layers}`, "explorer-middle"),
      text(x(1.5 * layers), box.bottom + 18, "backward", "explorer-middle"));
    const lines = networks.map((network) => svg("g", { class: `explorer-way-${network.colour}` },
      svg("path", { d: path(network, 0, 2 * layers), class: "explorer-line passes-faint" }),
      svg("path", { d: path(network, 0, at), class: "explorer-line" }),
      svg("circle", { cx: x(at), cy: y(network.bytes[at]), r: 4, class: "explorer-here" })));
    return svg("svg", { viewBox: `0 0 ${width} ${height}`, width, height, "aria-hidden": "true" },
      ...grid, svg("path", { d: `M${x(at)} ${box.top}V${box.bottom}`, class: "explorer-depth" }), ...lines);
  }

  function start(root, networks) {
    const layers = (networks[0].bytes.length - 1) / 2;
    const place = html("input", { type: "range", min: "0", max: 2 * layers, value: layers, oninput: () => stop() });
    const button = html("button", { type: "button", onclick: () => (playing ? stop() : play()) });
    const words = html("output", { class: "passes-words" }), picture = html("div", { class: "explorer-chart" });
    const amounts = networks.map(() => html("td"));
    const rows = networks.map(({ name, colour }, i) => html("tr", { class: `explorer-way-${colour}` },
      html("th", { scope: "row" }, svg("svg", { width: 28, height: 10, "aria-hidden": "true" },
        svg("path", { d: "M0 5H28", class: "explorer-line" })), name), amounts[i]));
    let playing = 0;

    function draw() {
      const at = Number(place.value);
      place.setAttribute("aria-valuetext", inWords(at, layers));
      words.replaceChildren(inWords(at, layers));
      networks.forEach(({ bytes }, i) => amounts[i].replaceChildren(gigabytes(bytes[at])));
      picture.replaceChildren(chart(networks, at, Math.max(300, picture.clientWidth)));
      button.replaceChildren(playing ? "Stop" : "Play");
    }
    function stop() {
      cancelAnimationFrame(playing);
      playing = 0;
      draw();
    }
    function play() {
      const from = place.valueAsNumber === 2 * layers ? 0 : place.valueAsNumber, begun = performance.now();
      const next = (now) => {
        place.value = Math.min(2 * layers, from + Math.floor((now - begun) / 1000 * 2 * layers / SECONDS));
        if (place.valueAsNumber === 2 * layers) return stop();
        playing = requestAnimationFrame(next);
        draw();
      };
      playing = requestAnimationFrame(next);
      draw();
    }

    root.replaceChildren(
      html("div", { class: "passes-controls" }, button, html("label", {}, "Where the step is ", place), words),
      picture,
      html("table", { class: "passes-table" },
        html("caption", {}, "In memory now"), html("tbody", {}, ...rows)));
    new ResizeObserver(draw).observe(root);
    draw();
  }

  addEventListener("DOMContentLoaded", () => {
    const root = document.getElementById("passes"), data = document.getElementById("passes-data");
    if (root && data) start(root, JSON.parse(data.textContent));
  });
})();
