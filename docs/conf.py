"""The Sphinx site. Build it with: sphinx-build -W docs docs/_build"""

import sys
from pathlib import Path

import cynn

sys.path.insert(0, str(Path(__file__).parent / "_extensions"))

project = "CyNN"
author = "The CyNN developers"
copyright = author
version = release = cynn.__version__

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "numpydoc",
    "myst_parser",
    "matplotlib.sphinxext.plot_directive",
    "gallery",
]
templates_path = ["_templates"]
exclude_patterns = ["_build"]
default_role = "code"

autosummary_generate = True
autodoc_typehints = "none"  # the docstrings name the types
numpydoc_show_class_members = False

plot_formats = [("png", 144)]
plot_html_show_formats = False
plot_html_show_source_link = False

html_theme = "pydata_sphinx_theme"
html_title = "CyNN"
html_sidebars = {"*": []}  # what is at the top has no sections beside it; the reference has
html_static_path = ["_static"]
html_css_files = ["gallery.css"]
html_theme_options = {"show_prev_next": False, "secondary_sidebar_items": ["page-toc"]}


def _signature(app, what, name, obj, options, signature, returns):
    """Cython gives a function over a fused type the signature of its own dispatcher."""
    return ("(...)", returns) if signature and signature.startswith("(signatures, args") else None


def setup(app):
    app.connect("autodoc-process-signature", _signature, priority=400)  # before numpydoc
