"""The catalogue in the docs: everything in the registry is there, with its formula, when to use it, and its curves."""

import json
import re
import subprocess
import textwrap
from pathlib import Path
from xml.etree import ElementTree

import exported
import numpy as np
import pytest

import cynn
from cynn import registry
from cynn.plugins.curves import takes_rows

pytest.importorskip("sphinx")

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "catalogue.rst").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def catalogue():
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(DOCS / "_extensions")
        import catalogue

        yield catalogue


@pytest.fixture(scope="module")
def pages(catalogue):
    """The lines of every page, by kind and name."""
    return {
        (kind, name): catalogue.page(of_kind, name)
        for kind, of_kind in registry.OF_KIND.items()
        for name in catalogue.names(of_kind)
    }


def pictures(lines):
    return re.findall("<svg.*?</svg>", "\n".join(line.strip() for line in lines), re.S)


def test_everything_that_comes_with_cynn_has_a_page(catalogue, pages):
    for kind, of_kind in registry.OF_KIND.items():
        own = {of_kind.find(name).name for name in of_kind.names() if of_kind.provider(name) == "cynn-nn"}
        assert {name for of, name in pages if of == kind} == own
        assert set(catalogue.KNOWN[kind]) == own
        assert f".. catalogue:: {kind}" in PAGE
        listed = "\n".join(catalogue.index(of_kind))
        for name in own:
            assert f"   catalogue/{of_kind.group.removeprefix('cynn.')}/{name}\n" in listed
            assert f":ref:`{name} <catalogue-{name}>`" in listed


def test_formula_use_class_and_hyperparameters(catalogue, pages):
    for (kind, name), lines in pages.items():
        text = "\n".join(lines)
        cls, known = registry.OF_KIND[kind].find(name), catalogue.KNOWN[kind][name]
        assert known["formula"] in text
        assert known["use"].endswith(".")
        assert known["use"].replace("|", r"\|") in text
        assert re.search(rf"^\.\. autoclass:: [\w.]+\.{cls.__name__}$", text, re.M)
        assert re.search("^ *Sources?: ", cls.__doc__, re.M) or name in ("identity", "mean_absolute_error")
        for hyperparameter, declared in cls.hyperparameters.items():
            default = declared.default if isinstance(declared.default, bool) else f"{declared.default:g}"
            row = f"- ``{hyperparameter}``\n     - {default}\n"
            assert row in text, row
        for alias in cls.aliases:
            assert f"``{alias}``" in text


def test_formulas_become_mathml(catalogue):
    from docutils.utils.math.latex2mathml import tex2mathml

    for known in catalogue.KNOWN.values():
        for part in known.values():
            ElementTree.fromstring(re.sub(r"&(\w+);", "", tex2mathml(part["formula"])))


def test_activations_and_losses_have_two_curves(pages):
    for (kind, name), lines in pages.items():
        drawn = pictures(lines)
        assert len(drawn) == (0 if kind == "optimizer" else 2)
        for picture in drawn:
            assert ElementTree.fromstring(picture).tag.endswith("svg")
            for colour, wanted in [("primary", 1), ("secondary", 1 if kind == "loss" else 0)]:
                curves = re.findall(rf'<path d="[^"]+" clip-path[^>]* stroke: var\(--pst-color-{colour}\b', picture)
                assert len(curves) == wanted, name
            assert "nan" not in picture
            assert not re.search("#0[1-4]0[1-4]0[1-4]", picture)  # every stand-in has a colour of the theme


def test_ids_are_unique_on_a_page_or_the_same_thing(pages):
    for lines in pages.values():
        found = {}
        for picture in pictures(lines):
            for element in ElementTree.fromstring(picture).iter():
                if "id" in element.attrib:
                    content = ElementTree.tostring(element)
                    assert found.setdefault(element.attrib["id"], content) == content


def test_the_same_at_every_build(catalogue, pages):
    for kind, name in [("activation", "mish"), ("loss", "huber"), ("optimizer", "muon")]:
        assert catalogue.page(registry.OF_KIND[kind], name) == pages[kind, name]


def test_what_is_not_ours_stays_out(catalogue, monkeypatch):
    class Mine(cynn.activations.Activation):
        name = "mine"

    monkeypatch.setitem(registry.activations._registered, "mine", Mine)
    assert "mine" not in catalogue.names(registry.activations)


def test_the_curves_are_those_of_the_functions(catalogue):
    (z, a, slope), (z_row, a_row, slope_row), (z_sine, _, _), (z_relu6, _, _) = [
        catalogue.curves.curve_of(registry.activations.get(name)) for name in ("tanh", "softmax", "sine", "relu6")
    ]
    np.testing.assert_allclose(a, np.tanh(z))
    np.testing.assert_allclose(slope, 1 - np.tanh(z) ** 2, atol=1e-12)
    s = 1 / (1 + np.exp(-z_row))
    np.testing.assert_allclose(a_row, s)
    np.testing.assert_allclose(slope_row, s * (1 - s), atol=1e-12)
    assert z_sine[-1] < 1  # a few periods
    assert z_relu6[-1] > 6  # beyond the last kink


