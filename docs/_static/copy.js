// A button on every block of code, which copies what is typed: prompts and output stay behind.

/** @param {Element} block */
function typed(block) {
  const copy = /** @type {Element} */ (block.cloneNode(true));
  const hasPrompts = copy.querySelector(".gp") !== null;
  for (const each of copy.querySelectorAll(".gp, .go, .gt, .linenos")) each.remove();
  const lines = (copy.textContent ?? "").trimEnd().split("\n");
  return `${(hasPrompts ? lines.filter((line) => line.trim()) : lines).join("\n")}\n`;
}

/** @param {string} text */
async function copied(text) {
  if (navigator.clipboard) return navigator.clipboard.writeText(text);
  const area = document.createElement("textarea"); // a page from a file, or without https
  area.value = text;
  document.body.append(area);
  area.select();
  document.execCommand("copy");
  area.remove();
}

document.addEventListener("DOMContentLoaded", () => {
  for (const block of document.querySelectorAll(".bd-article div.highlight")) {
    if (block.closest(".sphx-glr-script-out")) continue;
    const button = document.createElement("button");
    button.type = "button";
    button.className = "copy";
    button.textContent = "Copy";
    button.setAttribute("aria-live", "polite");
    button.addEventListener("click", async () => {
      await copied(typed(/** @type {Element} */ (block.querySelector("pre"))));
      button.textContent = "Copied";
      setTimeout(() => (button.textContent = "Copy"), 2000);
    });
    block.append(button);
  }
});
