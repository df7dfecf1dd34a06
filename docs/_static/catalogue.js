// The catalogue: a filter of the lists, curves that follow sliders, and the race of the optimizers.

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
  let text = "";
  for (let k = 0; k < y.length; ++k) {
    const [across, down] = place(x[k], y[k]);
    text += `${k === 0 || steps[k - 1] > limit ? "M" : "L"}${across.toFixed(2)} ${down.toFixed(2)}`;
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

/** @param {HTMLElement} controls */
function followSliders(controls) {
  const panels = /** @type {NodeListOf<SVGElement>} */ (document.querySelectorAll("svg.cynn-panel"));
  const inputs = [...controls.querySelectorAll("input")];
  const reading = /** @type {HTMLElement} */ (controls.querySelector(".reading"));
  const z = /** @type {HTMLInputElement} */ (controls.querySelector("input[name=z]"));
  const [low, high] = [Number(z.min), Number(z.max)];
  const places = Float64Array.from({ length: 401 }, (_, k) => low + ((high - low) * k) / 400);
  /** @type {(z: Float64Array, p: Record<string, number | boolean>) => Float64Array[]} */
  const curve = /** @type {any} */ (window).cynnCurve; // the page defines it: f and f′
  const points = [...panels].map((panel) => pointIn(panel, 4));
  const redraw = () => {
    const at = Number(z.value);
    const p = Object.fromEntries(
      inputs.map((each) => [each.name, each.type === "checkbox" ? each.checked : Number(each.value)]),
    );
    for (const each of inputs) {
      if (each.nextElementSibling) each.nextElementSibling.textContent = Number(each.value).toPrecision(3);
    }
    const drawn = curve(places, p);
    const here = curve(new Float64Array(places.length).fill(at), p).map((values) => values[0]);
    panels.forEach((panel, k) => {
      panel.querySelector(".curve path")?.setAttribute("d", path(panel, places, drawn[k]));
      const [across, down] = placeIn(panel)(at, here[k]);
      points[k].setAttribute("cx", String(across));
      points[k].setAttribute("cy", String(down));
    });
    const [a, slope] = here.map((each) => each.toPrecision(4));
    reading.textContent = `f(${at.toPrecision(3)}) = ${a}, f′(${at.toPrecision(3)}) = ${slope}`;
  };
  controls.addEventListener("input", redraw);
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
  for (const each of document.querySelectorAll(".cynn-sliders")) followSliders(/** @type {HTMLElement} */ (each));
  for (const each of document.querySelectorAll(".cynn-race")) run(/** @type {HTMLElement} */ (each));
});
