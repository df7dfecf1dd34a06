"""`Live`: what a training tells its page, to whom, and that nothing of it is left."""

import copy
import http.client
import json
import pickle
import socket
import sys
import threading
import time
import urllib.request
import webbrowser

import helpers
import numpy as np
import pytest

import cynn
from cynn.callbacks import Callback, Checkpoint, EarlyStopping, Live
from cynn.callbacks.live import callback as of_live
from cynn.callbacks.live import look, server
from cynn.callbacks.live.event_log import EventLog
from cynn.callbacks.live.page import page_of
from cynn.errors import InvalidParameterError

SECONDS = 60  # after which a thread of a test has failed


@pytest.fixture(autouse=True)
def looks_in_every_epoch(monkeypatch):
    monkeypatch.setattr(of_live, "_SHARE", 1e9)


@pytest.fixture(autouse=True)
def nothing_is_left():
    yield
    assert [thread for thread in threading.enumerate() if thread.name == "cynn-live"] == []


class Page(threading.Thread):
    """What a page would get: it follows the events from the begin of a training, which waits until it is there."""

    def __init__(self, live):
        super().__init__(daemon=True)
        self.live, self.messages, self.is_there = live, [], threading.Event()

    def run(self):
        with urllib.request.urlopen(f"{self.live.address}events", timeout=SECONDS) as events:
            for line in events:
                if line.startswith(b"data: "):
                    self.messages.append(json.loads(line[6:], parse_constant=pytest.fail))
                    self.is_there.set()

    def history(self):
        names = dict.fromkeys(name for message in self.messages for name in message["history"])
        return {name: [y for message in self.messages for y in message["history"].get(name, [])] for name in names}

    def looks(self):
        return [look for message in self.messages for look in message["looks"]]

    def latest(self):
        return next(message["latest"] for message in reversed(self.messages) if message["latest"])

    @property
    def end(self):
        return self.messages[-1]["end"]


class Follow(Callback):
    """Opens pages of a Live when training begins; stands behind it in the list."""

    def __init__(self, live, pages=1):
        self.live, self.pages = live, [Page(live) for _ in range(pages)]

    def on_train_begin(self):
        for page in self.pages:
            page.start()
            assert page.is_there.wait(SECONDS)

    def join(self):
        for page in self.pages:
            page.join(SECONDS)
            assert not page.is_alive()
        return self.pages[0]


def followed(net, x, y, *, live=None, callbacks=(), **options):
    """What a page gets of a training, and its history."""
    live = live or Live(open=False)
    follow = Follow(live)
    history = net.fit(x, y, **{"epochs": 3, "callbacks": [live, *callbacks, follow], "progress": False, **options})
    return follow.join(), history


def test_a_page_gets_what_the_history_gets():
    x, y = helpers.blobs(90)
    page, history = followed(helpers.classifier(), x, y, validation_split=0.3, metrics=["accuracy"])
    assert page.history() == history.history
    assert [message["isFirst"] for message in page.messages] == [True] + [False] * (len(page.messages) - 1)
    assert page.end == "The training has ended after 3 epochs."
    assert [each["epoch"] for each in page.looks()] == [1, 2, 3]


def test_the_confusion_of_the_validation_rows():
    x, y = helpers.blobs(90)
    net = helpers.classifier()
    net.classes = ["a", "<b>", "c"]
    page, _ = followed(net, x, y, validation_data=(x[:40], y[:40]))
    (found,) = page.latest()["confusions"]
    wanted = np.zeros((3, 3), int)
    np.add.at(wanted, (y[:40], net.predict(x[:40]).argmax(axis=1)), 1)
    assert (found["name"], found["rows"], found["kind"]) == ("", 40, "validation")
    assert found["labels"] == ["a", "<b>", "c"]
    assert found["counts"] == wanted.tolist()


def test_without_validation_rows_training_rows_are_looked_at():
    x, y = helpers.blobs(90)
    page, _ = followed(helpers.classifier(), x, y, rows=np.arange(30))
    (found,) = page.latest()["confusions"]
    assert (found["rows"], found["kind"]) == (30, "training")


