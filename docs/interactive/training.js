/** A network in training: gradient descent on batches of ten, as CyNN's SGD does it. */

import { costOf, descend, gradientsOf, layersOf, outputOf } from "./dense.js";
import { randomOf } from "./points.js";

const BATCH = 10;

/**
 * @typedef {{ layers: import("./dense.js").Layer[], epochs: number, epoch: () => void,
 *             standing: () => { cost: number, right: number } }} Training
 */

/**
 * @param {import("./points.js").Point[]} points
 * @param {{ sizes: number[], activation: string, rate: number, seed: number }} how
 * @returns {Training}
 */
export function trainingOf(points, { sizes, activation, rate, seed }) {
  const random = randomOf(seed);
  const layers = layersOf(sizes, activation, random);
  const order = points.slice();
  const training = {
    layers,
    epochs: 0,
    /** All points once, in a new order. */
    epoch() {
      for (let k = order.length - 1; k > 0; --k) {
        const j = Math.floor(random() * (k + 1));
        [order[k], order[j]] = [order[j], order[k]];
      }
      for (let k = 0; k < order.length; k += BATCH) descend(layers, gradientsOf(layers, order.slice(k, k + BATCH)), rate);
      ++training.epochs;
    },
    /** The mean cost, and the share of points that are on the right side. */
    standing() {
      const outputs = points.map(({ x }) => outputOf(layers, x));
      const cost = points.reduce((sum, { y }, k) => sum + costOf(outputs[k], y), 0) / points.length;
      const right = points.filter(({ y }, k) => (outputs[k] > 0.5) === (y === 1)).length / points.length;
      return { cost, right };
    },
  };
  return training;
}
