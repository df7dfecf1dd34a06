/** Elements of the page. Text of a user's is put in as text, never as markup. */

const SVG = "http://www.w3.org/2000/svg";
const DRAWN = new Set(["svg", "g", "line", "circle", "text", "path", "polyline"]);

/**
 * Make an element.
 * @param {string} name
 * @param {Record<string, unknown>} [attributes]  a function listens to the event of that name
 * @param {...(Node | string)} children
 * @returns {any}
 */
export function element(name, attributes = {}, ...children) {
  const made = DRAWN.has(name) ? document.createElementNS(SVG, name) : document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (typeof value === "function") made.addEventListener(key, /** @type {EventListener} */ (value));
    else if (value !== null && value !== undefined) made.setAttribute(key, String(value));
  }
  made.append(...children);
  return made;
}

/**
 * A number as it is read.
 * @param {number} value
 * @param {number} [digits]  of a number below 1
 */
export function shown(value, digits = 2) {
  if (!Number.isFinite(value)) return String(value);
  const size = Math.abs(value);
  if (size !== 0 && (size < 0.001 || size >= 1e6)) return value.toExponential(2).replace("-", "−");
  return String(Number(value.toPrecision(size < 1 ? digits : 4))).replace("-", "−");
}

/**
 * A share as it is read: 0.987 is 98.7 %.
 * @param {number} share
 */
export const percent = (share) => `${(100 * share).toFixed(share < 0.0995 ? 1 : 0)} %`;

/**
 * A colour of the page, in the place of an element.
 * @param {string} name
 * @param {Element} place
 * @returns {number[]}
 */
export function colour(name, place) {
  const text = getComputedStyle(place.isConnected ? place : document.documentElement).getPropertyValue(`--${name}`).trim();
  const hex = text.length === 4 ? text.replace(/[^#]/g, "$&$&") : text;
  return [1, 3, 5].map((k) => parseInt(hex.slice(k, k + 2), 16));
}

/**
 * A picture of numbers: the larger, the more ink; with signs, in one colour for each.
 * @param {ArrayLike<number>} numbers
 * @param {[number, number]} shape
 * @param {{ signs?: boolean, full?: number, place?: Element, label?: string }} how
 * @returns {HTMLCanvasElement}
 */
export function picture(numbers, [rows, columns], { label = "", ...how }) {
  const canvas = element("canvas", { width: columns, height: rows, class: how.signs ? "picture" : "picture black" });
  if (label) [canvas.role, canvas.ariaLabel] = ["img", label];
  else canvas.ariaHidden = "true";
  paint(canvas, numbers, how);
  return canvas;
}

/**
 * @param {HTMLCanvasElement} canvas
 * @param {ArrayLike<number>} numbers
 * @param {{ signs?: boolean, full?: number, place?: Element }} how  full: the number that is all ink, by default the largest;
 *   place: an element that is in the page, whose colours are taken
 */
export function paint(canvas, numbers, { signs = false, full = 0, place = canvas }) {
  const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  const image = context.createImageData(canvas.width, canvas.height);
  const [plus, minus] = signs ? [colour("more", place), colour("less", place)] : [[0, 0, 0], [0, 0, 0]];
  let most = full;
  if (!most) for (let k = 0; k < numbers.length; ++k) most = Math.max(most, Math.abs(numbers[k]));
  for (let k = 0; k < numbers.length; ++k) {
    image.data.set(numbers[k] < 0 ? minus : plus, 4 * k);
    image.data[4 * k + 3] = 255 * Math.min(1, Math.abs(numbers[k]) / (most || 1));
  }
  context.putImageData(image, 0, 0);
}
