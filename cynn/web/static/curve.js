/** The function that a network of one or two inputs has learned, with a point that is moved by hand. */

import { colour, element, shown } from "./elements.js";

const WIDTH = 280;
const HEIGHT = 220;
const POINTS = 140;
const CELLS = 56;

/** Colours of several outputs, which differ also for those who are colour-blind (Okabe and Ito, 2008). */
export const PALETTE = ["#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#b8a900", "#777777"];

/**
 * @param {HTMLElement} host
 * @param {import("./inputs.js").Field[]} fields
 * @param {(x: ArrayLike<number>) => number[]} predict  all outputs
 * @param {(x: Float64Array) => void} changed
 * @returns {import("./inputs.js").Input}
 */
export function curveOf(host, fields, predict, changed) {
  const label = `${fields.length === 1 ? "The curve" : "The plane"} of the outputs; the sliders move the point.`;
  const svg = element("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, class: "curve", role: "img", "aria-label": label });
  const canvas = element("canvas", { width: CELLS, height: CELLS, class: "plane", "aria-hidden": "true" });
  host.append(element("div", { class: "paper" }, fields.length === 2 ? canvas : "", svg));
  const [first, second] = fields;
  let low = 0, high = 1;
  /** @param {import("./inputs.js").Field} field @param {number} share */
  const along = (field, share) => field.low + share * (field.high - field.low);
  /** @param {import("./inputs.js").Field} field @param {number} value */
  const share = (field, value) => (value - field.low) / (field.high - field.low || 1);
  const up = (/** @type {number} */ y) => HEIGHT - 12 - ((y - low) / (high - low || 1)) * (HEIGHT - 24);
  const marks = element("g", {});

  function drawCurve() {
    const rows = Array.from({ length: POINTS + 1 }, (_, k) => predict([along(first, k / POINTS)]));
    const all = rows.flat();
    [low, high] = [Math.min(...all), Math.max(...all)];
    svg.replaceChildren(
      element("text", { x: 4, y: 11, class: "name" }, shown(high)), element("text", { x: 4, y: HEIGHT - 2, class: "name" }, shown(low)),
      ...rows[0].map((_, j) => element("polyline", {
        fill: "none", "stroke-width": 2, stroke: rows[0].length > 1 ? PALETTE[j % 8] : "var(--plus)",
        points: rows.map((row, k) => `${((WIDTH * k) / POINTS).toFixed(1)},${up(row[j]).toFixed(1)}`).join(" "),
      })),
      marks,
    );
  }

  function drawPlane() {
    const context = canvas.getContext("2d");
    const image = context.createImageData(CELLS, CELLS);
    const rows = Array.from({ length: CELLS * CELLS }, (_, k) =>
      predict([along(first, ((k % CELLS) + 0.5) / CELLS), along(second, 1 - (Math.floor(k / CELLS) + 0.5) / CELLS)]));
    const outputs = rows[0].length;
    [low, high] = [Math.min(...rows.map((row) => row[0])), Math.max(...rows.map((row) => row[0]))];
    const inks = outputs > 1
      ? PALETTE.map((hex) => [1, 3, 5].map((k) => parseInt(hex.slice(k, k + 2), 16)))
      : [colour("minus", host), colour("plus", host)];
    rows.forEach((row, k) => {
      const best = outputs > 1 ? row.indexOf(Math.max(...row)) : Number(2 * row[0] > low + high);
      const strength = outputs > 1 ? 0.75 : Math.abs((2 * row[0] - low - high) / (high - low || 1));
      image.data.set(inks[best % inks.length], 4 * k);
      image.data[4 * k + 3] = 255 * strength;
    });
    context.putImageData(image, 0, 0);
    svg.replaceChildren(marks);
  }

  /** @type {number[]} */
  let x = [];
  function place() {
    marks.replaceChildren();
    if (!x.length || x.some(Number.isNaN)) return;
    const left = WIDTH * share(first, x[0]);
    marks.replaceChildren(
      ...(fields.length === 1
        ? [element("line", { x1: left, x2: left, y1: 0, y2: HEIGHT, class: "same" }),
           ...predict(x).map((y) => element("circle", { cx: left, cy: up(y), r: 5, class: "point" }))]
        : [element("circle", { cx: left, cy: HEIGHT * (1 - share(second, x[1])), r: 6, class: "point" })]),
    );
  }
  function repaint() {
    (fields.length === 1 ? drawCurve : drawPlane)();
    place();
  }
  const move = (/** @type {PointerEvent} */ event) => {
    if (!event.buttons) return;
    const box = svg.getBoundingClientRect();
    const clip = (/** @type {number} */ value) => Math.max(0, Math.min(1, value));
    const to = [along(first, clip((event.clientX - box.left) / box.width))];
    if (second) to.push(along(second, clip(1 - (event.clientY - box.top) / box.height)));
    changed(Float64Array.from(to, (value, k) => (fields[k].whole ? Math.round(value) : value)));
  };
  svg.addEventListener("pointerdown", (/** @type {PointerEvent} */ event) => {
    svg.setPointerCapture(event.pointerId);
    move(event);
  });
  svg.addEventListener("pointermove", move);
  repaint();
  return { show(given) { x = Array.from(given); place(); }, repaint };
}
