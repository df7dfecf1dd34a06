/** Curves that grow, such as those of a training: lines over epochs, with axes and a legend. */

import { element, shown } from "./elements.js";

/** The size of a chart, and the ends of its axes, between which the numbers beside the curves have room. */
const CHART = { width: 360, height: 190, left: 52, right: 338, top: 8, bottom: 166 };
const MANY_POINTS = 700; // of a line, of which each half pixel then keeps the lowest and the highest
const WIDE = 50; // a positive figure that falls by this factor has a logarithmic axis

/** Colours that are seen on white and on black, also by those who are colour-blind; a style may set others. */
const LINE_COLOURS = ["#2b7cd3", "#d9660f", "#12875a", "#b85aa0", "#8a7a10", "#5b6fd8", "#c4463f", "#7a7f87"];

/**
 * @typedef {(number | null)[]} Numbers  null where a figure is no finite number
 * @typedef {{ name: string, x: number[], y: Numbers, dashed?: boolean }} Line
 * @typedef {{ title: string, lines: Line[] }} Group
 */

/**
 * Round numbers from low to high, about as many as `count`.
 * @param {number} low
 * @param {number} high
 * @param {number} count
 * @returns {number[]}
 */
export function ticksOf(low, high, count) {
  const rough = (high - low) / count;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * ([1, 2, 5].find((factor) => factor * power >= rough * 0.999) ?? 10);
  const first = Math.ceil(low / step - 1e-9);
  const last = Math.floor(high / step + 1e-9);
  return Array.from({ length: last - first + 1 }, (_, k) => Number(((first + k) * step).toPrecision(12)));
}

/**
 * The range of an axis, whether it is logarithmic, its ticks, and the share of the axis at a value.
 * @param {number[]} values
 */
export function axisOf(values) {
  let low = Infinity, high = -Infinity;
  for (const value of values) {
    low = Math.min(low, value);
    high = Math.max(high, value);
  }
  if (low > high) [low, high] = [0, 1];
  const isLog = low > 0 && high / low > WIDE;
  const by = isLog ? Math.log10 : Number;
  [low, high] = [by(low), by(high)];
  if (low === high) high += Math.abs(high) * 0.1 || 1;
  const room = (high - low) * 0.04;
  [low, high] = [low - room, high + room];
  const whole = Math.floor(high) - Math.ceil(low) + 1;
  const every = Math.ceil(whole / 5);
  const ticks = isLog
    ? Array.from({ length: whole }, (_, k) => Math.ceil(low) + k).filter((power) => power % every === 0).map((power) => 10 ** power)
    : ticksOf(low, high, 4);
  return { isLog, ticks, share: (/** @type {number} */ value) => (by(value) - low) / (high - low) };
}

/**
 * A line as the path of an SVG, with gaps where there is no number.
 * @param {Line} line
 * @param {(x: number) => number} across  pixels
 * @param {(y: number) => number} up
 */
export function pathOf({ x, y }, across, up) {
  /** @type {{ left: number, top: number, isFirst: boolean }[]} */
  let points = [];
  y.forEach((value, k) => {
    if (value !== null) points.push({ left: across(x[k]), top: up(value), isFirst: k === 0 || y[k - 1] === null });
  });
  if (points.length > MANY_POINTS) {
    /** @type {Map<number, typeof points>} */
    const columns = new Map();
    for (const point of points) {
      const column = Math.round(2 * point.left);
      const held = columns.get(column);
      if (!held) columns.set(column, [point, point]);
      else if (point.top < held[0].top) held[0] = point;
      else if (point.top > held[1].top) held[1] = point;
    }
    points = [...columns.values()].flatMap(([a, b]) => (a === b ? [a] : a.left < b.left ? [a, b] : [b, a]));
  }
  // a point alone is a line of no length, which has a round end
  return points.map(({ left, top, isFirst }, k) => {
    const isAlone = isFirst && (points[k + 1]?.isFirst ?? true);
    return `${isFirst ? "M" : "L"}${left.toFixed(1)} ${top.toFixed(1)}${isAlone ? "h0" : ""}`;
  }).join("");
}

/**
 * The charts of a history: a figure and the same in validation are in one.
 * @param {Record<string, Numbers>} history  as `History.history`, one entry for each epoch
 * @returns {Group[]}
 */
