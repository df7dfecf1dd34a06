/** The view as a page of its own, or in a frame of another page. */

import { start } from "./main.js";

/**
 * @param {import("./main.js").Page} page
 * @param {(x: ArrayLike<number>, arrays: Record<string, ArrayLike<number>>) => ArrayLike<number>[]} forward
 */
export async function openPage(page, forward) {
  const root = document.documentElement;
  const network = await start(document.body, page, forward);
  const night = matchMedia("(prefers-color-scheme: dark)");
  night.addEventListener("change", () => network.dress("dark", night.matches));
  if (parent !== window) { // a frame of another page, which says whether it is dark, and is told how high this one is
    addEventListener("message", ({ data }) => { if (data?.theme) network.dress("dark", data.theme === "dark"); });
    new ResizeObserver(() => parent.postMessage({ height: root.getBoundingClientRect().height }, "*")).observe(root);
  }
  /** For the console, and for tests: `network.x` and `network.predict(x)`. */
  Object.assign(globalThis, { network });
  root.dataset.ready = "";
}
