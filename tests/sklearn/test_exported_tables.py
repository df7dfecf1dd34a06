"""Estimators for tables in other languages: they predict what `predict_proba` and `predict` do."""

import ctypes
import json
import runpy
import subprocess

import numpy as np
import pytest

pytest.importorskip("sklearn")
pytest.importorskip("pandas")

import exported
import pandas as pd
from sklearn.exceptions import NotFittedError

from cynn.cli import main
from cynn.errors import DataError, InvalidParameterError
from cynn.interop.evaluation import Reference
from cynn.interop.exported_model import exported_model
from cynn.sklearn import MLPClassifier, NetworkRegressor, TabularClassifier, TabularRegressor, load

pytestmark = [
    pytest.mark.interop, pytest.mark.filterwarnings("error"),
    pytest.mark.filterwarnings("default::sklearn.exceptions.ConvergenceWarning"),
]  # fmt: skip

N = 200
SHOPS = [f"shop {k}" for k in range(30)]
#: Texts that could end a string or a comment of a language, or fill a place of a template.
COLOURS = ["red", 'a "quote" \\', "*/ @name@ 'it''s' ??/", "größer, 日本\n"]


def table():
    """A column of every kind, with something missing in all but one."""
    random = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "size": random.normal(50, 10, N),
            "the colour*/": random.choice(COLOURS, N),
            "shop": random.choice(SHOPS, N),
            "is_new": pd.array(random.random(N) > 0.5, "boolean"),
            "count": pd.array(random.integers(0, 9, N), "Int64"),
            "grade": pd.Categorical(random.integers(1, 4, N)),
            "day": pd.date_range("2024-01-01", periods=N, freq="min"),
            "same": 7.0,
            "v1": random.choice(["a", "b"], N),
            "only": pd.array([True] * N, "boolean"),
        }
    )
    for place, name in enumerate(frame.columns.drop("same")):
        frame.loc[place * 3 : place * 3 + 4, name] = None
    return frame


def new_rows():
    """Rows with what is missing, and categories and sizes that training had not."""
    frame = table().iloc[:60].reset_index(drop=True)
    frame.loc[40:42, "the colour*/"] = "violet"
    frame.loc[43, "shop"] = "shop 99"
    frame["grade"] = frame["grade"].cat.add_categories([9])
    frame.loc[44, "grade"] = 9
    frame.loc[45, "size"] = 1e300
    frame.loc[46, "size"] = -1e5
    frame.loc[47, "only"] = False
    return frame


def options(**more):
    return {"epochs": 3, "hidden_layer_sizes": (9, 8), "random_state": 0} | more


def classes():
    return np.random.default_rng(1).choice(["no", "maybe*/", 'ye"s'], N)


def values():
    return 5000 + 10 * table()["size"].fillna(50).to_numpy()


MODELS = {
    "default": lambda: TabularClassifier(**options(n_members=2, calibrate=True)).fit(table(), classes()),
    "fast": lambda: TabularClassifier("fast", **options(n_folds=3)).fit(table(), classes() == "no"),
    "one class": lambda: TabularClassifier("fast", **options()).fit(table(), np.full(N, 3)),
    "values": lambda: TabularRegressor(**options(n_members=3)).fit(table(), values()),
    "quantile": lambda: TabularRegressor("fast", **options(loss="quantile", quantile=0.9)).fit(table(), values()),
    "two values": lambda: TabularRegressor("fast", **options()).fit(table(), np.stack([values(), -values()], axis=1)),
}
_MADE = {}


def model(name):
    if name not in _MADE:
        _MADE[name] = MODELS[name]()
    return _MADE[name]


def wanted(estimator, X):
    found = estimator.predict_proba(X) if hasattr(estimator, "classes_") else estimator.predict(X)
    return found.reshape(len(X), -1)


def assert_close(found, estimator, X, rtol=1e-5):
    expected = wanted(estimator, X)
    np.testing.assert_allclose(found, expected, rtol=rtol, atol=2e-6 * np.abs(expected).max())


