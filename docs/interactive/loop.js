/** Something that goes on, a step for each frame of the screen, until it is stopped. */

import { button } from "./controls.js";

/**
 * A button that starts and stops it.
 * @param {[string, string]} names  to start, and to stop
 * @param {() => void} step
 * @returns {{ view: HTMLButtonElement, stop: () => void }}
 */
export function loopOf([start, end], step) {
  let isRunning = false;
  function turn() {
    if (!isRunning) return;
    step();
    requestAnimationFrame(turn);
  }
  /** @param {boolean} to */
  function set(to) {
    isRunning = to;
    view.textContent = isRunning ? end : start;
    if (isRunning) requestAnimationFrame(turn);
  }
  const view = button(start, () => set(!isRunning));
  return { view, stop: () => set(false) };
}
