/** Where neurons and edges are drawn. */

const GAP = 25; // pixels from neuron to neuron
const DOTS = 34; // pixels for the dots in the middle of a column
const NAME = 62; // pixels from a column to the one below it, for its name
const LIMIT = 16; // neurons of a column
const EDGES = 200; // between two columns
const FULL = 0.95; // the quantile of the weights from which on an edge has its full width

/**
 * @typedef {{ from: number, weights: string | null }} Source  the number of a column; an array (inputs, units)
 * @typedef {{ value: number, name: string, units: number, names?: string[] | null, sources: Source[] }} Column
 * @typedef {{ i: number, j: number, w: number, size: number }} Edge  from i to j; its size is from 0 to 1
 * @typedef {{ x: number, ys: number[], shown: number[], dots: number | null, foot: number }} Placed  foot: of its name
 */

/**
 * How much the neurons of a column matter to those that take from it.
 * @param {Column[]} columns
 * @param {number} k
 * @param {Record<string, ArrayLike<number>>} arrays
 * @param {ArrayLike<number> | null} usual  how much each neuron is lit by examples
 * @returns {Float64Array}
 */
export function importance(columns, k, arrays, usual) {
  const n = columns[k].units;
  const found = new Float64Array(n);
  let known = false;
  for (const after of columns)
    for (const source of after.sources)
      if (source.from === k && source.weights) {
        known = true;
        const w = arrays[source.weights];
        for (let place = 0; place < w.length; ++place) found[Math.floor(place / after.units)] += Math.abs(w[place]);
      }
  if (!known) found.fill(1);
  return usual ? found.map((value, place) => value * usual[place]) : found;
}

/**
 * The neurons of a column that are drawn: all, or those that matter most, in their order.
 * @param {Float64Array} matters
 * @returns {number[]}
 */
export function shownOf(matters) {
  const order = Array.from(matters.keys()).sort((a, b) => matters[b] - matters[a] || a - b);
  return order.slice(0, LIMIT).sort((a, b) => a - b);
}

/**
 * How many columns lead to each. Columns of one rank are drawn one below the other.
 * @param {Pick<Column, "sources">[]} columns
 * @returns {number[]}
 */
export function ranksOf(columns) {
  const ranks = [0];
  for (const { sources } of columns.slice(1)) ranks.push(1 + Math.max(...sources.map(({ from }) => ranks[from])));
  return ranks;
}

/**
 * The places of all neurons that are drawn, for a picture of that width.
 * @param {number[][]} shown  of each column
 * @param {number[]} units  of each column
 * @param {number[]} ranks  of each column
 * @param {number} width
 * @param {number} right  room for the labels behind the last column
 * @returns {{ width: number, height: number, pitch: number, columns: Placed[] }}
 */
export function placesOf(shown, units, ranks, width, right) {
  const heights = shown.map((each, k) => (each.length - 1) * GAP + (each.length < units[k] ? DOTS : 0));
  const steps = Math.max(...ranks);
  const sizes = Array(steps + 1).fill(-NAME);
  heights.forEach((size, k) => (sizes[ranks[k]] += size + NAME));
  const height = Math.max(...sizes) + 70;
  const tops = sizes.map((size) => (height - 28 - size) / 2 + 2);
  const left = 24;
  const pitch = steps ? Math.max(58, (width - left - right) / steps) : 0;
  const columns = shown.map((each, k) => {
    const rank = ranks[k], top = tops[rank], bottom = top + heights[k];
    const isCut = each.length < units[k];
    const half = Math.ceil(each.length / 2);
    const ys = each.map((_, place) => top + place * GAP + (isCut && place >= half ? DOTS : 0));
    tops[rank] = bottom + NAME;
    const dots = isCut ? (ys[half - 1] + ys[half]) / 2 : null;
    return { x: left + rank * pitch, ys, shown: each, dots, foot: sizes[rank] > heights[k] ? bottom + 37 : height - 4 };
  });
  return { width: left + steps * pitch + right, height, pitch, columns };
}

/**
 * The edges between neurons that are drawn, the strongest last; only these if there are many.
 * @param {ArrayLike<number>} weights  (inputs, units), row by row
 * @param {number} units
 * @param {number[]} before
 * @param {number[]} after
 * @returns {Edge[]}
 */
export function edgesOf(weights, units, before, after) {
  const edges = before.flatMap((i) => after.map((j) => ({ i, j, w: weights[i * units + j], size: 0 })));
  edges.sort((a, b) => Math.abs(a.w) - Math.abs(b.w));
  const full = Math.abs(edges[Math.floor(FULL * (edges.length - 1))]?.w) || 1;
  for (const edge of edges) edge.size = Math.min(1, Math.abs(edge.w) / full);
  return edges.slice(-EDGES);
}

/**
 * The edge that passes nearest to a point, if any does within some pixels.
 * @template {{ x1: number, y1: number, x2: number, y2: number }} T
 * @param {T[]} lines  the strongest last
 * @param {number} x
 * @param {number} y
 * @param {number} within
 * @returns {T | null}
 */
export function nearest(lines, x, y, within) {
  let found = null;
  let best = within;
  for (const line of lines) {
    const dx = line.x2 - line.x1, dy = line.y2 - line.y1;
    const along = ((x - line.x1) * dx + (y - line.y1) * dy) / (dx * dx + dy * dy);
    if (along < 0 || along > 1) continue;
    const distance = Math.hypot(line.x1 + along * dx - x, line.y1 + along * dy - y);
    if (distance <= best) [found, best] = [line, distance];
  }
  return found;
}

/**
 * The places of the largest numbers, the largest first.
 * @param {ArrayLike<number>} numbers
 * @param {number} count
 * @returns {number[]}
 */
export function largest(numbers, count) {
  return Array.from(numbers, (_, k) => k).sort((a, b) => numbers[b] - numbers[a] || a - b).slice(0, count);
}