def from_c(source, frame, categories, labels):
    """What the compiled file makes of a table, whose categories its own function finds, and the labels."""
    text, name = source.read_text(), source.stem
    target = exported.build(source, [*exported.STRICT, "-O1", "-fPIC", "-shared"])
    library = ctypes.CDLL(str(target))
    sizes = {what: int(text.split(f"#define {name.upper()}_{what} ")[1].split()[0]) for what in ("OUTPUTS", "BUFFER")}
    if labels:
        getattr(library, f"{name}_label").restype = ctypes.c_char_p
    y, buffer, said = np.empty(sizes["OUTPUTS"], np.float32), np.empty(sizes["BUFFER"], np.float32), []
    found = []
    for row in frame.itertuples(index=False):
        x = np.full(len(row), np.nan)
        for place, (value, has_categories) in enumerate(zip(row, categories, strict=True)):
            if has_categories:
                value = "" if pd.isna(value) else str(value)
                x[place] = getattr(library, f"{name}_category")(place, value.encode())
            elif not pd.isna(value):
                x[place] = (value - pd.Timestamp(0)) / pd.Timedelta("1s") if isinstance(value, pd.Timestamp) else value
        arguments = [ctypes.c_void_p(array.ctypes.data) for array in (x, y, buffer)]
        getattr(library, f"{name}_predict")(*arguments)
        found.append(y.copy())
        if labels:
            number = getattr(library, f"{name}_class")(arguments[1])
            said.append(getattr(library, f"{name}_label")(number).decode())
    return np.array(found), said


@pytest.mark.parametrize("name", MODELS)
def test_the_plan(name):
    estimator = model(name)
    found = exported_model(estimator)
    rows = found.rows(new_rows(), "rows", "float64")
    assert_close(Reference(found.plan, "float64")(rows), estimator, new_rows())
    assert_close(found.predict(rows, "float32"), estimator, new_rows(), rtol=1e-6)


@pytest.mark.parametrize("name", ["default", "one class", "values"])
def test_c(tmp_path, name):
    estimator = model(name)
    estimator.to_c(tmp_path / "net.c", selftest=new_rows())
    status, said = exported.selftest(tmp_path / "net.c", ["-O1"])
    assert status == 0 and said.startswith("PASS: 60 rows"), said
    is_number = [kind == "number" for kind in estimator.columns_.kinds]
    found, labels = from_c(
        tmp_path / "net.c", new_rows(), [not each for each in is_number], hasattr(estimator, "classes_")
    )
    assert_close(found, estimator, new_rows())
    if labels:
        assert labels == list(map(str, estimator.predict(new_rows())))


@pytest.mark.parametrize(
    "chosen", [{"exact": True}, {"dtype": "float64"}, {"dtype": "float64", "exact": True}, {"dtype": "int8"}]
)
def test_other_forms_of_c(tmp_path, capsys, chosen):
    estimator, X = model("default"), new_rows()
    if chosen["dtype" if "dtype" in chosen else "exact"] == "int8":
        chosen = {**chosen, "calibration": (X, estimator.predict(X))}
    estimator.to_c(tmp_path / "net.c", selftest=X, **chosen)
    status, said = exported.selftest(tmp_path / "net.c", ["-O1"])
    assert status == 0, said
    if "exact" in chosen or "calibration" in chosen:
        assert "largest error 0, allowed 0\n" in said
    if "calibration" in chosen:
        assert "int8: accuracy 100.00 % before, " in capsys.readouterr().out


def test_c_with_a_header_in_a_program_of_cpp(tmp_path):
    estimator = model("default")
    estimator.to_c(tmp_path / "net.c", header=True)
    (tmp_path / "main.cpp").write_text("""#include "net.h"
#include "net.c"
#include <cstdio>
int main() { double x[NET_INPUTS] = {50}; float y[NET_OUTPUTS], buffer[NET_BUFFER];
  x[NET_COLUMN_SHOP] = net_category(NET_COLUMN_SHOP, "shop 3"); net_predict(x, y, buffer);
  std::printf("%d %s", net_category(NET_COLUMN_SHOP, "shop 99"), net_label(net_class(y))); }
""")
    flags = ["-std=c++17", "-Wall", "-Wextra", "-Wconversion", "-pedantic", "-Werror"]
    program = exported.build(tmp_path / "main.cpp", flags, "g++")
    number, label = subprocess.check_output([program], text=True).split(maxsplit=1)
    assert number == "-1"
    assert label in estimator.classes_


@pytest.mark.parametrize("name", MODELS)
def test_python(tmp_path, name):
    estimator, X = model(name), new_rows()
    estimator.to_python(tmp_path / "net.py")
    file = runpy.run_path(str(tmp_path / "net.py"))
    found = file["predict"](X)
    assert_close(found, estimator, X)
    np.testing.assert_array_equal(file["predict"]({column: X[column].tolist() for column in X}), found)
    np.testing.assert_array_equal(file["predict"](file["as_numbers"](X)), found)
    if hasattr(estimator, "classes_"):
        np.testing.assert_array_equal(file["label"](found), estimator.predict(X))


