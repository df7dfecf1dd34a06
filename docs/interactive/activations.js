/** Activations, by the names that CyNN gives them, and their slopes. */

/**
 * @typedef {{ of: (z: number) => number, slope: (z: number, a: number) => number, sign: string, low: number, high: number }} Activation
 *   the slope may be had from z or from a = of(z); values are drawn from low to high
 */

/** @type {Record<string, Activation>} */
export const ACTIVATIONS = {
  sigmoid: { of: (z) => 1 / (1 + Math.exp(-z)), slope: (z, a) => a * (1 - a), sign: "σ", low: 0, high: 1 },
  tanh: { of: Math.tanh, slope: (z, a) => 1 - a * a, sign: "tanh", low: -1, high: 1 },
  relu: { of: (z) => Math.max(0, z), slope: (z) => (z > 0 ? 1 : 0), sign: "ReLU", low: 0, high: 6 },
  identity: { of: (z) => z, slope: () => 1, sign: "", low: -6, high: 6 },
};
