"""Pages of `TabularClassifier` and `TabularRegressor`: columns in raw units, categories, what is missing, labels."""

import json
import re

import numpy as np
import pytest
from browsing import axe, browser, watched
from node_scripts import run

pytest.importorskip("sklearn")

from cynn.errors import InvalidParameterError
from cynn.interop.exported_model import exported_model
from cynn.sklearn import TabularClassifier, TabularRegressor

__all__ = ["axe", "browser", "run"]  # fixtures

N = 120
ODD = '</script><b>&"'


def rows():
    random = np.random.default_rng(0)
    sizes = random.normal(1_700_000_000, 40, N)  # such as seconds since 1970, which float32 has not
    colours = random.choice([ODD, "red", "blue"], N)
    shops = random.choice([f"shop {k}" for k in range(30)], N)
    found = [list(row) for row in zip(sizes.tolist(), colours, shops, (sizes > sizes[0]).tolist(), strict=True)]
    for place in range(4):
        found[place][place] = None
    return found


def classes():
    return [ODD if row[1] == "red" else "warm" if (row[0] or 0) > 1_700_000_000 else "cold" for row in rows()]


def numbers():
    return [1 + (each == "cold") for each in classes()]


def values():
    return [5000 + (row[0] or 0) % 100 for row in rows()]


OPTIONS = {"epochs": 3, "hidden_layer_sizes": (9, 8), "random_state": 0}
MODELS = {
    "one": lambda: TabularClassifier("fast", **OPTIONS).fit(rows(), classes()),
    "three": lambda: TabularClassifier(**OPTIONS, n_members=3, calibrate=True).fit(rows(), classes()),
    "numbers": lambda: TabularClassifier("fast", **OPTIONS).fit(rows(), numbers()),
    "values": lambda: TabularRegressor("fast", **OPTIONS).fit(rows(), values()),
    "one column": lambda: TabularRegressor("fast", **OPTIONS).fit([row[:1] for row in rows()], values()),
}  # fmt: skip
_MADE = {}


def model(name):
    if name not in _MADE:
        _MADE[name] = MODELS[name]()
    return _MADE[name]


def given(name):
    return [row[:1] for row in rows()] if name == "one column" else rows()


def wanted(estimator, X):
    return estimator.predict_proba(X) if hasattr(estimator, "classes_") else estimator.predict(X)[:, None]


def written(estimator, path, **options):
    """The page, what its scripts know, and its function."""
    estimator.to_html(path, **options)
    text = path.read_text(encoding="utf-8")
    forward = text[text.index("function forward(") :].partition("\nopenPage(JSON")[0]
    return text, json.loads(re.findall(r'id="page">(.*?)</script>', text, re.S)[0]), forward


@pytest.mark.parametrize("name", MODELS)
def test_the_page_computes_what_the_estimator_predicts(tmp_path, run, name):
    estimator, X = model(name), given(name)
    _, page, forward = written(estimator, tmp_path / "page.html", examples=X)
    numbers = exported_model(estimator).rows(X, "rows", "float64")
    found, examples = run(
        f"""import {{ arraysOf, inflated }} from "./arrays.js";
        {forward}
        const {{ page, rows }} = given;
        const arrays = arraysOf(await inflated(page.data), page.described);
        const {{ value }} = page.columns[page.outputs[0].column];
        const predict = (row) => Array.from(forward(row.map((each) => each ?? NaN), arrays)[value]);
        const n = rows[0].length;
        const examples = page.answers.map((_, k) => Array.from(arrays.examples.slice(n * k, n * k + n)));
        console.log(JSON.stringify([rows.map(predict), examples]));""",
        {"page": page, "rows": [[None if x != x else x for x in row] for row in numbers.tolist()]},
    )
    np.testing.assert_allclose(found, wanted(estimator, X), rtol=1e-6, atol=1e-6)
    texts = {json.dumps(row).replace("NaN", "null") for row in numbers.tolist()}
    assert {json.dumps([float(x) if x is not None else x for x in row]) for row in examples} <= texts


