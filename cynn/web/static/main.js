/** The view of a network: what it knows is read, and its parts are put together. */

import { arraysOf, inflated } from "./arrays.js";
import { curveOf } from "./curve.js";
import { detailsOf } from "./details.js";
import { element, percent, picture, shown } from "./elements.js";
import { padOf, tableOf, textOf } from "./inputs.js";
import { importance, largest, shownOf } from "./layout.js";
import { networkOf } from "./network.js";

const MAX_OUTPUTS = 16; // that are shown

/**
 * @typedef {{ name: string | null, column: number, labels: string[], isShare: boolean }} Output
 * @typedef {{ kind: "picture" | "table" | "curve", shape: [number, number] | null, full: number,
 *             fields: import("./inputs.js").Field[], base: number[] }} Inputs
 * @typedef {{ inputs: Inputs, columns: import("./layout.js").Column[], outputs: Output[], answers: string[],
 *             described: import("./arrays.js").Described[], data: string, units: number }} Page
 */

/**
 * @param {Element} view  with the elements of view.html
 * @param {Page} page
 * @param {(x: ArrayLike<number>, arrays: Record<string, ArrayLike<number>>) => ArrayLike<number>[]} forward
 */
export async function start(view, page, forward) {
  const { inputs, columns, outputs } = page;
  const arrays = arraysOf(await inflated(page.data), page.described);
  const valuesOf = (/** @type {ArrayLike<number>} */ x) => {
    const values = forward(x, arrays);
    return columns.map((column) => values[column.value]);
  };
  const find = (/** @type {string} */ id) => /** @type {HTMLElement} */ (view.querySelector(`#${id}`));
  const n = inputs.base.length;
  const examples = page.answers.map((answer, row) => {
    const x = arrays.examples.slice(row * n, (row + 1) * n);
    return { x, answer, values: valuesOf(x), view: () => thumb(x, answer) };
  });

  /** What the neurons of a column hold at most, the range of the inputs, and what is usual. */
  const top = (/** @type {ArrayLike<number>} */ numbers) => Array.from(numbers).reduce((most, a) => Math.max(most, Math.abs(a) || 0), 0);
  const mostOf = () => columns.map((_, k) => Math.max(0, ...examples.map((example) => top(example.values[k]))) || 1);
  let most = mostOf();
  const ends = inputs.fields.length ? [valuesOf(inputs.fields.map((field) => field.low))[0], valuesOf(inputs.fields.map((field) => field.high))[0]] : null;
  const usual = columns.map((column, k) => {
    if (!examples.length) return null;
    return Float64Array.from({ length: column.units }, (_, j) => examples.reduce((sum, { values }) => sum + (Math.abs(values[k][j]) || 0), 0));
  });
  /** @type {string[][]} */
  const names = columns.map((column) => column.names ?? []);
  const { shape } = inputs;
  if (shape) names[0] = inputs.base.map((_, k) => `pixel ${Math.floor(k / shape[1]) + 1}, ${(k % shape[1]) + 1}`);
  else names[0] = inputs.fields.map((field) => field.name);
  for (const output of outputs) names[output.column] = output.labels;

  /** @type {ArrayLike<number>} */
  let x = Float64Array.from(inputs.base);
  let values = valuesOf(x);

  /** @param {ArrayLike<number>} given @param {string} answer */
  function thumb(given, answer) {
    const label = answer ? `an example: ${answer}` : "an example";
    const text = inputs.fields.slice(0, 3).map((field, k) => `${field.name} ${textOf(field, given[k])}`).join(", ");
    const inside = shape ? picture(given, shape, { full: inputs.full }) : text;
    return element("button", { type: "button", class: "thumb", title: label, "aria-label": label, click: () => change(given) }, inside);
  }

  const tip = find("tip");
  function tell(/** @type {string | null} */ text, /** @type {any} */ at) {
    tip.hidden = !text;
    if (!text) return;
    tip.textContent = text;
    const box = at instanceof Element ? at.getBoundingClientRect() : { left: at.clientX, bottom: at.clientY, width: 0 };
    const whole = view.getBoundingClientRect();
    tip.style.left = `${Math.max(4, Math.min(whole.width - tip.offsetWidth - 4, box.left - whole.left + box.width / 2 - tip.offsetWidth / 2))}px`;
    tip.style.top = `${box.bottom - whole.top + (box.width ? 6 : 16)}px`;
  }

  function choose(/** @type {number} */ k, /** @type {number} */ j) {
    network.choose(k, j);
    details.choose(k, j);
    if (k >= 0 && find("details").getBoundingClientRect().top > innerHeight - 80) find("details").scrollIntoView({ block: "nearest", behavior: "smooth" });
  }

  const network = networkOf(find("network"), { columns, names, arrays, choose, tell, shown: columns.map((_, k) => shownOf(importance(columns, k, arrays, usual[k]))) });
  const { nameOf, titleOf } = network;
  const details = detailsOf(find("details"), { columns, arrays, shape, nameOf, titleOf, examples, close: () => choose(-1, -1) });

  const host = find("inputs");
  const predict = (/** @type {ArrayLike<number>} */ row) => {
    const found = valuesOf(row);
    return outputs.flatMap((output) => Array.from(found[output.column]));
  };
  /** @type {import("./inputs.js").Input[]} */
  const given = [];
  if (shape) given.push(padOf(host, shape, inputs.full, change));
  if (inputs.kind === "curve") given.push(curveOf(host, inputs.fields, predict, change));
  if (!shape) given.push(tableOf(host, inputs.fields, change));
  if (examples.length) {
    const answers = [...new Set(page.answers)];
    const chosen = answers.length > 1 && answers.length <= 12 ? answers.sort().map((answer) => page.answers.indexOf(answer)) : examples.keys();
    host.append(element("div", { class: "thumbs", role: "group", "aria-label": "Examples" }, ...[...chosen].slice(0, inputs.kind === "picture" ? 10 : 4).map((row) => examples[row].view())));
  }

  /** The bars of the outputs; said aloud is the largest of each. */
  const tables = outputs.map((output) => {
    const list = element("ul", { class: "bars outputs" });
    if (output.name !== null) find("outputs").append(element("h2", {}, output.name));
    find("outputs").append(list);
    return list;
  });
  /** @type {number | undefined} */
  let saying;
  function answer() {
    const said = outputs.map((output, place) => {
      const a = values[output.column];
      const order = largest(a, MAX_OUTPUTS).sort((i, j) => i - j);
      const best = a.length > 1 ? largest(a, 1)[0] : -1;
      const full = output.isShare ? 1 : Math.max(most[output.column], top(a));
      const text = (/** @type {number} */ j) => (output.isShare ? percent(a[j]) : shown(a[j]));
      tables[place].replaceChildren(...order.map((j) => element("li", { class: j === best && output.isShare ? "best" : "" },
        element("span", { class: "who" }, output.labels[j]),
        element("span", { class: "track from-0" }, element("i", { class: a[j] < 0 ? "minus" : "plus", style: `width:${(100 * Math.abs(a[j])) / full}%` })),
        element("span", { class: "number" }, text(j)))));
      const first = output.isShare && best >= 0 ? best : 0;
      return `${output.name === null ? "" : `${output.name}: `}${output.labels[first]}, ${text(first)}`;
    });
    clearTimeout(saying);
    saying = setTimeout(() => { find("said").textContent = said.join("; "); }, 400);
  }

  function change(/** @type {ArrayLike<number>} */ to) {
    x = to;
    values = valuesOf(x);
    given.forEach((each) => each.show(x));
    const tops = values.map((column, k) => Math.max(most[k], top(column)));
    const full = (/** @type {number} */ k, /** @type {number} */ j) => (k === 0 && ends ? Math.max(Math.abs(ends[0][j]), Math.abs(ends[1][j])) : tops[k]);
    network.show(values, (k, j) => Math.min(1, (Math.abs(values[k][j]) || 0) / (full(k, j) || 1)));
    details.show(values);
    answer();
  }

  function repaint() {
    given.forEach((each) => each.repaint());
    details.build();
  }
  const root = /** @type {ShadowRoot} */ (view.getRootNode()).host ?? document.documentElement;
  function dress(/** @type {string} */ how, /** @type {boolean} */ on) {
    root.classList.toggle(how, on);
    repaint();
  }
  find("grey").addEventListener("change", (event) => dress("grey", /** @type {HTMLInputElement} */ (event.target).checked));
  change(examples.length && inputs.kind === "picture" ? examples[0].x : x);

  return {
    get x() { return Array.from(x); },
    get values() { return values; },
    predict,
    change,
    dress,
    /** Take other weights. */
    async update(/** @type {string} */ data) {
      Object.assign(arrays, arraysOf(await inflated(data), page.described));
      for (const example of examples) example.values = valuesOf(example.x);
      most = mostOf();
      network.draw();
      repaint();
      change(x);
    },
  };
}
