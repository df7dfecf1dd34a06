"""Pages of `to_html` in Chromium: drawn on, clicked, moved, by mouse and by keys. `pytest -m browser`."""

import json
import re

import numpy as np
import pytest
from browsing import axe, browser, watched

import cynn

pytestmark = pytest.mark.browser
__all__ = ["axe", "browser"]  # fixtures

WIDTHS = (1300, 400)  # pixels
SEVEN = [(0.25, 0.2), (0.75, 0.2), (0.45, 0.85)]  # of the side of the pad
ZERO = [(0.5 + 0.25 * np.sin(t), 0.5 - 0.35 * np.cos(t)) for t in np.linspace(0, 6.3, 30)]
ODD = '</script><img src=x onerror="document.body.id=1">'


@pytest.fixture(scope="module")
def net():
    (x, y), _ = cynn.datasets.load_mnist()
    net = cynn.Network.mlp([784, 16, 16, 10], activation="sigmoid", output="softmax", input_scale=1 / 255, seed=0)
    net.fit(x[:20000], y[:20000], optimizer=cynn.optimizers.Adam(0.01), epochs=3, progress=False)
    return net


@pytest.fixture(scope="module")
def folder(net, tmp_path_factory):
    """A folder with a page for each kind of input."""
    folder = tmp_path_factory.mktemp("pages")
    x, y = cynn.datasets.load_mnist()[1]
    net.to_html(folder / "digits.html", examples=(x[:1000], y[:1000]))
    rng = np.random.default_rng(0)
    x = np.stack([rng.integers(0, 3, 100), rng.normal(size=100), rng.integers(0, 9, 100)], axis=1)
    table = cynn.Network([cynn.Input(3), cynn.Embedding(3, 2, columns=0), cynn.BatchNorm(), cynn.Dense(20, "relu"),
                          cynn.Residual([cynn.Dense(20, "tanh")]), cynn.Dense(2, "softmax")], seed=0)  # fmt: skip
    names = {ODD: [ODD, "b", "c"], "width & height": None, "rooms": None}
    table.to_html(folder / "table.html", examples=x, inputs=names, labels=[ODD, "no"], title=ODD)
    cynn.Network.mlp([1, 8, 1], activation="tanh", seed=0).to_html(folder / "curve.html", inputs={"t": (-2, 2)})
    cynn.Network.mlp([2, 8, 3], activation="relu", output="softmax", seed=0).to_html(folder / "plane.html")
    h = cynn.Dense(5, "relu")(cynn.Input(64))
    several = cynn.Network({"a": cynn.Dense(2, "softmax")(h), "b": cynn.Dense(1)(h)}, seed=0)
    several.to_html(folder / "several.html")
    return folder


@pytest.fixture
def opened(browser, folder):
    """A function that opens one of the pages."""
    pages = []

    def opened(name, width=1300, scheme="light", **options):
        address = (folder / f"{name}.html").as_uri()
        page = watched(browser, address, viewport={"width": width, "height": 900}, color_scheme=scheme, **options)
        page.set_default_timeout(30_000)
        pages.append(page)
        page.goto(address)
        page.wait_for_selector("html[data-ready]", state="attached")
        return page

    yield opened
    for page in pages:
        assert page.problems == []
        page.close()


def draw(page, points):
    """A stroke through points, with the mouse."""
    box = page.locator(".pad").bounding_box()
    places = [(box["x"] + a * box["width"], box["y"] + b * box["height"]) for a, b in points]
    page.mouse.move(*places[0])
    page.mouse.down()
    for place in places[1:]:
        page.mouse.move(*place, steps=8)
    page.mouse.up()


def outputs(page):
    return page.locator("#outputs .number").all_inner_texts()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", WIDTHS)
