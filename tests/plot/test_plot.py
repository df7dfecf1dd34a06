"""Pictures: what is in them, that no text covers another, and that nothing is cut off."""

import itertools
import os
import subprocess
import sys
from types import SimpleNamespace

import helpers
import matplotlib.colors
import numpy as np
import pytest
from matplotlib import pyplot

import cynn
from cynn import plot
from cynn.cli import main
from cynn.errors import InvalidParameterError, MissingDependencyError, ShapeError, UnknownNameError

NAMES = ["nought", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]


@pytest.fixture(autouse=True)
def no_figure_stays():
    yield
    pyplot.close("all")


@pytest.fixture(scope="module")
def digits():
    """Test images, and a network that knows them a little."""
    (x, y), (x_test, y_test) = cynn.datasets.load_mnist()
    net = cynn.Network.mlp([784, 16, 16, 10], activation="sigmoid", output="softmax", input_scale=1 / 255, seed=0)
    net.fit(
        x[:20000],
        y[:20000],
        optimizer=cynn.optimizers.Adam(0.01),
        epochs=3,
        validation_data=(x_test[:500], y_test[:500]),
        metrics=["accuracy"],
    )
    return net, x_test[:1000], y_test[:1000]


DEEP = cynn.Network.mlp([3, *[4] * 12, 2], activation="leaky_relu", output="softmax", seed=0)
WIDE = cynn.Network.mlp([20, 200, 1000, 300], activation="tanh", output="sigmoid", seed=0)
REGRESSION = cynn.Network.mlp([2, 8, 1], activation="tanh", seed=0)
SOME = np.random.default_rng(0).normal(size=(50, 20))

# A network that says 1 where its input is positive, and inputs.
SIGN = cynn.Network([cynn.Input(1), cynn.Dense(2, activation="softmax")], seed=0)
SIGN.layers[0].weights = [[-1.0, 1.0]]
POINTS = [[-2.0], [-1.0], [1.0], [3.0], [4.0]]


def texts(figure):
    """The texts of a figure that are seen, with their boxes in pixels."""
    figure.canvas.draw()
    found = []
    for ax in figure.axes:
        found += ax.texts
        legend = ax.get_legend()
        found += legend.get_texts() if legend else []
        if ax.axison:
            found += [ax.xaxis.label, ax.yaxis.label, ax.title]
            for axis in (ax.xaxis, ax.yaxis):
                low, high = sorted(axis.get_view_interval())
                ticks = axis.get_major_ticks() if axis.get_visible() else []
                found += [
                    label for tick in ticks if low <= tick.get_loc() <= high for label in (tick.label1, tick.label2)
                ]
    seen = [text for text in found if text.get_visible() and text.get_text().strip()]
    return [(text, text.get_window_extent()) for text in seen]


def check_layout(figure):
    """No text covers another, and nothing leaves the figure."""
    boxes = texts(figure)
    assert boxes
    for (one, a), (other, b) in itertools.combinations(boxes, 2):
        overlap = min(a.x1, b.x1) - max(a.x0, b.x0), min(a.y1, b.y1) - max(a.y0, b.y0)
        assert min(overlap) <= 0.5, (one.get_text(), other.get_text())
    page = figure.bbox
    for text, box in boxes:
        inside = page.x0 <= box.x0 + 1 and page.y0 <= box.y0 + 1 and box.x1 <= page.x1 + 1 and box.y1 <= page.y1 + 1
        assert inside, (text.get_text(), box, page)
    around = figure.get_tightbbox().transformed(figure.dpi_scale_trans)
    assert around.x0 >= page.x0 - 1 and around.y0 >= page.y0 - 1
    assert around.x1 <= page.x1 + 1 and around.y1 <= page.y1 + 1


# --------------------------------------------------------------------------------------------- all pictures


