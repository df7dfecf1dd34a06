"""The Sphinx site. Build it with: sphinx-build -W docs docs/_build"""

import importlib
import re
import sys
from pathlib import Path

import cynn

# Sphinx takes the stubs of compiled modules for the modules, where it is the first to import them.
_ROOT = Path(__file__).parents[1]
for _source in sorted([*_ROOT.glob("cynn/*/*.pyx"), *_ROOT.glob("cynn_plugins/*/*.pyx")]):
    importlib.import_module(".".join(_source.relative_to(_ROOT).with_suffix("").parts))

sys.path.insert(0, str(Path(__file__).parent / "_extensions"))
members = importlib.import_module("members")

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
    "sphinx_gallery.gen_gallery",
    "answer",
    "bars",
    "catalogue",
    "dark",
    "links",
    "live",
    "live_scripts",
    "mathml",
    "messages",
    "new_plugin",
    "pictures",
    "race",
    "rows",
    "sources",
]
templates_path = ["_templates"]
exclude_patterns = ["_build", "examples"]  # the gallery is made from these
default_role = "code"

autosummary_generate = True
autosummary_context = {"tables": members.TABLES, "internal": members.INTERNAL}
autodoc_typehints = "none"  # the docstrings name the types
numpydoc_show_class_members = False

plot_formats = [("png", 144)]
plot_html_show_formats = False
plot_html_show_source_link = False

sphinx_gallery_conf = {
    "examples_dirs": "examples/gallery",
    "gallery_dirs": "gallery",
    "filename_pattern": r"\.py$",
    "within_subsection_order": "pictures.Order",
    "image_scrapers": ("pictures.scraper",),
    "matplotlib_animations": (True, "jshtml"),
    "image_srcset": ["2x"],
    "capture_repr": (),
    "doc_module": ("cynn",),
    "backreferences_dir": "gallery/uses",
    "reference_url": {"cynn": None},
    "download_all_examples": False,
    "show_signature": False,
    "write_computation_times": False,
    "min_reported_time": 1e9,  # how long they take says more about the machine
    "remove_config_comments": True,
    "abort_on_example_error": True,
}

html_math_renderer = "mathml"
html_theme = "pydata_sphinx_theme"
html_title = "CyNN"
html_logo = html_favicon = "_static/logo.svg"
html_context = {"default_mode": "auto"}  # light or dark, as the reader has it everywhere
html_sidebars = {"index": [], "catalogue": [], "catalogue/**": [], "speed": []}  # no pages beside them, or wide tables
html_static_path = ["_static"]
html_css_files = ["catalogue.css", "gallery.css", "narrow.css", "pages.css"]
html_js_files = ["catalogue.js", "copy.js"]
html_theme_options = {"logo": {"text": "CyNN"}, "secondary_sidebar_items": ["page-toc"]}


def _signature(app, what, name, obj, options, signature, returns):
    """Cython gives a function over a fused type the signature of its own dispatcher."""
    return ("(...)", returns) if signature and signature.startswith("(signatures, args") else None


def _docstring(app, what, name, obj, options, lines):
    """What classes inherit from scikit-learn keeps its first line, without links: they lead to pages elsewhere."""
    if getattr(obj, "__module__", None) and obj.__module__.startswith("sklearn."):
        lines[:] = [re.sub(r":\w+:`([^`<]*[^`< ])( <[^`]*>)?`", r"\1", line) for line in lines[:1]]


def setup(app):
    app.connect("autodoc-process-docstring", _docstring, priority=400)  # before numpydoc
    app.connect("autodoc-process-signature", _signature, priority=400)  # before numpydoc
