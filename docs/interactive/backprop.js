/** Backpropagation through a network 2-2-1 of sigmoids, with every number of it. */

/**
 * @typedef {{ w: number[][], b: number[], v: number[], c: number }} Small
 *   w and b: weights and biases of the hidden neurons, w[i][j] from input i to neuron j; v and c: those of the output
 * @typedef {{ x: number[], y: number }} Example
 * @typedef {{ z: number[], a: number[], cost: number }} Forward  of both hidden neurons and of the output
 * @typedef {{ delta: number[] } & Small} Backward  the slope of the cost by z of each neuron, and by all weights and biases
 */

/** @param {number} z */
const sigmoid = (z) => 1 / (1 + Math.exp(-z));

/**
 * @param {Small} net
 * @param {Example} example
 * @returns {Forward}
 */
export function forwardOf({ w, b, v, c }, { x, y }) {
  const z = b.map((bias, j) => x[0] * w[0][j] + x[1] * w[1][j] + bias);
  const a = z.map(sigmoid);
  z.push(a[0] * v[0] + a[1] * v[1] + c);
  a.push(sigmoid(z[2]));
  return { z, a, cost: (a[2] - y) ** 2 };
}

/**
 * @param {Small} net
 * @param {Example} example
 * @returns {Backward}
 */
export function backwardOf(net, example) {
  const { a } = forwardOf(net, example);
  const last = 2 * (a[2] - example.y) * a[2] * (1 - a[2]);
  const delta = [0, 1].map((j) => last * net.v[j] * a[j] * (1 - a[j]));
  return {
    delta: [...delta, last],
    w: example.x.map((input) => delta.map((each) => each * input)),
    b: delta,
    v: [last * a[0], last * a[1]],
    c: last,
  };
}

/**
 * A step of gradient descent.
 * @param {Small} net
 * @param {Backward} slopes
 * @param {number} rate
 * @returns {Small}
 */
export function stepped(net, slopes, rate) {
  const moved = (/** @type {number[]} */ numbers, /** @type {number[]} */ by) => numbers.map((number, k) => number - rate * by[k]);
  return {
    w: net.w.map((row, i) => moved(row, slopes.w[i])),
    b: moved(net.b, slopes.b),
    v: moved(net.v, slopes.v),
    c: net.c - rate * slopes.c,
  };
}