def pictures(digits):
    net, x, y = digits
    rows = np.random.default_rng(0).normal(size=(60, 3))
    sides = (rows[:, 0] > 0).astype(int)
    return {
        "digits": lambda ax: plot.network(net, ax=ax),
        "digits shown one": lambda ax: plot.network(net, x[0], shape=(28, 28), ax=ax),
        "digits in words": lambda ax: plot.network(net, x[0], labels=NAMES, ax=ax),
        "deep": lambda ax: plot.network(DEEP, rows[0], labels=["no", "yes"], ax=ax),
        "wide": lambda ax: plot.network(WIDE, SOME[0], ax=ax),
        "regression": lambda ax: plot.network(REGRESSION, [120.0, -3.0], ax=ax),
        "regression at rest": lambda ax: plot.network(REGRESSION, ax=ax),
        "weights": lambda ax: plot.weights(net, layer=1, shape=(28, 28), ax=ax),
        "weights in squares": lambda ax: plot.weights(net, layer=2, ax=ax),
        "weights in columns": lambda ax: plot.weights(net, 3, (16, 1), ax=ax),
        "weights in lines": lambda ax: plot.weights(WIDE, 2, limit=30, ax=ax),
        "weights of one": lambda ax: plot.weights(REGRESSION, 2, ax=ax),
        "activations": lambda ax: plot.activations(net, x[0], ax=ax),
        "activations of rows": lambda ax: plot.activations(WIDE, SOME, ax=ax),
        "activations of few": lambda ax: plot.activations(REGRESSION, [[120.0, -3.0], [1.0, 2.0]], ax=ax),
        "history": lambda ax: plot.history(net.history, ax=ax),
        "history with a rate": lambda ax: plot.history(
            {"loss": [3.0, 2.0, 1.0], "learning_rate": [0.1, 0.05, 0.01]}, ax=ax
        ),
        "confusion": lambda ax: plot.confusion(net, x, y, ax=ax),
        "confusion in words": lambda ax: plot.confusion(net, x, y, labels=NAMES, ax=ax),
        "confusion of two": lambda ax: plot.confusion(DEEP, rows, sides, labels=["no fish", "fish"], ax=ax),
        "confusion of many": lambda ax: plot.confusion(WIDE, SOME, np.arange(50), ax=ax),
        "mistakes": lambda ax: plot.mistakes(net, x, y, ax=ax),
        "mistakes in words": lambda ax: plot.mistakes(net, x, y, labels=NAMES, limit=7, ax=ax),
        "mistakes in lines": lambda ax: plot.mistakes(DEEP, rows, sides, ax=ax),
        "function": lambda ax: plot.function("relu", ax=ax),
        "function of rows": lambda ax: plot.function("softmax", ax=ax),
        "landscape": lambda ax: plot.landscape(net, x[:50], y[:50], points=7, ax=ax),
    }


@pytest.mark.parametrize("name", pictures((None, [None], None)))
def test_nothing_overlaps_and_nothing_is_cut_off(name, digits):
    draw = pictures(digits)[name]
    before = helpers.digest(digits[0])
    artists = draw(None)
    assert all(isinstance(group, list) for group in artists.values())
    drawn = [artist for group in artists.values() for artist in group]
    assert drawn
    assert {artist.figure for artist in drawn} == {pyplot.gcf()}
    check_layout(pyplot.gcf())
    assert helpers.digest(digits[0]) == before


@pytest.mark.parametrize("name", pictures((None, [None], None)))
def test_in_axes_of_ones_own(name, digits):
    figure, both = pyplot.subplots(1, 2, figsize=(13, 5), layout="constrained")
    artists = pictures(digits)[name](both[1])
    assert pyplot.get_fignums() == [figure.number]
    check_layout(figure)
    assert not both[0].has_data()
    for artist in itertools.chain.from_iterable(artists.values()):
        assert artist.figure is figure


def test_blue_and_orange_differ_in_grey():
    from cynn.plot import _style

    def grey(color):
        return matplotlib.colors.to_rgb(color) @ np.array([0.299, 0.587, 0.114])

    assert grey(_style.NEGATIVE) - grey(_style.POSITIVE) > 0.3
    ramp = [grey(_style.signed()(value)[:3]) for value in (0.0, 0.25, 0.5, 0.75, 1.0)]
    assert ramp[0] < ramp[1] < ramp[2] > ramp[3] > ramp[4]
    assert ramp[2] == pytest.approx(1.0, abs=0.01)


@pytest.mark.parametrize("name", plot.__all__)
def test_without_matplotlib_the_error_names_the_extra(name, monkeypatch):
    for module in [module for module in sys.modules if module.partition(".")[0] == "matplotlib"]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    x, y = [[0.0, 1.0, 2.0]], [1]
    arguments = {
        "network": (DEEP,),
        "weights": (DEEP,),
        "activations": (DEEP, x),
        "history": ({"loss": [1.0]},),
        "function": ("relu",),
    }
    with pytest.raises(MissingDependencyError, match=r'pip install "cynn-nn\[plot\]"'):
        getattr(plot, name)(*arguments.get(name, (DEEP, x, y)))


