/** The page of a training: it follows what the server tells, and draws it. */

import { chartOf, chartsOf } from "./chart.js";
import { bars } from "./details.js";
import { element, picture, shown } from "./elements.js";

const MAX_FAILURES = 5; // to get the server, in a row
const MILLISECONDS_BETWEEN_WORDS = 5000; // for those who listen

/**
 * @typedef {Record<string, import("./chart.js").Numbers>} Figures
 * @typedef {Record<"gradients" | "changes" | "dead", Record<string, number | null>>} OfLayers
 * @typedef {{ epoch: number } & OfLayers} Look
 * @typedef {{ name: string, of: number, units: number, shape?: [number, number], most: number, pixels: string,
 *             names: string[], bars: number[][] }} Weights  with a shape, pixels in eight bits; without one, bars
 * @typedef {{ name: string, labels: string[], counts: number[][], rows: number, kind: string }} Confusion
 * @typedef {{ weights: Weights | null, confusions: Confusion[] }} Latest
 * @typedef {{ isFirst: boolean, history: Figures, looks: Look[], latest: Latest | null, end: string | null }} Message
 */

/** @type {[keyof OfLayers, string][]} */
const LAYER_CHARTS = [["gradients", "norm of gradients"], ["changes", "change of weights per epoch"], ["dead", "share of dead units"]];

/**
 * A history with the epochs that follow; null where an epoch lacks a figure.
 * @param {Figures} history
 * @param {Figures} given
 * @returns {Figures}
 */
export function longer(history, given) {
  const size = (/** @type {Figures} */ figures) => Object.values(figures)[0]?.length ?? 0;
  const part = (/** @type {Figures} */ figures, /** @type {string} */ name) => figures[name] ?? Array(size(figures)).fill(null);
  const names = Object.keys({ ...history, ...given });
  return Object.fromEntries(names.map((name) => [name, part(history, name).concat(part(given, name))]));
}

/**
 * The chart of what looks have found of each layer.
 * @param {string} title
 * @param {Look[]} looks
 * @param {keyof OfLayers} key
 * @returns {import("./chart.js").Group}
 */
export function layersOf(title, looks, key) {
  const names = [...new Set(looks.flatMap((look) => Object.keys(look[key])))];
  const x = looks.map((look) => look.epoch);
  const lines = names.map((name, k) => ({ name, x, y: looks.map((look) => look[key][name] ?? null), dashed: k > 7 }));
  return { title, lines };
}

/**
 * The figures of the last epoch, in words.
 * @param {Figures} history
 */
export function lastOf(history) {
  const epochs = history.loss?.length ?? 0;
  if (!epochs) return "Waiting for the end of the first epoch.";
  const figures = Object.keys(history).filter((name) => name !== "seconds").map((name) =>
    `${name.replace(/^val_/, "validation ").replaceAll("_", " ")} ${shown(history[name][epochs - 1] ?? NaN, 4)}`);
  return `Epoch ${epochs}: ${figures.join(", ")}`;
}

/** @param {Weights} weights */
function weightsOf({ name, of, units, shape, most, pixels, names, bars: numbers }) {
  const list = element("div", { class: "sections" });
  /** @param {number} count @param {(k: number) => Node} made */
  const fill = (count, made) => {
    for (let k = 0; k < count; ++k) list.append(element("figure", {}, made(k), element("figcaption", {}, `neuron ${k + 1}`)));
    return count;
  };
  let count;
  if (shape) {
    const bytes = Int8Array.from(atob(pixels), (letter) => letter.charCodeAt(0));
    const label = (/** @type {number} */ k) => `weights of neuron ${k + 1}`;
    count = fill(bytes.length / of, (k) => picture(bytes.subarray(k * of, (k + 1) * of), shape, { signs: true, full: 127, label: label(k) }));
  } else count = fill(numbers.length, (k) => bars(numbers[k], (i) => names[i]));
  const note = `${name}, ${count} of ${units} neurons${shape ? `; full colour is ${shown(most)}` : ""}`;
  return [element("h2", {}, "Weights of the first layer"), element("p", { class: "note" }, note), list];
}

/** @param {Confusion} confusion */
function confusionOf({ name, labels, counts, rows, kind }) {
  const head = (/** @type {string} */ label, /** @type {string} */ scope) => element("th", { scope }, label);
  const body = counts.map((row, i) => {
    const total = row.reduce((sum, each) => sum + each, 0) || 1;
    const cells = row.map((count, j) => {
      const ink = count && `background: color-mix(in srgb, var(--${i === j ? "plus" : "minus"}) ${Math.ceil(30 * Math.sqrt(count / total))}%, transparent)`;
      return element("td", { style: ink || null }, String(count || ""));
    });
    return element("tr", {}, head(labels[i], "row"), ...cells);
  });
  const caption = `${name && `${name}: `}${rows} ${kind} rows; true classes down, predicted across`;
  return element("table", {}, element("caption", {}, caption),
    element("thead", {}, element("tr", {}, element("td"), ...labels.map((label) => head(label, "col")))), element("tbody", {}, ...body));
}

/** @param {EventSource} source */
export function watch(source) {
  const find = (/** @type {string} */ id) => /** @type {HTMLElement} */ (document.getElementById(id));
  const figures = chartsOf(find("figures")), ofLayers = LAYER_CHARTS.map(() => chartOf(find("layers")));
  /** @type {Figures} */
  let history = {};
  /** @type {Look[]} */
  let looks = [];
  /** @type {Latest | null} */
  let latest = null;
  let end = "", failures = 0, isWaiting = false, said = -Infinity;

  function say(/** @type {string} */ text, now = false) {
    find("status").textContent = text;
    if (!now && performance.now() - said < MILLISECONDS_BETWEEN_WORDS) return;
    find("said").textContent = text;
    said = performance.now();
  }
  function draw() {
    isWaiting = false;
    figures.show(history);
    find("layers").hidden = !looks.length;
    LAYER_CHARTS.forEach(([key, title], k) => ofLayers[k].show(layersOf(title, looks, key)));
    find("weights").replaceChildren(...(latest?.weights ? weightsOf(latest.weights) : []));
    const confusions = latest?.confusions ?? [];
    find("confusions").replaceChildren(...(confusions.length ? [element("h2", {}, "Confusion"), ...confusions.map(confusionOf)] : []));
    say(end ? `${end} ${lastOf(history)}` : lastOf(history), Boolean(end));
  }
  function drawSoon() {
    if (!isWaiting) requestAnimationFrame(draw);
    isWaiting = true;
  }

  source.onmessage = ({ data }) => {
    /** @type {Message} */
    const message = JSON.parse(data);
    if (message.isFirst) [history, looks, latest] = [{}, [], null];
    history = longer(history, message.history);
    looks = looks.concat(message.looks);
    latest = message.latest ?? latest;
    failures = 0;
    if (message.end) {
      end = message.end;
      source.close();
    }
    drawSoon();
  };
  source.onerror = () => {
    failures += 1;
    const isLost = source.readyState === EventSource.CLOSED || failures > MAX_FAILURES;
    if (isLost) source.close();
    say(isLost ? "The connection has ended. The page shows what came last." : "The connection was lost; trying again.", true);
  };
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", ({ matches }) => {
    document.documentElement.classList.toggle("dark", matches);
    drawSoon();
  });
  drawSoon();
}
