"""The scripts of a page, in Node: what they compute, without a browser."""

import json
import re

import exported
import numpy as np
import pytest
from node_scripts import run
from PIL import Image

import cynn
from cynn.data import images
from cynn.display import assets
from cynn.interop.from_layers import plan_of
from cynn.web import eight_bits
from cynn.web.values import values_of

__all__ = ["run"]  # a fixture


def parts_of(net, path, **given):
    """The function and the data of a page."""
    net.to_html(path, **given)
    text = path.read_text(encoding="utf-8")
    forward = text[text.index("function forward(") :].partition("\nopenPage(JSON")[0]
    return forward, json.loads(re.findall(r'id="page">(.*?)</script>', text, re.S)[0])


def test_the_page_computes_what_the_network_computes(tmp_path, run):
    """The outputs of every kind of network, from the weights and the function that are in its page."""
    nets = {name: exported.network(name) for name in exported.LAYERS} | {"activations": exported.all_activations()}
    cases, functions = {}, []
    for name, net in nets.items():
        forward, data = parts_of(net, tmp_path / "page.html")
        cases[name] = {"page": data, "rows": exported.rows_for(net, 5).tolist()}
        functions.append(f"{json.dumps(name)}: (() => {{ {forward} return forward; }})(),")
    found = run(
        f"""import {{ arraysOf, inflated }} from "./arrays.js";
        const functions = {{ {"".join(functions)} }};
        const found = {{}};
        for (const [name, {{ page, rows }}] of Object.entries(given)) {{
            const arrays = arraysOf(await inflated(page.data), page.described);
            found[name] = rows.map((row) => functions[name](row, arrays)).map((values) =>
                page.outputs.flatMap((output) => Array.from(values[page.columns[output.column].value])));
        }}
        console.log(JSON.stringify(found));""",
        cases,
    )
    for name, net in nets.items():
        same = cynn.Network.from_config({**net.get_config(), "dtype": "float64"})
        same.set_weights(net.get_weights())
        wanted = exported.side_by_side(same.predict(np.array(cases[name]["rows"])))
        np.testing.assert_allclose(np.array(found[name], float), wanted, rtol=1e-6, atol=1e-6, err_msg=name)


@pytest.mark.parametrize("dtype", ["float32", "int8"])
def test_all_activations_of_the_digits(tmp_path, run, dtype):
    net = cynn.Network.mlp([784, 16, 16, 10], activation="sigmoid", output="softmax", input_scale=1 / 255, seed=0)
    x, y = cynn.datasets.load_mnist()[1]
    forward, data = parts_of(net, tmp_path / "page.html", examples=(x[:50], y[:50]), dtype=dtype)
    found = run(
        f"""import {{ arraysOf, inflated }} from "./arrays.js";
        {forward}
        const arrays = arraysOf(await inflated(given.data), given.described);
        const rows = given.answers.map((_, k) => Array.from(arrays.examples.slice(784 * k, 784 * k + 784)));
        const values = rows.map((row) => given.columns.map(({{ value }}) => Array.from(forward(row, arrays)[value])));
        console.log(JSON.stringify({{ rows, values }}));""",
        data,
    )
    assert len(found["rows"]) > 20
    plan = plan_of(net) if dtype == "float32" else eight_bits.rounded(plan_of(net))
    wanted = values_of(plan, [column["value"] for column in data["columns"]], np.array(found["rows"], float))
    for column, a in enumerate(wanted):
        np.testing.assert_allclose([row[column] for row in found["values"]], a, atol=1e-6)


def drawn(seed, side=56):
    """A thick stroke on a dark ground."""
    rng = np.random.default_rng(seed)
    picture = np.zeros((side, side), np.uint8)
    at = rng.uniform(10, side - 10, 2)
    grid = np.indices((side, side))
    for _ in range(40):
        at = np.clip(at + rng.normal(scale=2.5, size=2), 5, side - 5)
        picture[np.hypot(grid[0] - at[0], grid[1] - at[1]) < 3] = 255
    return picture


def test_a_drawing_is_centred_as_a_picture_of_a_file(tmp_path, run):
    pictures = [drawn(seed) for seed in range(5)]
    script = """import { rowOf } from "./picture.js";
    const rows = given.map((data) => Array.from(rowOf({ data, width: 56, height: 56 }, [28, 28], 255)));
    console.log(JSON.stringify(rows));"""
    for picture, row in zip(pictures, run(script, [each.ravel().tolist() for each in pictures]), strict=True):
        Image.fromarray(picture).save(tmp_path / "drawn.png")
        wanted = images.read_digit(tmp_path / "drawn.png").reshape(28, 28).astype(float)
        found = np.array(row).reshape(28, 28)
        assert (found == np.rint(found)).all()
        rows, columns = (np.flatnonzero((found > 0).any(axis=axis)) for axis in (1, 0))
        assert max(np.ptp(rows), np.ptp(columns)) + 1 == 20
        centre = [(found * grid).sum() / found.sum() for grid in np.indices((28, 28))]
        np.testing.assert_allclose(centre, 13.5, atol=0.51)
        assert np.abs(found - wanted).mean() < 8  # Pillow scales by another filter