def test_two_classes_of_one_output_by_the_threshold_of_the_loss():
    x, y = helpers.blobs(60)
    y = np.where(y == 0, 1, -1)
    net = cynn.Network.mlp([x.shape[1], 4, 1], seed=0)
    page, _ = followed(net, x, y, loss="hinge", validation_data=(x, y))
    (found,) = page.latest()["confusions"]
    true, predicted = y > 0, net.predict(x)[:, 0] > 0
    assert found["counts"] == [[int((~true & ~predicted).sum()), int((~true & predicted).sum())],
                               [int((true & ~predicted).sum()), int((true & predicted).sum())]]  # fmt: skip


def test_several_outputs_have_a_confusion_each_where_they_are_classes():
    h = cynn.Dense(6, "tanh")(cynn.Input(2))
    net = cynn.Network({"kind": cynn.Dense(3, "softmax")(h), "size": cynn.Dense(1)(h)}, seed=0)
    x, y = helpers.blobs(60)
    page, history = followed(net, x, {"kind": y, "size": x[:, 0]}, validation_split=0.5)
    (found,) = page.latest()["confusions"]
    assert found["name"] == "kind"
    assert "2-6-(3, 1), " in page_of(net)
    assert np.sum(found["counts"]) == 30
    assert page.history() == history.history


def test_a_sample_of_many_rows_is_looked_at():
    x, y = helpers.blobs(3000)
    page, _ = followed(helpers.classifier(), x, y, epochs=1, validation_data=(x, y))
    (found,) = page.latest()["confusions"]
    assert found["rows"] == look._MAX_ROWS
    rows = np.unique(np.linspace(0, 2999, look._MAX_ROWS).astype(int))
    assert np.sum(found["counts"], axis=1).tolist() == np.bincount(y[rows]).tolist()


def test_dead_units_and_changes_of_each_layer():
    x, y = helpers.blobs(60)
    net = cynn.Network([cynn.Input(2), cynn.Dense(8, "relu"), cynn.Dropout(0.1), cynn.Dense(3, "softmax")], seed=0)
    net.layers[0].biases = [-1e6, -1e6, 0, 0, 0, 0, 0, 0]
    before = [layer.weights.copy() for layer in (net.layers[0], net.layers[2])]
    page, _ = followed(net, x, y, epochs=1, optimizer=cynn.optimizers.SGD(0.1))
    (series,) = page.looks()
    assert list(series["dead"]) == list(series["changes"]) == ["relu 1", "softmax 3"]
    assert series["dead"]["relu 1"] >= 0.25
    assert series["dead"]["relu 1"] == net.diagnose(x, y)[0].dead
    W, b = net.layers[2].weights, net.layers[2].biases
    moved, size = (np.sqrt(np.square(w).sum() + np.square(b).sum()) for w in (W - before[1], W))
    assert series["changes"]["softmax 3"] == pytest.approx(moved / size, rel=1e-5)


def norms(gradients):
    """The norm over all arrays of each layer."""
    return [np.sqrt(sum(np.square(each, dtype=float).sum() for each in one if each is not None)) for one in gradients]


LOSSES = {
    "loss by default": {},
    "another loss": {"loss": "mean_squared_error"},
    "weights of rows": {"sample_weight": np.arange(90) % 4},
    "weights of classes": {"class_weight": {0: 5.0}},
    "some rows": {"rows": np.arange(10, 60)},
    "beside validation rows": {"rows": np.arange(60), "validation_data": (np.ones((3, 2)), [0, 1, 2])},
}


@pytest.mark.parametrize(("name", "options"), LOSSES.items())
def test_norms_of_gradients_are_those_of_the_training_loss(name, options):
    x, y = helpers.blobs(90)
    inner = [cynn.Dense(8, "relu"), cynn.Dense(8)]
    net = cynn.Network([cynn.Input(2), cynn.Dense(8, trainable=False), cynn.Dropout(0.1), cynn.Residual(inner),
                        cynn.Activation("relu"), cynn.Dense(3, "softmax")], seed=0)  # fmt: skip
    page, _ = followed(net, x, y, epochs=2, **options)
    chosen = options.get("rows", np.arange(90))
    weight = options.get("sample_weight", np.ones(90)) * np.where(y == 0, options.get("class_weight", {0: 1.0})[0], 1)
    wanted = net.gradients(x[chosen], y[chosen], loss=options.get("loss"), sample_weight=weight[chosen])
    nested, last = (np.linalg.norm(norms(wanted)[part]) for part in (slice(1, 3), slice(3, 4)))
    assert list(page.looks()[-1]["gradients"]) == ["residual 3", "softmax 5"]
    assert list(page.looks()[-1]["gradients"].values()) == pytest.approx([nested, last], rel=1e-5)


