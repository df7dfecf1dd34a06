"""`net.to_html`: what is in the page that it writes."""

import base64
import html.parser
import json
import re
import zlib

import exported
import numpy as np
import pytest

import cynn
from cynn.interop.from_layers import plan_of
from cynn.web import eight_bits

ODD = '</script><b title="x">&\u2028'


def digits(seed=0):
    return cynn.Network.mlp([784, 16, 16, 10], activation="sigmoid", output="softmax", input_scale=1 / 255, seed=seed)


def images(n=300):
    x, y = cynn.datasets.load_mnist()[1]
    return x[:n], y[:n]


def written(net, tmp_path, **given):
    """The page as text, and the data in it."""
    path = tmp_path / "page.html"
    net.to_html(path, **given)
    text = path.read_text(encoding="utf-8")
    (data,) = re.findall(r'<script type="application/json" id="page">(.*?)</script>', text, re.S)
    return text, json.loads(data)


def arrays_of(page):
    """The arrays of a page, unpacked."""
    raw = zlib.decompress(base64.b64decode(page["data"]))
    count = sum(length for _, kind, length in page["described"] if kind == "float32")
    planes = np.frombuffer(raw[: 4 * count], np.uint8).reshape(4, count).T
    floats = np.ascontiguousarray(planes).view("<f4").ravel()
    found, first, rest = {}, 0, 4 * count
    for name, kind, length in page["described"]:
        if kind == "float32":
            found[name], first = floats[first : first + length], first + length
        else:
            found[name], rest = np.frombuffer(raw[rest : rest + length], kind), rest + length
    return found


