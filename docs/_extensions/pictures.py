"""How the gallery is made: in which order its scripts stand, and what is done with their pictures."""

import re

from sphinx_gallery.scrapers import matplotlib_scraper

ORDER = [
    "digits",
    "spiral",
    "uncertainty",
    "table",
    "imbalanced",
    "autoencoder",
    "one_cycle",
    "early_stopping",
    "custom_activation",
    "physics",
]


class Order:
    """The key by which sphinx-gallery sorts: easy ones first. A script that is not listed is an error."""

    def __init__(self, folder):
        pass

    def __call__(self, filename):
        return ORDER.index(filename.removesuffix(".py"))


def scraper(block, block_vars, gallery_conf):
    """Figures and animations, of which the latter ask a server for icons that the theme brings along."""
    rst = matplotlib_scraper(block, block_vars, gallery_conf)
    return re.sub(r'<link rel="stylesheet"\s+href="https://[^"]+">', "", rst)
