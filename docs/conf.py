"""The Sphinx site. Build it with: sphinx-build -W docs docs/_build"""

from importlib.metadata import version as version_of

project = "CyNN"
author = "The CyNN developers"
copyright = author
version = release = version_of("cynn")

extensions = ["sphinx.ext.autodoc", "sphinx.ext.autosummary", "numpydoc"]
templates_path = ["_templates"]
exclude_patterns = ["_build"]
default_role = "code"

autosummary_generate = True
autodoc_typehints = "none"  # the docstrings name the types
numpydoc_show_class_members = False

html_theme = "pydata_sphinx_theme"
html_title = "CyNN"
html_theme_options = {"show_prev_next": False, "secondary_sidebar_items": ["page-toc"]}