def test_a_curve_is_broken_where_it_jumps_and_not_where_it_is_steep(catalogue):
    x = np.linspace(-1, 1, 201)
    broken = catalogue.curves._broken_at_jumps
    assert np.flatnonzero(np.isnan(broken(np.sign(x)))).tolist() == [99, 100]
    assert np.flatnonzero(np.isnan(broken(np.where(x > 0.5, 1.0, 0.0)))).size == 1
    assert not np.isnan(broken(1 / (x + 1.01))).any()


@pytest.mark.parametrize(
    ("name", "curves"),
    [
        ("mean_squared_error", {"-1": lambda p: (p + 1) ** 2, "1": lambda p: (p - 1) ** 2}),
        ("hinge", {"-1": lambda p: np.maximum(0, 1 + p), "1": lambda p: np.maximum(0, 1 - p)}),
        ("binary_cross_entropy", {"0": lambda p: -np.log(1 - p), "1": lambda p: -np.log(p)}),
        ("cross_entropy", {"(1, 0)": lambda p: -np.log(p), "(0, 1)": lambda p: -np.log(1 - p)}),
        ("gamma", {"1": lambda p: 1 / p + np.log(p) - 1, "2": lambda p: 2 / p - np.log(2 / p) - 1}),
    ],
)
def test_the_curves_of_losses_are_those_of_the_functions(catalogue, name, curves):
    p, _, values, slopes = catalogue.curves.curves_of_loss(registry.losses.get(name))
    assert [label for _, label in values] == [label for _, label in slopes] == [f"target {t}" for t in curves]
    for (value, _), (slope, _), f in zip(values, slopes, curves.values(), strict=True):
        np.testing.assert_allclose(value, f(p), atol=1e-9)
        if name != "cross_entropy":  # there both outputs move
            assert abs(np.median(slope - np.gradient(f(p), p))) < 1e-3


def _settings(catalogue, cls):
    """The part as it is by default, at both ends of each slider, and with each switch on."""
    ranges = catalogue.KNOWN[cls.kind][cls.name].get("ranges", {})
    switches = {key: [True] for key, each in cls.hyperparameters.items() if isinstance(each.default, bool)}
    assert set(ranges) | set(switches) == set(cls.hyperparameters) - {"epsilon"}
    for key, (low, high) in ranges.items():
        assert low <= cls.hyperparameters[key].default <= high
    return [cls(), *[cls(**{key: value}) for key, values in (ranges | switches).items() for value in values]]


def _values(part):
    return {key: getattr(part, key) for key in part.hyperparameters}


def _in_node(tmp_path, programs):
    """What each program, by its name, leaves in `found`."""
    script = tmp_path / "curves.js"
    lines = [f"{{ {text}; all[{json.dumps(name)}] = found.map((each) => [...each]); }}" for name, text in programs]
    script.write_text("\n".join(["const all = {};", *lines, "console.log(JSON.stringify(all));"]))
    node = exported.skipped_without("node")
    return json.loads(subprocess.check_output([node, script], text=True))


def test_what_sliders_draw_is_what_the_kernels_compute(catalogue, tmp_path):
    """f and f′ from the exporter, in Node, against the compiled activation; not where pieces of it meet."""
    z = np.linspace(-4.99, 5.03, catalogue.sliders.POINTS)
    programs, wanted = [], {}
    for name in catalogue.names(registry.activations):
        if takes_rows(registry.activations.get(name)):
            continue
        for number, activation in enumerate(_settings(catalogue, registry.activations.find(name))):
            curve = catalogue.sliders.function(type(activation)())
            found = f"cynnCurve({z.tolist()}, {json.dumps(_values(activation))})"
            programs.append((f"{name} {number}", f"{curve} const found = {found}"))
            a = activation.forward(z[:, None])
            wanted[f"{name} {number}"] = a[:, 0], activation.backward(z[:, None], a, np.ones_like(a))[:, 0]
    _same(_in_node(tmp_path, programs), wanted)


def _same(found, wanted):
    assert len(found) == len(wanted) > 40
    for name, pair in wanted.items():
        for got, right in zip(found[name], pair, strict=True):
            np.testing.assert_allclose(np.array(got, float), right, atol=1e-9, rtol=1e-9, err_msg=name)


def test_what_sliders_draw_of_a_loss_is_what_its_kernel_computes(catalogue, tmp_path):
    programs, wanted = [], {}
    for name in catalogue.names(registry.losses):
        known = catalogue.KNOWN["loss"][name]
        for number, loss in enumerate(_settings(catalogue, registry.losses.find(name))):
            axis = catalogue.curves.axis_of_loss(loss)
            p = np.linspace(axis.p[0], axis.p[-1], catalogue.sliders.POINTS + 3)[1:-2]  # no pieces meet there
            curve = catalogue.sliders.function_of_loss(type(loss)(), known["code"], known.get("ranges", {}))
            for t in catalogue.sliders.targets(loss, axis)[:2]:
                found = f"cynnCurve({p.tolist()}, {json.dumps({**_values(loss), 't': t})})"
                programs.append((f"{name} {number} {t}", f"{curve} const found = {found}"))
                wanted[f"{name} {number} {t}"] = catalogue.curves.points_of_loss(loss, axis._replace(p=p), t)
    _same(_in_node(tmp_path, programs), wanted)


