/** What the reader gives to the network: a drawing, numbers of a table, or a point on a curve. */

import { element, paint, shown } from "./elements.js";
import { rowOf } from "./picture.js";

const PAD = 280; // pixels of the drawing
const PEN = 0.075; // of its side
const STEP = 7; // pixels that a key moves the pen

/**
 * @typedef {{ name: string, low: number, high: number, whole: boolean, categories: string[] | null, isOptional: boolean,
 *             isDate: boolean }} Field
 * @typedef {{ show: (x: ArrayLike<number>) => void, repaint: () => void }} Input
 */

/**
 * A pad to draw on, with a mouse, a finger or keys.
 * @param {HTMLElement} host
 * @param {[number, number]} shape
 * @param {number} full
 * @param {(x: Float64Array) => void} changed
 * @returns {Input}
 */
export function padOf(host, shape, full, changed) {
  const height = Math.round((PAD * shape[0]) / shape[1]);
  const pad = element("canvas", {
    width: PAD, height, class: "pad black", tabindex: 0, role: "application",
    "aria-label": "Drawing pad. Arrow keys move the pen, Space sets it down or lifts it, Delete clears the pad.",
  });
  const context = pad.getContext("2d", { willReadFrequently: true });
  const hint = element("p", { class: "hint", "aria-hidden": "true" }, "draw here");
  const seen = element("canvas", { width: shape[1], height: shape[0], class: "picture black seen", "aria-hidden": "true" });
  const clear = element("button", { type: "button", click: () => { wipe(); read(); } }, "Clear");
  host.append(
    element("div", { class: "paper" }, pad, hint),
    element("div", { class: "below" }, clear, element("span", { class: "sees" }, seen, `what it sees: ${shape[0]} × ${shape[1]}`)),
  );
  /** @type {ArrayLike<number>} */
  let x = new Float64Array(shape[0] * shape[1]);
  /** @type {{ x: number, y: number } | null} */
  let last = null;
  const pen = { x: PAD / 2, y: height / 4, isDown: false };

  function wipe() {
    context.clearRect(0, 0, PAD, height);
    hint.hidden = false;
  }

  /** @param {{ x: number, y: number }} to */
  function stroke(to) {
    context.lineWidth = PEN * PAD;
    context.lineCap = context.lineJoin = "round";
    context.beginPath();
    context.moveTo((last ?? to).x, (last ?? to).y);
    context.lineTo(to.x, to.y + (last ? 0 : 0.01));
    context.stroke();
    last = to;
    hint.hidden = true;
  }

  function read() {
    const { data } = context.getImageData(0, 0, PAD, height);
    const ink = new Uint8Array(PAD * height);
    for (let k = 0; k < ink.length; ++k) ink[k] = data[4 * k + 3];
    x = rowOf({ data: ink, width: PAD, height }, shape, full);
    changed(/** @type {Float64Array} */ (x));
  }

  /** @param {PointerEvent} event */
  const at = (event) => {
    const box = pad.getBoundingClientRect();
    return { x: ((event.clientX - box.left) * PAD) / box.width, y: ((event.clientY - box.top) * height) / box.height };
  };
  let isExample = false;
  pad.addEventListener("pointerdown", (/** @type {PointerEvent} */ event) => {
    pad.setPointerCapture(event.pointerId);
    if (isExample) wipe();
    isExample = false;
    last = null;
    stroke(at(event));
    read();
    event.preventDefault();
    pad.focus({ preventScroll: true });
  });
  pad.addEventListener("pointermove", (/** @type {PointerEvent} */ event) => {
    if (!last || !event.buttons) return;
    stroke(at(event));
    read();
  });
  for (const end of ["pointerup", "pointercancel"]) pad.addEventListener(end, () => { last = null; });
  pad.addEventListener("keydown", (/** @type {KeyboardEvent} */ event) => {
    const steps = { ArrowRight: [1, 0], ArrowLeft: [-1, 0], ArrowDown: [0, 1], ArrowUp: [0, -1] };
    const step = steps[/** @type {keyof typeof steps} */ (event.key)];
    if (event.key === "Delete" || event.key === "Backspace") wipe();
    else if (event.key === " ") {
      pen.isDown = !pen.isDown;
      last = null;
    } else if (step) {
      pen.x = Math.max(0, Math.min(PAD, pen.x + step[0] * STEP));
      pen.y = Math.max(0, Math.min(height, pen.y + step[1] * STEP));
    } else return;
    event.preventDefault();
    if (pen.isDown) stroke({ x: pen.x, y: pen.y });
    read();
  });

  return {
    /** A picture that is given: it is put on the pad, and the next stroke begins anew. */
    show(given) {
      const isDrawn = given === x;
      x = given;
      if (!isDrawn) {
        wipe();
        const small = element("canvas", { width: shape[1], height: shape[0] });
        const image = context.createImageData(shape[1], shape[0]);
        for (let k = 0; k < given.length; ++k) image.data[4 * k + 3] = (255 * given[k]) / full;
        small.getContext("2d").putImageData(image, 0, 0);
        context.drawImage(small, 0, 0, PAD, height);
        hint.hidden = isExample = true;
      }
      paint(seen, x, { full });
    },
    repaint() {},
  };
}

