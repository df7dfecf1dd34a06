"""How the gallery is made: in which order its scripts stand, and what is done with their pictures."""

import re
from pathlib import Path
from unittest import mock

from matplotlib.animation import Animation
from sphinx_gallery.scrapers import matplotlib_scraper

ORDER = [
    "digits",
    "spiral",
    "depth",
    "uncertainty",
    "table",
    "flats",
    "imbalanced",
    "autoencoder",
    "augmentation",
    "one_cycle",
    "pipeline",
    "same_course",
    "search",
    "early_stopping",
    "custom_activation",
    "physics",
    "option_prices",
    "energies_and_forces",
]


_save = Animation.save


class Order:
    """The key by which sphinx-gallery sorts: easy ones first. A script that is not listed is an error."""

    def __init__(self, folder):
        pass

    def __call__(self, filename):
        return ORDER.index(filename.removesuffix(".py"))


_THUMBNAIL = re.compile(
    r'(<div class="sphx-glr-thumbcontainer") tooltip="([^"]*)"(>.*?<div class="sphx-glr-thumbnail-title">.*?</div>)',
    re.S,
)


def _with_text(app, page, template, context, doctree):
    """In the overview, what a script is about stands under its title, rather than where the mouse is."""
    if page == "gallery/index":
        context["body"] = _THUMBNAIL.sub(r'\1\3<p class="about">\2</p>', context["body"])


def setup(app):
    app.connect("html-page-context", _with_text)
    return {"parallel_read_safe": True}


def scraper(block, block_vars, gallery_conf):
    """Figures and animations. In the overview, an animation is its last frame; no icons are asked of a server."""
    stills = []

    def save(animation, path, **options):
        if Path(path).suffix == ".gif":  # for the overview
            stills.append((animation, path))
        else:
            _save(animation, path, **options)

    with mock.patch.object(Animation, "save", save):
        rst = matplotlib_scraper(block, block_vars, gallery_conf)
    for animation, path in stills:
        animation._fig.savefig(Path(path).with_suffix(".png"))
    return re.sub(r'<link rel="stylesheet"\s+href="https://[^"]+">', "", rst)
