/** A neuron with three inputs: sliders for all that it depends on, and what it computes from that. */

import { ACTIVATIONS } from "./activations.js";
import { menu, slider, voiceOf } from "./controls.js";
import { element } from "./elements.js";

const SIGNS = ["₁", "₂", "₃"];
const EDGE = 6; // the curve is drawn for z from -6 to 6

/**
 * @typedef {{ a: number[], w: number[], b: number, activation: string }} Neuron
 */

/** @param {Neuron} neuron */
export function computed({ a, w, b, activation }) {
  const z = a.reduce((sum, each, k) => sum + w[k] * each, b);
  return { z, out: ACTIVATIONS[activation].of(z) };
}

/** A number with two digits behind the point, and a real minus. @param {number} value */
const two = (value) => value.toFixed(2).replace(/^-(?=0\.00$)/, "").replace("-", "−");

/** In parentheses where it is negative. @param {number} value */
const factor = (value) => (value < 0 ? `(${two(value)})` : two(value));

/**
 * What the neuron computes, in two lines.
 * @param {Neuron} neuron
 */
export function linesOf(neuron) {
  const { z, out } = computed(neuron);
  const products = neuron.a.map((each, k) => `${factor(neuron.w[k])} · ${two(each)}`).join(" + ");
  const bias = `${neuron.b < 0 ? "−" : "+"} ${two(Math.abs(neuron.b))}`;
  const { sign } = ACTIVATIONS[neuron.activation];
  return [`z = ${products} ${bias} = ${two(z)}`, `a′ = ${sign ? `${sign}(${two(z)})` : "z"} = ${out.toFixed(4).replace("-", "−")}`];
}

/** The neuron, its inputs and its weights as a picture. @param {Neuron} neuron */
function drawing(neuron) {
  const { out } = computed(neuron);
  const circle = (/** @type {number} */ x, /** @type {number} */ y, /** @type {number} */ r, /** @type {number} */ a) => {
    const lit = Math.min(1, Math.abs(a));
    return [
      element("circle", { cx: x, cy: y, r, class: "rim" }),
      element("circle", { cx: x, cy: y, r, class: a < 0 ? "disc below" : "disc", "fill-opacity": lit }),
      element("text", { x, y, class: lit > 0.5 && a > 0 ? "inside on-ink" : "inside" }, two(a)),
    ];
  };
  const parts = neuron.a.flatMap((a, k) => {
    const y = 36 + 68 * k, w = neuron.w[k];
    return [
      element("line", { x1: 48, y1: y, x2: 236, y2: 104, class: w < 0 ? "minus" : "plus", "stroke-width": 0.5 + 1.6 * Math.abs(w) }),
      element("text", { x: 118, y: y + 0.36 * (104 - y) - 10, class: "name" }, `w${SIGNS[k]} = ${two(w)}`),
      ...circle(48, y, 25, a),
    ];
  });
  parts.push(...circle(236, 104, 34, out), element("text", { x: 236, y: 158, class: "name" }, `b = ${two(neuron.b)}`));
  return parts;
}

/** The activation as a curve, and where the neuron is on it. @param {Neuron} neuron */
function curve(neuron) {
  const { of, low, high, sign } = ACTIVATIONS[neuron.activation];
  const { z, out } = computed(neuron);
  const inside = (/** @type {number} */ value, /** @type {number} */ from, /** @type {number} */ to) => Math.max(from, Math.min(to, value));
  const x = (/** @type {number} */ value) => 24 + ((inside(value, -EDGE, EDGE) + EDGE) / (2 * EDGE)) * 252;
  const y = (/** @type {number} */ value) => 176 - ((inside(value, low, high) - low) / (high - low)) * 144;
  const path = Array.from({ length: 121 }, (_, k) => (k / 60 - 1) * EDGE).map((each) => `${x(each)},${y(of(each))}`);
  return [
    element("line", { x1: 24, y1: y(0), x2: 276, y2: y(0), class: "axis" }),
    element("line", { x1: x(0), y1: 26, x2: x(0), y2: 180, class: "axis" }),
    element("polyline", { points: path.join(" "), class: "curve" }),
    element("line", { x1: x(z), y1: y(0), x2: x(z), y2: y(out), class: "to" }),
    element("circle", { cx: x(z), cy: y(out), r: 6, class: "point" }),
    element("text", { x: 150, y: 14, class: "name" }, `a′ = ${sign ? `${sign}(z)` : "z"}`),
    element("text", { x: 24, y: 198, class: "name" }, `z = −${EDGE}`),
    element("text", { x: 268, y: 198, class: "name" }, String(EDGE)),
    element("text", { x: x(0) + 14, y: y(high) + 2, class: "name" }, String(high)),
  ];
}

/** @param {HTMLElement} host */
export function start(host) {
  /** @type {Neuron} */
  const neuron = { a: [0.9, 0.1, 0.8], w: [2, -1, 3], b: -2.5, activation: "sigmoid" };
  const left = element("svg", { viewBox: "0 0 290 210", role: "img", "aria-label": "Three inputs, joined to a neuron." });
  const right = element("svg", { viewBox: "0 0 290 210", role: "img", "aria-label": "The activation as a curve, with a point at z." });
  const lines = element("p", { class: "lines" });
  const say = voiceOf(host);
  function show() {
    left.replaceChildren(...drawing(neuron));
    right.replaceChildren(...curve(neuron));
    const [z, out] = linesOf(neuron);
    lines.replaceChildren(z, element("br"), out);
    say(out);
  }
  const controls = element("div", { class: "controls" });
  neuron.a.forEach((value, k) => {
    controls.append(
      slider(`a${SIGNS[k]}`, { low: 0, high: 1, step: 0.05, value, text: two }, (to) => { neuron.a[k] = to; show(); }).view,
      slider(`w${SIGNS[k]}`, { low: -5, high: 5, step: 0.1, value: neuron.w[k], text: two }, (to) => { neuron.w[k] = to; show(); }).view,
    );
  });
  controls.append(
    slider("b", { low: -10, high: 10, step: 0.1, value: neuron.b, text: two }, (to) => { neuron.b = to; show(); }).view,
    menu("activation", Object.keys(ACTIVATIONS), (to) => { neuron.activation = to; show(); }),
  );
  host.append(element("div", { class: "drawn" }, left, right), lines, controls);
  show();
}
