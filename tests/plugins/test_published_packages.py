"""What new-plugin writes, built as one publishes it, and installed where there is a wheel of CyNN and no sources."""

import email
import re
import sys
import tarfile
import tomllib
import zipfile

import pytest
import wheelhouse

from cynn.plugins import scaffold

#: What CyNN needs, what builds packages, and what tests them.
RUNTIME = ["cynn-nn", "numpy", "safetensors", "tqdm"]
BUILD = ["setuptools", "cython", "packaging", "build", "pyproject_hooks"]
TEST = ["pytest", "iniconfig", "pluggy", "pygments"]
COMBINATIONS = [(kind, language) for kind in scaffold.KINDS for language in scaffold.languages(kind)]

TRAIN = """
import pickle, sys, warnings
import numpy as np
import cynn

warnings.simplefilter("error")
x = np.random.default_rng(0).uniform(-1, 1, (40, 3))
y = x[:, :1] * x[:, 1:2]

class Stopped(Exception):
    pass

def fit(path, epochs_seen=None, resume=False):
    layer = cynn.Dense(8, "my_activation", initializer="my_initializer", regularizer="my_regularizer",
                       constraint="my_constraint")
    own = cynn.registry.layers.get("my_layer")
    net = cynn.Network([cynn.Input(3), layer, own, cynn.Dense(1)], seed=0)
    rate = cynn.registry.schedules.get("my_schedule", rate=0.05)
    optimizer = cynn.registry.optimizers.get("my_optimizer", learning_rate=rate)
    stopping = cynn.registry.callbacks.get("my_callback", loss=10.0, epochs=7)

    class Interrupt(cynn.callbacks.Callback):
        name = "interrupt"
        def on_epoch_end(self, epoch, logs):
            if epoch == epochs_seen:
                raise Stopped

    cynn.registry.callbacks._registered.pop("interrupt", None)
    cynn.registry.callbacks.register(Interrupt)
    net.fit(x, y, loss="my_loss", optimizer=optimizer, metrics=["my_metric"], batch_size=8, epochs=20, progress=False,
            callbacks=[stopping, cynn.callbacks.Checkpoint(path), Interrupt()], resume=resume)
    return net

whole = fit("whole")
assert whole.history.epochs == 7, whole.history  # the callback ends it
assert whole.history["loss"][-1] < whole.history["loss"][0]
try:
    fit("part", epochs_seen=4)
except Stopped:
    pass
else:
    raise AssertionError("it was to be interrupted")
resumed = fit("part", resume=True)
assert resumed.history.epochs == 7, resumed.history
whole.save("net.safetensors")
for net in (resumed, cynn.load("net.safetensors"), pickle.loads(pickle.dumps(whole)), cynn.load("part")):
    np.testing.assert_array_equal(net.predict(x), whole.predict(x))
    first, same = net.layers[0], whole.layers[0]
    for part in ("activation", "initializer", "regularizer", "constraint"):
        assert type(getattr(first, part)) is type(getattr(same, part)), part
        assert type(getattr(first, part)).__module__.startswith("all_kinds."), part
    assert type(net.layers[1]) is type(whole.layers[1])
kinds = {each.kind for each in cynn.registry.every() if any("my_" + each.kind == name for name in each.names())}
print(*sorted(kinds))
"""

TYPED = """
import cynn
import numpy as np

net = cynn.Network([cynn.Input(3, scale=1 / 255), cynn.Dense(4, "sigmoid"), cynn.Dropout(0.5), cynn.Dense(2)])
node = cynn.Dense(2)(cynn.Input(3))
networks: list[cynn.Network] = [cynn.Network(node), cynn.Network([node, node]), cynn.Network({"a": node})]
optimizer = cynn.optimizers.AdamW(cynn.schedules.OneCycle(0.1), weight_decay=cynn.schedules.CosineDecay(0.1))
history = net.fit(np.zeros((2, 3)), [0, 1], optimizer=optimizer, metrics=["accuracy"], callbacks=[])
prediction: np.ndarray[tuple[int, ...], np.dtype[np.float32]] = net.predict([[0.0, 0.0, 0.0]])
"""


@pytest.fixture(scope="module")
def wheels(tmp_path_factory):
    return wheelhouse.wheelhouse(tmp_path_factory.mktemp("wheels"), *RUNTIME, *BUILD, *TEST)


@pytest.fixture(scope="module")
def with_numba(wheels):
    pytest.importorskip("numba", reason="needs Numba")
    return wheelhouse.wheelhouse(wheels, "numba", "llvmlite")


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    parent = tmp_path_factory.mktemp("packages")
    return [
        scaffold.new_plugin(f"my-{language}-{kind}", kind=kind, language=language, parent=parent)
        for kind, language in COMBINATIONS
    ]


def build(folder, wheels, *options, python=sys.executable):
    """The sdist and, from it, the wheel that `python -m build` makes; pip finds what that needs in a folder."""
    wheelhouse.done(
        [python, "-m", "build", *options, folder], PIP_NO_INDEX="1", PIP_FIND_LINKS=str(wheels), cwd=folder.parent
    )
    (sdist,), (wheel,) = (list((folder / "dist").glob(pattern)) for pattern in ("*.tar.gz", "*.whl"))
    return sdist, wheel


