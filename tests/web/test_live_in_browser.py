"""The page of a training in Chromium, while it runs. `pytest -m browser`."""

import threading
import time

import helpers
import numpy as np
import pytest
from browsing import axe, browser, watched

import cynn
from cynn.callbacks import Callback, Live
from cynn.callbacks.live import callback as of_live

pytestmark = pytest.mark.browser
__all__ = ["axe", "browser"]  # fixtures

SECONDS = 120
ODD = '</script><img src=x onerror="document.body.id=1">'


@pytest.fixture(autouse=True)
def looks_in_every_epoch(monkeypatch):
    monkeypatch.setattr(of_live, "_SHARE", 1e9)


class Steps(Callback):
    """Lets a training take an epoch when it is told to."""

    def __init__(self):
        self.has_begun, self._permits = threading.Event(), threading.Semaphore(0)

    def on_epoch_begin(self, epoch):
        self.has_begun.set()
        assert self._permits.acquire(timeout=SECONDS)

    def take(self, epochs=1):
        for _ in range(epochs):
            self._permits.release()


class Training:
    """A training in a thread, of some epochs; `error` is raised in the last one."""

    def __init__(self, net, x, y, *, epochs=6, error=None, **options):
        self.live, self.steps, self.history = Live(open=False), Steps(), None

        class Fail(Callback):
            def on_epoch_end(self, epoch, logs):
                if error is not None and epoch == epochs:
                    raise error

        def train():
            try:
                callbacks = [self.live, self.steps, Fail()]
                self.history = net.fit(x, y, epochs=epochs, callbacks=callbacks, progress=False, **options)
            except type(error):
                pass

        self.thread = threading.Thread(target=train)
        self.thread.start()
        assert self.steps.has_begun.wait(SECONDS)

    def join(self):
        self.steps.take(1000)
        self.thread.join(SECONDS)
        assert not self.thread.is_alive()


@pytest.fixture
def training():
    """A function that begins a training."""
    begun = []

    def training(*given, **options):
        begun.append(Training(*given, **options))
        return begun[-1]

    yield training
    for each in begun:
        each.join()


@pytest.fixture
def opened(browser):
    pages = []

    def opened(training, width=1300, scheme="light", **options):
        address = training.live.address
        page = watched(browser, address, viewport={"width": width, "height": 900}, color_scheme=scheme, **options)
        page.set_default_timeout(30_000)
        pages.append(page)
        events = training.live._showing.server.events
        before = events.readers
        page.goto(address)
        until = time.monotonic() + SECONDS
        while events.readers == before and time.monotonic() < until:
            page.wait_for_timeout(10)
        return page

    yield opened
    for page in pages:
        assert page.problems == []
        page.close()


