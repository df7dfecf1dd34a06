/** Two networks that differ in their activation alone, trained side by side: their borders, and their gradients layer by layer. */

import { button, menu, onTheme, slider, voiceOf } from "./controls.js";
import { gradientsOf } from "./dense.js";
import { element, percent } from "./elements.js";
import { loopOf } from "./loop.js";
import { picturesOf, planeOf } from "./plane.js";
import { DATA, pointsOf } from "./points.js";
import { trainingOf } from "./training.js";

const RATE = 0.1;
const WIDTH = 8; // neurons of a hidden layer
const LEAST = -8; // the power of ten at which a bar of the gradients begins

/**
 * The mean size of the gradients by the weights of each layer.
 * @param {import("./dense.js").Layer[]} layers
 * @param {import("./points.js").Point[]} points
 */
export const sizesOfGradients = (layers, points) =>
  gradientsOf(layers, points).map(({ weights }) => weights.reduce((sum, each) => sum + Math.abs(each), 0) / weights.length);

/**
 * @param {number[]} sizes
 * @returns {Node[]}  a row for each layer
 */
function bars(sizes) {
  return sizes.map((size, k) => {
    const share = Math.max(0, Math.min(1, 1 - Math.log10(size || 1e-99) / LEAST));
    return element("li", {}, element("span", {}, `layer ${k + 1}`),
      element("span", { class: "track" }, element("i", { style: `width:${100 * share}%` })),
      element("span", { class: "number" }, size.toExponential(0).replace("-", "−")));
  });
}

/** One of both networks. @param {string} activation */
function sideOf(activation) {
  const plane = planeOf(`The points, on shades that say which class the ${activation} network takes each place for.`);
  const lines = element("p", { class: "lines" });
  const list = element("ul", { class: "sizes", "aria-label": `mean size of the gradients, ${activation}` });
  const view = element("div", {}, element("p", { class: "title" }, activation), plane.view, lines, element("p", { class: "lines" }, "mean |dW|, on a logarithmic scale"), list);
  /** @type {import("./training.js").Training} */
  let training;
  /** @type {import("./points.js").Point[]} */
  let points = [];
  function show() {
    const { cost, right } = training.standing();
    plane.show(/** @type {Float64Array} */ (picturesOf(training.layers).at(-1)?.[0]));
    lines.textContent = `epoch ${training.epochs}: cost ${cost.toFixed(3)}, ${percent(right)} right`;
    list.replaceChildren(...bars(sizesOfGradients(training.layers, points)));
    return `${activation}: ${percent(right)} right`;
  }
  return {
    view,
    show,
    epoch() { training.epoch(); },
    /** @param {import("./points.js").Point[]} given @param {number} depth @param {number} seed */
    begin(given, depth, seed) {
      points = given;
      plane.mark(points);
      training = trainingOf(points, { sizes: [2, ...Array(depth).fill(WIDTH), 1], activation, rate: RATE, seed });
    },
  };
}

/** @param {HTMLElement} host */
export function start(host) {
  const chosen = { data: DATA[0], depth: 4, seed: 1 };
  const sides = [sideOf("sigmoid"), sideOf("relu")];
  const views = element("div", { class: "drawn" }, ...sides.map(({ view }) => view));
  const say = voiceOf(host);
  const show = () => say(sides.map((side) => side.show()).join("; "));
  /** @param {Partial<typeof chosen>} change */
  function choose(change) {
    Object.assign(chosen, change);
    const points = pointsOf(chosen.data);
    sides.forEach((side) => side.begin(points, chosen.depth, chosen.seed));
    show();
  }
  function epoch() {
    sides.forEach((side) => side.epoch());
    show();
  }
  const loop = loopOf(["Train both", "Stop"], epoch);
  host.append(
    element("div", { class: "controls" },
      menu("points", DATA, (data) => choose({ data })),
      slider("hidden layers", { low: 1, high: 10, step: 1, value: chosen.depth }, (depth) => choose({ depth })).view),
    element("div", { class: "buttons" }, loop.view,
      button("One epoch", () => { loop.stop(); epoch(); }),
      button("Begin anew", () => choose({ seed: chosen.seed + 1 }))),
    views);
  onTheme(show);
  choose({});
}
