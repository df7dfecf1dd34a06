"""The version, on its own so that pyproject.toml and the package read the same line."""

__version__ = "0.1.0"
