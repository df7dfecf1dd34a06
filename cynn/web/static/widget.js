/** The view in a cell of a notebook, and the curves of a training below it. */

import { chartsOf } from "./chart.js";
import { element } from "./elements.js";
import { start } from "./main.js";

/**
 * @typedef {{ get: (name: string) => any, on: (event: string, listener: () => void) => void,
 *             off: (event: string, listener: () => void) => void }} Model  what anywidget gives, from Python
 */

/**
 * Whether what is behind an element is dark: notebooks have no common way to say so.
 * @param {Element | null} place
 */
export function isDark(place) {
  const context = element("canvas", { width: 1, height: 1 }).getContext("2d", { willReadFrequently: true });
  for (; place; place = place.parentElement ?? /** @type {ShadowRoot} */ (place.getRootNode()).host ?? null) {
    context.clearRect(0, 0, 1, 1);
    context.fillStyle = getComputedStyle(place).backgroundColor;
    context.fillRect(0, 0, 1, 1);
    const [red, green, blue, strength] = context.getImageData(0, 0, 1, 1).data;
    if (strength > 127) return red + green + blue < 384;
  }
  return matchMedia("(prefers-color-scheme: dark)").matches;
}

/**
 * The widget of a network, as anywidget takes it.
 * @param {(x: ArrayLike<number>, arrays: Record<string, ArrayLike<number>>) => ArrayLike<number>[]} forward
 */
export function widgetOf(forward) {
  /** @param {{ model: Model, el: HTMLElement }} given */
  function render({ model, el }) {
    const host = element("div");
    el.append(host);
    const shadow = host.attachShadow({ mode: "open" });
    shadow.innerHTML = model.get("markup");
    const view = shadow.querySelector(".view");
    const curves = element("section", { class: "charts", "aria-label": "The training", hidden: "" });
    view.querySelector("main").after(curves);
    const charts = chartsOf(curves);
    /** @type {Awaited<ReturnType<typeof start>> | null} */
    let network = null;
    const dress = () => {
      const dark = isDark(el);
      if (dark === host.classList.contains("dark")) return;
      host.classList.toggle("dark", dark);
      network?.dress("dark", dark);
    };
    const grow = () => {
      const history = model.get("history");
      curves.hidden = !Object.keys(history).length;
      charts.show(history);
    };
    const renew = () => network?.update(model.get("data"));
    // A notebook may put the cell into its page only after this call, and colours are known from then on.
    const seen = new ResizeObserver(async () => {
      if (!host.clientWidth) return;
      seen.disconnect();
      dress();
      network = await start(view, { ...model.get("page"), data: model.get("data") }, forward);
      grow();
      host.dataset.ready = "";
    });
    seen.observe(host);
    model.on("change:data", renew);
    model.on("change:history", grow);
    const watcher = new MutationObserver(dress);
    for (const place of [document.documentElement, document.body]) watcher.observe(place, { attributes: true });
    const night = matchMedia("(prefers-color-scheme: dark)");
    night.addEventListener("change", dress);
    return () => {
      seen.disconnect();
      watcher.disconnect();
      night.removeEventListener("change", dress);
      model.off("change:data", renew);
      model.off("change:history", grow);
    };
  }
  return { render };
}