def test_matplotlib_is_imported_when_it_draws():
    code = "import sys, cynn; cynn.plot.network; print('matplotlib' in sys.modules, 'cynn.plot' in sys.modules)"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).split() == ["False", "True"]


def test_what_is_no_axes():
    with pytest.raises(InvalidParameterError, match="The 'ax' parameter of a plot must be the axes"):
        plot.function("relu", ax="here")


# -------------------------------------------------------------------------------------------------- network


class TestNetwork:
    def test_columns_edges_and_names(self, digits):
        drawn = plot.network(digits[0])
        assert [len(column.get_paths()) for column in drawn["neurons"]] == [16, 16, 16, 10]
        assert [len(edges.get_segments()) for edges in drawn["edges"]] == [256, 256, 160]
        assert [name.get_text() for name in drawn["names"]] == ["input", "sigmoid", "sigmoid", "softmax"]
        assert [label.get_text() for label in drawn["labels"]] == [str(k) for k in range(10)]
        assert [number.get_text() for number in drawn["numbers"]] == ["784"]
        assert (len(drawn["braces"]), len(drawn["dots"])) == (2, 1)
        assert drawn["winner"] == drawn["picture"] == []

    def test_neurons_do_not_touch(self):
        for column in plot.network(WIDE)["neurons"]:
            extents = sorted(path.get_extents().intervaly.tolist() for path in column.get_paths())
            assert all(below[1] < above[0] for below, above in itertools.pairwise(extents))

    def test_every_layer_that_is_cut_has_its_number(self):
        drawn = plot.network(WIDE)
        assert [number.get_text() for number in drawn["numbers"]] == ["20", "200", "1000", "300"]
        assert (len(drawn["braces"]), len(drawn["dots"])) == (8, 4)
        assert len(plot.network(WIDE, limit=4)["neurons"][2].get_paths()) == 4
        assert plot.network(DEEP, limit=4)["dots"] == []

    def test_edges_show_sign_and_size(self):
        net = cynn.Network([cynn.Input(2), cynn.Dense(2)], seed=0)
        net.layers[0].weights = [[1.0, -2.0], [0.5, -0.1]]
        (edges,) = plot.network(net)["edges"]
        order = [-0.1, 0.5, 1.0, -2.0]  # the largest lie on top
        reds, _, blues = edges.get_colors()[:, :3].T
        np.testing.assert_array_equal(blues > reds, np.array(order) > 0)
        widths = edges.get_linewidths()
        assert widths[0] < widths[1] < widths[2] <= widths[3]
        assert (np.diff(edges.get_alpha()) >= 0).all()
        (x0, y0), (x1, y1) = edges.get_segments()[0]
        assert x0 < x1
        assert y0 < 0 < 0.5 - y0  # from the lower neuron, the second
        assert y1 < 0

    def test_neurons_are_shaded_by_what_they_hold(self, digits):
        net, x, _ = digits
        drawn = plot.network(net, x[0])
        for column, a in zip(drawn["neurons"][1:], net.activations(x[0])[1:], strict=True):
            np.testing.assert_array_equal(column.get_array(), a)
            assert (column.norm.vmin, column.norm.vmax) == (0.0, 1.0)
        signed = plot.network(REGRESSION, [120.0, -3.0])["neurons"]
        assert (signed[0].norm.vmin, signed[0].norm.vmax) == (-120.0, 120.0)
        assert (signed[1].norm.vmin, signed[1].norm.vmax) == (-1.0, 1.0)

    def test_the_winner_is_marked(self, digits):
        net, x, _ = digits
        best = int(net.predict(x[0]).argmax())
        drawn = plot.network(net, x[0], labels=NAMES)
        bold = [label.get_text() for label in drawn["labels"] if label.get_fontweight() == "bold"]
        assert bold == [f"{NAMES[best]}  {net.predict(x[0])[best]:.2f}"]
        pyplot.gcf().canvas.draw()
        (frame,) = [frame.get_window_extent() for frame in drawn["winner"]]
        inside = drawn["labels"][best].get_window_extent()
        assert frame.x0 < inside.x0 and inside.x1 < frame.x1
        assert frame.y0 < inside.y0 and inside.y1 < frame.y1

    def test_all_of_it_lies_within_its_axes(self, digits):
        """Also where no layout makes room for what does not."""
        figure, ax = pyplot.subplots(figsize=(9, 5))
        drawn = plot.network(digits[0], digits[1][0], labels=NAMES, shape=(28, 28), ax=ax)
        figure.canvas.draw()
        window = ax.get_window_extent()
        del drawn["neurons"], drawn["edges"]  # collections have no extent of their own
        for artist in itertools.chain.from_iterable(drawn.values()):
            box = artist.get_window_extent()
            assert window.x0 <= box.x0 <= box.x1 <= window.x1, artist
            assert window.y0 <= box.y0 <= box.y1 <= window.y1, artist

    def test_the_winner_of_many_is_drawn(self):
        net = cynn.Network.mlp([4, 300], output="softmax", seed=3)
        drawn = plot.network(net, [1.0, 2.0, 3.0, 4.0])
        (bold,) = [label.get_text() for label in drawn["labels"] if label.get_fontweight() == "bold"]
        assert int(bold.split()[0]) == net.predict([1.0, 2.0, 3.0, 4.0]).argmax()

    def test_of_many_outputs_at_rest_the_first_and_the_last_are_drawn(self):
        labels = [label.get_text() for label in plot.network(WIDE, limit=5)["labels"]]
        assert labels == ["0", "1", "2", "298", "299"]

    def test_values_have_no_winner(self):
        assert plot.network(REGRESSION, [1.0, 2.0])["winner"] == []
        net = cynn.Network.mlp([2, 3], seed=0)
        assert plot.network(net, [1.0, 2.0])["winner"] == []

    def test_the_neurons_that_say_most_are_drawn(self):
        net = cynn.Network.mlp([40, 2], seed=0)
        w = np.zeros((40, 2))
        w[5::2] = 1.0
        net.layers[0].weights = w
        (first, _) = plot.network(net, np.arange(40.0))["neurons"]
        np.testing.assert_array_equal(first.get_array(), np.arange(9.0, 40.0, 2.0))

    def test_the_picture_of_x(self, digits):
        net, x, _ = digits
        (picture,) = plot.network(net, x[0], shape=(28, 28))["picture"]
        np.testing.assert_allclose(picture.get_array(), x[0].reshape(28, 28) / x[0].max())
        left, right, bottom, top = picture.get_extent()
        assert right - left == top - bottom
        assert right < -1

    def test_layers_of_other_kinds(self):
        """What has no weights hands on; what has no activation is called by its name."""

        class Described:
            def __init__(self, units, **others):
                self.units, self.__dict__ = units, {"units": units, **others}

        sigmoid = SimpleNamespace(name="sigmoid")
        net = SimpleNamespace(
            input=Described(3),
            outputs=2,
            layers=[
                Described(3, name="dropout"),
                Described(3, name="batch_norm", weights=np.ones(3)),
                Described(2, name="dense", activation=sigmoid, weights=np.ones((3, 2))),
                Described(2),
            ],
            activations=lambda x: [x, x, x, x[:2], x[:2]],
        )
        drawn = plot.network(net, np.ones(3))
        assert [name.get_text() for name in drawn["names"]][:4] == ["input", "dropout", "batch_norm", "sigmoid"]
        assert [len(edges.get_segments()) for edges in drawn["edges"]] == [3, 3, 6, 2]
        assert drawn["winner"] == []
        check_layout(pyplot.gcf())

    def test_a_layer_without_weights_shows_the_neurons_that_the_next_one_takes(self):
        dropout = SimpleNamespace(name="dropout", units=1000)
        net = SimpleNamespace(
            input=WIDE.input,
            outputs=300,
            layers=[*WIDE.layers[:2], dropout, WIDE.layers[2]],
            activations=lambda x: [*WIDE.activations(x)[:3], *WIDE.activations(x)[2:]],
        )
        drawn = plot.network(net, SOME[0])
        assert len(drawn["edges"][2].get_segments()) == 16
        np.testing.assert_array_equal(drawn["neurons"][2].get_array(), drawn["neurons"][3].get_array())

    def test_layers_that_take_others_than_the_one_before(self):
        def described(units, **others):
            return SimpleNamespace(units=units, name="layer", **others)

        net = SimpleNamespace(
            input=described(3),
            outputs=5,
            layers=[
                described(2, weights=np.ones((3, 2))),
                described(3, weights=np.ones((3, 3))),  # of the input
                described(5),  # both, side by side
                described(5),  # the sum of that and itself
            ],
            get_config=lambda: {"sources": [[0], [0], [1, 2], [3, 3]]},
        )
        drawn = plot.network(net)["edges"]
        assert [len(edges.get_segments()) for edges in drawn] == [6, 9, 5, 10]
        starts = [{tuple(start) for start, _ in edges.get_segments()} for edges in drawn]
        assert starts[0] == starts[1]
        joined = sorted((start[0], start[1], end[1]) for start, end in drawn[2].get_segments())
        assert [end for *_, end in joined] == [1.0, 2.0, -2.0, -1.0, 0.0]

    def test_errors(self):
        with pytest.raises(ShapeError, match=r"must be one row. Got 50 instead"):
            plot.network(WIDE, SOME)
        with pytest.raises(ShapeError, match=r"must have one label per output, 2. Got 3 instead"):
            plot.network(DEEP, labels="abc")
        with pytest.raises(ShapeError, match="must hold 20 numbers"):
            plot.network(WIDE, SOME[0], shape=(28, 28))
        with pytest.raises(InvalidParameterError, match=r"The 'limit' parameter of plot.network"):
            plot.network(DEEP, limit=0)