export function groupsOf(history) {
  const epochs = Math.max(0, ...Object.values(history).map((values) => values.length));
  /** @type {Map<string, Line[]>} */
  const groups = new Map();
  for (const [name, y] of Object.entries(history)) {
    if (name === "seconds" || !y.length) continue;
    const isValidation = name.startsWith("val_");
    const title = isValidation ? name.slice(4) : name;
    const x = y.map((_, k) => epochs - y.length + k + 1);
    const lines = groups.get(title) ?? [];
    lines.push({ name: isValidation ? "validation" : "training", x, y, dashed: isValidation });
    groups.set(title, lines);
  }
  return Array.from(groups, ([title, lines]) => ({ title: title.replaceAll("_", " "), lines }));
}

/**
 * What a chart shows, in words: the last value of each line.
 * @param {Group} group
 * @param {string} along
 */
export function wordsOf({ title, lines }, along) {
  const last = Math.max(...lines.map((line) => line.x[line.x.length - 1] ?? 0));
  const values = lines.map(({ name, y }) => `${name} ${y.length ? shown(y[y.length - 1] ?? NaN, 4) : "none"}`);
  return `${title}, ${along} ${last}: ${values.join(", ")}`;
}

/**
 * A chart in a host, which is drawn anew each time that it is shown, and hidden without lines.
 * @param {HTMLElement} host
 * @param {string} [along]  what is counted from left to right
 * @returns {{ show(group: Group): void }}
 */
export function chartOf(host, along = "epoch") {
  const caption = element("figcaption", { style: "font-weight: 600; text-align: left; font-size: 14px" });
  const svg = element("svg", { viewBox: `0 0 ${CHART.width} ${CHART.height}`, role: "img", style: "width: 100%; display: block" });
  const legend = element("div", { "aria-hidden": "true", style: "display: flex; flex-wrap: wrap; gap: 2px 14px; font-size: 12.5px" });
  const figure = element("figure", { class: "chart", style: "margin: 0" }, caption, svg, legend);
  host.append(figure);
  const label = (/** @type {object} */ place, /** @type {string} */ text) =>
    element("text", { ...place, fill: "currentColor", "font-size": 11 }, text);
  return {
    show(group) {
      const { title, lines } = group;
      figure.hidden = !lines.length;
      const first = Math.min(...lines.flatMap((line) => line.x.slice(0, 1)));
      const last = Math.max(...lines.flatMap((line) => line.x.slice(-1)), first + 1);
      const vertical = axisOf(lines.flatMap((line) => line.y.filter((value) => value !== null)));
      const across = (/** @type {number} */ x) => CHART.left + ((x - first) / (last - first)) * (CHART.right - CHART.left);
      const up = (/** @type {number} */ y) => CHART.bottom - vertical.share(y) * (CHART.bottom - CHART.top);
      const colour = (/** @type {number} */ k) => `var(--chart-${(k % 8) + 1}, ${LINE_COLOURS[k % 8]})`;
      const dash = (/** @type {Line} */ line) => (line.dashed ? "6 3.5" : null);
      caption.textContent = title;
      svg.ariaLabel = wordsOf(group, along);
      svg.replaceChildren(
        ...vertical.ticks.flatMap((value) => [
          element("line", { x1: CHART.left, x2: CHART.right, y1: up(value), y2: up(value), stroke: "currentColor", "stroke-opacity": 0.18, "stroke-width": 1, "stroke-dasharray": "none" }),
          label({ x: CHART.left - 6, y: up(value) + 4, "text-anchor": "end" }, shown(value)),
        ]),
        ...ticksOf(first, last, 6).filter(Number.isInteger).map((value) =>
          label({ x: across(value), y: CHART.height - 8, "text-anchor": "middle" }, String(value))),
        ...lines.map((line, k) => element("path", {
          d: pathOf(line, across, up), fill: "none", stroke: colour(k), "stroke-width": 2, "stroke-linecap": "round",
          "stroke-linejoin": "round", "stroke-dasharray": dash(line),
        })),
      );
      legend.replaceChildren(...lines.map((line, k) => element("span", {},
        element("svg", { viewBox: "0 0 24 8", width: 24, height: 8, style: "display: inline; margin-right: 5px" },
          element("path", { d: "M1 4h22", stroke: colour(k), "stroke-width": 2.5, "stroke-dasharray": dash(line) })),
        `${line.name} ${shown(line.y[line.y.length - 1] ?? NaN, 4)}`)));
    },
  };
}

/**
 * The charts of a history, one for each figure, which are there as soon as it has entries.
 * @param {HTMLElement} host
 * @returns {{ show(history: Record<string, Numbers>): void }}
 */
export function chartsOf(host) {
  /** @type {Map<string, ReturnType<typeof chartOf>>} */
  const charts = new Map();
  return {
    show(history) {
      for (const group of groupsOf(history)) {
        let chart = charts.get(group.title);
        if (!chart) charts.set(group.title, (chart = chartOf(host)));
        chart.show(group);
      }
    },
  };
}