def check_files(folder, sdist, wheel):
    """The sdist holds all that was written, the wheel what is to be imported, and what the index shows."""
    written = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    not_wanted = (".github/", ".gitignore", "dist/", "build/")
    sources = {path for path in written if not path.startswith(not_wanted) and ".egg-info" not in path}
    with tarfile.open(sdist) as archive:
        held = {name.partition("/")[2] for name in archive.getnames()}
    assert sources - held == set()
    assert not [name for name in held if name.startswith("build") or name.endswith((".so", ".pyc"))]
    with zipfile.ZipFile(wheel) as archive:
        names = [name for name in archive.namelist() if ".dist-info/" not in name]
        told = email.message_from_bytes(archive.read(next(n for n in archive.namelist() if n.endswith("/METADATA"))))
        licences = [name for name in archive.namelist() if name.endswith("/licenses/LICENSE")]
    assert len(licences) == 1
    assert not [name for name in names if name.endswith((".pyx", ".pxd", ".c", ".h"))]
    package = told["Name"].replace("-", "_")
    assert {name.partition("/")[0] for name in names} == {package}
    assert f"{package}/py.typed" in names
    for source in (name for name in sources if re.search(r"_kernel\.(c|pyx|py)$", name)):
        assert f"{source.rpartition('.')[0]}.pyi" in names
        assert any(name.startswith(f"{source.rpartition('.')[0]}.") and not name.endswith(".pyi") for name in names)
    assert told["License-Expression"] == "BSD-3-Clause"
    assert told["Author"] or told["Author-email"]
    assert told["Description-Content-Type"] == "text/markdown"
    assert told.get_payload().startswith(f"# {told['Name']}\n")
    assert len(told.get_all("Classifier")) >= 5
    assert "test" in told.get_all("Provides-Extra")
    required = told.get_all("Requires-Dist")
    assert any(re.fullmatch(r"cynn-nn>=\d[\w.]*", each) for each in required)


def test_one_package_of_all_kinds(tmp_path, wheels):
    """Built in isolation, and installed where CyNN is a wheel: trained, saved, loaded, gone on with and pickled."""
    for kind in scaffold.KINDS:
        language = "c" if kind == "activation" else "python"
        folder = scaffold.new_plugin(
            f"my-{kind}", kind=kind, language=language, into="all-kinds", parent=tmp_path
        )
    sdist, wheel = build(folder, wheels)
    check_files(folder, sdist, wheel)
    there = wheelhouse.Environment(tmp_path / "there", wheels, wheel.parent)
    there.install("all-kinds[test]")
    (tmp_path / "work").mkdir()
    assert there.run("-c", TRAIN, cwd=tmp_path / "work").split() == sorted(scaffold.KINDS)
    tested = there.run("-m", "pytest", "-q", "-p", "no:cacheprovider", folder / "tests")
    assert f"{2 * len(scaffold.KINDS) + 1} passed" in tested
    listed = there.run("-m", "cynn", "plugins")
    for kind in scaffold.KINDS:
        assert re.search(rf"^{kind} +my_{kind} +all-kinds +0\.1\.0 ", listed, re.MULTILINE)
    for name in ("numba", "Cython", "setuptools"):
        with pytest.raises(AssertionError, match="ModuleNotFoundError"):
            there.run("-c", f"import {name}")


@pytest.mark.slow
class TestEveryCombination:
    def test_built_and_installed_elsewhere(self, folders, with_numba, tmp_path):
        here = wheelhouse.Environment(tmp_path / "here", with_numba)
        here.install("cynn-nn", "build", "setuptools", "Cython")
        there = wheelhouse.Environment(tmp_path / "there", with_numba, tmp_path / "dist")
        (tmp_path / "dist").mkdir()
        for folder in folders:
            sdist, wheel = build(folder, with_numba, "--no-isolation", python=here.python)
            check_files(folder, sdist, wheel)
            wheel.rename(tmp_path / "dist" / wheel.name)
        there.install("pytest", *(folder.name for folder in folders))
        tested = there.run("-m", "pytest", "-q", "-p", "no:cacheprovider", *(folder / "tests" for folder in folders))
        layers = [folder for folder in folders if folder.name.endswith("-layer")]
        assert f"{2 * len(folders) + len(layers)} passed" in tested

    @pytest.mark.parametrize("language", scaffold.LANGUAGES)
    def test_built_in_isolation(self, language, with_numba, tmp_path):
        folder = scaffold.new_plugin("my-loss", kind="loss", language=language, parent=tmp_path)
        check_files(folder, *build(folder, with_numba))

    def test_ruff_and_mypy(self, folders, wheels, tmp_path):
        """As a second developer has it: CyNN installed from its wheel, which has py.typed and the stubs."""
        there = wheelhouse.Environment(tmp_path / "there", wheels)
        there.install("cynn-nn", "pytest")
        for folder in folders:
            wheelhouse.done([sys.executable, "-m", "ruff", "check", "."], cwd=folder)
            wheelhouse.done([sys.executable, "-m", "ruff", "format", "--check", "."], cwd=folder)
        (tmp_path / "program.py").write_text(TYPED)
        packages = [folder / folder.name.replace("-", "_") for folder in folders]
        tests = [path for folder in folders for path in (folder / "tests").glob("*.py")]
        command = [sys.executable, "-m", "mypy", "--strict", "--python-executable", there.python]
        wheelhouse.done([*command, "program.py", *packages, *tests], cwd=tmp_path)


def test_the_wheel_of_cynn_says_that_it_is_typed(wheels):
    (wheel,) = wheels.glob("cynn_nn-*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    assert {"cynn/py.typed", "cynn/plugins/addresses.pyi", "cynn/include/cynn/abi.h", "cynn/abi.pxd"} <= set(names)
    settings = tomllib.loads((wheelhouse.PACKAGE.parent / "pyproject.toml").read_text(encoding="utf-8"))
    assert "py.typed" in settings["tool"]["setuptools"]["package-data"]["cynn"]
