"""`net.watch`: the state of the widget, a training that it shows, and its module in Chromium."""

import base64
import json
import pickle
import sys

import numpy as np
import pytest
from browsing import browser, watched

import cynn
from cynn.display import assets
from cynn.errors import InvalidParameterError, MissingDependencyError
from cynn.interop.exported_model import exported_model
from cynn.web import contents, widget

__all__ = ["browser"]  # a fixture


def made():
    """A network of two inputs, its data, and the network as it will be after two epochs."""
    x = np.random.default_rng(0).normal(size=(200, 2))
    net = cynn.Network([cynn.Input(2), cynn.BatchNorm(), cynn.Dense(8, "tanh"), cynn.Dense(1, "sigmoid")], seed=0)
    return net, x, (x[:, 0] * x[:, 1] > 0).astype(float)


def shown(net, x):
    return contents.contents_of(net, examples=x, labels=None, inputs=None, dtype="float32", title="a <net>")


def test_without_the_package_the_error_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "anywidget", None)
    widget._widget_class.cache_clear()
    with pytest.raises(MissingDependencyError, match=r'pip install "cynn-nn\[widget\]"'):
        made()[0].watch()


def test_the_module_is_small_and_whole():
    text = widget.module_of(shown(*made()[:2]))
    assert len(assets.joined("widget").encode()) < 40_000
    assert "\nimport " not in text
    assert text.count("export ") == 1


class Recorder:
    """What stands in for a widget, and keeps all that it was given."""

    def __init__(self):
        self.given = []

    def hold_sync(self):
        return self

    __enter__ = __exit__ = lambda self, *_: None

    def __setattr__(self, name, value):
        if name != "given":
            self.given.append((name, value))
        super().__setattr__(name, value)


def trained(epochs, **options):
    """A network, its data, and the callback that has shown its training."""
    net, x, y = made()
    callback = widget._Training(Recorder(), net, shown(net, x))
    net.fit(x, y, epochs=epochs, callbacks=[callback], progress=False, **options)
    return net, x, callback


def test_a_training_is_shown():
    net, _, callback = trained(5, validation_data=made()[1:], metrics=["accuracy"])
    record = callback.widget
    assert record.history == net.history.history
    assert set(record.history) >= {"loss", "val_loss", "accuracy", "val_accuracy"}
    assert record.data == callback.contents.data(exported_model(net).plan)
    lengths = [len(value["loss"]) for name, value in record.given if name == "history"]
    assert lengths[0] == 1
    assert lengths == sorted(lengths)


def test_it_takes_a_fiftieth_of_the_time(monkeypatch):
    """After what took a second, nothing for fifty."""
    now = [0.0]
    monkeypatch.setattr(widget.time, "monotonic", lambda: now[0])
    net, x, _ = made()
    record = Recorder()
    callback = widget._Training(record, net, shown(net, x))
    show = callback._show
    monkeypatch.setattr(callback, "_show", lambda: (show(), now.__setitem__(0, now[0] + 1.0)))
    callback.network = net
    callback.on_train_begin()
    counts = []
    for epoch in range(1, 121):
        callback.on_epoch_end(epoch, {"loss": 1 / epoch})
        counts.append(sum(name == "history" for name, _ in record.given))
        now[0] += 1.0
    assert counts[0] == 1
    assert counts[-1] == 3
    callback.on_train_end()
    assert len(record.history["loss"]) == 120


def test_figures_and_weights_that_are_not_finite():
    net, x, _ = made()
    record = Recorder()
    callback = widget._Training(record, net, shown(net, x))
    callback.network = net
    callback.on_train_begin()
    net.layers[1].weights[0, 0] = np.nan
    callback.on_epoch_end(1, {"loss": float("nan")})
    assert record.history == {"loss": [None]}
    assert [name for name, _ in record.given] == ["history"]


def test_another_network_is_refused():
    net, x, y = made()
    callback = widget._Training(Recorder(), made()[0], shown(net, x))
    with pytest.raises(InvalidParameterError, match="'training'"):
        net.fit(x, y, callbacks=[callback], progress=False)


def test_the_network_stays_as_it_is():
    net, x, _ = trained(2)
    same = pickle.loads(pickle.dumps(net))
    np.testing.assert_array_equal(same.predict(x), net.predict(x))
    plain, x, y = made()
    plain.fit(x, y, epochs=2, progress=False)
    np.testing.assert_array_equal(plain.predict(x), net.predict(x))


@pytest.mark.interop
@pytest.mark.filterwarnings("default::DeprecationWarning")
def test_the_state_of_the_widget():
    pytest.importorskip("anywidget")
    widget._widget_class.cache_clear()
    net, x, y = made()
    found = net.watch(examples=(x, y), title="a <net>")
    state = found.get_state()
    assert state["_esm"].endswith("export default widgetOf(forward);\n")
    assert "<h1>a &lt;net&gt;</h1>" in state["markup"]
    assert len(base64.b64decode(state["data"])) > 100
    assert state["history"] == {}
    json.dumps(state["page"], allow_nan=False)
    seen = []
    found.observe(lambda change: seen.append(change.name), ["data", "history"])
    history = net.fit(x, y, epochs=3, callbacks=[found.training], progress=False)
    assert {"data", "history"} <= set(seen)
    assert found.get_state()["history"] == history.history
    assert found.get_state()["data"] != state["data"]
    assert "application/vnd.jupyter.widget-view+json" in found._repr_mimebundle_()[0]
    with pytest.raises(InvalidParameterError, match="dtype"):
        net.watch(dtype="float16")