@pytest.mark.parametrize("name", MODELS)
def test_js(tmp_path, name):
    estimator, X = model(name), new_rows()
    estimator.to_js(tmp_path / "net.mjs")
    rows = X.astype({"day": object}).astype(object).where(X.notna(), None)
    texts = json.loads(rows.to_json(orient="records", date_format="iso", date_unit="ms"))
    for record, value in zip(texts, X["size"], strict=True):
        record["size"] = None if pd.isna(value) else value
    (tmp_path / "main.mjs").write_text(f"""import {{ predict, asNumbers, columns, labels, label }} from "./net.mjs";
const rows = {json.dumps(texts)};
for (const row of rows) if (row.day !== null) row.day = new Date(row.day);
console.log(JSON.stringify(rows.map((row) => [...predict(row)])));
console.log(JSON.stringify(rows.map((row) => [...predict(asNumbers(row))])));
console.log(JSON.stringify({"rows.map((row) => label(predict(row)))" if hasattr(estimator, "classes_") else "[]"}));
try {{ predict({{}}) }} catch (error) {{ console.log(error.message); }}
""".replace(", labels, label }", ", labels, label }" if hasattr(estimator, "classes_") else " }"))
    node = exported.skipped_without("node")
    said = subprocess.check_output([node, "main.mjs"], cwd=tmp_path, text=True).splitlines()
    assert_close(json.loads(said[0]), estimator, X)
    assert said[0] == said[1]
    if hasattr(estimator, "classes_"):
        assert json.loads(said[2]) == estimator.predict(X).tolist()
    assert said[3] == "A row must have the column size."


@pytest.mark.parametrize("name", ["default", "values"])
def test_fortran(tmp_path, name):
    estimator, X = model(name), new_rows()
    estimator.to_fortran(tmp_path / "net.f90")
    rows = exported_model(estimator).rows(X, "rows", "float64")
    rows[:, 2] = np.nan  # the program finds the shops by their texts
    is_classes = hasattr(estimator, "classes_")
    shown = "trim(labels(maxloc(y, 1)))" if is_classes else '"-"'
    (tmp_path / "main.f90").write_text(f"""program main
    use net
    implicit none
    real(xk) :: x(inputs)
    real(rk) :: y(outputs)
    character(20) :: shop
    integer :: row
    do row = 1, {len(X)}
        read *, x
        read '(a)', shop
        x(3) = category(3, shop)
        call predict(x, y)
        print *, real(y, kind(1d0))
        print '(a)', {shown}
    end do
end program main
""")
    command = [exported.skipped_without("gfortran"), "-std=f2008", "-O1", "net.f90", "main.f90", "-o", "net"]
    subprocess.run(command, check=True, cwd=tmp_path)
    shops = X["shop"].fillna("")
    lines = [f"{' '.join(map(str, row))}\n{shop}" for row, shop in zip(rows.tolist(), shops, strict=True)]
    said = subprocess.check_output([tmp_path / "net"], input="\n".join(lines), text=True).splitlines()
    assert_close(np.array([line.split() for line in said[::2]], float), estimator, X)
    if is_classes:
        assert said[1::2] == list(estimator.predict(X))
    text = (tmp_path / "net.f90").read_text()
    assert max(len(line.encode()) for line in text.splitlines()) <= 132


@pytest.mark.parametrize("opset", [13, 20])
@pytest.mark.parametrize("name", MODELS)
def test_onnx(tmp_path, name, opset):
    import onnxruntime

    estimator, X = model(name), new_rows()
    estimator.to_onnx(tmp_path / "net.onnx", opset=opset)
    session = onnxruntime.InferenceSession(tmp_path / "net.onnx", providers=["CPUExecutionProvider"])
    assert [each.name for each in session.get_inputs()] == list(X.columns)
    feed = {}
    for given, kind in zip(session.get_inputs(), estimator.columns_.kinds, strict=True):
        column = X[given.name]
        if kind == "number":
            seconds = (column - pd.Timestamp(0)) / pd.Timedelta("1s") if given.name == "day" else column
            feed[given.name] = seconds.to_numpy(float, na_value=np.nan)[:, None]
        else:
            feed[given.name] = column.astype(object).where(column.notna(), "").map(str).to_numpy()[:, None]
    names = [each.name for each in session.get_outputs()]
    found = dict(zip(names, session.run(None, feed), strict=True))
    if hasattr(estimator, "classes_"):
        assert names == ["label", "probabilities"]
        np.testing.assert_array_equal(found["label"], estimator.predict(X))
    else:
        assert names == ["prediction"]
    assert_close(found[names[-1]], estimator, X)


