/** Backpropagation stage by stage: a drawing of the network, and the numbers of each stage. */

import { backwardOf, forwardOf, stepped } from "./backprop.js";
import { button, slider, voiceOf } from "./controls.js";
import { element } from "./elements.js";
import { digits, stagesOf } from "./stages.js";

export const EXAMPLE = { x: [1, 0.5], y: 0.8 };
export const FIRST = { w: [[0.8, -0.4], [0.6, 1.2]], b: [-0.1, -0.2], v: [1, -2], c: 0.5 };

/** Where they stand: inputs, and neurons. */
const INPUTS = [[34, 50], [34, 190]];
const NEURONS = [[190, 50], [190, 190], [330, 120]];
/** From which stage on the activation of each neuron is known, and its δ. */
const KNOWN = [0, 1, 2];
const KNOWN_DELTA = [6, 7, 4];

/**
 * @param {import("./backprop.js").Small} net
 * @param {number} stage  its number
 * @param {Set<string>} now
 */
function drawing(net, stage, now) {
  const { a } = forwardOf(net, EXAMPLE);
  const { delta } = backwardOf(net, EXAMPLE);
  const marked = (/** @type {string} */ name, /** @type {string} */ kind) => (now.has(name) ? `${kind} now` : kind);
  const text = (/** @type {number} */ x, /** @type {number} */ y, /** @type {string} */ said, kind = "name") => element("text", { x, y, class: kind }, said);
  const lines = [
    ...[0, 1].flatMap((i) => [0, 1].map((j) => ({ name: `w${i}${j}`, from: INPUTS[i], to: NEURONS[j], weight: net.w[i][j], at: 0.34, up: 12 }))),
    ...[0, 1].map((j) => ({ name: `v${j}`, from: NEURONS[j], to: NEURONS[2], weight: net.v[j], at: 0.5, up: j ? -16 : 14 })),
  ];
  const disc = (/** @type {string} */ name, /** @type {number[]} */ [x, y], /** @type {string} */ said) => [
    element("circle", { cx: x, cy: y, r: 25, class: marked(name, "rim") }), text(x, y, said, "inside"),
  ];
  return [
    ...lines.map(({ name, from, to, weight }) => element("line", {
      x1: from[0], y1: from[1], x2: to[0], y2: to[1], class: marked(name, weight < 0 ? "minus" : "plus"), "stroke-width": 1 + Math.min(3, Math.abs(weight)),
    })),
    ...lines.map(({ from, to, weight, at, up }) => text(from[0] + at * (to[0] - from[0]), from[1] + at * (to[1] - from[1]) - up, digits(weight, 2))),
    ...INPUTS.flatMap((place, i) => disc(`x${i}`, place, digits(EXAMPLE.x[i], 1))),
    ...NEURONS.flatMap(([x, y], k) => [
      ...disc(`n${k}`, [x, y], stage >= KNOWN[k] ? digits(a[k], 3) : "?"),
      text(x, y - 36, `bias ${digits(k < 2 ? net.b[k] : net.c, 2)}`),
      text(x, y + 37, stage >= KNOWN_DELTA[k] ? `δ ${digits(delta[k])}` : ""),
    ]),
    text(330, 190, `wanted ${digits(EXAMPLE.y, 1)}`, now.has("y") ? "inside" : "name"),
  ];
}

/** @param {HTMLElement} host */
export function start(host) {
  let rate = 1;
  let stage = 0;
  /** The networks before each step, the last of them the present one. */
  let nets = [FIRST];
  const svg = element("svg", { viewBox: "0 0 380 240", role: "img", "aria-label": "The network 2-2-1 with its numbers." });
  const title = element("p", { class: "title" });
  const lines = element("p", { class: "lines" });
  const say = voiceOf(host);
  const back = button("Back", () => go(-1));
  const next = button("Next", () => go(1));

  function show() {
    const net = nets[nets.length - 1];
    const stages = stagesOf(net, EXAMPLE, rate);
    svg.replaceChildren(...drawing(net, stage, new Set(stages[stage].now)));
    title.textContent = `Step ${nets.length}, ${stage + 1} of ${stages.length}. ${stages[stage].title}`;
    lines.replaceChildren(...stages[stage].lines.flatMap((each, k) => (k ? [element("br"), each] : [each])));
    back.disabled = stage === 0 && nets.length === 1;
    say([title.textContent, ...stages[stage].lines].join(". "));
  }

  /** @param {number} by  1 or -1 */
  function go(by) {
    const net = nets[nets.length - 1];
    const count = stagesOf(net, EXAMPLE, rate).length;
    stage += by;
    if (stage === count) {
      nets.push(stepped(net, backwardOf(net, EXAMPLE), rate));
      stage = 0;
    } else if (stage < 0) {
      nets.pop();
      stage = count - 1;
    }
    show();
  }

  const first = button("Begin anew", () => {
    nets = [FIRST];
    stage = 0;
    show();
  });
  const rates = { low: 0.5, high: 20, step: 0.5, value: rate, text: (/** @type {number} */ value) => digits(value, 1) };
  host.append(
    element("div", { class: "buttons" }, back, next, first),
    element("div", { class: "drawn" }, svg, element("div", {}, title, lines)),
    element("div", { class: "controls" }, slider("learning rate", rates, (to) => { rate = to; show(); }).view));
  show();
}
