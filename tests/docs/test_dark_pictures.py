"""Pictures of the pages in the dark: greys of text, axes and lines are turned round, and nothing else."""

import base64
import importlib
import io
import re
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

pytest.importorskip("matplotlib")
from matplotlib import colors
from matplotlib.animation import FuncAnimation
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image


@pytest.fixture(scope="module")
def dark():
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(Path(__file__).parents[2] / "docs" / "_extensions")
        yield importlib.import_module("dark")


@pytest.fixture
def figure():
    figure = Figure(figsize=(4, 2), dpi=50)
    FigureCanvasAgg(figure)
    left, right = figure.subplots(1, 2)
    left.plot([0, 1], [0, 1], color="red", label="red")
    left.plot([0, 1], [1, 0], color="0.2")
    left.bar([0.5], [0.5], color="tab:blue")
    left.text(0.5, 0.25, "on a bar", color="black", ha="center")
    left.text(0.1, 0.9, "on the ground", color="black")
    left.text(0.9, 0.9, "in a box", color="black", bbox={"facecolor": "white"})
    left.legend()
    right.imshow(np.eye(3), cmap="Greys")
    right.text(0, 0, "on an image", color="white")
    right.set_title("title")
    right.pcolormesh([3, 4], [0, 1], [[0]], cmap="Greys", vmin=0, vmax=1)
    right.text(3.5, 0.5, "on a cell", color="black", ha="center", va="center")
    return figure


def lightness(colour):
    return np.mean(colors.to_rgb(colour))


def test_what_changes_and_what_does_not(dark, figure):
    left, right = figure.axes
    with dark.in_the_dark(figure):
        assert lightness(figure.get_facecolor()) < 0.2
        assert lightness(left.get_facecolor()) < 0.2
        assert lightness(left.get_legend().get_frame().get_facecolor()) < 0.2
        assert lightness(right.title.get_color()) > 0.8
        assert lightness(left.xaxis.get_ticklabels()[0].get_color()) > 0.8
        assert lightness(left.spines["left"].get_edgecolor()) > 0.8
        assert lightness(left.xaxis.get_ticklines()[0].get_color()) > 0.8
        assert lightness(left.lines[1].get_color()) > 0.6
        assert lightness(left.lines[0].get_color()) < 0.5
        assert left.lines[0].get_color()[0] == 1
        assert colors.same_color(left.patches[0].get_facecolor(), "tab:blue")
        on_a_bar, on_the_ground, in_a_box = left.texts
        assert lightness(in_a_box.get_color()) > 0.8
        assert lightness(in_a_box.get_bbox_patch().get_facecolor()) < 0.2
        assert on_a_bar.get_color() == "black"
        assert lightness(on_the_ground.get_color()) > 0.8
        assert [text.get_color() for text in right.texts] == ["white", "black"]
    assert lightness(figure.get_facecolor()) == 1
    assert lightness(right.title.get_color()) == 0
    assert lightness(left.lines[1].get_color()) == pytest.approx(0.2)


def test_both_are_saved_and_the_light_one_stays_as_it_was(dark, figure, tmp_path):
    figure.savefig(tmp_path / "before.png")
    dark._save_both(figure, str(tmp_path / "both.png"))
    assert (tmp_path / "both.png").read_bytes() == (tmp_path / "before.png").read_bytes()
    assert np.asarray(Image.open(tmp_path / "both.png").convert("L")).mean() > 150
    assert np.asarray(Image.open(tmp_path / "both.dark.png").convert("L")).mean() < 100


def test_pages_show_the_one_or_the_other(dark, tmp_path):
    images = tmp_path / "gallery" / "images"
    images.mkdir(parents=True)
    (images / "a.dark.png").touch()
    (images / "a_2x.dark.png").touch()
    app = SimpleNamespace(srcdir=tmp_path, doctreedir=tmp_path / "doctrees", outdir=tmp_path / "out")
    a = '<img src="../_images/a.png" srcset="../_images/a.png, ../_images/a_2x.png 2x" alt="A" class="one"/>'
    context = {"body": f'<p>{a}<img src="_images/b.png"></p>'}
    dark._both(app, "page", "page.html", context, None)
    light = a.replace('class="', 'class="only-light ').replace("<img ", '<img loading="lazy" ')
    its_dark = light.replace("only-light", "only-dark").replace(".png", ".dark.png")
    assert context["body"] == f'<p>{light}{its_dark}<img src="_images/b.png"></p>'


def frames(part):
    """The pictures of an animation."""
    found = re.findall(r'"data:image/png;base64,([^"]+)"', part.replace("\\\n", ""))
    return [np.asarray(Image.open(io.BytesIO(base64.b64decode(each))).convert("L")) for each in found]


def test_an_animation_is_drawn_twice(dark, figure):
    line = figure.axes[0].lines[0]
    animation = FuncAnimation(figure, lambda frame: line.set_ydata([0, frame]), frames=3)
    light, dark_one = dark._to_both(animation).split('<div class="only-dark">')
    assert light.startswith('<div class="only-light">')
    assert [picture.mean() > 150 for picture in frames(light)] == [True] * 3
    assert [picture.mean() < 100 for picture in frames(dark_one)] == [True] * 3
    assert lightness(figure.get_facecolor()) == 1
