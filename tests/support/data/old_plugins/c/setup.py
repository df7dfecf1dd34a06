"""The compiled half of the package; the rest is in pyproject.toml."""

import os

from setuptools import Extension, setup

import cynn

# Loops with sqrt and comparisons vectorize without errno and trapping math. Set CFLAGS=-march=native to
# use all that your own CPU can do.
ARGUMENTS = [] if os.name == "nt" else ["-O3", "-fno-math-errno", "-fno-trapping-math"]

kernel = Extension(
    "cynn_example_c._kernel",
    ["cynn_example_c/_kernel.c"],
    include_dirs=[cynn.get_include()],
    extra_compile_args=ARGUMENTS,
)
setup(ext_modules=[kernel])
