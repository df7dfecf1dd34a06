"""The compiled half of CyNN. Everything else about the package is in pyproject.toml.

Environment:
    CYNN_BLAS=<pkg-config name>   link that CBLAS instead of vendoring OpenBLAS
    CYNN_DEBUG=1                  bounds checks, NaN in scratch memory, debug symbols, little optimization
    CYNN_NATIVE=1                 kernels for one level of CPU alone, this machine's
    CYNN_SANITIZE=<names>         the compiler's sanitizers, as in -fsanitize=<names>; may go with CYNN_DEBUG
"""

import os
import runpy
import shlex
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import numpy as np
from Cython.Build import cythonize
from setuptools import Distribution, Extension, setup
from setuptools.command.build_ext import build_ext

DEBUG = os.environ.get("CYNN_DEBUG") == "1"
SANITIZE = [f"-fsanitize={os.environ['CYNN_SANITIZE']}"] if os.environ.get("CYNN_SANITIZE") else []
GENERATED = Path("build", "generated")
BLAS = "cynn.kernels.blas"
SHARED = "cynn._cyutility"  # what Cython would put into each module again: memoryviews, functions

# Compiled once for each level of CPU: the kernels of this folder, of which cynn/kernels/__init__.py chooses at import,
# and those of the packages of cynn_plugins that look for levels (cynn/plugins/levels.py). Losses, which see the outputs
# alone, would not be worth the time.
LEVELED = Path("cynn/kernels/leveled")
LEVELS, at_level, at_levels, levels_to_build = map(
    runpy.run_path(str(Path(__file__).parent / "cynn/plugins/levels.py")).get,
    ("LEVELS", "at_level", "at_levels", "levels_to_build"),
)

# No trapping math and no errno, so that loops with exp and comparisons vectorize. Neither
# -fassociative-math nor -ffinite-math-only: range reductions and NaN checks must stay as written.
# -g0 takes back the -g of Python's own flags, which costs a fifth of the compiler's time.
if DEBUG or SANITIZE:
    OPTIMIZED = PLAIN = ["-O1", "-g1", "-fno-omit-frame-pointer", *SANITIZE]
else:
    OPTIMIZED = ["-O3", "-g0", "-fno-math-errno", "-fno-trapping-math"]
    PLAIN = ["-O2", "-g0"]


def openblas():
    """Compile and link arguments of the vendored OpenBLAS, and the folder of its library."""
    import scipy_openblas32

    return {
        "include_dirs": [scipy_openblas32.get_include_dir()],
        "define_macros": [("CYNN_VENDORED_OPENBLAS", "1")],
    }, Path(scipy_openblas32.get_lib_dir())


def other_blas(name):
    def ask(option):
        return shlex.split(subprocess.check_output(["pkg-config", option, name], text=True))

    return {"extra_compile_args": ask("--cflags"), "extra_link_args": ask("--libs")}


class CompiledDistribution(Distribution):
    """Its extensions are listed when they are built, so it says by itself that there are some."""

    def has_ext_modules(self):
        return True


class BuildExtensions(build_ext):
    """Cython at build time only, and the vendored BLAS beside the extension that needs it."""

    def finalize_options(self):
        self.distribution.ext_modules = extensions()
        super().finalize_options()
        self.parallel = self.parallel or os.cpu_count()

    def get_source_files(self):
        return []  # package-data names them; the copies for each level are generated

    def run(self):
        self.vendored = None
        if self.inplace:
            remove_other_levels()
        if not os.environ.get("CYNN_BLAS"):
            self.vendored = self.vendor_openblas()
        super().run()

    def build_extension(self, ext):
        if ext.name == BLAS and self.vendored:
            ext.extra_objects = [str(self.vendored)]
            ext.runtime_library_dirs = [] if sys.platform == "darwin" else ["$ORIGIN/openblas"]
        super().build_extension(ext)

    def vendor_openblas(self):
        """Copy the library and its licence to cynn/kernels/openblas under a name of our own.

        The loader shares libraries of one SONAME within a process. Ours must be an instance of
        its own, since it is set to one thread, so the SONAME is replaced by one as long.
        """
        from importlib.metadata import files

        _, lib_dir = openblas()
        package = Path("cynn/kernels" if self.inplace else Path(self.build_lib, "cynn/kernels"))
        folder = package / "openblas"
        folder.mkdir(parents=True, exist_ok=True)
        if sys.platform != "linux":
            source = next(lib_dir.glob("libscipy_openblas*"))
            return Path(shutil.copy(source, folder / source.name))
        old, new = b"libscipy_openblas.so\0", b"libcynn_openblas1.so\0"
        library = (lib_dir / "libscipy_openblas.so").read_bytes()
        if library.count(old) != 1:
            raise SystemExit("setup.py: the SONAME of OpenBLAS is not where it was; look at vendor_openblas")
        target = folder / "libcynn_openblas1.so"
        target.write_bytes(library.replace(old, new))
        for file in files("scipy-openblas32"):
            if file.name == "LICENSE.txt":
                shutil.copy(file.locate(), folder / "LICENSE.txt")
        return target


