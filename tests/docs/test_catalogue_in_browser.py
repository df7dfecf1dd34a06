"""The catalogue in Chromium: filtered, moved, raced; and the buttons that copy code. `pytest -m browser`."""

import numpy as np
import pytest
from browsing import axe, browser, watched
from built_site import address, opened_page, site

import cynn
from cynn import registry

pytestmark = pytest.mark.browser
__all__ = ["address", "axe", "browser", "opened_page", "site"]  # fixtures


@pytest.mark.parametrize(("width", "mode"), [(1300, "light"), (400, "dark")])
def test_the_filter(opened_page, width, mode):
    page = opened_page("catalogue", width, mode)
    field = page.get_by_role("searchbox", name="Filter")
    shown = page.locator("ul.parts > li:visible")
    everything = shown.count()
    field.fill("outliers Regression")
    assert shown.locator("a").all_inner_texts() == ["huber", "mean_absolute_error"]
    field.fill("SiLU")  # another name of it
    assert shown.locator("a").all_inner_texts() == ["swish"]
    field.fill("")
    assert shown.count() == everything == page.locator("ul.parts > li").count()
    assert page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize(("width", "mode"), [(1300, "dark"), (400, "light")])
def test_a_slider_redraws_both_curves(opened_page, width, mode):
    page = opened_page("catalogue/activations/elu", width, mode)
    curves = page.locator("svg.cynn-panel .curve path")
    before = [curve.get_attribute("d") for curve in curves.all()]
    page.get_by_role("slider", name="z").fill("-2")
    page.get_by_role("slider", name="alpha").fill("2.5")
    after = [curve.get_attribute("d") for curve in curves.all()]
    assert len(before) == 2
    assert before[0] != after[0] and before[1] != after[1]
    a = float(registry.activations.get("elu", alpha=2.5)([-2.0])[0])
    assert page.locator(".reading").inner_text() == f"f(-2.00) = {a:#.4g}, f′(-2.00) = {a + 2.5:#.4g}"
    page.get_by_role("slider", name="alpha").focus()
    page.keyboard.press("Home")
    assert page.locator(".cynn-sliders output").first.inner_text() == "0.100"


def test_the_curve_that_is_redrawn_is_the_one_that_was_drawn(opened_page, browser, address):
    """A point of the static picture and the same point after the script has drawn it anew."""
    static = watched(browser, address, java_script_enabled=False)
    static.goto(f"{address}/catalogue/activations/snake.html")
    ends = """path => {
        const numbers = path.getAttribute("d").match(/[\\d.]+/g).map(Number);
        return [...numbers.slice(0, 2), ...numbers.slice(-2)];
    }"""
    before = [curve.evaluate(ends) for curve in static.locator("svg.cynn-panel .curve path").all()]
    static.close()
    page = opened_page("catalogue/activations/snake")
    after = [curve.evaluate(ends) for curve in page.locator("svg.cynn-panel .curve path").all()]
    np.testing.assert_allclose(after, before, atol=0.05)


@pytest.mark.parametrize(("width", "mode"), [(1300, "light"), (400, "dark")])
def test_the_race(opened_page, width, mode):
    page = opened_page("catalogue", width, mode)
    race = page.locator(".cynn-race")
    assert race.locator("g.run:not(.hidden)").count() == 6
    race.get_by_role("checkbox", name="adamw", exact=True).check()
    assert race.locator("g.run:not(.hidden)").count() == 7
    race.get_by_role("slider").fill("0")
    assert set(race.locator("li output").all_inner_texts()) == {"2.4e+00"}
    race.get_by_role("button", name="Play").click()
    page.wait_for_function("Number(document.querySelector('.cynn-race input[type=range]').value) > 3")
    race.get_by_role("button", name="Stop").click()
    step = int(race.locator(".controls output").inner_text())
    points = race.locator("g.run[data-name=adam] polyline").get_attribute("points").split()
    assert len(points) == step + 1


def test_without_scripts_all_is_shown(browser, address):
    page = watched(browser, address, java_script_enabled=False)
    page.goto(f"{address}/catalogue.html")
    own = sum(len(of_kind.names()) for of_kind in registry.OF_KIND.values())
    assert own / 2 < page.locator("ul.parts:not(.layers) > li:visible").count() <= own
    assert page.locator(".cynn-race g.run:visible").count() == 6
    assert not page.get_by_role("slider").all()
    assert not page.get_by_role("checkbox").all()
    page.close()


@pytest.mark.parametrize("mode", ["light", "dark"])
@pytest.mark.parametrize("path", ["catalogue", "catalogue/activations/gelu", "catalogue/losses/huber"])
def test_axe_finds_nothing(opened_page, axe, path, mode):
    page = opened_page(path, mode=mode)
    page.wait_for_selector(f"html[data-theme={mode}]", state="attached")
    page.evaluate(axe)
    for part in ("ul.parts", ".parts-filter", ".cynn-race", ".cynn-curves", ".cynn-sliders"):
        if page.locator(part).count():
            found = page.evaluate(f"axe.run('{part}', {{ preload: false }})")["violations"]
            assert [(each["id"], each["impact"], each["nodes"][0]["html"][:200]) for each in found] == []


def test_code_is_copied_without_prompts_and_output(opened_page):
    page = opened_page("catalogue/activations/elu")
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    block = page.locator(".highlight", has=page.locator(".gp"))
    block.hover()
    block.get_by_role("button", name="Copy").click()
    block.get_by_role("button", name="Copied").wait_for()
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied == 'import cynn\ncynn.registry.activations.get("elu")([-1.0, 0.0, 2.0]).round(4)\n'
    exec(copied, {"cynn": cynn})