# ------------------------------------------------------------------------------------------ the other ones


class TestWeights:
    def test_one_picture_a_neuron_on_one_scale(self, digits):
        net = digits[0]
        drawn = plot.weights(net, layer=1, shape=(28, 28))
        assert [number.get_text() for number in drawn["numbers"]] == [str(k) for k in range(16)]
        for k, picture in enumerate(drawn["pictures"]):
            np.testing.assert_array_equal(
                picture.get_array(), net.layers[0].weights[:, k].astype(float).reshape(28, 28)
            )
        assert len({picture.get_clim() for picture in drawn["pictures"]}) == 1
        low, high = drawn["pictures"][0].get_clim()
        assert low == -high < 0
        assert high < np.abs(net.layers[0].weights).max()
        small = plot.weights(net, layer=2)["pictures"][0].get_clim()
        assert small[1] == pytest.approx(np.abs(net.layers[1].weights).max())
        assert len(drawn["bar"]) == 1

    def test_pictures_do_not_overlap(self, digits):
        extents = [picture.get_extent() for picture in plot.weights(digits[0])["pictures"]]
        for a, b in itertools.combinations(extents, 2):
            assert a[1] <= b[0] or b[1] <= a[0] or a[3] <= b[2] or b[3] <= a[2]

    @pytest.mark.parametrize("layer, shape, expected", [(1, None, (28, 28)), (2, None, (4, 4)), (3, (2, 8), (2, 8))])
    def test_shapes(self, digits, layer, shape, expected):
        assert plot.weights(digits[0], layer, shape)["pictures"][0].get_array().shape == expected

    def test_what_is_no_square_is_a_line(self):
        assert plot.weights(DEEP)["pictures"][0].get_array().shape == (1, 3)

    def test_errors(self, digits):
        with pytest.raises(InvalidParameterError, match=r"must be a whole number >= 1 and <= 3. Got 4 instead"):
            plot.weights(digits[0], 4)
        with pytest.raises(ShapeError, match=r"must hold 16 numbers, one per input. Got \(28, 28\) instead"):
            plot.weights(digits[0], 2, (28, 28))
        with pytest.raises(InvalidParameterError, match=r"must be \(rows, columns\). Got 28 instead"):
            plot.weights(digits[0], 1, 28)
        bare = SimpleNamespace(layers=[SimpleNamespace(name="dropout", units=3)])
        with pytest.raises(InvalidParameterError, match=r"must be a layer with weights. Got 1, "):
            plot.weights(bare)