def remove_other_levels():
    """Remove the compiled kernels of levels that are not built now, which would be used instead of those that are."""
    for level in LEVELS.keys() - levels_to_build().keys():
        for package in ("cynn", "cynn_plugins"):
            for module in Path(package).glob(f"*/{level}/*" + sysconfig.get_config_var("EXT_SUFFIX")):
                module.unlink()


def looks_for_levels(package):
    init = package / "__init__.py"
    return init.exists() and "search_path(__path__)" in init.read_text(encoding="utf-8")


def extensions():
    blas_args = other_blas(os.environ["CYNN_BLAS"]) if os.environ.get("CYNN_BLAS") else openblas()[0]
    kernels, plugins = [], []
    found = [Extension(SHARED, [SHARED.replace(".", "/") + ".c"], extra_compile_args=PLAIN)]
    for path in sorted([*Path("cynn").rglob("*.pyx"), *Path("cynn_plugins").rglob("*.pyx")]):
        extension = Extension(".".join(path.with_suffix("").parts), [str(path)])
        modules, arguments = found, PLAIN
        if path.parts[0] == "cynn_plugins":
            modules, arguments = plugins, OPTIMIZED
            if not looks_for_levels(path.parent):
                modules, arguments = found, OPTIMIZED + levels_to_build()["baseline"]
        elif path.parent == LEVELED:
            modules, arguments = kernels, OPTIMIZED
            if SANITIZE and path.stem == "dense":
                # gcc takes many minutes to look for undefined behaviour in products that are unrolled
                arguments = [*OPTIMIZED, "-fno-sanitize=undefined"]
        elif path.parent == LEVELED.parent:
            arguments = OPTIMIZED
        extension.extra_compile_args = list(arguments)
        if extension.name == BLAS:
            extension.extra_compile_args += blas_args.pop("extra_compile_args", [])
            for argument, value in blas_args.items():
                setattr(extension, argument, value)
        modules.append(extension)

    headers = sorted(map(str, Path("cynn").rglob("*.h")))
    found = of_levels(compiled(kernels)) + at_levels(compiled(plugins)) + compiled(found)
    for extension in found:
        extension.include_dirs += ["cynn/include", "cynn/kernels", np.get_include()]
        extension.depends += headers  # Cython does not see what a header includes
        extension.define_macros += [("CYNN_DEBUG", "1")] if DEBUG else []
        extension.extra_link_args += SANITIZE
    return found


def compiled(modules):
    """These extensions with the C that Cython makes of them."""
    return cythonize(
        modules,
        build_dir=str(GENERATED),
        include_path=["."],
        shared_utility_qualified_name=SHARED,
        compiler_directives={
            "language_level": 3,
            "boundscheck": DEBUG,
            "initializedcheck": DEBUG,
            "cdivision": not DEBUG,
            "embedsignature": True,
            "embedsignature.format": "python",
        },
    )


def of_levels(kernels):
    """Kernels of CyNN for all levels, each level in a folder of its own."""
    return [
        at_level(kernel, level, f"cynn.kernels.{level}.{kernel.name.rpartition('.')[2]}")
        for level in reversed(levels_to_build())  # the widest vectors take longest
        for kernel in kernels
    ]


setup(cmdclass={"build_ext": BuildExtensions}, distclass=CompiledDistribution)
