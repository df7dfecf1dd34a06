"""Pictures for the dark theme: what matplotlib saves as `name.png` while the pages are built is saved as
`name.dark.png`, too, with light text and lines on a dark ground, and pages show the one or the other. Animations are
drawn twice likewise.

The greys of text, axes and lines change, and dark colours of lines; images and what is filled stay as they are.
"""

import contextlib
import re
import shutil
from pathlib import Path

import numpy as np
from matplotlib import colors
from matplotlib.animation import Animation
from matplotlib.axes import Axes
from matplotlib.collections import QuadMesh
from matplotlib.figure import Figure
from matplotlib.legend import Legend
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.table import Cell
from matplotlib.text import Text
from PIL import Image

GROUND, INK = np.array([20, 24, 30]) / 255, np.array([0.92] * 3)  # for white, that of the theme, and for black
TAG = re.compile(r"<img\b[^>]*>")
NUMBER = re.compile(r"sphinx_gallery_thumbnail_number = (\d+)")
FILE = re.compile(r"_images/([^\"\s]+?)\.png")


def darkened(colour):
    """A grey turned round, and any other colour lighter if it is dark."""
    *rgb, alpha = colors.to_rgba(colour)
    if np.ptp(rgb) < 0.02:
        return (*(INK + (GROUND - INK) * rgb[0]), alpha)
    missing = max(0, 0.4 - np.mean(rgb)) / 0.6
    return (*(np.array(rgb) + missing * (1 - np.array(rgb))), alpha)


def _grounds(figure):
    """The patches that others stand on."""
    yield figure.patch
    for axes in figure.findobj(Axes):
        yield axes.patch
    for legend in figure.findobj(Legend):
        yield legend.get_frame()
    yield from figure.findobj(Cell)
    for text in figure.findobj(Text):
        if (box := text.get_bbox_patch()) is not None:
            yield box


def _is_over_something(text):
    """Whether a text stands within axes on an image or on what is filled, to which its colour was chosen."""
    axes = text.axes
    if axes is None or text not in axes.texts:
        return False
    x, y = text.get_window_extent().get_points().mean(axis=0)
    meshes = [each for each in axes.collections if isinstance(each, QuadMesh)]
    if any(image.get_window_extent().contains(x, y) for image in [*axes.images, *meshes]):
        return True
    return any(patch.get_fill() and patch.get_facecolor()[3] > 0.5 and patch.contains_point((x, y))
               for patch in axes.patches)  # fmt: skip


def _changes(figure):
    """(setter, colour) of all that changes."""
    for ground in _grounds(figure):
        yield ground.set_facecolor, ground.get_facecolor()
        yield ground.set_edgecolor, ground.get_edgecolor()
    for artist in figure.findobj():
        if isinstance(artist, Line2D) or (isinstance(artist, Text) and not _is_over_something(artist)):
            yield artist.set_color, artist.get_color()
        elif isinstance(artist, Patch):
            yield artist.set_edgecolor, artist.get_edgecolor()


@contextlib.contextmanager
def in_the_dark(figure):
    """Within it, the figure has the colours of the dark theme."""
    figure.canvas.draw()  # so that everything has its place
    found = list(_changes(figure))
    try:
        for setter, colour in found:
            setter(darkened(colour))
        yield
    finally:
        for setter, colour in found:
            setter(colour)


_savefig = Figure.savefig


def _save_both(figure, path, **options):
    _savefig(figure, path, **options)
    if Path(str(path)).suffix == ".png":
        dark = Path(str(path)).with_suffix(".dark.png")
        with in_the_dark(figure):
            _savefig(figure, dark, **options | {"facecolor": figure.get_facecolor()})


_to_jshtml = Animation.to_jshtml


def _to_both(animation, **options):
    light = _to_jshtml(animation, **options)
    del animation._html_representation  # which would be returned once more
    with in_the_dark(animation._fig):
        dark = _to_jshtml(animation, **options)
    dark = dark.replace("<img ", '<img class="only-dark" ')  # whose colours the theme leaves as they are
    return f'<div class="only-light">{light}</div><div class="only-dark">{dark}</div>'


# ----------------------------------------------------------------------------------------------- pages


def _files(app):
    """The dark pictures, by the name of the light one without its ending."""
    folders = (Path(app.srcdir, "gallery", "images"), Path(app.doctreedir).parent / "plot_directive")
    return {path.name.removesuffix(".dark.png"): path for folder in folders for path in folder.rglob("*.dark.png")}


def _both(app, page, template, context, doctree):
    """Each picture of a page that has a dark one is followed by it; the theme shows one of them."""
    known = _files(app)

    def both(tag):
        text = tag[0]
        names = FILE.findall(text)
        if not names or not all(name in known for name in names):
            return text
        text = re.sub(r'\s*\bloading="[^"]*"', "", text)  # one that is not shown is not loaded
        dark = FILE.sub(r"_images/\1.dark.png", text)
        return _with_class(text, "only-light") + _with_class(dark, "only-dark")

    if "body" in context:
        context["body"] = TAG.sub(both, context["body"])


def _thumbnails(app, env):
    """Small ones for the overview of the gallery, of the picture that each script names, or its first."""
    for path in Path(app.srcdir, "gallery", "images", "thumb").glob("*_thumb.png"):
        name = path.name.removeprefix("sphx_glr_").removesuffix("_thumb.png")
        named = NUMBER.search(Path(app.srcdir, "examples", "gallery", f"{name}.py").read_text(encoding="utf-8"))
        dark = path.parents[1] / f"sphx_glr_{name}_{int(named[1]) if named else 1:03}.dark.png"
        if dark.exists():
            small = Image.new("RGB", Image.open(path).size, tuple(int(255 * part) for part in GROUND))
            picture = Image.open(dark).convert("RGB")
            picture.thumbnail(small.size)
            small.paste(picture, tuple((all_ - own) // 2 for all_, own in zip(small.size, picture.size, strict=True)))
            small.save(path.with_suffix(".dark.png"))


def _with_class(tag, name):
    if 'class="' in tag:
        tag = tag.replace('class="', f'class="{name} ', 1)
    else:
        tag = tag.replace("<img ", f'<img class="{name}" ', 1)
    return tag.replace("<img ", '<img loading="lazy" ', 1)


def _copy(app, error):
    if error is None and app.builder.format == "html":
        images = Path(app.outdir, "_images")
        for name, path in _files(app).items():
            if (images / f"{name}.png").exists():
                shutil.copy(path, images)


def setup(app):
    Figure.savefig = _save_both
    Animation.to_jshtml = _to_both
    app.connect("env-updated", _thumbnails)
    app.connect("html-page-context", _both)
    app.connect("build-finished", _copy)
    return {"parallel_read_safe": True}
