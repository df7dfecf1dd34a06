/** Drawn pictures, brought into the form of the training data as MNIST's were: centred, in eight bits. */

const SIDE = 28;
const BOX = 20;
const VISIBLE = 51; // of 255: a fifth

/**
 * @typedef {{ data: ArrayLike<number>, width: number, height: number }} Ink  numbers from 0 to 255, row by row
 * @typedef {{ left: number, top: number, width: number, height: number }} Box
 */

/**
 * The smallest box around what is visible; null if nothing is.
 * @param {Ink} ink
 * @returns {Box | null}
 */
export function boxOf(ink) {
  let left = ink.width, right = -1, top = ink.height, bottom = -1;
  for (let y = 0, k = 0; y < ink.height; ++y)
    for (let x = 0; x < ink.width; ++x, ++k)
      if (ink.data[k] > VISIBLE) {
        if (x < left) left = x;
        if (x > right) right = x;
        if (y < top) top = y;
        bottom = y;
      }
  return right < 0 ? null : { left, top, width: right - left + 1, height: bottom - top + 1 };
}

/**
 * A line of numbers as another number of means, each over its share of the line.
 * @param {ArrayLike<number>} from  with the line at first, first + stride, ...
 * @param {number} first
 * @param {number} stride
 * @param {number} n
 * @param {Float64Array} to
 * @param {number} place
 * @param {number} step
 * @param {number} count
 */
function means(from, first, stride, n, to, place, step, count) {
  const share = n / count;
  for (let j = 0; j < count; ++j) {
    const begin = j * share, end = begin + share;
    let sum = 0;
    for (let k = Math.floor(begin); k < end && k < n; ++k)
      sum += from[first + k * stride] * (Math.min(end, k + 1) - Math.max(begin, k));
    to[place + j * step] = sum / share;
  }
}

/**
 * A part of a picture, scaled: every pixel is the mean of what it covers.
 * @param {Ink} ink
 * @param {Box} box
 * @param {number} width
 * @param {number} height
 * @returns {Float64Array}
 */
export function scaled(ink, box, width, height) {
  const narrow = new Float64Array(width * box.height);
  for (let y = 0; y < box.height; ++y)
    means(ink.data, (box.top + y) * ink.width + box.left, 1, box.width, narrow, y * width, 1, width);
  const found = new Float64Array(width * height);
  for (let x = 0; x < width; ++x) means(narrow, x, width, box.height, found, x, width, height);
  return found;
}

/**
 * The start of a line of pixels that puts its centre of mass in the middle of the picture.
 * @param {Float64Array} mass
 */
function firstOf(mass) {
  let sum = 0, moment = 0;
  mass.forEach((m, k) => { sum += m; moment += m * k; });
  return Math.max(0, Math.min(SIDE - mass.length, Math.round((SIDE - 1) / 2 - moment / sum)));
}

/**
 * A digit as in MNIST: scaled to fit 20 by 20 pixels, its centre of mass in the middle of 28 by 28.
 * @param {Ink} ink
 * @returns {Float64Array} whole numbers from 0 to 255; all 0 if nothing is drawn
 */
export function digitOf(ink) {
  const found = new Float64Array(SIDE * SIDE);
  const box = boxOf(ink);
  if (!box) return found;
  const scale = BOX / Math.max(box.width, box.height);
  const width = Math.max(1, Math.round(box.width * scale)), height = Math.max(1, Math.round(box.height * scale));
  const digit = scaled(ink, box, width, height);
  const rows = new Float64Array(height), columns = new Float64Array(width);
  digit.forEach((m, k) => { rows[Math.floor(k / width)] += m; columns[k % width] += m; });
  const top = firstOf(rows), left = firstOf(columns);
  digit.forEach((m, k) => { found[(top + Math.floor(k / width)) * SIDE + left + (k % width)] = Math.round(m); });
  return found;
}

/**
 * What is drawn as a row of inputs: a picture of 28 by 28 pixels is centred, another is scaled as a whole.
 * @param {Ink} ink
 * @param {[number, number]} shape  rows and columns
 * @param {number} full  the input for full ink
 * @returns {Float64Array}
 */
export function rowOf(ink, [rows, columns], full) {
  const whole = { left: 0, top: 0, width: ink.width, height: ink.height };
  const isDigit = rows === SIDE && columns === SIDE;
  const pixels = isDigit ? digitOf(ink) : scaled(ink, whole, columns, rows).map(Math.round);
  return pixels.map((pixel) => (pixel / 255) * full);
}
