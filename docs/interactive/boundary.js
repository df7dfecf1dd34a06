/** A network that learns to tell two classes of points apart, with its layers to choose, and the border that it draws. */

import { button, menu, onTheme, slider, voiceOf } from "./controls.js";
import { element, paint, percent } from "./elements.js";
import { loopOf } from "./loop.js";
import { canvasOf, picturesOf, planeOf } from "./plane.js";
import { DATA, pointsOf } from "./points.js";
import { trainingOf } from "./training.js";

const RATE = 0.3;

/** @param {{ depth: number, width: number }} layers  hidden layers, and neurons in each */
const sizesOf = ({ depth, width }) => [2, ...Array(depth).fill(width), 1];

/** @param {HTMLElement} host */
export function start(host) {
  const chosen = { data: DATA[0], activation: "tanh", depth: 1, width: 4, seed: 1 };
  const plane = planeOf("The points, on shades that say which class the network takes each place for.");
  const neurons = element("div", { class: "neurons" });
  const lines = element("p", { class: "lines" });
  const say = voiceOf(host);
  /** @type {import("./training.js").Training} */
  let training;
  /** @type {HTMLCanvasElement[][]} */
  let small = [];

  function begin() {
    const points = pointsOf(chosen.data);
    training = trainingOf(points, { ...chosen, sizes: sizesOf(chosen), rate: RATE });
    plane.mark(points);
    small = training.layers.slice(0, -1).map(({ units }) => Array.from({ length: units }, () => canvasOf("small")));
    neurons.replaceChildren(...small.map((each, k) =>
      element("div", {}, element("span", {}, `layer ${k + 1}`), ...each)));
    show();
  }

  function show() {
    const pictures = picturesOf(training.layers);
    plane.show(pictures[small.length][0]);
    small.forEach((each, k) => each.forEach((canvas, j) => paint(canvas, pictures[k][j], { signs: true })));
    const { cost, right } = training.standing();
    const parameters = training.layers.reduce((sum, { weights, biases }) => sum + weights.length + biases.length, 0);
    lines.textContent = `${sizesOf(chosen).join("-")}, ${parameters} weights and biases. Epoch ${training.epochs}: cost ${cost.toFixed(3)}, ${percent(right)} right`;
    say(`Epoch ${training.epochs}: ${percent(right)} right`);
  }

  /** @param {Partial<typeof chosen>} change */
  function choose(change) {
    Object.assign(chosen, change);
    begin();
  }
  function epoch() {
    training.epoch();
    show();
  }
  const loop = loopOf(["Train", "Stop"], epoch);
  host.append(
    element("div", { class: "controls" },
      menu("points", DATA, (data) => choose({ data })),
      menu("activation", ["tanh", "relu", "sigmoid"], (activation) => choose({ activation })),
      slider("hidden layers", { low: 0, high: 4, step: 1, value: chosen.depth }, (depth) => choose({ depth })).view,
      slider("neurons in each", { low: 1, high: 8, step: 1, value: chosen.width }, (width) => choose({ width })).view),
    element("div", { class: "buttons" }, loop.view,
      button("One epoch", () => { loop.stop(); epoch(); }),
      button("Begin anew", () => choose({ seed: chosen.seed + 1 }))),
    element("div", { class: "drawn" }, plane.view, neurons), lines);
  onTheme(show);
  begin();
}
