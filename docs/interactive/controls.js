/** Sliders, menus and buttons with their names, and what a screen reader says. */

import { element, shown } from "./elements.js";

/**
 * A slider with its name and its number.
 * @param {string} name
 * @param {{ low: number, high: number, step: number, value: number, text?: (value: number) => string }} range
 * @param {(value: number) => void} changed
 * @returns {{ view: HTMLElement, set: (value: number) => void }}
 */
export function slider(name, { low, high, step, value, text = shown }, changed) {
  const number = element("span", { class: "number" });
  const input = element("input", {
    type: "range", min: low, max: high, step, "aria-label": name,
    input: () => { label(); changed(Number(input.value)); },
  });
  function label() { number.textContent = input.ariaValueText = text(Number(input.value)); }
  /** @param {number} to */
  function set(to) {
    input.value = String(to);
    label();
  }
  set(value);
  return { view: element("label", { class: "control" }, element("span", {}, name), input, number), set };
}

/**
 * A menu with its name.
 * @param {string} name
 * @param {string[]} choices  the first is chosen
 * @param {(choice: string) => void} changed
 * @returns {HTMLElement}
 */
export function menu(name, choices, changed) {
  const select = element("select", { "aria-label": name, change: () => changed(select.value) },
    ...choices.map((choice) => element("option", {}, choice)));
  return element("label", { class: "control" }, element("span", {}, name), select);
}

/**
 * @param {string} name
 * @param {() => void} pressed
 * @returns {HTMLButtonElement}
 */
export const button = (name, pressed) => element("button", { type: "button", click: pressed }, name);

/**
 * A function that lets screen readers say a text, once it has stayed the same for half a second. The first text, which
 * stands there when the page is opened, is not said.
 * @param {HTMLElement} host
 * @returns {(text: string) => void}
 */
export function voiceOf(host) {
  const said = element("output", { class: "unseen", "aria-live": "polite" });
  host.append(said);
  let isOpened = false;
  let waiting = 0;
  return (text) => {
    clearTimeout(waiting);
    if (isOpened) waiting = setTimeout(() => { said.textContent = text; }, 500);
    isOpened = true;
  };
}

/**
 * Call a function whenever the page becomes light or dark.
 * @param {() => void} repaint
 */
export function onTheme(repaint) {
  new MutationObserver(repaint).observe(document.documentElement, { attributeFilter: ["data-theme"] });
}