def test_columns_without_names_and_without_anything_to_say(tmp_path):
    X = np.array([[1.5, 2.5, np.nan, 4.5] * 10, [3.0] * 40]).T
    for rows in (X, X[:, 1:]):
        estimator = TabularRegressor("fast", **options()).fit(rows, np.arange(40.0))
        estimator.to_python(tmp_path / "net.py")
        file = runpy.run_path(str(tmp_path / "net.py"))
        assert_close(file["predict"](rows), estimator, rows)
        assert_close(file["predict"](dict(enumerate(rows.T))), estimator, rows)
        estimator.to_c(tmp_path / "net.c", selftest=rows)
        assert exported.selftest(tmp_path / "net.c", ["-O1"])[0] == 0


def test_two_columns_of_one_name(tmp_path):
    X = np.random.default_rng(0).normal(size=(40, 3))
    frame = pd.DataFrame(X, columns=["a b", "a-b", "label"])
    estimator = TabularClassifier("fast", **options()).fit(frame, X[:, 0] > 0)
    estimator.to_c(tmp_path / "net.c")
    text = (tmp_path / "net.c").read_text()
    assert "#define NET_COLUMN_A_B 0\n#define NET_COLUMN_A_B_ 1\n#define NET_COLUMN_LABEL 2\n" in text
    estimator.to_onnx(tmp_path / "net.onnx")
    import onnx

    assert [each.name for each in onnx.load(tmp_path / "net.onnx").graph.input] == ["a b", "a-b", "label_"]


def test_what_is_refused(tmp_path):
    for method in ("to_c", "to_js", "to_onnx", "to_python", "to_fortran"):
        with pytest.raises(NotFittedError):
            getattr(TabularClassifier(), method)(tmp_path / "net")
    with pytest.raises(ValueError, match="feature names"):
        model("default").to_c(tmp_path / "net.c", selftest=new_rows().drop(columns="shop"))
    with pytest.raises(DataError, match="Column 'size' must hold numbers"):
        model("default").to_c(tmp_path / "net.c", selftest=new_rows().assign(size="large"))
    with pytest.raises(InvalidParameterError, match="calibration"):
        model("default").to_c(tmp_path / "net.c", dtype="int8")
    assert not list(tmp_path.iterdir())


def test_what_is_saved_leaves_by_the_command(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    model("default").save("model.safetensors")
    new_rows().to_csv("new.csv", index=False)
    for output in ("net.py", "net.js", "net.f90", "net.onnx"):
        assert main(["export", "model.safetensors", output]) == 0
    file = runpy.run_path("net.py")
    assert_close(file["predict"](new_rows()), load("model.safetensors"), new_rows())
    assert main(["export", "model.safetensors", "net.c", "--selftest", "20", "--data", "new.csv", "--exact"]) == 0
    assert exported.selftest(tmp_path / "net.c", ["-O1"])[1].startswith("PASS: 20 rows")
    new_rows().assign(wanted="no").to_csv("new.csv", index=False)
    named = TabularClassifier("fast", **options()).fit(table(), pd.Series(classes(), name="wanted"))
    named.save("model.safetensors")
    assert main(["export", "model.safetensors", "net.c", "--int8", "new.csv"]) == 0
    assert "int8: accuracy" in capsys.readouterr().out
    assert main(["export", "model.safetensors", "net.c", "--selftest", "20"]) == 2
    assert "Got 'mnist' instead" in capsys.readouterr().err


def test_other_estimators_leave_by_their_network(tmp_path):
    """Two classes have one output, the probability of the second; else there is one for each of `classes_`."""
    X = np.random.default_rng(0).normal(size=(60, 4)).astype(np.float32)
    two = MLPClassifier((5,), max_iter=3, random_state=0).fit(X, np.where(X[:, 0] > 0, "up", "down"))
    two.network_.to_python(tmp_path / "net.py")
    found = runpy.run_path(str(tmp_path / "net.py"))["predict"](X)
    np.testing.assert_allclose(found[:, 0], two.predict_proba(X)[:, list(two.classes_).index("up")], rtol=1e-5)
    three = MLPClassifier((5,), max_iter=3, random_state=0).fit(X, np.arange(60) % 3)
    three.network_.to_python(tmp_path / "net.py")
    found = runpy.run_path(str(tmp_path / "net.py"))["predict"](X)
    np.testing.assert_allclose(found, three.predict_proba(X), rtol=1e-5)
    values = NetworkRegressor(epochs=2, random_state=0).fit(X, X[:, 0])
    values.network_.to_c(tmp_path / "net.c", selftest=X)
    assert exported.selftest(tmp_path / "net.c", ["-O1"])[0] == 0