def test_norms_of_gradients_are_of_a_sample_of_many_rows():
    x, y = helpers.blobs(3000)
    net = helpers.classifier()
    page, _ = followed(net, x, y, epochs=1)
    rows = np.unique(np.linspace(0, 2999, look._MAX_ROWS).astype(int))
    wanted = norms(net.gradients(x[rows], y[rows]))
    assert list(page.looks()[0]["gradients"].values()) == pytest.approx(wanted, rel=1e-5)


def test_there_are_no_gradients_of_a_loss_that_is_not_finite():
    net = cynn.Network.mlp([1, 1], seed=0)
    page, _ = followed(net, [[1.0]], [1.0], epochs=1, optimizer=cynn.optimizers.SGD(1e25))
    assert page.looks()[0]["gradients"] == {}
    assert np.isfinite(net.layers[0].weights).all()


def weights_of(net, x, y, **options):
    return followed(net, x, y, epochs=1, **options)[0].latest()["weights"]


def test_weights_are_pictures_where_rows_are():
    import base64

    x = np.random.default_rng(0).normal(size=(50, 64))
    net = cynn.Network.mlp([64, 20, 1], seed=0)
    found = weights_of(net, x, x[:, 0])
    assert (found["name"], found["shape"], found["units"], found["of"]) == ("relu", [8, 8], 20, 64)
    pixels = np.frombuffer(base64.b64decode(found["pixels"]), np.int8).reshape(-1, 64)
    W = net.layers[0].weights[:, :16].T
    np.testing.assert_allclose(pixels * (found["most"] / 127), W, atol=found["most"] / 250)
    assert weights_of(net, x, x[:, 0], live=Live(open=False, shape=(4, 16)))["shape"] == [4, 16]
    net.feature_names = [f"<i>{k}" for k in range(64)]
    found = weights_of(net, x, x[:, 0])
    assert "shape" not in found
    assert found["names"][0].startswith("<i>")


def test_weights_are_bars_where_rows_are_no_pictures():
    x, y = helpers.blobs(40)
    net = helpers.classifier()
    found = weights_of(net, x, y)
    assert found["names"] == ["input 1", "input 2"]
    np.testing.assert_allclose(found["bars"], net.layers[0].weights[:, :6].T, rtol=1e-6)


FIRST_LAYERS = {
    "embedding": [cynn.Input(3), cynn.Embedding(4, 2, columns=[0, 1]), cynn.Dense(3, "relu"), cynn.Dense(1)],
    "norm": [cynn.Input(3), cynn.BatchNorm(), cynn.Residual([cynn.Dense(3, "tanh")]), cynn.Dense(1)],
    "no weights": [cynn.Input(3), cynn.PReLU()],
    "nothing to train": [cynn.Input(3), cynn.Activation("tanh")],
}


def test_embeddings_have_no_weights_from_their_inputs():
    """Their rows are categories, waves and so on; the first layer behind them has weights."""
    x = np.random.default_rng(0).integers(0, 3, (40, 3)).astype(float)
    embeddings = [cynn.Embedding(3, 2, columns=0), cynn.registry.layers.get("numerical_embedding", columns=[0, 1, 2])]
    for layer in embeddings:
        net = cynn.Network([cynn.Input(3), layer, cynn.Dense(5, "relu"), cynn.Dense(1)], seed=0)
        found = weights_of(net, x, x[:, 0])
        assert (found["name"], found["units"], found["of"]) == ("relu", 5, net.layers[1].inputs)
        assert found["names"][0].startswith("input ")


@pytest.mark.parametrize(("name", "layers"), FIRST_LAYERS.items())
def test_any_first_layer(name, layers):
    x = np.random.default_rng(0).integers(0, 4, (40, 3)).astype(float)
    net = cynn.Network(layers, seed=0)
    y = x if net.outputs == 3 else x[:, 0]
    page, history = followed(net, x, y, batch_size=10)
    assert page.history() == history.history
    assert (page.latest()["weights"] is None) == (name in ("no weights", "nothing to train"))


