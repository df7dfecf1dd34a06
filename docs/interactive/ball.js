/** A ball on the cost over one weight: gradient descent with a learning rate to choose. */

import { button, slider, voiceOf } from "./controls.js";
import { element, shown } from "./elements.js";
import { loopOf } from "./loop.js";

const FIRST = -2;
const [LOW, HIGH] = [-4, 6]; // weights that are drawn
const TOP = 0.25; // cost
const RATES = [1, 2, 5, 10, 20, 50, 100, 200, 400];
const [WIDTH, HEIGHT] = [380, 250];
const FRAMES = 15; // from step to step

/** @param {number} z */
const sigmoid = (z) => 1 / (1 + Math.exp(-z));
/** The output of the network 2-2-1 for a weight from its second hidden neuron. @param {number} w */
const output = (w) => sigmoid(sigmoid(1) + 0.5 * w + 0.5);
/** @param {number} w */
export const costAt = (w) => (output(w) - 0.8) ** 2;
/** @param {number} w */
export const slopeAt = (w) => 2 * (output(w) - 0.8) * output(w) * (1 - output(w)) * 0.5;

const x = (/** @type {number} */ w) => 30 + ((Math.max(LOW, Math.min(HIGH, w)) - LOW) / (HIGH - LOW)) * (WIDTH - 50);
const y = (/** @type {number} */ cost) => HEIGHT - 52 - (Math.min(TOP, cost) / TOP) * (HEIGHT - 78);

/** @param {number[]} path  the weights of the ball, from the first to the last */
function drawing(path) {
  const w = path[path.length - 1];
  const curve = Array.from({ length: 121 }, (_, k) => LOW + (k / 120) * (HIGH - LOW)).map((each) => `${x(each)},${y(costAt(each))}`);
  const tangent = (/** @type {number} */ by) => y(costAt(w) + by * slopeAt(w));
  return [
    element("line", { x1: x(LOW), y1: y(0), x2: x(HIGH), y2: y(0), class: "axis" }),
    ...[-4, -2, 0, 2, 4, 6].map((tick) => element("text", { x: x(tick), y: HEIGHT - 32, class: "name" }, shown(tick))),
    element("text", { x: WIDTH / 2, y: HEIGHT - 11, class: "name" }, "weight w"),
    element("text", { x: 34, y: 11, class: "name" }, "cost C"),
    element("polyline", { points: curve.join(" "), class: "curve" }),
    ...path.slice(-60).map((each) => element("circle", { cx: x(each), cy: y(costAt(each)), r: 3, class: "trail" })),
    ...(w < LOW || w > HIGH ? [element("text", { x: WIDTH / 2, y: 30 }, "The ball is outside of the picture.")]
      : [element("line", { x1: x(w - 1), y1: tangent(-1), x2: x(w + 1), y2: tangent(1), class: "to" })]),
    element("circle", { cx: x(w), cy: y(costAt(w)) - 7, r: 8, class: "point" }),
  ];
}

/** @param {HTMLElement} host */
export function start(host) {
  let rate = 10;
  let path = [FIRST];
  const svg = element("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, class: "wide", role: "img", "aria-label": "The cost over one weight, a valley, and a ball on it." });
  const lines = element("p", { class: "lines" });
  const say = voiceOf(host);

  function show() {
    const w = path[path.length - 1];
    svg.replaceChildren(...drawing(path));
    const place = `Step ${path.length - 1}: w = ${shown(w)}, cost ${shown(costAt(w))}`;
    lines.replaceChildren(place, element("br"),
      `slope ${shown(slopeAt(w))}; the next step moves w by −${rate} · (${shown(slopeAt(w))}) = ${shown(-rate * slopeAt(w))}`);
    say(place);
  }
  function step() {
    const w = path[path.length - 1];
    path.push(w - rate * slopeAt(w));
    show();
  }
  let frame = 0;
  const loop = loopOf(["Roll", "Stop"], () => { if (frame++ % FRAMES === 0) step(); });
  /** @param {number} w */
  function put(w) {
    loop.stop();
    path = [w];
    show();
  }
  const first = slider("begin at w", { low: LOW, high: HIGH, step: 0.1, value: FIRST }, put);
  host.append(svg, lines,
    element("div", { class: "controls" },
      slider("learning rate", { low: 0, high: RATES.length - 1, step: 1, value: RATES.indexOf(rate), text: (k) => String(RATES[k]) }, (k) => { rate = RATES[k]; show(); }).view,
      first.view),
    element("div", { class: "buttons" },
      button("One step", () => { loop.stop(); step(); }), loop.view,
      button("Begin anew", () => { first.set(FIRST); put(FIRST); })));
  show();
}
