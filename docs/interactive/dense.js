/** A network of dense layers: its outputs, its gradients, and a step of gradient descent. */

import { ACTIVATIONS } from "./activations.js";

/**
 * @typedef {{ inputs: number, units: number, activation: string, weights: Float64Array, biases: Float64Array }} Layer
 *   weights are (inputs, units), row by row
 * @typedef {{ x: ArrayLike<number>, z: Float64Array, a: Float64Array }} Passed  what a layer got and made of it
 * @typedef {{ weights: Float64Array, biases: Float64Array }} Gradient
 */

/**
 * Layers with weights from a uniform distribution with Glorot's limit √(6 / (inputs + units)), and biases of 0.
 * @param {number[]} sizes
 * @param {string} activation  of the hidden layers; the output is a sigmoid
 * @param {() => number} random  from 0 to 1
 * @returns {Layer[]}
 */
export function layersOf(sizes, activation, random) {
  return sizes.slice(1).map((units, k) => {
    const inputs = sizes[k];
    const limit = Math.sqrt(6 / (inputs + units));
    const weights = Float64Array.from({ length: inputs * units }, () => limit * (2 * random() - 1));
    return { inputs, units, activation: k === sizes.length - 2 ? "sigmoid" : activation, weights, biases: new Float64Array(units) };
  });
}

/**
 * @param {Layer} layer
 * @param {ArrayLike<number>} x
 * @returns {Passed}
 */
function pass({ inputs, units, activation, weights, biases }, x) {
  const { of } = ACTIVATIONS[activation];
  const z = biases.slice();
  for (let i = 0; i < inputs; ++i) for (let j = 0; j < units; ++j) z[j] += x[i] * weights[i * units + j];
  return { x, z, a: z.map(of) };
}

/**
 * What every layer makes of an input.
 * @param {Layer[]} layers
 * @param {ArrayLike<number>} x
 * @returns {Passed[]}
 */
export function forward(layers, x) {
  /** @type {Passed[]} */
  const passed = [];
  for (const layer of layers) passed.push(pass(layer, passed.length ? passed[passed.length - 1].a : x));
  return passed;
}

/**
 * The output of a network that has one.
 * @param {Layer[]} layers
 * @param {ArrayLike<number>} x
 */
export const outputOf = (layers, x) => forward(layers, x)[layers.length - 1].a[0];

/**
 * The cross-entropy of an output for a target of 0 or 1.
 * @param {number} a
 * @param {number} y
 */
export const costOf = (a, y) => -Math.log(Math.max(1e-300, y ? a : 1 - a));

/**
 * Backpropagation: the gradient of the mean cross-entropy over some examples.
 * @param {Layer[]} layers
 * @param {{ x: ArrayLike<number>, y: number }[]} examples
 * @returns {Gradient[]}
 */
export function gradientsOf(layers, examples) {
  const gradients = layers.map(({ weights, biases }) => ({
    weights: new Float64Array(weights.length), biases: new Float64Array(biases.length),
  }));
  for (const { x, y } of examples) {
    const passed = forward(layers, x);
    // ∂C/∂z of the output: with cross-entropy, the slope of the sigmoid cancels.
    let delta = Float64Array.of((passed[layers.length - 1].a[0] - y) / examples.length);
    for (let k = layers.length - 1; k >= 0; --k) {
      const { inputs, units, weights } = layers[k];
      const before = new Float64Array(inputs);
      for (let j = 0; j < units; ++j) gradients[k].biases[j] += delta[j];
      for (let i = 0; i < inputs; ++i)
        for (let j = 0; j < units; ++j) {
          gradients[k].weights[i * units + j] += passed[k].x[i] * delta[j];
          before[i] += weights[i * units + j] * delta[j];
        }
      if (k > 0) {
        const { slope } = ACTIVATIONS[layers[k - 1].activation];
        delta = before.map((d, i) => d * slope(passed[k - 1].z[i], passed[k - 1].a[i]));
      }
    }
  }
  return gradients;
}

/**
 * Move each weight and bias against its gradient.
 * @param {Layer[]} layers
 * @param {Gradient[]} gradients
 * @param {number} rate
 */
export function descend(layers, gradients, rate) {
  layers.forEach(({ weights, biases }, k) => {
    gradients[k].weights.forEach((gradient, place) => { weights[place] -= rate * gradient; });
    gradients[k].biases.forEach((gradient, place) => { biases[place] -= rate * gradient; });
  });
}