def test_batches_of_a_generator_are_not_drawn_once_more():
    x, y = helpers.blobs(40)
    drawn = []

    def batches(epoch):
        drawn.append(epoch)
        yield x, y

    page, _ = followed(helpers.classifier(), batches, None)
    assert drawn == [0, 1, 2]
    assert page.latest()["confusions"] == []
    assert list(page.looks()[0]["changes"]) == ["tanh 1", "softmax 2"]
    assert page.looks()[0]["gradients"] == {}
    page, _ = followed(helpers.classifier(), iter([(x, y)]), None, epochs=1, validation_data=(x, y))
    assert np.sum(page.latest()["confusions"][0]["counts"]) == 40


def test_sparse_rows_and_rows_that_are_not_finite():
    sparse = pytest.importorskip("scipy.sparse", reason="SciPy is not installed")
    x, y = helpers.blobs(40)
    page, _ = followed(helpers.classifier(), sparse.csr_matrix(x), y)
    assert page.latest()["confusions"][0]["rows"] == 40
    held = x.copy()
    held[::2] = np.nan
    page, history = followed(helpers.classifier(), x, y, validation_data=(held, y), check_finite=False)
    assert page.latest()["confusions"][0]["rows"] == 20
    assert page.history()["val_loss"] == [None] * 3  # JSON has no NaN
    assert np.isnan(history["val_loss"]).all()


def test_a_training_is_the_same_to_the_bit():
    x, y = helpers.blobs(90)
    layers = [cynn.Input(2), cynn.Dense(8, "relu"), cynn.BatchNorm(), cynn.Dropout(0.2), cynn.Dense(3, "softmax")]
    nets = [cynn.Network(copy.deepcopy(layers), seed=0) for _ in range(2)]
    followed(nets[0], x, y, validation_split=0.3)
    nets[1].fit(x, y, epochs=3, validation_split=0.3, progress=False)
    assert helpers.digest(nets[0]) == helpers.digest(nets[1])


def test_nothing_is_looked_at_without_a_page(monkeypatch):
    monkeypatch.setattr(look.Looks, "take", lambda *_: pytest.fail("a look without a page"))
    x, y = helpers.blobs(40)
    helpers.classifier().fit(x, y, epochs=3, callbacks=[Live(open=False)], progress=False)


def test_a_look_is_taken_only_where_its_cost_allows(monkeypatch):
    monkeypatch.setattr(of_live, "_SHARE", 1e-9)
    x, y = helpers.blobs(40)
    page, history = followed(helpers.classifier(), x, y, epochs=20)
    assert [each["epoch"] for each in page.looks()] == [1, 20]  # the first, and one more at the end
    assert page.history() == history.history


def test_every_page_gets_all_whenever_it_comes():
    x, y = helpers.blobs(40)
    live = Live(open=False)
    late = Page(live)

    class Late(Callback):
        def on_epoch_end(self, epoch, logs):
            if epoch == 2:
                late.start()
                assert late.is_there.wait(SECONDS)

    follow = Follow(live, pages=3)
    history = helpers.classifier().fit(x, y, epochs=4, callbacks=[live, follow, Late()], progress=False)
    follow.join()
    late.join(SECONDS)
    for page in (*follow.pages, late):
        assert page.history() == history.history
        assert page.end == "The training has ended after 4 epochs."


def test_a_long_history_comes_in_pieces():
    events = EventLog()
    events.add(history={"loss": list(range(2500)), "late": [7.0, float("nan")]}, end="over")
    with events.reader() as reader:
        messages = []
        while not reader.is_done:
            messages.append(json.loads(reader.next(SECONDS)))
    assert [len(message["history"]["loss"]) for message in messages] == [1000, 1000, 500]
    assert [message["end"] for message in messages] == [None, None, "over"]
    assert messages[-1]["history"]["late"] == [None] * 498 + [7, None]


class Stop(Callback):
    def __init__(self, error):
        self.error = error

    def on_epoch_end(self, epoch, logs):
        if epoch == 2 and self.error is not None:
            raise self.error


