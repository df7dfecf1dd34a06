"""Parts of pages that are moved by hand, in Chromium: moved, clicked, by mouse and by keys. `pytest -m browser`."""

import re

import pytest
from browsing import axe, browser, watched
from built_site import address, opened_page, site

pytestmark = pytest.mark.browser
__all__ = ["address", "axe", "browser", "opened_page", "site"]  # fixtures

#: Each part, and the page that it stands on.
PARTS = {
    "neuron": "learn/neurons",
    "boundary": "learn/why_layers",
    "ball": "learn/learning",
    "backpropagation": "learn/learning",
    "side_by_side": "learn/relu",
}


@pytest.fixture
def opened(opened_page):
    """A function that opens the page of a part, and returns the page and the part."""

    def opened(name, width=1300, mode="light"):
        page = opened_page(PARTS[name], width, mode)
        return page, page.locator(f"#interactive-{name}")

    return opened


def test_a_neuron_has_sliders(opened):
    _, part = opened("neuron")
    lines = part.locator(".lines")
    assert lines.inner_text().endswith("a′ = σ(1.60) = 0.8320")
    part.get_by_role("slider", name="b").fill("-4.1")
    assert lines.inner_text().endswith("a′ = σ(0.00) = 0.5000")
    part.get_by_role("slider", name="w₁").focus()
    part.page.keyboard.press("ArrowRight")
    assert "z = 2.10 · 0.90" in lines.inner_text()
    part.get_by_role("combobox", name="activation").select_option("relu")
    assert lines.inner_text().endswith("a′ = ReLU(0.09) = 0.0900")
    part.locator("output", has_text="a′ = ReLU(0.09)").wait_for(state="attached")


def epoch(part):
    """The epoch, and the share of points that are right, in per cent."""
    found = re.search(r"Epoch (\d+): .* (\d+) % right", part.locator(".lines").inner_text())
    return [int(number) for number in found.groups()]


def test_a_network_learns_xor(opened):
    _, part = opened("boundary", 400)
    assert part.locator(".lines").inner_text().startswith("2-4-1, 17 weights and biases. Epoch 0")
    part.get_by_role("button", name="Train").press("Enter")
    part.locator(".lines", has_text=re.compile(r"Epoch \d{3}: .* (9\d|100) % right")).wait_for()
    part.get_by_role("button", name="Stop").click()
    stopped = epoch(part)
    part.get_by_role("button", name="One epoch").click()
    assert epoch(part)[0] == stopped[0] + 1
    shades = "canvas => Array.from(canvas.getContext('2d').getImageData(0, 0, 40, 40).data)"
    pixels = part.locator("canvas.shades").evaluate(shades)
    blue = [pixels[4 * k + 2] > pixels[4 * k] for k in (4 * 40 + 4, 4 * 40 + 35, 35 * 40 + 4, 35 * 40 + 35)]
    assert blue == [True, False, False, True]  # opposite corners are of one class
    assert part.locator("canvas.small").count() == 4


def test_without_a_hidden_layer_it_does_not(opened):
    page, part = opened("boundary")
    part.get_by_role("slider", name="hidden layers").focus()
    page.keyboard.press("ArrowLeft")
    assert part.locator(".lines").inner_text().startswith("2-1, 3 weights and biases. Epoch 0")
    assert part.locator("canvas.small").count() == 0
    for _ in range(10):
        part.get_by_role("button", name="One epoch").click()
    assert epoch(part)[1] <= 75
    part.get_by_role("combobox", name="points").select_option("spiral")
    assert epoch(part)[0] == 0
    assert part.locator("circle").count() == part.locator("path").count() == 100
    part.get_by_role("button", name="Begin anew").click()
    assert epoch(part)[0] == 0


