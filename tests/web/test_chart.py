"""The curves of a training: what the script computes, in Node."""

import json
import re

import numpy as np
import pytest
from node_scripts import run

__all__ = ["run"]  # a fixture


def test_ticks_are_round_and_within_the_range(run):
    ranges = [[0, 1, 4], [0.013, 0.0871, 4], [-3, 12, 4], [1, 2, 6], [1, 25, 6], [1e-7, 3e-7, 4], [1, 100000, 6]]
    found = run("""import { ticksOf } from "./chart.js";
    console.log(JSON.stringify(given.map((range) => ticksOf(...range))));""", ranges)  # fmt: skip
    assert found[0] == [0, 0.5, 1]
    assert found[2] == [0, 5, 10]
    assert found[4] == [5, 10, 15, 20, 25]
    for (low, high, count), ticks in zip(ranges, found, strict=True):
        assert 2 <= len(ticks) <= count + 2
        assert low <= ticks[0] < ticks[-1] <= high
        np.testing.assert_allclose(np.diff(ticks), ticks[1] - ticks[0], rtol=1e-9)


def test_an_axis_holds_its_values_and_is_logarithmic_where_they_fall_far(run):
    values = [[0.1, 0.4], [2, 0.001], [0, 100], [3], [0, 0], [], [-5, 1e6], [1e-12, 1e9]]
    found = run("""import { axisOf } from "./chart.js";
    const axes = given.map((values) => ({ ...axisOf(values), shares: values.map(axisOf(values).share) }));
    console.log(JSON.stringify(axes));""", values)  # fmt: skip
    assert [axis["isLog"] for axis in found] == [False, True, False, False, False, False, False, True]
    assert found[1]["ticks"] == [0.001, 0.01, 0.1, 1]
    assert len(found[7]["ticks"]) <= 6
    for axis in found:
        assert all(0 < share < 1 for share in axis["shares"])
        assert axis["ticks"]
    assert found[1]["shares"][0] > found[1]["shares"][1]


def test_the_charts_of_a_history(run):
    history = {"loss": [2, 1.5, 1], "accuracy": [0.1, 0.5, 0.9], "val_loss": [2, 1.5, None],
               "val_accuracy": [0.1, 0.4, 0.8], "val_area_mae": [3], "seconds": [1, 1, 1],
               "learning_rate": []}  # fmt: skip
    found = run("""import { groupsOf, wordsOf } from "./chart.js";
    const groups = groupsOf(given);
    const words = groups.map((group) => wordsOf(group, "epoch"));
    console.log(JSON.stringify([groups, words, groupsOf({})]));""", history)  # fmt: skip
    groups, words, none = found
    assert [group["title"] for group in groups] == ["loss", "accuracy", "area mae"]
    names = [[line["name"] for line in group["lines"]] for group in groups]
    assert names == [["training", "validation"], ["training", "validation"], ["validation"]]
    assert groups[0]["lines"][1] == {"name": "validation", "x": [1, 2, 3], "y": [2, 1.5, None], "dashed": True}
    assert groups[2]["lines"][0]["x"] == [3]  # a figure that came later
    assert words[:2] == ["loss, epoch 3: training 1, validation NaN", "accuracy, epoch 3: training 0.9, validation 0.8"]
    assert none == []


def test_a_line_has_gaps_and_single_points(run):
    found = run("""import { pathOf } from "./chart.js";
    const path = (y) => pathOf({ name: "", x: y.map((_, k) => k), y }, (x) => 10 * x, (y) => y);
    console.log(JSON.stringify(given.map(path)));""", [[1, 2, None, 3, None, 4, 5], [7], [None, None], []])  # fmt: skip
    assert found == ["M0.0 1.0L10.0 2.0M30.0 3.0h0M50.0 4.0L60.0 5.0", "M0.0 7.0h0", "", ""]


@pytest.mark.parametrize("n", [5_000, 200_000])
def test_a_long_line_is_drawn_with_few_points_and_keeps_its_ends_and_spikes(run, n):
    y = np.sin(np.arange(n) / 300).tolist()
    y[n // 3] = 9.0
    found = run("""import { axisOf, groupsOf, pathOf } from "./chart.js";
    const [{ lines: [line] }] = groupsOf({ loss: given });
    axisOf(line.y);
    console.log(JSON.stringify(pathOf(line, (x) => (300 * x) / line.x.length, (y) => y)));""", y)  # fmt: skip
    points = [[float(number) for number in point.split()] for point in re.split("[ML]", found)[1:]]
    assert len(points) <= 2 * 601
    assert max(top for _, top in points) == 9
    assert points[0][0] <= 0.5
    assert points[-1][0] == 300
    assert np.all(np.diff([left for left, _ in points]) >= 0)


def test_names_from_a_user_stay_text(run):
    """The script makes elements by name and puts texts in as text; here without a browser, with a document of lists."""
    found = run("""import { chartsOf } from "./chart.js";
    const made = (name) => ({ name, children: [], attributes: {},
        setAttribute(key, value) { this.attributes[key] = value; },
        append(...given) { this.children.push(...given); }, replaceChildren(...given) { this.children = given; } });
    globalThis.document = { createElement: made, createElementNS: (_, name) => made(name) };
    const host = made("div");
    const charts = chartsOf(host);
    charts.show(given);
    charts.show({ ...given, loss: [3, 2, 1] });
    console.log(JSON.stringify(host.children));""", {"loss": [3, 2], "<b>&amp;": [1, None]})  # fmt: skip
    assert [figure["name"] for figure in found] == ["figure", "figure"]
    captions, drawings, legends = zip(*(figure["children"] for figure in found), strict=True)
    assert [caption["textContent"] for caption in captions] == ["loss", "<b>&amp;"]
    assert drawings[0]["ariaLabel"] == "loss, epoch 3: training 1"
    assert drawings[0]["attributes"]["role"] == "img"
    assert drawings[1]["ariaLabel"] == "<b>&amp;, epoch 3: training NaN"
    assert legends[0]["children"][0]["children"][1] == "training 1"
    assert "NaN" not in json.dumps([child["attributes"] for child in drawings[1]["children"]])
