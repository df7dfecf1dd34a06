from setuptools import Extension, setup

import cynn

FLAGS = ["-O3", "-fno-math-errno", "-fno-trapping-math"]
kernel = Extension(
    "c_layers._kernel", ["c_layers/_kernel.c"], include_dirs=[cynn.get_include()], extra_compile_args=FLAGS
)
setup(ext_modules=[kernel])