@pytest.mark.parametrize(
    ("error", "end"),
    [(KeyboardInterrupt(), "The training was interrupted after 2 epochs."),
     (OSError("<b>"), "The training was ended after 2 epochs by an error: OSError.")],
)  # fmt: skip
def test_the_page_is_told_how_a_training_ended(error, end):
    x, y = helpers.blobs(40)
    live = Live(open=False)
    follow = Follow(live)
    net = helpers.classifier()
    with pytest.raises(type(error)):
        net.fit(x, y, epochs=5, callbacks=[live, follow, Stop(error)], progress=False)
    assert follow.join().end == end
    assert live.address is None
    page, _ = followed(net, x, y, live=live)  # once more, with the same callback
    assert page.end == "The training has ended after 3 epochs."


def test_a_fit_within_the_handling_of_an_error_has_not_failed():
    x, y = helpers.blobs(40)
    try:
        raise RuntimeError
    except RuntimeError:
        page, _ = followed(helpers.classifier(), x, y)
    assert page.end == "The training has ended after 3 epochs."


def test_early_stopping_ends_the_page():
    x, y = helpers.blobs(40)
    stopping = EarlyStopping("loss", patience=1, min_delta=10)
    page, history = followed(helpers.classifier(), x, y, epochs=9, callbacks=[stopping])
    assert page.end == f"The training has ended after {history.epochs} epochs."


def test_a_browser_that_is_interrupted_closes_the_server(monkeypatch):
    def interrupted():
        raise KeyboardInterrupt

    monkeypatch.setattr(webbrowser, "get", interrupted)
    live = Live()
    with pytest.raises(KeyboardInterrupt):
        helpers.classifier().fit(*helpers.blobs(40), callbacks=[live])
    assert live.address is None


def test_a_callback_that_fails_to_begin_closes_the_server():
    class Fail(Callback):
        def on_train_begin(self):
            raise RuntimeError("no")

    live = Live(open=False)
    with pytest.raises(RuntimeError, match="no"):
        helpers.classifier().fit(*helpers.blobs(40), callbacks=[live, Fail()])
    assert live.address is None


def test_a_training_that_goes_on_from_a_checkpoint_shows_it_all(tmp_path):
    x, y = helpers.blobs(40)
    net, checkpoint = helpers.classifier(), Checkpoint(tmp_path / "run.safetensors")
    for error in (KeyboardInterrupt(), None):
        live = Live(open=False)
        follow = Follow(live)
        callbacks = [checkpoint, live, follow, Stop(error)]
        try:
            history = net.fit(x, y, epochs=4, callbacks=callbacks, resume=True, progress=False)
        except KeyboardInterrupt:
            assert len(follow.join().history()["loss"]) == 2
    page = follow.join()
    assert history.epochs == 4
    assert page.history() == history.history
    assert page.end == "The training has ended after 4 epochs."


def asked(live, path, *, host=None, method="GET"):
    """The status and the headers of an answer."""
    number = int(live.address.split(":")[2].split("/")[0])
    connection = http.client.HTTPConnection("127.0.0.1", number, timeout=SECONDS)
    connection.putrequest(method, path, skip_host=host is not None)
    if host:
        connection.putheader("Host", host.replace("PORT", str(number)))
    connection.endheaders()
    answer = connection.getresponse()
    found = answer.status, dict(answer.getheaders()), answer.read() if "events" not in path else b""
    connection.close()
    return found


class During(Callback):
    """Calls a function in the first epoch."""

    def __init__(self, function):
        self.function = function

    def on_epoch_end(self, epoch, logs):
        if epoch == 1:
            self.function()


def test_only_who_has_the_address_gets_the_page():
    live, found = Live(open=False), {}

    def ask():
        token = live.address.split("/")[3]
        assert len(token) >= 32
        assert live.address.startswith("http://127.0.0.1:")
        paths = {"page": f"/{token}/", "events": f"/{token}/events", "root": "/", "other": f"/{token}/x",
                 "wrong": f"/{token[:-1]}/", "longer": f"/{token}x/", "none": "//", "up": f"/{token}/../{token}/",
                 "odd": "/%00%e9/", "bare": f"/{token}?x"}  # fmt: skip
        found.update({name: asked(live, path)[0] for name, path in paths.items()})
        for host in ("evil.example", "evil.example:PORT", "localhost.evil:PORT", "127.0.0.1", ""):
            found[host] = asked(live, f"/{token}/", host=host)[0]
        found["localhost"] = asked(live, f"/{token}/", host="localhost:PORT")[0]
        found["post"] = asked(live, f"/{token}/", method="POST")[0]
        headers, text = asked(live, f"/{token}/")[1:]
        found["headers"] = headers
        assert b"<script" in text
        assert token.encode() not in text
        assert "Python" not in headers["Server"]

    helpers.classifier().fit(*helpers.blobs(40), epochs=1, callbacks=[live, During(ask)], progress=False)
    headers = found.pop("headers")
    assert {name for name, status in found.items() if status == 200} == {"page", "events", "localhost"}
    assert {found[name] for name in ("root", "wrong", "longer", "none", "evil.example", "evil.example:PORT")} == {403}
    assert {found[name] for name in ("other", "up")} == {404}
    assert found["post"] == 501
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert headers["Cache-Control"] == "no-store"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert "Access-Control-Allow-Origin" not in headers