def test_what_is_drawn_is_predicted(opened, net, width, scheme):
    page = opened("digits", width, scheme)
    for points, digit in ((SEVEN, 7), (ZERO, 0)):
        page.get_by_role("button", name="Clear").click()
        draw(page, points)
        x = np.array(page.evaluate("network.x"))
        wanted = net.activations(x.astype(np.uint8))
        assert x.max() > 200
        np.testing.assert_allclose(page.evaluate("network.predict(network.x)"), wanted[-1], atol=1e-6)
        values = page.evaluate("network.values.map((each) => Array.from(each))")
        for found, a in zip(values, wanted, strict=True):
            np.testing.assert_allclose(found, a, atol=1e-6)
        assert wanted[-1].argmax() == digit
        best = page.locator("#outputs .best")
        assert best.inner_text().split()[0] == str(digit)
        page.locator("#said", has_text=re.compile(rf"^{digit}, \d")).wait_for(state="attached")
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_a_finger_draws(opened, net):
    page = opened("digits", 400, has_touch=True)
    box = page.locator(".pad").bounding_box()
    client = page.context.new_cdp_session(page)
    for kind, places in (("touchStart", [0.2]), ("touchMove", [0.4]), ("touchMove", [0.8]), ("touchEnd", [])):
        points = [{"x": box["x"] + a * box["width"], "y": box["y"] + a * box["height"]} for a in places]
        client.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
    page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
    picture = np.array(page.evaluate("network.x")).reshape(28, 28)
    assert (np.diagonal(picture)[6:22] > 0).all()  # one line, from the upper left


def test_a_pad_is_drawn_on_by_keys(opened):
    page = opened("digits")
    page.locator(".pad").focus()
    page.keyboard.press("Delete")
    assert not any(page.evaluate("network.x"))
    page.keyboard.press("Space")
    for _ in range(20):
        page.keyboard.press("ArrowDown")
    page.keyboard.press("Space")
    page.keyboard.press("ArrowLeft")
    picture = np.array(page.evaluate("network.x")).reshape(28, 28)
    assert np.ptp(np.flatnonzero(picture.any(axis=1))) == 19
    assert np.ptp(np.flatnonzero(picture.any(axis=0))) < 6


def test_a_click_shows_a_neuron(opened, net):
    page = opened("digits")
    assert page.locator("#details").is_hidden()
    neurons = page.locator(".neuron")
    assert neurons.count() == 16 + 16 + 16 + 10
    neurons.nth(16 + 4).click()
    details = page.locator("#details")
    assert details.locator("h2").inner_text() == "sigmoid 1, neuron 5"
    assert details.locator("canvas[role=img]").count() == 2  # its weights, and activation times weight
    pixels = np.array(details.locator("canvas").first.evaluate(
        "canvas => Array.from(canvas.getContext('2d').getImageData(0, 0, 28, 28).data)"
    )).reshape(784, 4)  # fmt: skip
    W = net.layers[0].weights[:, 4]
    assert np.abs(pixels[:, 3] - np.floor(255 * np.abs(W) / np.abs(W).max())).max() <= 1
    (negative,) = np.unique(pixels[(W < 0) & (pixels[:, 3] > 100)][:, 0] > pixels[(W < 0) & (pixels[:, 3] > 100)][:, 2])
    assert negative  # more red than blue
    lit = [float(text) for text in details.locator("figcaption").all_inner_texts()]
    assert lit == sorted(lit, reverse=True)
    assert len(lit) == 6
    assert details.locator(".bars li").count() == 12  # the largest of the 16 weights behind it
    neurons.nth(16 + 16 + 16 + 7).click()
    assert details.locator("h2").inner_text() == "softmax 3, 7"
    products = net.activations(np.array(page.evaluate("network.x"), np.uint8))[2] * net.layers[2].weights[:, 7]
    note = details.locator(".note", has_text="in all").inner_text().replace("−", "-")
    assert float(note.split()[2].rstrip(",")) == pytest.approx(products.sum(), abs=0.01)
    details.get_by_role("button", name="Close").click()
    assert details.is_hidden()


def test_an_example_is_taken_over(opened, net):
    page = opened("digits")
    for digit in range(10):
        page.locator("#inputs .thumb").nth(digit).click()
        x = np.array(page.evaluate("network.x"), np.uint8)
        np.testing.assert_allclose(page.evaluate("network.predict(network.x)"), net.predict(x), atol=1e-6)
        assert page.locator("#inputs .thumb").nth(digit).get_attribute("aria-label") == f"an example: {digit}"
    draw(page, SEVEN)  # begins anew
    assert np.array(page.evaluate("network.x")).reshape(28, 28)[14:, :8].sum() == 0


