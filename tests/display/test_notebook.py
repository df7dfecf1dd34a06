"""What a notebook shows of networks and histories: whole HTML, with the figures in it."""

import re
import xml.etree.ElementTree as ElementTree

import cynn
from cynn.display import summary

SVG = "{http://www.w3.org/2000/svg}"


def parse(html):
    """The tree; an error unless every tag is closed."""
    return ElementTree.fromstring(html)


def history(**figures):
    made = cynn.training.History()
    made.history = figures
    return made


def check_inside(svg):
    """Every shape lies within the drawing."""
    _, _, width, height = map(float, svg.get("viewBox").split())
    for line in svg.iter(f"{SVG}polyline"):
        for x, y in re.findall(r"([\d.]+),([\d.]+)", line.get("points")):
            assert 0 <= float(x) <= width and 0 <= float(y) <= height
    for box in svg.iter(f"{SVG}rect"):
        assert 0 <= float(box.get("x")) <= width - float(box.get("width"))
        assert 0 <= float(box.get("y")) <= height - float(box.get("height"))
    for text in svg.iter(f"{SVG}text"):
        wide = 6.6 * len(text.text)
        left = float(text.get("x")) - {"start": 0, "middle": wide / 2, "end": wide}[text.get("text-anchor")]
        assert left >= 0 and left + wide <= width, text.text
        assert 8 <= float(text.get("y")) <= height


class TestNetwork:
    NET = cynn.Network.mlp([784, 16, 16, 10], activation="sigmoid", output="softmax", seed=0)

    def test_the_table_is_the_summary(self):
        tree = parse(self.NET._repr_html_())
        rows = [tuple(cell.text or "" for cell in row) for row in tree.iter("tr")]
        assert rows == [summary.HEADINGS, *summary.rows(self.NET)]
        assert rows[-1][-1] == "13,002"

    def test_a_bar_a_layer(self):
        (svg,) = parse(self.NET._repr_html_()).iter(f"{SVG}svg")
        heights = [float(box.get("height")) for box in svg.iter(f"{SVG}rect")]
        assert heights[0] > heights[1] == heights[2] > heights[3]
        assert [text.text for text in svg.iter(f"{SVG}text")][:4] == ["784", "input", "16", "sigmoid"]
        check_inside(svg)

    def test_a_deep_one_is_cut(self):
        net = cynn.Network.mlp([3, *[4] * 40, 2], activation="leaky_relu", seed=0)
        (svg,) = parse(net._repr_html_()).iter(f"{SVG}svg")
        assert len(list(svg.iter(f"{SVG}rect"))) == 14
        assert "…" in [text.text for text in svg.iter(f"{SVG}text")]
        check_inside(svg)

    def test_names_are_escaped(self):
        class Odd(cynn.activations.Activation):
            name = "<b>&"

            def forward(self, z):
                return z

            def backward(self, z, a, grad):
                return grad

        html = cynn.Network([cynn.Input(1), cynn.Dense(1, activation=Odd())], seed=0)._repr_html_()
        parse(html)
        assert "&lt;b&gt;&amp;" in html

    def test_the_plain_repr_stays(self):
        assert repr(self.NET).startswith("Network([Input(784), Dense(16, activation=Sigmoid())")


class TestHistory:
    def test_two_curves(self):
        made = history(loss=[3.0, 2.0, 1.0], val_loss=[3.5, 2.5, 2.0], seconds=[1.0, 1.0, 1.0])
        tree = parse(made._repr_html_())
        (svg,) = tree.iter(f"{SVG}svg")
        lines = list(svg.iter(f"{SVG}polyline"))
        assert [len(line.get("points").split()) for line in lines] == [3, 3]
        assert [line.get("stroke-dasharray") is None for line in lines] == [True, False]
        words = [text.text for text in svg.iter(f"{SVG}text")]
        assert {"3.5", "1", "3", "training loss", "validation loss"} <= set(words)
        assert [code.text for code in tree.iter("code")] == [repr(made)]
        check_inside(svg)

    def test_a_falling_loss_falls(self):
        (line,) = parse(history(loss=[3.0, 2.0, 1.0])._repr_html_()).iter(f"{SVG}polyline")
        (x0, y0), *_, (x1, y1) = (map(float, point.split(",")) for point in line.get("points").split())
        assert x0 < x1 and y0 < y1  # y counts downwards

    def test_one_epoch_none_and_no_numbers(self):
        (line,) = parse(history(loss=[1.0])._repr_html_()).iter(f"{SVG}polyline")
        assert len(line.get("points").split()) == 2
        assert list(parse(history()._repr_html_()).iter(f"{SVG}svg")) == []
        assert list(parse(history(loss=[float("nan")])._repr_html_()).iter(f"{SVG}svg")) == []
        (line,) = parse(history(loss=[1.0, float("inf"), 2.0])._repr_html_()).iter(f"{SVG}polyline")
        assert len(line.get("points").split()) == 2

    def test_very_many_epochs_are_thinned_out(self):
        html = history(loss=[1 / (1 + i) for i in range(100_000)])._repr_html_()
        assert len(html) < 20_000
        for svg in parse(html).iter(f"{SVG}svg"):
            check_inside(svg)
