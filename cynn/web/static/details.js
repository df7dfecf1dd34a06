/** All about one neuron: where it looks, what lights it, what it holds now, and where it goes. */

import { element, picture, shown } from "./elements.js";
import { largest } from "./layout.js";

const BARS = 12;
const MAX_EXAMPLES = 6;

/**
 * Bars of numbers with their signs, the largest first.
 * @param {ArrayLike<number>} numbers
 * @param {(k: number) => string} nameOf
 */
export function bars(numbers, nameOf) {
  const size = Array.from(numbers, Math.abs);
  const order = largest(size, BARS);
  const most = size[order[0]] || 1;
  const list = element("ul", { class: "bars" });
  for (const k of order)
    list.append(element("li", {},
      element("span", { class: "who" }, nameOf(k)),
      element("span", { class: "track" }, element("i", { class: numbers[k] < 0 ? "minus" : "plus", style: `width:${(50 * size[k]) / most}%` })),
      element("span", { class: "number" }, shown(numbers[k]))));
  return numbers.length > BARS ? element("div", {}, list, element("p", { class: "note" }, `the ${BARS} largest of ${numbers.length}`)) : list;
}

/** @param {string} title @param {...(Node | string)} children */
const section = (title, ...children) => element("section", {}, element("h3", {}, title), ...children);

/**
 * @param {HTMLElement} host
 * @param {{ columns: import("./layout.js").Column[], arrays: Record<string, ArrayLike<number>>,
 *           shape: [number, number] | null, nameOf: (column: number, neuron: number) => string,
 *           titleOf: (column: number, neuron: number) => string,
 *           examples: { values: ArrayLike<number>[], view: () => HTMLElement }[], close: () => void }} given
 */
export function detailsOf(host, { columns, arrays, shape, nameOf, titleOf, examples, close }) {
  /** @type {{ k: number, j: number } | null} */
  let chosen = null;
  /** @type {(() => void)[]} */
  let updates = [];
  /** @type {ArrayLike<number>[]} */
  let values = [];

  /** @param {ArrayLike<number>} numbers @param {number} from @param {string} label */
  const view = (numbers, from, label) =>
    shape && columns[from].units === shape[0] * shape[1]
      ? picture(numbers, shape, { signs: true, place: host, label })
      : bars(numbers, (i) => nameOf(from, i));

  function build() {
    updates = [];
    if (!chosen) {
      host.hidden = true;
      return;
    }
    const { k, j } = chosen;
    const now = element("p", { class: "now" });
    updates.push(() => { now.textContent = `It holds ${shown(values[k][j])}.`; });
    const parts = [];
    for (const source of columns[k].sources) {
      if (!source.weights) continue;
      const w = arrays[source.weights], units = columns[k].units;
      const column = Float64Array.from({ length: columns[source.from].units }, (_, i) => w[i * units + j]);
      parts.push(section("Its weights", view(column, source.from, "the weights that lead to this neuron")));
      const products = section("Activation × weight, now");
      updates.push(() => {
        const product = column.map((weight, i) => weight * values[source.from][i]);
        const total = product.reduce((sum, each) => sum + each, 0);
        products.replaceChildren(products.firstChild, view(product, source.from, "activation times weight"),
          element("p", { class: "note" }, `in all ${shown(total)}, and then the bias`));
      });
      parts.push(products);
    }
    if (examples.length) {
      const order = largest(examples.map((example) => example.values[k][j]), MAX_EXAMPLES);
      parts.push(section("What lights it most", element("div", { class: "thumbs" }, ...order.map((row) =>
        element("figure", {}, examples[row].view(), element("figcaption", {}, shown(examples[row].values[k][j])))))));
    }
    columns.forEach((after, to) => {
      const source = after.sources.find((each) => each.from === k && each.weights);
      if (!source?.weights) return;
      const row = Float64Array.from({ length: after.units }, (_, i) => arrays[/** @type {string} */ (source.weights)][j * after.units + i]);
      parts.push(section(`Where it goes: ${after.name}`, bars(row, (i) => nameOf(to, i))));
    });
    const title = element("h2", { tabindex: -1 }, titleOf(k, j));
    host.replaceChildren(
      element("header", {}, title, now, element("button", { type: "button", click: close }, "Close")),
      element("div", { class: "sections" }, ...parts));
    host.hidden = false;
    updates.forEach((update) => update());
  }

  return {
    build,
    /** @param {number} k @param {number} j */
    choose(k, j) {
      chosen = k < 0 ? null : { k, j };
      build();
    },
    /** @param {ArrayLike<number>[]} now */
    show(now) {
      values = now;
      updates.forEach((update) => update());
    },
  };
}