class TestActivations:
    def test_a_strip_a_layer(self, digits):
        net, x, _ = digits
        drawn = plot.activations(net, x[:5])
        for strip, a in zip(drawn["strips"], net.activations(x[:5]), strict=True):
            np.testing.assert_array_equal(strip.get_array(), a)
        assert len(drawn["ranges"]) == 4
        pyplot.gcf().canvas.draw()
        edge = pyplot.gca().get_window_extent().x1
        assert all(text.get_window_extent().x0 > edge for text in drawn["ranges"])
        labels = [label.get_text() for label in pyplot.gca().get_yticklabels()]
        assert labels == ["input  784", "sigmoid  16", "sigmoid  16", "softmax  10"]

    def test_ranges(self):
        net = cynn.Network.mlp([2, 1], seed=0)
        net.layers[0].weights = [[0.0004], [0.0]]
        drawn = plot.activations(net, [-2.5, 1000.0])
        assert [text.get_text() for text in drawn["ranges"]] == ["-2.5 to 1e+03", "0 to 0"]


class TestHistory:
    def test_lines(self, digits):
        history = digits[0].history
        drawn = plot.history(history)
        np.testing.assert_array_equal(drawn["training"][0].get_xydata().T, [[1, 2, 3], history["loss"]])
        np.testing.assert_array_equal(drawn["validation"][0].get_ydata(), history["val_loss"])
        assert drawn["learning_rate"] == []
        drawn = plot.history(history.history, "accuracy")
        np.testing.assert_array_equal(drawn["training"][0].get_ydata(), history["accuracy"])

    def test_the_learning_rate_has_its_own_scale(self):
        drawn = plot.history({"loss": [3.0, 2.0], "learning_rate": [0.1, 0.05]})
        (rate,) = drawn["learning_rate"]
        assert rate.axes is not drawn["training"][0].axes
        assert rate.axes.get_ylabel() == "learning rate"
        assert rate.axes.get_ylim()[0] == 0
        legend = [text.get_text() for text in drawn["training"][0].axes.get_legend().get_texts()]
        assert legend == ["training", "learning rate"]

    def test_errors(self, digits):
        with pytest.raises(UnknownNameError, match=r"no figure of this history named 'lost'.*'loss'"):
            plot.history(digits[0].history, "lost")
        with pytest.raises(InvalidParameterError, match="must hold at least one epoch"):
            plot.history(cynn.training.History())
        with pytest.raises(InvalidParameterError, match=r"must be what fit returned. Got 3 instead"):
            plot.history(3)