def test_hovering_shows_numbers(opened, net):
    page = opened("digits")
    page.locator(".neuron").nth(16).hover()
    tip = page.locator("#tip")
    assert tip.inner_text().startswith("sigmoid 1, neuron 1: ")
    line = page.locator("line").last
    ends = [float(line.get_attribute(name)) for name in ("x1", "y1", "x2", "y2")]
    box = page.locator("#network svg").bounding_box()
    page.mouse.move(box["x"] + 0.7 * ends[0] + 0.3 * ends[2], box["y"] + 0.7 * ends[1] + 0.3 * ends[3])
    weight = tip.inner_text()
    assert weight.startswith("weight ")
    number = float(weight.split()[1].rstrip(",").replace("−", "-"))
    assert np.abs(net.layers[2].weights - number).min() < 0.005
    page.mouse.move(5, 5)
    assert tip.is_hidden()


def test_neurons_by_keys(opened):
    page = opened("digits")
    page.locator(".neuron[tabindex='0']").focus()
    assert page.evaluate("document.querySelectorAll('.neuron[tabindex=\"0\"]').length") == 1
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowDown")
    focused = page.evaluate("document.activeElement.getAttribute('aria-label')")
    assert focused.startswith("sigmoid 2, neuron 2: ")
    assert page.locator("#tip").is_visible()
    page.keyboard.press("Enter")
    assert page.locator("#details h2").inner_text() == "sigmoid 2, neuron 2"
    assert page.evaluate("document.activeElement.getAttribute('aria-pressed')") == "true"
    page.keyboard.press("Escape")
    assert page.locator("#details").is_hidden()


@pytest.mark.parametrize("width", WIDTHS)
def test_a_table_has_sliders_and_menus(opened, width):
    page = opened("table", width)
    assert page.locator("h1").inner_text() == ODD
    assert page.locator("img").count() == 0
    assert page.evaluate("document.body.id") == ""
    before = outputs(page)
    page.get_by_role("slider", name="width & height").fill("1.5")
    assert outputs(page) != before
    page.locator("select").select_option("c")
    page.locator("#field-2").focus()
    page.keyboard.press("Home")
    x = page.evaluate("network.x")
    assert (x[0], x[2]) == (2, 0)
    assert x[1] == pytest.approx(1.5, abs=0.01)
    assert page.evaluate("network.predict(network.x).reduce((a, b) => a + b)") == pytest.approx(1)
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_a_curve_is_moved(opened):
    page = opened("curve")
    box = page.locator(".curve").bounding_box()
    page.mouse.move(box["x"] + 0.25 * box["width"], box["y"] + 20)
    page.mouse.down()
    page.mouse.move(box["x"] + 0.75 * box["width"], box["y"] + 20, steps=4)
    page.mouse.up()
    assert page.evaluate("network.x")[0] == pytest.approx(1, abs=0.02)
    page.get_by_role("slider", name="t").fill("-1")
    assert page.evaluate("network.x")[0] == pytest.approx(-1, abs=0.02)
    assert page.locator(".curve polyline").count() == 1


def test_a_plane_is_moved(opened):
    page = opened("plane")
    box = page.locator(".curve").bounding_box()
    page.mouse.click(box["x"] + 0.75 * box["width"], box["y"] + 0.25 * box["height"])
    np.testing.assert_allclose(page.evaluate("network.x"), [0.5, 0.5], atol=0.02)
    assert page.locator(".point").count() == 1


def test_several_outputs(opened):
    page = opened("several")
    assert page.locator("#outputs h2").all_inner_texts() == ["a", "b"]
    assert len(outputs(page)) == 3


def test_in_grey(opened):
    page = opened("digits", forced_colors="active")
    assert page.locator("line.minus").first.evaluate("line => getComputedStyle(line).strokeDasharray") != "none"
    page = opened("digits")
    page.get_by_label("grey").check()
    line = page.locator("line.plus").last
    red, green, blue = json.loads(
        line.evaluate("line => getComputedStyle(line).stroke").replace("rgb(", "[").replace(")", "]")
    )
    assert red == green == blue
    assert page.locator("line.minus").first.evaluate("line => getComputedStyle(line).strokeDasharray") != "none"


def test_without_scripts(browser, folder):
    page = watched(browser, folder.as_uri(), java_script_enabled=False)
    page.goto((folder / "digits.html").as_uri())
    assert "13,002" in page.locator("noscript").inner_text()
    page.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", ["digits", "table", "curve", "plane", "several"])
def test_axe_finds_nothing(opened, axe, name, scheme):
    page = opened(name, scheme=scheme, bypass_csp=True)
    page.locator(".neuron").nth(3).click()
    page.evaluate(axe)
    found = page.evaluate("axe.run()")["violations"]
    assert [(each["id"], each["impact"], each["nodes"][0]["html"][:200]) for each in found] == []
