// The catalogue: a filter of the lists, curves and rows that follow sliders, and the race of the optimizers.

/** A field above the first list; a part stays if its text has every word.
 * @param {HTMLElement[]} lists */
function addFilter(lists) {
  const label = document.createElement("label");
  label.className = "parts-filter";
  label.innerHTML = 'Filter <input type="search" placeholder="positive, outliers, Adam ..."> <output></output>';
  const field = /** @type {HTMLInputElement} */ (label.querySelector("input"));
  const output = /** @type {HTMLOutputElement} */ (label.querySelector("output"));
  const items = lists.flatMap((list) => [...list.children]);
  field.addEventListener("input", () => {
    const words = field.value.toLowerCase().split(/\s+/);
    let count = 0;
    for (const item of items) {
      const text = (item.textContent ?? "").toLowerCase();
      const isFound = words.every((word) => text.includes(word));
      item.toggleAttribute("hidden", !isFound);
      count += Number(isFound);
    }
    output.textContent = field.value.trim() ? `${count} of ${items.length}` : "";
  });
  lists[0].closest("section")?.before(label);
}

/** The path of a curve in a panel, with gaps where it jumps.
 * @param {SVGElement} panel @param {ArrayLike<number>} x @param {Float64Array} y */
function path(panel, x, y) {
  const place = placeIn(panel);
  const steps = y.slice(1).map((each, k) => Math.abs(each - y[k]));
  const median = steps.slice().sort()[steps.length >> 1];
  const limit = Math.max(0.05 * (Math.max(...y) - Math.min(...y)), 20 * median);
  const beside = (/** @type {number} */ k) => Math.min(steps[k - 1] ?? Infinity, steps[k + 1] ?? Infinity);
  const jumps = (/** @type {number} */ k) => steps[k] > limit && steps[k] > 4 * beside(k); // as in curves.py
  let text = "";
  for (let k = 0; k < y.length; ++k) {
    const [across, down] = place(x[k], y[k]);
    text += `${k === 0 || jumps(k - 1) ? "M" : "L"}${across.toFixed(2)} ${down.toFixed(2)}`;
  }
  return text;
}

/** Where a point is in a panel.
 * @param {SVGElement} panel @returns {(x: number, y: number) => [number, number]} */
function placeIn(panel) {
  const height = Number(panel.dataset.height);
  const [left, bottom, right, top, x0, y0, x1, y1] = (panel.dataset.window ?? "").split(" ").map(Number);
  return (x, y) => [
    left + ((x - x0) / (x1 - x0)) * (right - left),
    height - bottom - ((y - y0) / (y1 - y0)) * (top - bottom),
  ];
}

/** @param {Element} picture @param {number} radius */
function pointIn(picture, radius) {
  const point = document.createElementNS("http://www.w3.org/2000/svg", "circle");
  point.setAttribute("r", String(radius));
  picture.append(point);
  return point;
}

/** Shows the values of sliders beside them, and returns them by name.
 * @param {HTMLInputElement[]} inputs @returns {Record<string, any>} */
function valuesOf(inputs) {
  for (const each of inputs) {
    if (each.nextElementSibling) each.nextElementSibling.textContent = Number(each.value).toPrecision(3);
  }
  return Object.fromEntries(
    inputs.map((each) => [each.name, each.type === "checkbox" ? each.checked : Number(each.value)]),
  );
}

/** @param {string} text @param {Record<string, string>} values */
const filled = (text, values) => text.replace(/{(\w+)}/g, (_, name) => values[name]);

/** Without more decimals than are needed.
 * @param {number} value */
const short = (value) => String(Number(value.toFixed(2)));

/** The first curve of each panel follows all sliders; the second one of a loss has its own target.
 * @param {HTMLElement} controls */
function followSliders(controls) {
  const panels = /** @type {NodeListOf<SVGElement>} */ (document.querySelectorAll("svg.cynn-panel"));
  const inputs = [...controls.querySelectorAll("input")];
  const output = /** @type {HTMLElement} */ (controls.querySelector(".reading"));
  const { at = "", reading = "", target = "", other } = controls.dataset;
  const place = /** @type {HTMLInputElement} */ (controls.querySelector(`input[name=${at}]`));
  const [low, high] = [Number(place.min), Number(place.max)];
  const places = Float64Array.from({ length: 401 }, (_, k) => low + ((high - low) * k) / 400);
  /** @type {(x: Float64Array, p: Record<string, any>) => Float64Array[]} */
  const curve = /** @type {any} */ (window).cynnCurve; // the page defines it: a function and its slope
  const points = [...panels].map((panel) => pointIn(panel, 4));
  const names = [...panels].map((panel) =>
    [...panel.querySelectorAll("text")].find((each) => each.textContent?.startsWith("target")),
  );
  const redraw = () => {
    const p = valuesOf(inputs);
    const drawn = [curve(places, p)];
    if (other !== undefined) drawn.push(curve(places, { ...p, t: Number(other) }));
    const here = curve(new Float64Array(places.length).fill(p[at]), p).map((values) => values[0]);
    panels.forEach((panel, k) => {
      panel.querySelectorAll(".curve path").forEach((line, n) => {
        line.setAttribute("d", path(panel, places, drawn[n][k]));
      });
      const [across, down] = placeIn(panel)(p[at], here[k]);
      points[k].setAttribute("cx", String(across));
      points[k].setAttribute("cy", String(down));
      const name = names[k];
      if (name) name.textContent = filled(target, { t: short(p.t), u: short(1 - p.t) });
    });
    const [a, slope] = here.map((each) => each.toPrecision(4));
    output.textContent = filled(reading, { at: p[at].toPrecision(3), 0: a, 1: slope });
  };
  controls.addEventListener("input", redraw);
  redraw();
}