def test_pictures_of_other_shapes_and_none_at_all(run):
    script = """import { rowOf, boxOf } from "./picture.js";
    const none = { data: new Uint8Array(100), width: 10, height: 10 };
    const half = { data: Array.from({ length: 64 }, (_, k) => (k % 8 < 4 ? 255 : 0)), width: 8, height: 8 };
    const rows = [rowOf(none, [28, 28], 255), rowOf(half, [2, 4], 16)].map((row) => Array.from(row));
    console.log(JSON.stringify([boxOf(none), ...rows]));"""
    assert run(script) == [None, [0] * 784, [16, 16, 0, 0] * 2]


def test_columns_of_one_rank_stand_one_below_the_other(run):
    sources = [[], [0], [1], [1], [1, 0], [4]]
    ranks, places = run("""import { placesOf, ranksOf } from "./layout.js";
    const ranks = ranksOf(given.map((froms) => ({ sources: froms.map((from) => ({ from })) })));
    const shown = [[0, 1], [0, 1, 2, 3], [0, 1, 2], [0], [0], [0]];
    console.log(JSON.stringify([ranks, placesOf(shown, [2, 4, 3, 1, 1, 1], ranks, 400, 40)]));""", sources)
    assert ranks == [0, 1, 2, 2, 2, 3]
    columns = places["columns"]
    assert [column["x"] for column in columns] == pytest.approx([24, 136, 248, 248, 248, 360])
    ends = [y for column in columns[2:5] for y in (column["ys"][0], column["foot"])]
    assert ends == sorted(ends)  # each name is below its column, and above the next one
    assert all(0 < y < places["height"] for column in columns for y in (*column["ys"], column["foot"]))


def test_the_layout(run):
    found = run("""import { edgesOf, importance, largest, nearest, placesOf, shownOf } from "./layout.js";
    const shown = shownOf(Float64Array.from({ length: 40 }, (_, k) => (k % 2 ? k : 0)));
    const places = placesOf([shown, [0, 1]], [40, 2], [0, 1], 368, 40);
    const columns = [{ units: 2, sources: [] }, { units: 3, sources: [{ from: 0, weights: "w" }] }];
    const arrays = { w: [1, -2, 3, 0, 0.5, -0.25] };
    console.log(JSON.stringify({
        shown, places,
        importance: Array.from(importance(columns, 0, arrays, null)),
        lit: Array.from(importance(columns, 0, arrays, [0, 2])),
        edges: edgesOf(arrays.w, 3, [0, 1], [0, 1, 2]),
        many: edgesOf(Float64Array.from({ length: 1600 }, (_, k) => k), 40, shown, shown).length,
        near: nearest([{ x1: 0, y1: 0, x2: 10, y2: 0 }, { x1: 0, y1: 9, x2: 10, y2: 9 }], 5, 2, 3),
        far: nearest([{ x1: 0, y1: 0, x2: 10, y2: 0 }], 5, 4, 3),
        largest: largest([3, 1, 3, 2], 3),
    }));""")
    assert found["shown"] == list(range(9, 40, 2))
    columns = found["places"]["columns"]
    assert found["places"]["width"] <= 368
    assert columns[0]["dots"] is not None
    assert columns[1]["dots"] is None
    assert all(b - a >= 20 for column in columns for a, b in zip(column["ys"], column["ys"][1:], strict=False))
    assert all(8 < y < found["places"]["height"] - 40 for column in columns for y in column["ys"])
    assert found["importance"] == [6, 0.75]
    assert found["lit"] == [0, 1.5]
    assert [abs(edge["w"]) for edge in found["edges"]] == [0, 0.25, 0.5, 1, 2, 3]
    assert found["edges"][-1] == {"i": 0, "j": 2, "w": 3, "size": 1}
    assert found["many"] == 200
    assert found["near"]["y1"] == 0
    assert found["far"] is None
    assert found["largest"] == [0, 2, 3]


def test_numbers_are_short(run):
    found = run("""import { percent, shown } from "./elements.js";
    const numbers = [0, 1, -0.5, 123.456, 1e-5, 2.5e7, NaN];
    const texts = numbers.map((value) => shown(value));
    console.log(JSON.stringify([texts, [0, 0.031, 0.0996, 0.5, 0.99999, 1].map(percent)]));""")
    assert found[0] == ["0", "1", "−0.5", "123.5", "1.00e−5", "2.50e+7", "NaN"]
    assert found[1] == ["0.0 %", "3.1 %", "10 %", "50 %", "100 %", "100 %"]


@pytest.mark.parametrize("name", ["page", "widget", "live"])
def test_texts_stay_as_they_are_where_scripts_are_joined(name):
    joined = assets.joined(name)
    assert len(joined.encode()) < 40_000
    assert not re.search(r"^(import|export)\b|/\*\*", joined, re.M)
    for module in assets.modules(name):
        source = re.sub(r"/\*\*.*?\*/|//[^\n]*", "", module, flags=re.S)
        assert [text for text in re.findall(r'"[^"\n]*"', source) if text not in joined] == []


def test_what_is_in_quotes_is_no_code():
    code = """const a = "z = 2, 'b'" + `p = ${ q + 1 } > r`; // a comment's end\n  b = 'x; < \\' y' ;"""
    assert assets._short(code) == """const a="z = 2, 'b'" + `p = ${ q + 1 } > r`;\nb='x; < \\' y' ;"""
