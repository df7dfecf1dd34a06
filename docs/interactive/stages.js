/** The stages of a step of backpropagation, each with its formula and the numbers in it. */

import { backwardOf, forwardOf, stepped } from "./backprop.js";

const SIGNS = ["₁", "₂", "₃"];

/**
 * @typedef {{ title: string, lines: string[], now: string[] }} Stage
 *   now: the parts of the drawing that it is about: "x0" an input, "n0" a neuron, "w01" and "v0" a line, "y" the target
 */

/** A number with some digits behind the point, and a real minus. @param {number} value */
export const digits = (value, count = 4) => value.toFixed(count).replace(/^-(0\.0*)$/, "$1").replace("-", "−");

/** In parentheses where it is negative. @param {number} value */
const factor = (value, count = 4) => (value < 0 ? `(${digits(value, count)})` : digits(value, count));

/** A term with its sign. @param {number} value */
const term = (value, count = 4) => `${value < 0 ? "−" : "+"} ${digits(Math.abs(value), count)}`;

/**
 * @param {import("./backprop.js").Small} net
 * @param {import("./backprop.js").Example} example
 * @param {number} rate
 * @returns {Stage[]}
 */
export function stagesOf(net, example, rate) {
  const { x, y } = example;
  const { z, a, cost } = forwardOf(net, example);
  const slopes = backwardOf(net, example);
  const after = stepped(net, slopes, rate);
  const moved = (/** @type {string} */ name, /** @type {number} */ number, /** @type {number} */ slope, /** @type {number} */ to) =>
    `${name}: ${digits(number)} − ${digits(rate, 1)} · ${factor(slope)} = ${digits(to)}`;
  return [
    ...[0, 1].map((j) => ({
      title: `Forward: hidden neuron ${j + 1}`,
      lines: [
        `z${SIGNS[j]} = ${x.map((input, i) => `${digits(input, 1)} · ${factor(net.w[i][j], 3)}`).join(" + ")} ${term(net.b[j], 3)} = ${digits(z[j], 3)}`,
        `a${SIGNS[j]} = σ(z${SIGNS[j]}) = ${digits(a[j], 3)}`,
      ],
      now: [`n${j}`, `w0${j}`, `w1${j}`],
    })),
    {
      title: "Forward: the output",
      lines: [
        `z₃ = ${[0, 1].map((j) => `${digits(a[j], 3)} · ${factor(net.v[j], 3)}`).join(" + ")} ${term(net.c, 3)} = ${digits(z[2], 3)}`,
        `a₃ = σ(z₃) = ${digits(a[2], 3)}`,
      ],
      now: ["n2", "v0", "v1"],
    },
    { title: "The cost", lines: [`C = (a₃ − y)² = (${digits(a[2], 3)} − ${digits(y, 1)})² = ${digits(cost)}`], now: ["n2", "y"] },
    {
      title: "Backward: the output",
      lines: [
        "δ₃ = ∂C/∂z₃ = 2 (a₃ − y) · a₃ (1 − a₃)",
        `= 2 · ${factor(a[2] - y, 3)} · ${digits(a[2], 3)} · ${digits(1 - a[2], 3)} = ${digits(slopes.c)}`,
      ],
      now: ["n2", "y"],
    },
    {
      title: "The slopes of its weights and bias",
      lines: [
        ...[0, 1].map((j) => `neuron ${j + 1} → output: δ₃ · a${SIGNS[j]} = ${factor(slopes.c)} · ${digits(a[j], 3)} = ${digits(slopes.v[j])}`),
        `bias: δ₃ = ${digits(slopes.c)}`,
      ],
      now: ["v0", "v1"],
    },
    ...[0, 1].map((j) => ({
      title: `Backward: hidden neuron ${j + 1}`,
      lines: [
        `δ${SIGNS[j]} = δ₃ · its weight to the output · a${SIGNS[j]} (1 − a${SIGNS[j]})`,
        `= ${factor(slopes.c)} · ${factor(net.v[j], 3)} · ${digits(a[j], 3)} · ${digits(1 - a[j], 3)} = ${digits(slopes.b[j])}`,
      ],
      now: [`n${j}`, `v${j}`],
    })),
    {
      title: "The slopes of the hidden weights and biases",
      lines: [0, 1].flatMap((j) => [
        ...x.map((input, i) => `input ${i + 1} → neuron ${j + 1}: δ${SIGNS[j]} · ${digits(input, 1)} = ${digits(slopes.w[i][j])}`),
        `bias of neuron ${j + 1}: δ${SIGNS[j]} = ${digits(slopes.b[j])}`,
      ]),
      now: ["w00", "w01", "w10", "w11"],
    },
    {
      title: "The step: each number minus the learning rate times its slope",
      lines: [
        ...[0, 1].flatMap((j) => [
          ...[0, 1].map((i) => moved(`input ${i + 1} → neuron ${j + 1}`, net.w[i][j], slopes.w[i][j], after.w[i][j])),
          moved(`bias of neuron ${j + 1}`, net.b[j], slopes.b[j], after.b[j]),
        ]),
        ...[0, 1].map((j) => moved(`neuron ${j + 1} → output`, net.v[j], slopes.v[j], after.v[j])),
        moved("bias of the output", net.c, slopes.c, after.c),
        `The output will be ${digits(forwardOf(after, example).a[2], 3)} in place of ${digits(a[2], 3)}.`,
      ],
      now: ["w00", "w01", "w10", "w11", "v0", "v1"],
    },
  ];
}
