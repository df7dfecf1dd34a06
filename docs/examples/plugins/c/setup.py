"""The compiled half of the package, for each level of CPU.

The rest is in pyproject.toml.
"""

import os

from setuptools import Extension, setup

import cynn
from cynn.plugins.levels import at_levels

# Loops with sqrt and comparisons vectorize without errno and trapping
# math.
FLAGS = ["-O3", "-fno-math-errno", "-fno-trapping-math"]
ARGUMENTS = [] if os.name == "nt" else FLAGS

kernel = Extension(
    "cynn_example_c._kernel",
    ["cynn_example_c/_kernel.c"],
    include_dirs=[cynn.get_include()],
    extra_compile_args=ARGUMENTS,
)
setup(ext_modules=at_levels([kernel]))
