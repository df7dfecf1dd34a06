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


@pytest.mark.parametrize(("width", "mode"), [(1300, "light"), (400, "dark")])
def test_a_loss_follows_target_prediction_and_hyperparameter(opened_page, width, mode):
    page = opened_page("catalogue/losses/huber", width, mode)
    curves = page.locator("svg.cynn-panel .curve path")
    _, second, *slopes = before = [curve.get_attribute("d") for curve in curves.all()]
    assert len(slopes) == 2
    page.locator("input[name=t]").fill("2")
    page.locator("input[name=p]").fill("-1")
    after = [curve.get_attribute("d") for curve in curves.all()]
    assert [old != new for old, new in zip(before, after, strict=True)] == [True, False, True, False]
    assert [name.text_content() for name in page.locator("svg.cynn-panel text", has_text="target").all()] == [
        "target 2", "target 1", "target 2", "target 1",
    ]  # fmt: skip
    page.get_by_role("slider", name="delta").fill("0.5")
    assert [curve.get_attribute("d") for curve in curves.all()][1] != second
    ((value,), ((slope,),)) = registry.losses.get("huber", delta=0.5).value_and_gradient([[-1.0]], [[2.0]])
    assert page.locator(".reading").inner_text() == f"C = {value:#.4g}, ∂C/∂p = {slope:#.4g}"
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_a_loss_of_a_row_has_the_rest_of_the_target(opened_page):
    page = opened_page("catalogue/losses/cross_entropy")
    page.locator("input[name=t]").fill("0.75")
    page.locator("input[name=p]").fill("0.4")
    assert page.locator("svg.cynn-panel text", has_text="target").first.text_content() == "target (0.75, 0.25)"
    found = registry.losses.get("cross_entropy").value_and_gradient([[0.4, 0.6]], [[0.75, 0.25]])
    reading = f"C = {found[0][0]:#.4g}, ∂C/∂p = {found[1][0, 0]:#.4g}"
    assert page.locator(".reading").inner_text() == reading


def test_the_target_of_labels_jumps(opened_page):
    page = opened_page("catalogue/losses/hinge")
    target = page.locator("input[name=t]")
    target.focus()
    page.keyboard.press("ArrowRight")
    assert target.input_value() == "1"


@pytest.mark.parametrize(("width", "mode"), [(1300, "dark"), (400, "light")])
@pytest.mark.parametrize("name", ["softmax", "log_softmax", "softmin", "sparsemax"])
def test_a_row_of_an_activation(opened_page, name, width, mode):
    page = opened_page(f"catalogue/activations/{name}", width, mode)
    row = page.locator(".cynn-row")
    for slider, z in zip(row.get_by_role("slider").all(), [-2.0, 1.0, 0.5, 0.0], strict=True):
        slider.fill(str(z))
    wanted = registry.activations.get(name)(np.array([[-2.0, 1.0, 0.5, 0.0]]))[0]
    found = [float(each) for each in row.locator("td:last-child").all_inner_texts()]
    np.testing.assert_allclose(found, wanted, atol=1e-4)
    assert row.locator("caption").inner_text() == "What comes out of z₁ = -2, z₂ = 1, z₃ = 0.5, z₄ = 0"
    widths = [bar.bounding_box()["width"] for bar in row.locator("i").all()]
    assert np.argmax(widths) == np.argmax(np.abs(wanted))
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_rows_of_layers(opened_page):
    page = opened_page("layers")
    glu, maxout, layer_norm, rms_norm = page.locator(".cynn-row").all()
    for row in (glu, maxout, layer_norm, rms_norm):
        for slider, z in zip(row.get_by_role("slider").all(), [1.0, -2.0, 0.0, 3.0], strict=True):
            slider.fill(str(z))
    found = [[float(each) for each in row.locator("td:last-child").all_inner_texts()]
             for row in (glu, maxout, layer_norm, rms_norm)]  # fmt: skip
    z = np.array([1.0, -2.0, 0.0, 3.0])
    gates = 1 / (1 + np.exp(-z[2:]))
    wanted = [z[:2] * gates, [1.0, 3.0], (z - z.mean()) / z.std(), z / np.sqrt((z**2).mean())]
    for got, right in zip(found, wanted, strict=True):
        np.testing.assert_allclose(got, right, atol=1e-3)


@pytest.mark.parametrize("path", ["activations/snake", "losses/mean_squared_error", "losses/cross_entropy"])
def test_the_curve_that_is_redrawn_is_the_one_that_was_drawn(opened_page, browser, address, path):
    """A point of the static picture and the same point after the script has drawn it anew."""
    static = watched(browser, address, java_script_enabled=False)
    static.goto(f"{address}/catalogue/{path}.html")
    ends = """path => {
        const numbers = path.getAttribute("d").match(/[\\d.]+/g).map(Number);
        return [...numbers.slice(0, 2), ...numbers.slice(-2)];
    }"""
    before = [curve.evaluate(ends) for curve in static.locator("svg.cynn-panel .curve path").all()]
    static.close()
    page = opened_page(f"catalogue/{path}")
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
@pytest.mark.parametrize(
    "path",
    ["catalogue", "catalogue/activations/gelu", "catalogue/activations/softmax", "catalogue/losses/huber", "layers"],
)
def test_axe_finds_nothing(opened_page, axe, path, mode):
    page = opened_page(path, mode=mode)
    page.wait_for_selector(f"html[data-theme={mode}]", state="attached")
    page.evaluate(axe)
    for part in ("ul.parts", ".parts-filter", ".cynn-race", ".cynn-curves", ".cynn-sliders", ".cynn-row"):
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
