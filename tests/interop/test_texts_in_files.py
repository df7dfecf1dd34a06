"""Labels, categories and names of any characters leave for every language, and are the same there."""

import ctypes
import json
import runpy
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory

import exported
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import cynn
from cynn.errors import InvalidParameterError
from cynn.interop.c_file import to_c
from cynn.interop.exported_model import exported_model
from cynn.interop.fortran_file import to_fortran
from cynn.interop.js_file import to_js
from cynn.interop.plan import Column
from cynn.interop.python_file import to_python

#: What ends a comment, a string, a line or a script in one of the languages, or is none of their usual characters.
NASTY = [
    "two\nlines", "\r\n", "a\ttab", "\0", "a\0b", "größer, 日本 😀", "*/ /*", "/*/", "//", "??/", "a\\", "\\n", "'",
    "''", '"', '"""', "'''", "&", "a &", "! no comment", "</script>", "<!--", "\u2028", "a\u2029b", "\x85", "\x1b[31m",
    "\x7f", "\u202e", "\ud800", "%s%n", "{0}", "{name}", "@name@", "${x}", "`", "", "__proto__", "it's " * 60,
]  # fmt: skip


class Labelled:
    """A network with these texts as labels, and as the categories of a column with such a name."""

    def __init__(self, texts):
        self.texts = texts
        self.network = cynn.Network.mlp([2, len(texts)], seed=0)

    def _exported_model(self, form):
        found = exported_model(self.network, form)
        found.plan.labels = self.texts
        found.plan.columns = [Column("".join(self.texts), self.texts), Column(self.texts[-1], ["only"])]
        return found


def in_python(model, folder):
    """Labels and categories of a file of Python."""
    to_python(model, folder / "net.py")
    file = runpy.run_path(str(folder / "net.py"))
    return file["labels"], file["columns"][0][1]


def in_js(model, folder):
    """Of a module that can stand in a page as it is."""
    node = exported.skipped_without("node")
    to_js(model, folder / "net.mjs")
    (folder / "main.mjs").write_text(
        'import { labels, columns } from "./net.mjs";\nconsole.log(JSON.stringify([labels, columns[0].categories]));\n'
    )
    text = (folder / "net.mjs").read_text(encoding="utf-8")
    assert "</script" not in text and "<!--" not in text and text.isascii()
    return json.loads(subprocess.check_output([node, "main.mjs"], cwd=folder, text=True))


def in_c(model, folder):
    """Of a file of C, in which a text ends at its first zero byte; each category is found."""
    to_c(model, folder / "net.c", header=True)
    library = ctypes.CDLL(str(exported.build(folder / "net.c", [*exported.STRICT, "-fPIC", "-shared"])))
    library.net_label.restype = ctypes.c_char_p
    given = [text.encode(errors="surrogatepass").partition(b"\0")[0] for text in model.texts]
    for text in given:
        assert given[library.net_category(0, text)] == text
    return [library.net_label(k) for k in range(len(given))], given


_LABELS = """program main
    use net
    implicit none
    integer :: k, i
    do k = 1, outputs
        write (*, "(*(i0, 1x))") category(1, labels(k)), (ichar(labels(k)(i:i)), i = 1, len_trim(labels(k)))
    end do
end program main
"""


def in_fortran(model, folder):
    """Of a module of Fortran, in which blanks at the end of a text do not count; each category is found."""
    gfortran = exported.skipped_without("gfortran")
    to_fortran(model, folder / "net.f90")
    (folder / "main.f90").write_text(_LABELS)
    command = [gfortran, "-std=f2008", "-O0", "-Wall", "-Wno-unused", "-Werror", "net.f90", "main.f90", "-o", "net"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    given = [text.encode(errors="surrogatepass").rstrip(b" ") for text in model.texts]
    found = []
    for line in subprocess.check_output([folder / "net"], text=True).splitlines():
        place, *numbers = map(int, line.split())
        found.append(bytes(numbers))
        assert given[place] == found[-1]
    return found, given


LANGUAGES = [in_python, in_js, in_c, in_fortran]


@pytest.mark.parametrize("language", LANGUAGES)
def test_nasty_texts(tmp_path, language):
    labels, given = language(Labelled(NASTY), tmp_path)
    assert len(labels) == len(NASTY)
    assert labels == given
    if language in (in_python, in_js):
        assert labels == NASTY


@settings(max_examples=3)
@given(texts=st.lists(st.text(max_size=40), min_size=20, max_size=60, unique=True))
@pytest.mark.parametrize("language", LANGUAGES)
def test_any_texts(language, texts):
    with TemporaryDirectory() as folder:
        labels, given = language(Labelled(texts), Path(folder))
    assert labels == given


#: Names that are those of something in a file, or that no language has.
STEMS = ["x", "w1", "b1", "exp", "merge", "texts", "first_text", "iso_fortran_env", "int", "if", "größe", "1", "_",
         "a" * 100, "a\nb", 'a"b', "\\N", "a\\u", "*", "<!--", "it's", "a'''b", "@name@ {name}"]  # fmt: skip


@pytest.mark.parametrize("suffix", ["py", "mjs", "c", "f90"])
def test_names_of_files(tmp_path, suffix):
    export, command = {
        "py": (to_python, None), "mjs": (to_js, None), "c": (to_c, ["gcc", "-fsyntax-only", *exported.STRICT]),
        "f90": (to_fortran, ["gfortran", "-fsyntax-only", "-std=f2008"]),
    }[suffix]  # fmt: skip
    if command:
        exported.skipped_without(command[0])
    model = Labelled(["a", "b"])
    for stem in STEMS:
        path = tmp_path / f"{stem}.{suffix}"
        export(model, path)
        if command:
            done = subprocess.run([*command, path], cwd=tmp_path, capture_output=True, text=True)
            assert (done.returncode, done.stderr) == (0, ""), stem
        elif suffix == "py":
            assert runpy.run_path(str(path))["labels"] == ["a", "b"]
        else:
            assert path.read_text(encoding="utf-8").splitlines()[1].startswith("// Or it takes"), stem


@pytest.mark.parametrize("stem", ["a\nb", 'a"b', "a\\b"])
def test_a_header_must_have_a_name_that_can_be_included(tmp_path, stem):
    with pytest.raises(InvalidParameterError, match="name of a file with a header"):
        to_c(Labelled(["a", "b"]), tmp_path / f"{stem}.c", header=True)
    assert not list(tmp_path.iterdir())


def test_outputs_whose_names_are_alike(tmp_path):
    x = cynn.Input(2)
    names = ["a b", "a_b", "A-B", "*/", "\n", "__proto__", "</script>"]
    net = cynn.Network({name: cynn.Dense(1)(x) for name in names}, seed=0)
    net.to_c(tmp_path / "net.c", selftest=np.zeros((1, 2)), header=True)
    assert exported.selftest(tmp_path / "net.c", ["-O0"])[0] == 0
    net.to_python(tmp_path / "net.py")
    assert list(runpy.run_path(str(tmp_path / "net.py"))["predict"](np.zeros((1, 2)))) == names
    net.to_js(tmp_path / "net.mjs")
    (tmp_path / "main.mjs").write_text(
        'import { predict } from "./net.mjs";\nconsole.log(JSON.stringify(Object.keys(predict([0, 0]))));\n'
    )
    node = exported.skipped_without("node")
    assert json.loads(subprocess.check_output([node, "main.mjs"], cwd=tmp_path, text=True)) == names
    exported.by_fortran(net, np.zeros((1, 2)), tmp_path)
