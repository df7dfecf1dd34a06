from pathlib import Path

from Cython.Build import cythonize
from setuptools import Extension, setup

import cynn

FLAGS = ["-O3", "-fno-math-errno", "-fno-trapping-math"]
kernel = Extension(
    "cython_layers._kernel",
    ["cython_layers/_kernel.pyx"],
    include_dirs=[cynn.get_include()],
    extra_compile_args=FLAGS,
)
setup(
    ext_modules=cythonize(
        [kernel],
        include_path=[str(Path(cynn.__file__).parents[1])],
        compiler_directives={"language_level": 3, "boundscheck": False, "cdivision": True},
    )
)