_MODEL = """async ([module, state]) => {
    const listeners = {};
    globalThis.model = {
        get: (name) => state[name],
        set(name, value) { state[name] = value; for (const each of listeners[`change:${name}`] ?? []) each(); },
        on(event, listener) { (listeners[event] ??= []).push(listener); },
        off(event, listener) { listeners[event] = listeners[event].filter((each) => each !== listener); },
        count: () => Object.values(listeners).flat().length,
    };
    const { default: { render } } = await import(`data:text/javascript;base64,${module}`);
    const el = document.createElement("div");
    globalThis.away = render({ model, el });  // before the cell is in the page, as a notebook does
    document.body.append(el);
    const other = document.createElement("div");  // the same widget in another cell
    document.body.append(other);
    render({ model, el: other });
}"""


@pytest.fixture
def notebook(browser):
    """A function that shows a widget in a page, as a notebook does."""
    pages = []

    def notebook(found, plan, width=1000, style="", scheme="light"):
        page = watched(browser, "about:", viewport={"width": width, "height": 900}, color_scheme=scheme)
        page.set_default_timeout(30_000)
        pages.append(page)
        page.set_content(f"<!DOCTYPE html><style>{style}</style><body></body>")
        state = {"page": found.page, "data": found.data(plan), "markup": widget._markup(found), "history": {}}
        page.evaluate(_MODEL, [base64.b64encode(widget.module_of(found).encode()).decode(), state])
        page.locator("[data-ready]").nth(1).wait_for()
        return page

    yield notebook
    for page in pages:
        assert page.problems == []
        page.close()


@pytest.mark.browser
@pytest.mark.parametrize("width", [1000, 400])
def test_a_widget_in_a_page(notebook, width):
    net, x, y = made()
    found = shown(net, x)
    page = notebook(found, exported_model(net).plan, width)
    first = page.locator("[data-ready]").first
    slider = first.get_by_role("slider", name="x0")
    slider.fill("0.5")
    other = first.get_by_role("slider", name="x1")
    other.fill("-0.25")
    row = [float(each.input_value()) for each in (slider, other)]

    def check():
        said = first.locator("#outputs .number").inner_text()
        assert float(said.rstrip(" %")) == pytest.approx(100 * net.predict([row])[0, 0], abs=0.6)

    check()
    assert first.locator("h1").inner_text() == "a <net>"
    assert first.locator(".charts").is_hidden()
    before = first.locator("line.plus, line.minus").first.get_attribute("stroke-width")
    net.fit(x, y, epochs=30, progress=False)
    history = {"loss": net.history["loss"], "val_loss": net.history["loss"][:-1]}
    page.evaluate("([data, history]) => { model.set('data', data); model.set('history', history); }",
                  [found.data(exported_model(net).plan), history])  # fmt: skip
    first.locator(".charts .chart").wait_for()
    page.wait_for_function("(before) => document.querySelector('[data-ready]').shadowRoot"
                           ".querySelector('line.plus, line.minus').getAttribute('stroke-width') !== before",
                           arg=before)  # fmt: skip
    check()
    assert first.locator(".charts svg[role=img]").get_attribute("aria-label").startswith("loss, epoch 30: training ")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    neuron = first.locator(".neuron").nth(4)
    neuron.hover()
    tip, disc = first.locator("#tip").bounding_box(), neuron.bounding_box()
    assert 0 < tip["y"] - disc["y"] - disc["height"] < 20
    assert tip["x"] - 5 < disc["x"] < tip["x"] + tip["width"]
    neuron.click()
    assert first.locator("#details h2").is_visible()
    assert page.locator("[data-ready]").nth(1).locator("#details").is_hidden()
    assert page.evaluate("model.count()") == 4
    page.evaluate("away()")
    assert page.evaluate("model.count()") == 2


@pytest.mark.browser
def test_a_widget_is_dark_where_the_notebook_is(notebook):
    net, x, _ = made()
    plan = exported_model(net).plan
    style = "body { background: rgb(17 17 17) } body.bright { background: color(srgb 1 1 1) }"
    page = notebook(shown(net, x), plan, style=style)
    host = page.locator("[data-ready]").first
    assert host.evaluate("host => host.classList.contains('dark')")
    page.evaluate("document.body.className = 'bright'")
    page.wait_for_function("!document.querySelector('[data-ready]').classList.contains('dark')")
    host.get_by_label("grey").check()
    assert host.evaluate("host => host.className") == "grey"
    assert page.locator("[data-ready]").nth(1).evaluate("host => host.className") == ""
    page = notebook(shown(net, x), plan, scheme="dark")
    assert page.locator("[data-ready]").first.evaluate("host => host.classList.contains('dark')")