class TestConfusion:
    @pytest.mark.parametrize("y", [[0, 0, 1, 0, 1], np.eye(2)[[0, 0, 1, 0, 1]], [[0], [0], [1], [0], [1]]])
    def test_counts(self, y):
        drawn = plot.confusion(SIGN, POINTS, y)
        placed = {(round(c.get_position()[1]), round(c.get_position()[0])): c.get_text() for c in drawn["counts"]}
        assert placed == {(0, 0): "2", (0, 1): "1", (1, 1): "2"}
        np.testing.assert_allclose(drawn["cells"][0].get_array() ** 2, [[2 / 3, 1 / 3], [0, 1]])

    def test_one_output(self):
        net = cynn.Network([cynn.Input(1), cynn.Dense(1, activation="sigmoid")], seed=0)
        net.layers[0].weights = [[1.0]]
        drawn = plot.confusion(net, POINTS, [0, 1, 1, 1, 1], labels=["no", "yes"])
        assert [count.get_text() for count in drawn["counts"]] == ["1", "1", "3"]

    def test_errors(self):
        with pytest.raises(ShapeError, match=r"must have one class for each of 5 rows. Got the shape"):
            plot.confusion(SIGN, POINTS, [0, 1])
        with pytest.raises(InvalidParameterError, match=r"whole numbers from 0 to 1. Got 2 in row 1 instead"):
            plot.confusion(SIGN, POINTS, [0, 2, 1, 0, 0])
        with pytest.raises(InvalidParameterError, match=r"Got nan in row 1 instead"):
            plot.confusion(SIGN, POINTS, [0.0, np.nan, 1, 0, 0])
        with pytest.raises(InvalidParameterError, match=r"must be classes as numbers. Got the dtype <U3"):
            plot.confusion(SIGN, POINTS, ["cat"] * 5)
        with pytest.raises(InvalidParameterError, match=r"Got 0.5 in row 0 instead"):
            plot.confusion(SIGN, POINTS, [0.5, 1, 1, 0, 0])