def test_targets_of_sliders(catalogue):
    """They go wherever targets are allowed, and between labels they jump."""
    found = {}
    for name in catalogue.names(registry.losses):
        loss = registry.losses.get(name)
        axis = catalogue.curves.axis_of_loss(loss)
        low, high, start, *step = catalogue.sliders.targets(loss, axis)
        assert start == axis.targets[0]
        assert low <= min(axis.targets) <= max(axis.targets) <= high
        found[name] = round(low, 2), round(high, 2), *step
    assert found["mean_squared_error"] == (-3, 3)
    assert found["binary_cross_entropy"] == found["cross_entropy"] == (0, 1)
    assert found["hinge"] == (-1, 1, 2)
    assert found["multi_margin"] == found["multilabel_margin"] == (0, 1, 1)
    assert found["poisson"] == (0, 2.94)
    assert found["gamma"] == (0.06, 2.94)


def test_what_rows_show_is_what_the_kernels_compute(catalogue, tmp_path):
    rows = catalogue.rows
    own = {name: registry.activations.get(name) for name in catalogue.names(registry.activations)}
    layers = {name: cynn.Activation(each) for name, each in own.items() if takes_rows(each)}
    assert set(layers) == {"log_softmax", "softmax", "softmin", "sparsemax"}
    layers |= {name: layer for name, (_, layer) in rows.LAYERS.items()}
    x = np.random.default_rng(0).uniform(-rows.WIDTH, rows.WIDTH, (50, 4))
    programs, wanted = [], {}
    for name, layer in layers.items():
        net = rows.network(layer)
        programs.append((name, f"{rows.function(net)} const found = {x.tolist()}.map((each) => row(each))"))
        wanted[name] = net.predict(x)
        low, high = rows.limits(net)
        assert (low <= wanted[name]).all() and (wanted[name] <= high).all()
    found = _in_node(tmp_path, programs)
    for name, right in wanted.items():
        np.testing.assert_allclose(found[name], right, atol=1e-9, err_msg=name)
    values, gates = x[:, :2], x[:, 2:]
    np.testing.assert_allclose(found["glu"], values / (1 + np.exp(-gates)))
    np.testing.assert_allclose(found["maxout"], np.maximum(values, gates))


def test_rows_are_shown_without_scripts(catalogue, pages):
    """With the outputs of the row where the sliders stand at first."""
    text = "\n".join(pages["activation", "softmax"])
    for z in (each := np.exp([1.5, 0.5, -0.5, 2.0])):
        assert f"<td>{z / each.sum():.4f}</td>" in text
    assert 'class="cynn-row"' not in "\n".join(pages["activation", "tanh"])


def test_the_race_is_run_by_the_optimizers(catalogue):
    race = catalogue.race
    found = race.runs()
    assert set(found) == set(catalogue.names(registry.optimizers)) - set(race.OF_MATRICES) | {"momentum"}
    w = np.array(race.START)  # gradient descent by hand
    x, y = race.X[:, 0], race.Y[:, 0]
    for step in range(race.STEPS + 1):
        np.testing.assert_allclose(found["sgd"].weights[step], w, atol=1e-9)
        t = np.tanh(w[0] * x)
        error = w[1] * t - y
        gradient = np.array([np.mean(2 * error * w[1] * (1 - t**2) * x), np.mean(2 * error * t)])
        np.testing.assert_allclose(found["sgd"].losses[step], np.mean(error**2), atol=1e-9)
        w = w - found["sgd"].learning_rate * gradient
    (left, right), (bottom, top) = race.SIDES
    for run in found.values():
        assert run.losses[-1] < run.losses[0]
        assert ((left < run.weights[:, 0]) & (run.weights[:, 0] < right)).all(), run.name
        assert ((bottom < run.weights[:, 1]) & (run.weights[:, 1] < top)).all(), run.name


def test_the_examples_run():
    (block,) = re.findall(r"\.\. code-block:: python\n\n((?:(?:    .*)?\n)+)", PAGE)
    exec(textwrap.dedent(block), {})


def test_the_code_of_every_page_runs(pages):
    net = cynn.Network.mlp([2, 2], seed=0)
    for (kind, name), lines in pages.items():
        (block,) = re.findall(r"\.\. code-block:: python\n\n((?:(?:   .*)?\n)+)", "\n".join(lines))
        if kind == "loss":  # each has targets of its own
            block = block.replace(f'net.fit(x, y, loss="{name}")', "")
            assert "net.fit" not in block
        exec(textwrap.dedent(block), {"cynn": cynn, "net": net, "x": np.eye(2), "y": np.eye(2)})
