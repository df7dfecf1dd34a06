"""The compiled half of the package; the rest is in pyproject.toml."""

import os
from pathlib import Path

from Cython.Build import cythonize
from setuptools import Extension, setup

import cynn

# Loops with sqrt and comparisons vectorize without errno and trapping
# math. Set CFLAGS=-march=native to use all that your own CPU can do.
FLAGS = ["-O3", "-fno-math-errno", "-fno-trapping-math"]
ARGUMENTS = [] if os.name == "nt" else FLAGS

kernel = Extension(
    "cynn_example_cython._kernel",
    ["cynn_example_cython/_kernel.pyx"],
    include_dirs=[cynn.get_include()],
    extra_compile_args=ARGUMENTS,
)
setup(
    ext_modules=cythonize(
        [kernel],
        # cynn/abi.pxd is there
        include_path=[str(Path(cynn.__file__).parents[1])],
        compiler_directives={
            "language_level": 3,
            "boundscheck": False,
            "cdivision": True,
        },
    )
)