class TestMistakes:
    def test_the_surest_come_first(self, digits):
        net, x, y = digits
        drawn = plot.mistakes(net, x, y, limit=12)
        said = net.predict(x)
        wrong = np.flatnonzero(said.argmax(axis=1) != y)
        row = wrong[said[wrong].max(axis=1).argmax()]
        assert drawn["captions"][0].get_text() == f"{said[row].argmax()}, not {y[row]}"
        np.testing.assert_allclose(drawn["pictures"][0].get_array(), x[row].reshape(28, 28) / x[row].max())
        assert len(drawn["pictures"]) == len(drawn["captions"]) == 12
        assert drawn["none"] == []

    def test_captions_fit_into_small_axes(self, digits):
        figure, ax = pyplot.subplots(figsize=(4, 3))
        plot.mistakes(*digits, labels=NAMES, ax=ax)
        check_layout(figure)

    def test_no_mistakes(self):
        drawn = plot.mistakes(SIGN, POINTS, [0, 0, 1, 1, 1])
        assert [text.get_text() for text in drawn["none"]] == ["no mistakes in 5 rows"]
        assert drawn["pictures"] == []
        check_layout(pyplot.gcf())


class TestFunction:
    def test_curves(self):
        drawn = plot.function("tanh", z=(-2.0, 2.0))
        z, a = drawn["f"][0].get_data()
        np.testing.assert_allclose(a, np.tanh(z), atol=1e-12)
        np.testing.assert_allclose(drawn["derivative"][0].get_ydata(), 1 - np.tanh(z) ** 2, atol=1e-12)
        assert (z[0], z[-1]) == (-2.0, 2.0)

    def test_of_a_row(self):
        drawn = plot.function("softmax")
        z, a = drawn["f"][0].get_data()
        np.testing.assert_allclose(a, 1 / (1 + np.exp(-z)), atol=1e-12)
        np.testing.assert_allclose(drawn["derivative"][0].get_ydata(), a * (1 - a), atol=1e-12)

    def test_an_instance(self):
        drawn = plot.function(cynn.activations.LeakyReLU(negative_slope=0.5))
        assert drawn["f"][0].get_ydata()[0] == -2.5


class TestLandscape:
    def test_the_middle_is_the_network(self):
        net = cynn.Network.mlp([1, 1], seed=0, dtype="float64")
        net.layers[0].weights = [[3.0]]
        x, y = [[1.0], [2.0]], [1.0, 2.0]
        plot.landscape(net, x, y, points=5, reach=2.0)
        ax = pyplot.gcf().axes[0]
        assert ax.get_xlim() == (-2.0, 2.0)
        assert net.layers[0].weights == [[3.0]]

    def test_layers_within_layers_move_too(self):
        from cynn.plot import _landscape

        inner = SimpleNamespace(weights=np.ones((2, 2)))
        outer = SimpleNamespace(layers=[inner])
        assert list(_landscape._walk([outer, inner])) == [outer, inner, inner]

    def test_heights(self, monkeypatch):
        """A weight of 3 in a plane of two directions, each as long as it: 3 (1 ± α ± β)."""
        from matplotlib.axes import Axes

        seen = {}
        contourf = Axes.contourf
        monkeypatch.setattr(
            Axes, "contourf", lambda self, a, b, c, **o: seen.update(c=c) or contourf(self, a, b, c, **o)
        )
        net = cynn.Network.mlp([1, 1], seed=0, dtype="float64")
        net.layers[0].weights = [[3.0]]
        plot.landscape(net, [[1.0]], [1.0], points=3, seed=1)
        assert seen["c"][1, 1] == pytest.approx((3 - 1) ** 2)
        expected = [(3 * (1 + a + b) - 1) ** 2 for b in (-1, 0, 1) for a in (-1, 0, 1)]
        assert sorted(seen["c"].ravel()) == pytest.approx(sorted(expected))

    def test_the_same_seed_is_the_same_plane(self):
        lines = [
            plot.landscape(REGRESSION, [[1.0, 2.0]], [0.5], points=5, seed=seed)["contours"][1].allsegs
            for seed in (0, 0, 1)
        ]
        flat = [np.concatenate([segment for level in each for segment in level]).tolist() for each in lines]
        assert flat[0] == flat[1] != flat[2]

    def test_where_the_loss_is_infinite_nothing_is_drawn(self):
        net = cynn.Network.mlp([1, 1, 1], activation="identity", seed=0)
        net.layers[0].weights = net.layers[1].weights = [[1e19]]
        contours, _ = plot.landscape(net, [[1.0]], [0.0], loss="mean_absolute_error", points=5)["contours"]
        assert np.isfinite(contours.levels).all()
        assert contours.levels[-1] < 4e38
        check_layout(pyplot.gcf())
        net.layers[0].weights = [[1e38]]
        with pytest.raises(cynn.errors.DataError, match=r"The loss must be finite somewhere on the plane"):
            plot.landscape(net, [[1e38]], [0.0], points=2, reach=0.1)

    def test_a_flat_one(self):
        net = cynn.Network.mlp([1, 1], seed=0)
        net.layers[0].weights = [[0.0]]
        plot.landscape(net, [[1.0]], [0.0], points=3)
        check_layout(pyplot.gcf())


