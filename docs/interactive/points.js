/** Points of two classes in the square from -1 to 1, and the random numbers that they are drawn with. */

const COUNT = 200;

/** @typedef {{ x: [number, number], y: 0 | 1 }} Point */

/**
 * Random numbers from 0 to 1, the same for the same seed (mulberry32).
 * @param {number} seed
 * @returns {() => number}
 */
export function randomOf(seed) {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** @type {Record<string, (k: number, random: () => number) => Point>} */
const KINDS = {
  XOR(k, random) {
    const side = () => 0.12 + 0.83 * random();
    const [right, up] = [k & 1, (k >> 1) & 1];
    return { x: [right ? side() : -side(), up ? side() : -side()], y: right === up ? 0 : 1 };
  },
  spiral(k, random) {
    const y = /** @type {0 | 1} */ (k & 1);
    const along = (k >> 1) / (COUNT / 2);
    const angle = 1.6 * Math.PI * along + Math.PI * y + 0.2 * (random() - 0.5);
    const radius = 0.08 + 0.85 * along;
    return { x: [radius * Math.cos(angle), radius * Math.sin(angle)], y };
  },
};

export const DATA = Object.keys(KINDS);

/**
 * @param {string} kind  one of DATA
 * @returns {Point[]}
 */
export function pointsOf(kind) {
  const random = randomOf(1);
  return Array.from({ length: COUNT }, (_, k) => KINDS[kind](k, random));
}