def test_names_ranges_categories_and_labels(tmp_path):
    text, page, _ = written(model("one"), tmp_path / "page.html", examples=(rows(), classes()))
    size, colour, shop, switch = page["inputs"]["fields"]
    assert (size["name"], size["categories"]) == ("x0", None)
    known = [row[0] for row in rows() if row[0] is not None]
    assert (size["low"], size["high"]) == (min(known), max(known))
    assert colour["categories"] == sorted([ODD, "red", "blue"])
    assert shop["categories"] == sorted({row[2] for row in rows() if row[2] is not None})
    assert switch["categories"] == ["False", "True"]
    assert all(field["isOptional"] for field in page["inputs"]["fields"])
    (output,) = page["outputs"]
    assert output["labels"] == sorted({ODD, "warm", "cold"})
    assert output["isShare"]
    assert set(page["answers"]) <= set(output["labels"])
    assert ODD not in text
    encoded = next(column for column in page["columns"] if column["name"] == "encoded")
    assert {"x0", "x0 is missing", "x1 = blue", "x3 = True"} <= set(encoded["names"])


def test_without_examples_the_ranges_are_those_that_training_had(tmp_path):
    estimator = model("values")
    _, page, _ = written(estimator, tmp_path / "page.html")
    size = page["inputs"]["fields"][0]
    known = [row[0] for row in rows() if row[0] is not None]
    low, middle, high = np.quantile(known, [0.25, 0.5, 0.75])
    assert page["inputs"]["base"][0] == pytest.approx(middle)
    assert (size["low"], size["high"]) == pytest.approx((middle - (high - low), middle + (high - low)))
    assert page["outputs"][0] == {
        "name": None,
        "column": len(page["columns"]) - 1,
        "labels": ["prediction"],
        "isShare": False,
    }


def test_values_as_they_are_read(run):
    found = run("""import { textOf } from "./inputs.js";
    const number = { low: 0, high: 9, categories: null, isDate: false }, menu = { ...number, categories: ["a", "b"] };
    const year = { ...number, low: 1.7e9, high: 1.73e9, isDate: true }, day = { ...year, high: 1.7e9 + 9000 };
    const cases = [[number, 1.5], [number, NaN], [menu, 1], [menu, -1], [year, 1.7e9], [day, 1.7e9], [year, NaN]];
    console.log(JSON.stringify(cases.map((each) => textOf(...each))));""")
    assert found == ["1.5", "missing", "b", "missing", "2023-11-14", "2023-11-14 22:13", "missing"]


@pytest.mark.interop
def test_a_column_of_dates(tmp_path):
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame({"size": np.arange(40.0), "day": pd.date_range("2024-01-01", periods=40)})
    estimator = TabularRegressor("fast", **OPTIONS).fit(frame, np.arange(40.0))
    _, page, _ = written(estimator, tmp_path / "page.html", examples=frame)
    size, day = page["inputs"]["fields"]
    assert (size["isDate"], day["isDate"]) == (False, True)
    assert day["low"] == frame["day"].min().timestamp()


def test_labels_that_are_numbers(tmp_path):
    """They are no places among the labels."""
    _, page, _ = written(model("numbers"), tmp_path / "page.html", examples=(rows(), numbers()))
    assert page["outputs"][0]["labels"] == ["1", "2"]
    assert set(page["answers"]) == {"1", "2"}


def test_of_several_networks_one_is_drawn(tmp_path):
    text, page, _ = written(model("three"), tmp_path / "page.html")
    assert "made of the mean of 3 networks, of which one is drawn" in text
    names = [column["name"] for column in page["columns"]]
    assert names[:2] == ["table", "encoded"]
    assert names[-1] == "probabilities"
    assert len(names) < 10
    assert [source["from"] for source in page["columns"][-1]["sources"]] == [len(names) - 2]