/** Bars that follow the numbers of a row.
 * @param {HTMLElement} row */
function followRow(row) {
  const [low, high] = [Number(row.dataset.low), Number(row.dataset.high)];
  const inputs = [...row.querySelectorAll("input")];
  const caption = /** @type {HTMLElement} */ (row.querySelector("caption"));
  const lines = /** @type {NodeListOf<HTMLTableRowElement>} */ (row.querySelectorAll("tr"));
  /** @type {(x: number[]) => Float64Array} */
  const compute = /** @type {any} */ (row).cynnRow; // the page defines it
  const redraw = () => {
    const values = valuesOf(inputs);
    const shown = inputs.map((each) => `${each.name} = ${short(values[each.name])}`);
    caption.textContent = `What comes out of ${shown.join(", ")}`;
    const outputs = compute(inputs.map((each) => values[each.name]));
    lines.forEach((line, k) => {
      const bar = /** @type {HTMLElement} */ (line.querySelector("i"));
      const [begin, end] = [Math.min(outputs[k], 0), Math.max(outputs[k], 0)].map(
        (value) => (100 * (value - low)) / (high - low),
      );
      bar.style.marginLeft = `${begin}%`;
      bar.style.width = `${end - begin}%`;
      line.cells[2].textContent = outputs[k].toFixed(4);
    });
  };
  row.addEventListener("input", redraw);
  redraw();
}

/** @param {HTMLElement} race */
function run(race) {
  const slider = /** @type {HTMLInputElement} */ (race.querySelector("input[type=range]"));
  const button = /** @type {HTMLButtonElement} */ (race.querySelector("button"));
  const groups = /** @type {NodeListOf<SVGGElement>} */ (race.querySelectorAll("g.run"));
  const runs = [...groups].map((group) => {
    const line = /** @type {Element} */ (group.querySelector("polyline"));
    const point = pointIn(group, 5);
    const box = /** @type {HTMLInputElement} */ (race.querySelector(`input[value=${group.dataset.name}]`));
    const loss = /** @type {Element} */ (box.closest("li")?.querySelector("output"));
    return {
      group, line, point, box, loss,
      points: (line.getAttribute("points") ?? "").split(" "),
      losses: (group.dataset.losses ?? "").split(" "),
    };
  });
  const redraw = () => {
    const step = Number(slider.value);
    /** @type {Element} */ (slider.nextElementSibling).textContent = slider.value;
    for (const { group, line, point, box, loss, points, losses } of runs) {
      group.classList.toggle("hidden", !box.checked);
      line.setAttribute("points", points.slice(0, step + 1).join(" "));
      const [x, y] = points[step].split(",");
      point.setAttribute("cx", x);
      point.setAttribute("cy", y);
      loss.textContent = losses[step];
    }
  };
  /** @type {ReturnType<typeof setInterval> | undefined} */
  let timer;
  const stop = () => {
    clearInterval(timer);
    timer = undefined;
    button.textContent = "Play";
  };
  button.addEventListener("click", () => {
    if (timer !== undefined) return stop();
    if (slider.value === slider.max) slider.value = "0";
    button.textContent = "Stop";
    timer = setInterval(() => {
      slider.value = String(Number(slider.value) + 1);
      redraw();
      if (slider.value === slider.max) stop();
    }, 80);
  });
  race.addEventListener("input", redraw);
  redraw();
}

document.addEventListener("DOMContentLoaded", () => {
  const lists = /** @type {HTMLElement[]} */ ([...document.querySelectorAll("ul.parts")]);
  if (lists.length) addFilter(lists);
  for (const each of document.querySelectorAll(".cynn-sliders[data-at]")) followSliders(/** @type {HTMLElement} */ (each));
  for (const each of document.querySelectorAll(".cynn-row")) followRow(/** @type {HTMLElement} */ (each));
  for (const each of document.querySelectorAll(".cynn-race")) run(/** @type {HTMLElement} */ (each));
});