class Reader(html.parser.HTMLParser):
    """The elements of a page, and what they refer to."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.links = [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.links += [value for name, value in attributes if name in ("src", "href", "srcset", "action", "data")]


def test_the_page_of_the_digits_is_small_and_alone(tmp_path):
    text, page = written(digits(), tmp_path, examples=images())
    assert len(text.encode()) < 120_000
    assert len(text.split('<script type="module">')[1]) < 40_000
    assert Reader(text).links == []
    assert "default-src 'none'" in text
    assert not re.search(r"\b(import|export)\b[ {]", text.split('<script type="module">')[1])
    assert [column["units"] for column in page["columns"]] == [784, 16, 16, 10]
    assert [column["sources"] for column in page["columns"]] == [
        [], [{"from": 0, "weights": "w1"}], [{"from": 1, "weights": "w3"}], [{"from": 2, "weights": "w5"}]
    ]  # fmt: skip
    assert page["inputs"]["kind"] == "picture"
    assert page["inputs"]["shape"] == [28, 28]
    assert page["inputs"]["full"] == 255


def test_the_weights_are_those_of_the_network(tmp_path):
    net = digits()
    _, page = written(net, tmp_path)
    found = arrays_of(page)
    np.testing.assert_array_equal(found["w1"], net.layers[0].weights.ravel())
    np.testing.assert_array_equal(found["b5"], net.layers[2].biases)


def test_weights_of_eight_bits_say_what_they_cost(tmp_path, capsys):
    net = digits()
    x, y = images()
    net.fit(x, y, epochs=3, progress=False)
    text, page = written(net, tmp_path, examples=(x, y), dtype="int8")
    said = capsys.readouterr().out
    accuracy = 100 * net.evaluate(x, y, metrics=["accuracy"])["accuracy"]
    assert re.search(rf"on 300 rows, outputs differ .* accuracy {accuracy:.2f} % before, \d+\.\d\d % after\.", said)
    assert said.strip() in text
    assert len(text) < 90_000
    found = arrays_of(page)
    assert found["w1"].dtype == np.int8
    assert (np.abs(found["w1"].reshape(784, 16).astype(int)).max(axis=0) == 127).all()
    decoded = found["w1"].reshape(784, 16) * found["w1_scales"]
    np.testing.assert_allclose(decoded, net.layers[0].weights, atol=found["w1_scales"].max() * 0.51)
    with pytest.raises(cynn.errors.InvalidParameterError, match="examples"):
        net.to_html(tmp_path / "other.html", dtype="int8")


def test_eight_bits_leave_the_network_as_it_is():
    net = digits()
    before = net.get_weights()
    plan = plan_of(net)
    other = eight_bits.rounded(plan)
    assert np.abs(other.steps[0].weights - net.layers[0].weights).max() > 0
    for a, b in zip(before, net.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    output = {"labels": list("0123456789"), "isShare": True}
    assert eight_bits.difference(plan, plan, images()[0], [output], None).endswith("is the same in 100.00 % of them.")


def test_accuracy_in_eight_bits_of_targets_in_other_forms(tmp_path, capsys):
    """Of one-hot targets as of numbers; of several classes in a row there is none."""
    net = cynn.Network([cynn.Input(3), cynn.Dense(3, "softmax")], seed=0)
    x = np.random.default_rng(0).normal(size=(50, 3))
    y = net.predict(x).argmax(axis=1)
    for targets in (y, np.eye(3)[y]):
        _, page = written(net, tmp_path, examples=(x, targets), dtype="int8")
        assert "accuracy 100.00 % before" in capsys.readouterr().out
        assert set(page["answers"]) <= {"0", "1", "2"}
    several = np.ones((50, 3))
    _, page = written(net, tmp_path, examples=(x, several), dtype="int8")
    assert "accuracy" not in capsys.readouterr().out
    assert set(page["answers"]) == {"1, 1, 1"}


def test_names_of_the_user_stay_text(tmp_path):
    net = cynn.Network([cynn.Input(3), cynn.Dense(2, "softmax")], seed=0)
    names = {ODD: None, "b": [ODD, "y"], "c": (0, 1)}
    text, page = written(net, tmp_path, title=ODD, labels=[ODD, "no"], inputs=names, examples=np.ones((2, 3)))
    assert [field["name"] for field in page["inputs"]["fields"]] == list(names)
    assert page["inputs"]["fields"][1]["categories"] == [ODD, "y"]
    assert page["outputs"][0]["labels"] == [ODD, "no"]
    assert Reader(text).tags.count("script") == 3
    assert "b" not in Reader(text).tags


def test_examples_are_those_that_light_neurons(tmp_path):
    net = digits()
    x, y = images()
    _, page = written(net, tmp_path, examples=(x, y))
    found = arrays_of(page)["examples"].reshape(-1, 784)
    assert found.dtype == np.uint8
    assert len(page["answers"]) == len(found) > 20
    rows = {row.tobytes(): place for place, row in enumerate(x)}
    assert page["answers"] == [str(y[rows[row.tobytes()]]) for row in found]
    for a in net.activations(x)[1:]:
        assert {rows[row.tobytes()] for row in found} >= set(a.argmax(axis=0).tolist())


def test_ranges_and_names_come_from_the_data(tmp_path):
    net = cynn.Network([cynn.Input(3), cynn.Embedding(3, 2, columns=1), cynn.Embedding(4, 2, columns=0),
                        cynn.Dense(1)], seed=0, feature_names=["size", "place", "age"])  # fmt: skip
    x = np.array([[1, 0, 7.5], [3, 2, 20.5], [2, 1, 9.0]])
    _, page = written(net, tmp_path, examples=x)
    size, place, age = page["inputs"]["fields"]
    assert size["categories"] == ["0", "1", "2", "3"]
    assert place["categories"] == ["0", "1", "2"]
    assert (age["name"], age["low"], age["high"], age["whole"]) == ("age", 7.5, 20.5, False)
    assert page["inputs"]["base"] == [2, 1, 9]
    named = {"size": ["a", "b", "c", "d"], "place": None, "age": (0, 9)}
    _, page = written(net, tmp_path, inputs=named)
    assert page["inputs"]["fields"][0]["categories"] == ["a", "b", "c", "d"]
    assert page["inputs"]["fields"][2]["high"] == 9


class Frame:
    """A table of a library such as pandas, by what it is known by."""

    columns = ("width", "height")
    dtypes = (np.dtype("float64"),) * 2
    __dataframe__ = None

    def __len__(self):
        return 3

    def __array__(self, dtype=None, copy=None):
        return np.array([[1, 2.5], [3, 4], [2, 9]], dtype)


def test_a_frame_names_the_columns(tmp_path):
    net = cynn.Network.mlp([2, 3, 2], output="softmax", seed=0)
    for examples in (Frame(), (Frame(), [0, 1, 1])):
        _, page = written(net, tmp_path, examples=examples)
        fields = [(field["name"], field["low"], field["high"]) for field in page["inputs"]["fields"]]
        assert fields == [("width", 1, 3), ("height", 2.5, 9)]


def test_one_or_two_inputs_are_a_curve(tmp_path):
    for units, kind in ((1, "curve"), (2, "curve"), (3, "table")):
        _, page = written(cynn.Network.mlp([units, 3, 1], seed=0), tmp_path)
        assert page["inputs"]["kind"] == kind


def test_labels(tmp_path):
    net = cynn.Network([cynn.Input(2), cynn.Dense(1, "sigmoid")], seed=0, classes=["no", "yes"])
    assert written(net, tmp_path)[1]["outputs"][0] == {
        "name": None, "column": 1, "labels": ["yes"], "isShare": True
    }  # fmt: skip
    several = exported.network("graph")
    _, page = written(several, tmp_path, labels={"first": ["a", "b"]})
    assert [output["labels"] for output in page["outputs"]] == [["a", "b"], ["the second"]]
    for wrong in ("ab", ["a"], {"other": ["a", "b"]}, [["a", "b", "c"], None]):
        with pytest.raises(cynn.errors.InvalidParameterError, match="labels"):
            several.to_html(tmp_path / "wrong.html", labels=wrong)
    for wrong in ("x", ["a", "b", "c"], 3, {"no": 1}):
        with pytest.raises(cynn.errors.InvalidParameterError, match="labels"):
            net.to_html(tmp_path / "wrong.html", labels=wrong)
    assert not (tmp_path / "wrong.html").exists()


def test_a_large_network_says_why_not_or_has_eight_bits(tmp_path, capsys):
    net = cynn.Network.mlp([784, 1024, 1024, 10], input_scale=1 / 255, seed=0)
    said = r"at most 4 MB.* 1,863,690 .* 7\.5 MB in float32, .* about 10 MB; with dtype='int8', 1\.9 MB"
    with pytest.raises(cynn.errors.InvalidParameterError, match=said):
        net.to_html(tmp_path / "large.html")
    assert not list(tmp_path.iterdir())
    text, page = written(net, tmp_path, examples=images(50), dtype="int8")
    assert len(text) < 2_600_000
    assert [column["units"] for column in page["columns"]] == [784, 1024, 1024, 10]
    assert "on 50 rows, outputs differ by at most" in capsys.readouterr().out
    with pytest.raises(cynn.errors.InvalidParameterError, match=r"at most 4 MB.* 4\.\d MB in int8, for .* 6 MB\.$"):
        cynn.Network.mlp([784, 1700, 1700, 10], seed=0).to_html(tmp_path / "large.html", dtype="int8")


@pytest.mark.parametrize(
    "given",
    [
        {"inputs": (2, 2)}, {"inputs": ["a"]}, {"inputs": "abc"}, {"inputs": {"a": (1, 1), "b": None, "c": None}},
        {"inputs": {"a": ["one"], "b": None, "c": None}}, {"inputs": [1, 2, 3]}, {"dtype": "float16"}, {"title": 3},
        {"inputs": {"a": (0, np.nan), "b": None, "c": None}}, {"inputs": 5},
        {"examples": np.ones((2, 4))}, {"examples": np.full((2, 3), np.nan)}, {"examples": np.ones((0, 3))},
        {"examples": (np.ones((2, 3)), [1, 2, 3])}, {"examples": (np.ones((2, 3)), 1)},
    ],
    ids=str,
)  # fmt: skip
def test_odd_arguments(tmp_path, given):
    net = cynn.Network([cynn.Input(3), cynn.Dense(2)], seed=0)
    with pytest.raises(cynn.CynnError):
        net.to_html(tmp_path / "page.html", **given)
    assert not list(tmp_path.iterdir())


def test_weights_that_are_not_finite(tmp_path):
    net = cynn.Network([cynn.Input(3), cynn.Dense(2)], seed=0)
    net.layers[0].weights[0, 0] = np.inf
    with pytest.raises(cynn.errors.DataError, match="finite"):
        net.to_html(tmp_path / "page.html")


@pytest.mark.parametrize("name", exported.LAYERS)
def test_every_network_has_columns_that_are_joined(tmp_path, name):
    net = exported.network(name)
    _, page = written(net, tmp_path)
    columns = page["columns"]
    lengths = {name: length for name, _, length in page["described"]}
    assert columns[0]["units"] == net.input.units
    for place, column in enumerate(columns[1:], start=1):
        assert column["sources"]
        for source in column["sources"]:
            assert source["from"] < place
            if source["weights"]:
                assert lengths[source["weights"]] == columns[source["from"]]["units"] * column["units"]