def test_eight_bits(tmp_path, capsys):
    _, page, _ = written(model("one"), tmp_path / "page.html", examples=(rows(), classes()), dtype="int8")
    accuracy = 100 * np.mean(model("one").predict(rows()) == np.array(classes()))
    assert f"accuracy {accuracy:.2f} % before" in capsys.readouterr().out
    assert "int8" in {kind for _, kind, _ in page["described"]}


@pytest.mark.parametrize(
    "inputs",
    [{"a": None, "x1": None, "x2": None, "x3": None}, {"x0": None, "x1": (0, 1), "x2": None, "x3": None},
     {"x0": None, "x1": ["a", "b"], "x2": None, "x3": None}, (2, 2)],
    ids=str,
)  # fmt: skip
def test_inputs_that_do_not_fit(tmp_path, inputs):
    with pytest.raises(InvalidParameterError, match="inputs"):
        model("one").to_html(tmp_path / "page.html", inputs=inputs)
    assert not list(tmp_path.iterdir())


@pytest.mark.browser
@pytest.mark.parametrize("width", [1300, 400])
def test_a_row_is_set_by_hand(browser, tmp_path, width):
    estimator = model("three")
    estimator.to_html(tmp_path / "page.html", examples=rows())
    address = (tmp_path / "page.html").as_uri()
    page = watched(browser, address, viewport={"width": width, "height": 900})
    page.goto(address)
    page.wait_for_selector("html[data-ready]", state="attached")
    sizes = [row[0] for row in rows() if row[0] is not None]

    def check(*row):
        np.testing.assert_allclose(page.evaluate("network.predict(network.x)"), wanted(estimator, [row])[0], atol=1e-6)

    slider = page.get_by_role("slider")
    slider.focus()
    page.keyboard.press("End")
    menus = page.locator("select")
    menus.nth(0).select_option("red")
    menus.nth(1).select_option("shop 7")
    menus.nth(2).select_option("True")
    check(max(sizes), "red", "shop 7", True)
    page.get_by_role("checkbox", name="x0 is missing").check()
    assert page.locator(".field .number").inner_text() == "missing"
    check(None, "red", "shop 7", True)
    for place in range(3):
        menus.nth(place).select_option("(missing)")
    check(None, None, None, None)
    slider.focus()
    page.keyboard.press("Home")
    assert not page.get_by_role("checkbox", name="x0 is missing").is_checked()
    check(min(sizes), None, None, None)
    assert page.locator("#outputs .who").all_inner_texts() == estimator.classes_.tolist()
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.locator(".neuron").nth(5).click()
    assert page.locator("#details h2").inner_text() == "encoded, x0 is missing"
    page.locator(".thumb").first.click()
    page.locator(".neuron").nth(len(page.query_selector_all(".neuron")) - 1).click()
    assert page.problems == []
    page.close()


@pytest.mark.browser
def test_the_point_of_a_curve_may_be_missing(browser, tmp_path):
    estimator = model("one column")
    estimator.to_html(tmp_path / "page.html", examples=given("one column"))
    address = (tmp_path / "page.html").as_uri()
    page = watched(browser, address)
    page.goto(address)
    page.wait_for_selector("html[data-ready]", state="attached")
    assert page.locator(".curve .point").count() == 1
    page.get_by_role("checkbox", name="x0 is missing").check()
    assert page.locator(".curve .point").count() == 0
    found = page.evaluate("network.predict(network.x)")
    np.testing.assert_allclose(found, estimator.predict([[None], [1.0]])[:1], rtol=1e-6)
    assert page.problems == []
    page.close()


@pytest.mark.browser
def test_axe_finds_nothing(browser, axe, tmp_path):
    model("three").to_html(tmp_path / "page.html", examples=(rows(), classes()))
    address = (tmp_path / "page.html").as_uri()
    page = watched(browser, address, bypass_csp=True)
    page.goto(address)
    page.wait_for_selector("html[data-ready]", state="attached")
    page.get_by_role("checkbox", name="x0 is missing").check()
    page.evaluate(axe)
    found = page.evaluate("axe.run()")["violations"]
    assert [(each["id"], each["impact"], each["nodes"][0]["html"][:200]) for each in found] == []
    page.close()