# ------------------------------------------------------------------------------------------ the command line


@pytest.fixture
def model(tmp_path, monkeypatch, digits):
    monkeypatch.chdir(tmp_path)
    digits[0].save("digits.safetensors")
    return tmp_path


def size_of_png(path):
    data = path.read_bytes()
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    return int.from_bytes(data[16:20], "big"), int.from_bytes(data[20:24], "big")


class TestCommandLine:
    @pytest.mark.parametrize(
        "picture", ["network", "weights", "activations", "confusion", "mistakes", "landscape", "function"]
    )
    def test_every_picture(self, model, picture, capsys, monkeypatch):
        monkeypatch.setattr("cynn.cli.LANDSCAPE_ROWS", 10)
        assert main(["plot", "digits.safetensors", picture]) == 0
        assert capsys.readouterr().out == f"the picture is in digits-{picture}.png\n"
        assert min(size_of_png(model / f"digits-{picture}.png")) > 200
        assert pyplot.get_fignums() == []

    def test_the_network_is_drawn_by_default_and_can_show_a_row(self, model, capsys):
        assert main(["plot", "digits.safetensors", "--output", "plain.svg"]) == 0
        assert main(["plot", "digits.safetensors", "--row", "3", "--output", "row.svg"]) == 0
        plain, row = ((model / name).read_text() for name in ("plain.svg", "row.svg"))
        assert "<image" in row and "<image" not in plain

    def test_no_window_is_asked_for(self, model):
        environment = {name: value for name, value in os.environ.items() if "DISPLAY" not in name}
        command = [sys.executable, "-m", "cynn", "plot", "digits.safetensors", "function"]
        subprocess.run(command, env=environment | {"MPLBACKEND": "module://no_such_window"}, check=True, cwd=model)
        assert (model / "digits-function.png").exists()

    def test_train(self, model, capsys):
        assert main(["train", "--epochs", "1", "--hidden", "none", "--quiet", "--plot", "loss.png"]) == 0
        assert capsys.readouterr().out.endswith("the curve of the loss is in loss.png\n")
        assert min(size_of_png(model / "loss.png")) > 200

    @pytest.mark.parametrize(
        "arguments, message",
        [
            (["plot", "digits.safetensors", "--output", "a.xyz"], "--output must be a file that ends in one of"),
            (["plot", "digits.safetensors", "--output", "no/a.png"], "must be in a folder that exists"),
            (["plot", "digits.safetensors", "--row", "10000"], "--row must be from 0 to 9999. Got 10000 instead"),
            (["plot", "digits.safetensors", "weights", "--layer", "9"], "--layer must be from 1 to 3. Got 9"),
            (["plot", "digits.safetensors", "weights", "--shape", "28"], "such as 28x28. Got '28' instead"),
            (["plot", "digits.safetensors", "painting"], "invalid choice: 'painting'"),
            (["train", "--plot", "a.xyz"], "--plot must be a file that ends in one of"),
        ],
    )
    def test_what_is_wrong_is_said_at_once(self, model, capsys, arguments, message):
        assert main(arguments) == 2
        out, err = capsys.readouterr()
        assert out == ""
        assert message in err


@pytest.mark.parametrize("name", ["network", "confusion", "mistakes"])
def test_a_network_of_several_outputs(name):
    x = cynn.Input(4)
    net = cynn.Network([cynn.Dense(3, "softmax")(x), cynn.Dense(1)(x)], seed=0)
    arguments = [] if name == "network" else [np.zeros((2, 4)), [0, 1]]
    with pytest.raises(InvalidParameterError, match=rf"plot\.{name} must be a network of one output"):
        getattr(cynn.plot, name)(net, *arguments)