/**
 * A value of a column as it is read. A missing number is NaN, a missing category -1, a date the seconds since 1970.
 * @param {Field} field
 * @param {number} value
 */
export function textOf({ low, high, categories, isDate }, value) {
  if (Number.isNaN(value) || (categories && value < 0)) return "missing";
  if (categories) return categories[value];
  if (!isDate) return shown(value);
  const hours = Math.abs(high - low) < 3 * 86400;
  return new Date(1000 * value).toISOString().slice(0, hours ? 16 : 10).replace("T", " ");
}

/**
 * A slider for each number, a menu for each category. What may be missing has a box to tick, or a line in the menu.
 * @param {HTMLElement} host
 * @param {Field[]} fields
 * @param {(x: Float64Array) => void} changed
 * @returns {Input}
 */
export function tableOf(host, fields, changed) {
  const x = new Float64Array(fields.length);
  const rows = element("div", { class: fields.some((field) => field.isOptional) ? "fields optional" : "fields" });
  if (fields.some((field) => field.isOptional && !field.categories)) host.append(element("p", { class: "note missing" }, "missing"));
  host.append(rows);
  /** @type {((value: number) => void)[]} */
  const setters = [];
  fields.forEach((field, k) => {
    const id = `field-${k}`;
    const set = (/** @type {Event} */ event) => {
      x[k] = Number(/** @type {HTMLInputElement} */ (event.target).value);
      changed(x.slice());
    };
    const row = element("div", { class: "field" }, element("label", { for: id }, field.name));
    if (field.categories) {
      const menu = element("select", { id, change: set });
      field.categories.forEach((name, value) => menu.append(element("option", { value }, name)));
      if (field.isOptional) menu.append(element("option", { value: -1 }, "(missing)"));
      row.append(menu);
      setters.push((value) => { menu.value = String(value); });
    } else {
      const step = field.whole ? 1 : "any";
      const slider = element("input", { id, type: "range", min: field.low, max: field.high, step, input: set });
      const number = element("span", { class: "number" });
      row.append(slider, number);
      const box = field.isOptional && element("input", { type: "checkbox", "aria-label": `${field.name} is missing`, title: "missing", change() {
        x[k] = box.checked ? NaN : Number(slider.value);
        changed(x.slice());
      } });
      if (box) row.append(box);
      setters.push((value) => {
        if (box) box.checked = Number.isNaN(value);
        if (!Number.isNaN(value)) slider.value = String(value);
        number.textContent = slider.ariaValueText = textOf(field, value);
      });
    }
    rows.append(row);
  });
  return {
    show(given) {
      setters.forEach((set, k) => { set((x[k] = given[k])); });
    },
    repaint() {},
  };
}
