"""The documentation, seen in a real browser: `pytest -m browser`.

The site is built for it, unless CYNN_SITE names the folder of one.
"""

import numpy as np
import pytest
from browsing import browser
from built_site import address, page, site

import cynn

pytestmark = pytest.mark.browser
__all__ = ["address", "browser", "page", "site"]  # fixtures

WIDTHS = (1280, 390)  # pixels: a laptop, a telephone

BROKEN_IMAGES = """async () => {
    const broken = [];
    for (const image of document.images) {
        image.loading = "eager";
        await image.decode().catch(() => broken.push(image.src.slice(0, 200)));
    }
    return broken;
}"""

# What the page, or a box that all of its text stands in, must be scrolled sideways for. Code and tables have boxes of
# their own, which may be.
TOO_WIDE = """() => {
    const article = document.querySelector("article") || document.body;
    const boxes = [];
    for (let box = article; box; box = box.parentElement) boxes.push(box);
    const wide = boxes.filter(box => box.scrollWidth > box.clientWidth + 1);
    if (!wide.length) return [];
    const right = wide[0].getBoundingClientRect().right;
    const boxed = element => {
        for (let box = element.parentElement; box && !boxes.includes(box); box = box.parentElement)
            if (getComputedStyle(box).overflowX !== "visible") return true;
        return false;
    };
    const found = [...wide[0].querySelectorAll("*")].filter(
        element => element.getBoundingClientRect().right > right + 1 && !boxed(element)
    );
    return [`${wide[0].scrollWidth} pixels in ${wide[0].clientWidth}`].concat(
        found.slice(0, 3).map(element => element.cloneNode(false).outerHTML.slice(0, 120))
    );
}"""


# Folders of pages that are made from one template each: one page in six is looked at.
MADE = ("catalogue/", "reference/generated/")


def test_every_page_is_whole(page, site, address):
    paths = sorted(path.relative_to(site) for path in site.rglob("*.html"))
    paths = [path.as_posix() for path in paths if path.parts[0] not in ("_static", "_modules")]
    assert len(paths) > 50
    for folder in MADE:  # hundreds, which would take minutes
        of_folder = [path for path in paths if path.startswith(folder)]
        assert len(of_folder) > 50
        paths = [path for path in paths if path not in of_folder or of_folder.index(path) % 6 == 0]
    wrong = {}
    for path in paths:
        page.problems.clear()
        page.goto(f"{address}/{path}", wait_until="load")
        page.problems.extend(f"missing: {source}" for source in page.evaluate(BROKEN_IMAGES))
        for width in WIDTHS:
            page.set_viewport_size({"width": width, "height": 900})
            page.problems.extend(f"too wide at {width}: {what}" for what in page.evaluate(TOO_WIDE))
        if page.problems:
            wrong[path] = list(page.problems)
    assert not wrong, "\n".join(f"{path}: {problem}" for path, problems in wrong.items() for problem in problems)


def test_dropout_is_found(page, address):
    page.goto(address)
    page.keyboard.press("Control+K")
    page.keyboard.type("dropout")
    page.keyboard.press("Enter")
    found = page.locator("#search-results li a")
    found.first.wait_for()
    assert "cynn.Dropout" in found.all_inner_texts()
    found.get_by_text("cynn.Dropout", exact=True).first.click()
    page.wait_for_url("**/cynn.Dropout.html*")
    assert page.locator("h1").inner_text().startswith("Dropout")
    assert not page.problems


@pytest.mark.parametrize("mode", ["light", "dark"])
def test_an_animation_plays(page, address, mode):
    page.add_init_script(f"localStorage.setItem('mode', '{mode}'); localStorage.setItem('theme', '{mode}')")
    page.goto(f"{address}/gallery/spiral.html")
    shown = page.locator(f"div.only-{mode}:has(.animation)")
    picture, button = shown.locator(".animation img"), shown.get_by_title("Next frame")
    page.wait_for_function(
        "mode => document.querySelector(`div.only-${mode} .animation img`).src.startsWith('data:')", arg=mode
    )
    first = picture.get_attribute("src")
    button.click()
    assert picture.get_attribute("src") != first
    icon = button.locator("i, svg")  # from the font of the theme, or drawn by its script
    assert icon.evaluate("icon => icon.localName === 'svg' || getComputedStyle(icon, '::before').content !== 'none'")
    assert not page.problems


@pytest.mark.parametrize(("place", "mode"), [("watch", "light"), ("index", "dark"), ("learn/layers", "dark")])
def test_the_live_network_thinks_what_the_network_thinks(page, site, address, place, mode):
    """A stroke on the pad, in the frame of the page; the frame is dark where the page is."""
    page.add_init_script(f"localStorage.setItem('mode', '{mode}'); localStorage.setItem('theme', '{mode}')")
    page.goto(f"{address}/{place}.html")
    page.locator("iframe.live").scroll_into_view_if_needed()  # it is loaded when it comes into view
    live = page.frame_locator("iframe.live")
    live.locator("html[data-ready]").wait_for(state="attached")
    live.locator("html.dark" if mode == "dark" else "html:not(.dark)").wait_for(state="attached")
    live.get_by_role("button", name="Clear").click()
    live.locator(".pad").evaluate("pad => pad.scrollIntoView({ block: 'center' })")
    box = live.locator(".pad").bounding_box()
    page.mouse.move(box["x"] + 0.5 * box["width"], box["y"] + 0.2 * box["height"])
    page.mouse.down()
    page.mouse.move(box["x"] + 0.45 * box["width"], box["y"] + 0.8 * box["height"], steps=10)
    page.mouse.up()
    frame = page.frame(url="**/live/digits.html")
    x = np.array(frame.evaluate("network.x"), np.uint8)
    wanted = cynn.load(site / "_static" / "live" / "digits.safetensors").predict(x)
    np.testing.assert_allclose(frame.evaluate("network.predict(network.x)"), wanted, atol=1e-6)
    assert wanted.argmax() == 1
    assert page.locator("iframe.live").bounding_box()["height"] > 700
    assert not page.problems