def pictures(rows=300):
    """Bright quarters of pictures, and which."""
    rng = np.random.default_rng(0)
    y = np.arange(rows) % 4
    x = rng.normal(size=(rows, 8, 8))
    for row, quarter in enumerate(y):
        x[row, 4 * (quarter // 2) :, 4 * (quarter % 2) :][:4, :4] += 2
    return x.reshape(rows, 64), y


def of_pictures(training, **options):
    x, y = pictures()
    net = cynn.Network.mlp([64, 20, 4], activation="relu", output="softmax", seed=0)
    return training(net, x, y, **{"validation_split": 0.3, "metrics": ["accuracy"], **options})


def wait_for_epoch(page, epoch):
    page.locator("#status", has_text=f"Epoch {epoch}: loss").wait_for()


def points(page, chart):
    """How many points each line of a chart has."""
    lines = page.locator(".chart").nth(chart).locator("svg[role=img] path")
    paths = lines.evaluate_all("lines => lines.map((line) => line.getAttribute('d'))")
    return [len(path.replace("M", "L").split("L")) - 1 for path in paths]


@pytest.mark.parametrize(("width", "scheme"), [(1300, "light"), (400, "dark")])
def test_curves_grow(training, opened, width, scheme):
    of_layers = ["norm of gradients", "change of weights per epoch", "share of dead units"]
    run = of_pictures(training)
    page = opened(run, width, scheme)
    assert page.locator("#status").inner_text() == "Waiting for the end of the first epoch."
    for epoch in range(1, 5):
        run.steps.take()
        wait_for_epoch(page, epoch)
        captions = page.locator(".chart figcaption").all_inner_texts()
        assert captions == ["loss", "accuracy", *of_layers]
        assert [points(page, chart) for chart in (0, 2, 3, 4)] == [[epoch, epoch]] * 4
        label = page.locator(".chart svg[role=img]").first.get_attribute("aria-label")
        assert label.startswith(f"loss, epoch {epoch}: ")
    assert page.locator("#weights canvas[role=img]").count() == 16
    assert page.locator("#confusions tbody tr").count() == 4
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    run.join()
    page.locator("#status", has_text="The training has ended after 6 epochs.").wait_for()
    page.locator("#said", has_text="The training has ended after 6 epochs.").wait_for(state="attached")
    last = run.history.history
    label = page.locator(".chart svg[role=img]").nth(1).get_attribute("aria-label")
    assert label == f"accuracy, epoch 6: training {last['accuracy'][-1]:.4g}, validation {last['val_accuracy'][-1]:.4g}"
    counted = page.locator("#confusions td").all_inner_texts()
    assert sum(int(text) for text in counted if text) == 90


def test_pictures_are_the_weights(training, opened):
    x, y = pictures()
    net = cynn.Network.mlp([64, 5, 4], activation="relu", output="softmax", seed=0)
    run = training(net, x, y, epochs=2)
    page = opened(run)
    run.join()
    page.locator("#status", has_text="has ended").wait_for()
    W = net.layers[0].weights
    for k in range(5):
        pixels = np.array(page.locator("#weights canvas").nth(k).evaluate(
            "canvas => Array.from(canvas.getContext('2d').getImageData(0, 0, 8, 8).data)"
        )).reshape(64, 4)  # fmt: skip
        assert np.abs(pixels[:, 3] - 255 * np.abs(W[:, k]) / np.abs(W).max()).max() < 3


def test_a_page_that_is_loaded_again_gets_all(training, opened):
    run = of_pictures(training)
    page = opened(run)
    run.steps.take(3)
    wait_for_epoch(page, 3)
    page.reload()
    wait_for_epoch(page, 3)
    assert points(page, 0) == points(page, 2)[:2] == [3, 3]
    run.steps.take(1)
    wait_for_epoch(page, 4)
    assert points(page, 0) == [4, 4]
    late = opened(run)
    wait_for_epoch(late, 4)
    assert points(late, 0) == [4, 4]


def test_an_error_is_said(training, opened):
    run = of_pictures(training, epochs=2, error=RuntimeError(ODD))
    page = opened(run)
    run.join()
    page.locator("#status", has_text="ended after 2 epochs by an error: RuntimeError.").wait_for()


def test_names_of_a_user_are_text(training, opened):
    x, y = helpers.blobs(60)
    net = cynn.Network.mlp([2, 4, 3], activation="tanh", output="softmax", seed=0)
    net.feature_names = [ODD, "b"]
    net.classes = [ODD, "<b>", "c"]

    def own(y_true, y_pred):
        return 0.5

    own.__name__ = ODD
    run = training(net, x, y, epochs=1, validation_split=0.5, metrics=[own])
    page = opened(run)
    run.join()
    page.locator("#status", has_text="has ended").wait_for()
    assert page.locator("#confusions th[scope=row]").first.inner_text() == ODD
    assert ODD in page.locator("#weights .who").all_inner_texts()
    assert page.locator("img").count() == 0
    assert page.evaluate("document.body.id") == ""
    assert page.locator("#weights figure").count() == 4


def test_the_page_keeps_what_it_has_when_the_server_goes(training, browser):
    run = of_pictures(training)
    page = watched(browser, run.live.address)
    page.goto(run.live.address)
    run.steps.take(2)
    wait_for_epoch(page, 2)
    server = run.live._showing.server
    for connection in list(server._connections.values()):
        connection.shutdown(2)  # as if the line had broken: it comes again by itself
    run.steps.take(1)
    wait_for_epoch(page, 3)
    assert points(page, 0) == [3, 3]
    page.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(training, opened, axe, scheme):
    run = of_pictures(training)
    page = opened(run, scheme=scheme, bypass_csp=True)
    run.join()
    page.locator("#status", has_text="has ended").wait_for()
    page.evaluate(axe)
    found = page.evaluate("axe.run()")["violations"]
    assert [(each["id"], each["impact"], each["nodes"][0]["html"][:200]) for each in found] == []
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.id") == "confusions"  # it scrolls by the arrow keys


def test_without_scripts(training, browser):
    run = of_pictures(training)
    page = watched(browser, run.live.address, java_script_enabled=False)
    page.goto(run.live.address)
    assert "need JavaScript" in page.locator("noscript").inner_text()
    page.close()
