/** Pictures of what neurons say of every point of the square from -1 to 1. */

import { forward } from "./dense.js";
import { element, paint } from "./elements.js";

const CELLS = 40; // in a row of a picture

/** The middle of each cell, row by row from the top. @type {[number, number][]} */
const MIDDLES = Array.from({ length: CELLS * CELLS }, (_, k) => [
  ((k % CELLS) + 0.5) * (2 / CELLS) - 1, 1 - (Math.floor(k / CELLS) + 0.5) * (2 / CELLS),
]);

/**
 * What each neuron says of each cell, from -1 to 1 where it is a sigmoid.
 * @param {import("./dense.js").Layer[]} layers
 * @returns {Float64Array[][]}  by layer and neuron
 */
export function picturesOf(layers) {
  const pictures = layers.map(({ units }) => Array.from({ length: units }, () => new Float64Array(MIDDLES.length)));
  MIDDLES.forEach((x, cell) => {
    forward(layers, x).forEach(({ a }, k) => {
      const isSigmoid = layers[k].activation === "sigmoid";
      a.forEach((value, j) => { pictures[k][j][cell] = isSigmoid ? 2 * value - 1 : value; });
    });
  });
  return pictures;
}

/** A canvas for such a picture. @param {string} kind */
export const canvasOf = (kind) => element("canvas", { width: CELLS, height: CELLS, class: kind, "aria-hidden": "true" });

/** A point of the one class is a disc, one of the other a square. @param {import("./points.js").Point} point */
function mark({ x, y }) {
  const [left, top] = [100 * x[0], -100 * x[1]];
  return y ? element("circle", { cx: left, cy: top, r: 3.2, class: "one" })
    : element("path", { d: `M${left - 2.8} ${top - 2.8}h5.6v5.6h-5.6z`, class: "other" });
}

/**
 * The output as a picture, with the points upon it.
 * @param {string} label
 */
export function planeOf(label) {
  const canvas = canvasOf("shades");
  const svg = element("svg", { viewBox: "-100 -100 200 200", role: "img", "aria-label": label });
  return {
    view: element("div", { class: "plane" }, canvas, svg),
    /** @param {import("./points.js").Point[]} points */
    mark(points) { svg.replaceChildren(...points.map(mark)); },
    /** @param {Float64Array} picture */
    show(picture) { paint(canvas, picture, { signs: true, full: 1.4 }); },
  };
}