def test_the_server_listens_to_this_machine_alone():
    live, found = Live(open=False), []
    helpers.classifier().fit(*helpers.blobs(40), epochs=1, progress=False, callbacks=[
        live, During(lambda: found.append(live._showing.server.socket.getsockname()[0]))
    ])  # fmt: skip
    assert found == ["127.0.0.1"]


class Stall(Callback):
    """Connections that ask for the events and read nothing, that ask nothing, and that ask half."""

    def __init__(self, live):
        self.live, self.held = live, []

    def on_train_begin(self):
        number, path = self.live.address.removeprefix("http://127.0.0.1:").split("/", 1)
        for text in (f"GET /{path}events HTTP/1.0\r\nHost: 127.0.0.1:{number}\r\n\r\n", "", "GET /"):
            connection = socket.socket()
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            connection.connect(("127.0.0.1", int(number)))
            connection.sendall(text.encode())
            self.held.append(connection)


def test_one_who_does_not_read_holds_nothing_up(monkeypatch):
    """Each look has some 90 KB for a page: more than the system keeps for one who reads nothing."""
    monkeypatch.setattr(server._Handler, "timeout", None)
    x = np.random.default_rng(0).normal(size=(20, 4096))
    live, found = Live(open=False), []
    stall = Stall(live)
    net = cynn.Network.mlp([4096, 16, 1], seed=0)

    def train():
        found.extend(followed(net, x, x[:, 0], live=live, callbacks=[stall], epochs=60))

    thread = threading.Thread(target=train, daemon=True)
    thread.start()
    thread.join(SECONDS)
    assert not thread.is_alive()
    for connection in stall.held:
        connection.close()
    page, history = found
    assert page.history() == history.history
    assert page.end


def test_too_many_connections_are_refused():
    live, held = Live(open=False), []

    def ask():
        number = int(live.address.split(":")[2].split("/")[0])
        for _ in range(40):
            held.append(socket.create_connection(("127.0.0.1", number), timeout=SECONDS))
        end = time.monotonic() + SECONDS
        while len(live._showing.server._connections) < 32 and time.monotonic() < end:
            time.sleep(0.01)
        assert len(live._showing.server._connections) <= 32

    helpers.classifier().fit(*helpers.blobs(40), epochs=1, callbacks=[live, During(ask)], progress=False)
    for connection in held:
        connection.close()


def test_a_port_in_use_is_refused_and_the_network_stays():
    net = helpers.classifier()
    before = helpers.digest(net)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        message = rf"'port' parameter of Live must be one that is free.* Got {port}"
        with pytest.raises(InvalidParameterError, match=message):
            net.fit(*helpers.blobs(40), callbacks=[Live(port=port, open=False)])
    assert helpers.digest(net) == before
    for _ in range(2):  # free again at once
        page, _ = followed(net, *helpers.blobs(40), live=Live(port=port, open=False))
        assert page.end


@pytest.mark.parametrize(
    ("options", "message"),
    [({"port": -1}, "'port'"), ({"port": 65536}, "'port'"), ({"port": True}, "'port'"), ({"open": 1}, "'open'"),
     ({"shape": 28}, "rows and columns"), ({"shape": (0, 4)}, "rows and columns"), ({"shape": (1.5, 4)}, "rows")],
)  # fmt: skip
def test_parameters_are_checked(options, message):
    with pytest.raises(InvalidParameterError, match=message):
        Live(**options)


def test_a_shape_must_be_that_of_the_rows():
    with pytest.raises(InvalidParameterError, match=r"'shape' parameter of Live must have 2 pixels.* Got \(2, 2\)"):
        helpers.classifier().fit(*helpers.blobs(40), callbacks=[Live(open=False, shape=(2, 2))])


