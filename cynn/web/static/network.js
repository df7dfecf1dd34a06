/** The picture of the network: columns of neurons, shaded by what they hold, and edges between them. */

import { element, shown } from "./elements.js";
import { edgesOf, nearest, placesOf, ranksOf } from "./layout.js";

const RADIUS = 9;

/** @typedef {import("./layout.js").Column} Column */

/**
 * @param {HTMLElement} host
 * @param {{ columns: Column[], names: string[][], shown: number[][], arrays: Record<string, ArrayLike<number>>,
 *           choose: (column: number, neuron: number) => void, tell: (text: string | null, at?: Element | MouseEvent) => void }} given
 *        names: of the neurons of a column that have any
 */
export function networkOf(host, { columns, names, shown: drawn, arrays, choose, tell }) {
  const svg = element("svg", { role: "group", "aria-label": "The neurons. Arrow keys move from one to the next, Enter opens one." });
  host.replaceChildren(svg);
  /** @type {{ node: any, disc: any, column: number, neuron: number }[][]} */
  let neurons = [];
  /** @type {{ group: any, column: number, neuron: number }[]} */
  let fans = [];
  /** @type {any[]} */
  let lines = [];
  /** @type {ArrayLike<number>[]} */
  let values = [];
  /** @type {(column: number, neuron: number) => number} */
  let lit = () => 0;
  /** @type {[number, number] | null} */
  let chosen = null;
  let focused = [columns.length - 1, 0];
  const ranks = ranksOf(columns), last = Math.max(...ranks);
  /** @type {(column: number, neuron: number) => string} */
  const labelOf = (column, neuron) => (ranks[column] === last && names[column][neuron]) || "";

  /** @param {number} column @param {number} neuron */
  const nameOf = (column, neuron) => names[column][neuron] ?? `neuron ${neuron + 1}`;
  /** @param {number} column @param {number} neuron */
  const titleOf = (column, neuron) => `${columns[column].name}, ${nameOf(column, neuron)}`;

  function draw() {
    const width = host.clientWidth || 640;
    const longest = Math.max(...drawn.flatMap((each, k) => each.map((j) => Math.min(14, labelOf(k, j).length))));
    const places = placesOf(drawn, columns.map((column) => column.units), ranks, width, 28 + 7.5 * longest);
    svg.replaceChildren();
    for (const [key, value] of Object.entries({ width: places.width, height: places.height, viewBox: `0 0 ${places.width} ${places.height}` }))
      svg.setAttribute(key, String(value));
    [neurons, fans, lines] = [[], [], []];
    columns.forEach((column, k) => column.sources.forEach((source) => drawEdges(places.columns, k, source)));
    places.columns.forEach((place, k) => drawColumn(place, k, places.pitch));
    mark();
    if (values.length) show(values, lit);
  }

  /** @param {import("./layout.js").Placed[]} places @param {number} k @param {import("./layout.js").Source} source */
  function drawEdges(places, k, source) {
    const from = places[source.from], to = places[k];
    /** @type {Map<number, any>} */
    const groups = new Map();
    const add = (/** @type {number} */ i, /** @type {number} */ j, /** @type {Record<string, unknown>} */ how, /** @type {number | null} */ w) => {
      const a = from.shown.indexOf(i), b = to.shown.indexOf(j);
      const at = { x1: from.x, y1: from.ys[a], x2: to.x, y2: to.ys[b] };
      if (!groups.has(i)) {
        const group = element("g", { class: "fan" });
        groups.set(i, group);
        svg.append(group);
        fans.push({ group, column: source.from, neuron: i });
      }
      const line = element("line", { ...at, ...how });
      groups.get(i).append(line);
      lines.push({ ...at, line, w, from: source.from, i, to: k, j });
    };
    if (source.weights) {
      for (const { i, j, w, size } of edgesOf(arrays[source.weights], columns[k].units, from.shown, to.shown))
        add(i, j, { class: w < 0 ? "minus" : "plus", "stroke-width": 0.4 + 1.6 * size, "stroke-opacity": 0.12 + 0.78 * size * size }, w);
    } else if (columns[source.from].units === columns[k].units)
      from.shown.filter((i) => to.shown.includes(i)).forEach((i) => add(i, i, { class: "same" }, null));
    else {
      const ends = [[from.x, from.ys[0]], [to.x, to.ys[0]], [to.x, to.ys.at(-1)], [from.x, from.ys.at(-1)]];
      svg.append(element("path", { class: "join", d: `M${ends.map((end) => end.join(" ")).join("L")}Z` }));
    }
  }

  /** @param {import("./layout.js").Placed} place @param {number} k @param {number} pitch */
  function drawColumn(place, k, pitch) {
    neurons.push(place.shown.map((neuron, j) => {
      const disc = element("circle", { cx: place.x, cy: place.ys[j], r: RADIUS, class: "disc" });
      const node = element("g", { class: "neuron", role: "button", tabindex: -1 },
        element("circle", { cx: place.x, cy: place.ys[j], r: RADIUS, class: "rim" }), disc);
      node.addEventListener("click", () => choose(k, neuron));
      node.addEventListener("focus", () => { focused = [k, j]; rove(); tell(words(k, neuron), node); });
      node.addEventListener("blur", () => tell(null));
      node.addEventListener("pointerenter", () => tell(words(k, neuron), node));
      node.addEventListener("pointerleave", () => tell(null));
      svg.append(node);
      const label = labelOf(k, neuron);
      if (label) svg.append(element("text", { x: place.x + RADIUS + 7, y: place.ys[j], class: "label", "aria-hidden": "true" }, short(label, 14)));
      return { node, disc, column: k, neuron };
    }));
    if (place.dots !== null)
      for (const step of [-7, 0, 7]) svg.append(element("circle", { cx: place.x, cy: place.dots + step, r: 1.6, class: "dot" }));
    const kind = short(columns[k].name.split(" ")[0], Math.max(7, Math.floor(pitch / 6.8)));
    [kind, String(columns[k].units)].forEach((text, up) => svg.append(element("text", { x: place.x, y: place.foot - 14 * up, class: "name" }, text)));
  }

  /** @param {string} name @param {number} most */
  const short = (name, most) => (name.length > most ? `${name.slice(0, most - 1)}…` : name);

  /** @param {number} column @param {number} neuron */
  const words = (column, neuron) => `${titleOf(column, neuron)}: ${shown(values[column]?.[neuron] ?? 0)}`;

  function rove() {
    neurons.forEach((column, k) => column.forEach(({ node }, j) => node.setAttribute("tabindex", k === focused[0] && j === focused[1] ? 0 : -1)));
  }

  function mark() {
    for (const column of neurons)
      for (const { node, column: k, neuron } of column) {
        const is = chosen !== null && chosen[0] === k && chosen[1] === neuron;
        node.classList.toggle("chosen", is);
        node.setAttribute("aria-pressed", String(is));
      }
    svg.classList.toggle("is-chosen", chosen !== null);
    for (const { line, from, i, to, j } of lines)
      line.classList.toggle("of-it", chosen !== null && ((from === chosen[0] && i === chosen[1]) || (to === chosen[0] && j === chosen[1])));
    focused = [Math.min(focused[0], neurons.length - 1), 0];
    rove();
  }

  /**
   * Shade the neurons.
   * @param {ArrayLike<number>[]} now  of each column
   * @param {(column: number, neuron: number) => number} shade  how much a neuron is lit, from 0 to 1
   */
  function show(now, shade) {
    [values, lit] = [now, shade];
    for (const column of neurons)
      for (const { node, disc, column: k, neuron } of column) {
        disc.setAttribute("fill-opacity", lit(k, neuron).toFixed(3));
        disc.classList.toggle("below", now[k][neuron] < 0);
        node.setAttribute("aria-label", words(k, neuron));
      }
    for (const { group, column, neuron } of fans) group.setAttribute("opacity", (0.3 + 0.7 * lit(column, neuron)).toFixed(3));
  }

  svg.addEventListener("pointermove", (/** @type {MouseEvent} */ event) => {
    if (/** @type {Element} */ (event.target).closest(".neuron")) return;
    const box = svg.getBoundingClientRect();
    const line = nearest(lines.filter((each) => each.w !== null), event.clientX - box.left, event.clientY - box.top, 3);
    tell(line && `weight ${shown(line.w)}, from ${titleOf(line.from, line.i)} to ${titleOf(line.to, line.j)}`, event);
  });
  svg.addEventListener("pointerleave", () => tell(null));
  svg.addEventListener("keydown", (/** @type {KeyboardEvent} */ event) => {
    const [k, j] = focused;
    const steps = { ArrowRight: [1, 0], ArrowLeft: [-1, 0], ArrowDown: [0, 1], ArrowUp: [0, -1] };
    const step = steps[/** @type {keyof typeof steps} */ (event.key)];
    if (step) {
      const column = neurons[Math.max(0, Math.min(neurons.length - 1, k + step[0]))];
      const share = neurons[k].length > 1 ? j / (neurons[k].length - 1) : 0;
      const place = step[0] ? Math.round(share * (column.length - 1)) : Math.max(0, Math.min(column.length - 1, j + step[1]));
      column[place].node.focus();
    } else if (event.key === "Enter" || event.key === " ") choose(neurons[k][j].column, neurons[k][j].neuron);
    else if (event.key === "Escape") choose(-1, -1);
    else return;
    event.preventDefault();
  });
  let width = 0;
  new ResizeObserver(() => {
    if (host.clientWidth !== width) {
      width = host.clientWidth;
      draw();
    }
  }).observe(host);
  draw();

  return {
    show,
    draw,
    nameOf,
    titleOf,
    /** @param {number} column @param {number} neuron */
    choose(column, neuron) {
      chosen = column < 0 ? null : [column, neuron];
      mark();
    },
  };
}