def test_a_step_of_backpropagation(opened):
    page, part = opened("backpropagation", 400)
    title, lines = part.locator(".title"), part.locator(".title + .lines")
    assert title.inner_text() == "Step 1, 1 of 10. Forward: hidden neuron 1"
    assert part.get_by_role("button", name="Back").is_disabled()
    assert part.locator("svg").text_content().count("?") == 2
    part.get_by_role("button", name="Next").focus()
    for _ in range(9):
        page.keyboard.press("Enter")
    assert lines.inner_text().endswith("The output will be 0.627 in place of 0.558.")
    page.keyboard.press("Enter")
    assert title.inner_text().startswith("Step 2, 1 of 10.")
    assert "0.5 · 0.612" in lines.inner_text()
    part.get_by_role("button", name="Back").click()
    assert title.inner_text().startswith("Step 1, 10 of 10.")
    part.get_by_role("slider", name="learning rate").fill("5")
    assert "− 5.0 · " in lines.inner_text()
    part.get_by_role("button", name="Begin anew").click()
    assert title.inner_text().startswith("Step 1, 1 of 10.")


def test_a_ball_rolls(opened):
    page, part = opened("ball")
    lines = part.locator(".lines")
    assert lines.inner_text().startswith("Step 0: w = −2, cost 0.059\nslope −0.06;")
    part.get_by_role("slider", name="learning rate").focus()
    page.keyboard.press("End")
    part.get_by_role("button", name="One step").click()
    assert lines.inner_text().startswith("Step 1: w = 21.93")
    assert "outside" in part.locator("svg").text_content()
    part.get_by_role("slider", name="begin at w").fill("-3")
    part.get_by_role("slider", name="learning rate").fill("4")
    part.get_by_role("button", name="Roll").click()
    part.locator(".lines", has_text=re.compile("Step [3-9]:")).wait_for()
    part.get_by_role("button", name="Stop").click()
    assert lines.inner_text().split()[4] != "−3,"
    part.get_by_role("button", name="Begin anew").click()
    assert lines.inner_text().startswith("Step 0: w = −2,")


def test_sigmoid_against_relu(opened):
    _, part = opened("side_by_side", 400)
    sides = part.locator(".drawn > div")
    sizes = [float(text.replace("−", "-")) for text in sides.locator(".number").all_inner_texts()]
    assert len(sizes) == 10
    assert sizes[0] < 1e-4 < 1e-3 < sizes[5]  # of the first layers
    part.get_by_role("button", name="Train both").press("Enter")
    sides.nth(1).locator(".lines", has_text=re.compile(r"epoch \d+: .* (9\d|100) % right")).wait_for()
    part.get_by_role("button", name="Stop").click()
    first, second = (sides.nth(k).locator(".lines").first.inner_text() for k in (0, 1))
    assert first.split(":")[0] == second.split(":")[0]
    assert int(first.split()[-3]) < 75
    part.get_by_role("slider", name="hidden layers").fill("1")
    assert sides.first.locator("li").count() == 2
    assert "epoch 0" in sides.first.inner_text()


@pytest.mark.parametrize(
    ("place", "mode"), list(zip(dict.fromkeys(PARTS.values()), ["dark", "light"] * 2, strict=True))
)
def test_axe_finds_nothing(opened, axe, place, mode):
    """Each part fits a telephone, too."""
    names = [name for name, page in PARTS.items() if page == place]
    page, _ = opened(names[0], mode=mode)
    page.wait_for_selector(f"html[data-theme={mode}]", state="attached")
    for width in (1300, 400):
        page.set_viewport_size({"width": width, "height": 900})
        for name in names:
            fits = "part => part.scrollWidth <= part.clientWidth && part.clientHeight > 200"
            assert page.locator(f"#interactive-{name}").evaluate(fits)
    page.evaluate(axe)
    found = page.evaluate("axe.run('.interactive', { preload: false })")["violations"]
    assert [(each["id"], each["impact"], each["nodes"][0]["html"][:200]) for each in found] == []


def test_without_scripts_a_page_says_so(browser, address):
    page = watched(browser, address, java_script_enabled=False)
    for name, place in PARTS.items():
        page.goto(f"{address}/{place}.html", wait_until="commit")
        said = page.locator(f"#interactive-{name} + noscript")
        assert "needs JavaScript" in said.inner_text()
        assert said.is_visible()
    page.goto(f"{address}/index.html", wait_until="commit")
    picture = page.locator("iframe.live ~ noscript img")
    assert "784-16-16-10" in picture.get_attribute("alt")
    picture.wait_for()
    page.close()