def test_of_several_ranks_the_first_shows():
    live = Live(open=False)
    live._rank = 1
    live.on_train_begin()
    live.on_epoch_end(1, {"loss": 1.0})
    assert live.address is None
    live.on_train_end()


def test_two_trainings_at_once_need_two():
    x, y = helpers.blobs(40)
    live, errors = Live(open=False), []

    def second():
        try:
            helpers.classifier().fit(x, y, epochs=1, callbacks=[live], progress=False)
        except InvalidParameterError as error:
            errors.append(str(error))

    def at_once():
        address = live.address
        thread = threading.Thread(target=second)
        thread.start()
        thread.join(SECONDS)
        assert live.address == address

    page, history = followed(helpers.classifier(), x, y, live=live, callbacks=[During(at_once)])
    assert len(errors) == 1
    assert "A Live must show one training at a time." in errors[0]
    assert page.history() == history.history
    assert live.address is None


def test_two_trainings_in_threads_with_a_live_each():
    x, y = helpers.blobs(40)
    found = {}

    def train(number):
        found[number] = followed(helpers.classifier(), x, y, epochs=number + 2)

    threads = [threading.Thread(target=train, args=(number,)) for number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(SECONDS)
    for number, (page, history) in found.items():
        assert history.epochs == number + 2
        assert page.history() == history.history


@pytest.mark.parametrize("given", ["live", {"name": "live", "open": False}, Live(open=False)])
def test_a_fleet_has_none(given):
    x, y = helpers.blobs(40)
    with pytest.raises(InvalidParameterError, match="fit_many must have no Live, which shows one training"):
        cynn.fit_many([helpers.classifier()], x, y, callbacks=[given])


def test_copies_and_pickles(tmp_path):
    x, y = helpers.blobs(40)
    net, live = helpers.classifier(), Live(port=0, open=False)
    for _ in range(2):
        followed(net, x, y, live=live)
        live = pickle.loads(pickle.dumps(copy.deepcopy(live)))
    assert Live.from_config(live.get_config()).get_config() == live.get_config()
    same = pickle.loads(pickle.dumps(net))
    np.testing.assert_array_equal(same.predict(x), net.predict(x))
    net.save(tmp_path / "net.safetensors")


class Browser:
    """A browser that needs some seconds to open a page, or never does."""

    def __init__(self, seconds):
        self.seconds, self.address = seconds, None

    def open(self, address):
        self.address, self.page = address, Page(self)
        if self.seconds is not None:
            threading.Timer(self.seconds, self.page.start).start()
        return True


def test_the_page_is_opened_and_a_short_training_waits_for_it(monkeypatch, capsys):
    browser = Browser(seconds=0.3)
    monkeypatch.setattr(webbrowser, "get", lambda: browser)
    x, y = helpers.blobs(40)
    history = helpers.classifier().fit(x, y, epochs=1, callbacks=[Live()], progress=False)
    browser.page.join(SECONDS)
    assert not browser.page.is_alive()
    assert browser.page.history() == history.history
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err == f"the training is shown at {browser.address}\n"


def test_a_browser_that_never_comes_is_not_waited_for_long(monkeypatch):
    monkeypatch.setattr(of_live, "_SECONDS_TO_OPEN", 0.05)
    monkeypatch.setattr(webbrowser, "get", lambda: Browser(seconds=None))
    helpers.classifier().fit(*helpers.blobs(40), epochs=1, callbacks=[Live()], progress=False)


def none():
    raise webbrowser.Error("could not locate runnable browser")


@pytest.mark.parametrize("get", [none, lambda: webbrowser.GenericBrowser(sys.executable)])
def test_a_machine_without_a_browser(monkeypatch, capsys, get):
    """A browser in the terminal would hold up the training."""
    monkeypatch.setattr(webbrowser, "get", get)
    monkeypatch.setattr(of_live, "_SECONDS_TO_OPEN", SECONDS)
    began = time.monotonic()
    helpers.classifier().fit(*helpers.blobs(40), epochs=1, callbacks=[Live()], progress=False)
    assert time.monotonic() - began < SECONDS
    assert "the training is shown at http://127.0.0.1:" in capsys.readouterr().err
