"""Wheels of what is installed here, made again from its files: so that pip installs without an index.

CyNN's is that of the source folder, as it is compiled there.
"""

import base64
import hashlib
import os
import re
import subprocess
import sys
import sysconfig
import zipfile
from importlib.metadata import distribution
from pathlib import Path

import cynn

PACKAGE = Path(cynn.__file__).parent


def wheel(name, folder):
    """A wheel of an installed distribution, which is not compressed; the path of it."""
    found = distribution(name)
    if name == "cynn-nn":
        files = _own_files()
        version = f"cp{sys.version_info.major}{sys.version_info.minor}"
        tags = [f"{version}-{version}-{re.sub('[-.]', '_', sysconfig.get_platform())}"]
        pure = "false"
    else:
        files = {str(each): Path(found.locate_file(each)) for each in found.files}
        said = found.read_text("WHEEL")
        tags = re.findall(r"^Tag: (.*)$", said, re.MULTILINE)
        pure = re.search(r"^Root-Is-Purelib: (.*)$", said, re.MULTILINE)[1]
    stem = f"{re.sub('[-_.]+', '_', found.metadata['Name'])}-{found.version}"
    info = f"{stem}.dist-info"
    content = {
        path: file.read_bytes()
        for path, file in files.items()
        if not path.startswith("..") and ".dist-info/" not in path and "__pycache__" not in path and file.is_file()
    }
    # in an editable install what the build left in the folder may be found first, where it has the other name
    metadata = found.read_text("METADATA") or found.read_text("PKG-INFO")
    content[f"{info}/METADATA"] = metadata.encode()
    content[f"{info}/WHEEL"] = "\n".join(
        ["Wheel-Version: 1.0", "Generator: tests", f"Root-Is-Purelib: {pure}", *(f"Tag: {tag}" for tag in tags), ""]
    ).encode()
    if found.read_text("entry_points.txt"):
        content[f"{info}/entry_points.txt"] = found.read_text("entry_points.txt").encode()
    record = [f"{path},sha256={_digest(data)},{len(data)}" for path, data in content.items()]
    content[f"{info}/RECORD"] = "\n".join([*record, f"{info}/RECORD,,", ""]).encode()
    parts = [sorted({tag.split("-")[place] for tag in tags}) for place in range(3)]
    target = Path(folder, f"{stem}-{'-'.join('.'.join(part) for part in parts)}.whl")
    target.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(target, "w") as archive:
        for path, data in content.items():
            archive.writestr(path, data)
    return target


def _own_files():
    """What the wheel of CyNN has: its sources for plugins, too, and not what the build left behind."""
    root = PACKAGE.parent
    paths = [path for name in ("cynn", "cynn_plugins") for path in (root / name).rglob("*")]
    left = (".c", ".o", ".cpp")
    return {path.relative_to(root).as_posix(): path for path in paths if path.is_file() and path.suffix not in left}


def _digest(data):
    return base64.urlsafe_b64encode(hashlib.sha256(data).digest()).decode().rstrip("=")


def wheelhouse(folder, *names):
    """A folder with the wheels of these distributions, for pip's --find-links."""
    for name in names:
        wheel(name, folder)
    return Path(folder)


class Environment:
    """A fresh virtual environment, into which pip installs from folders of wheels alone."""

    def __init__(self, folder, *links):
        self.folder = Path(folder)
        self.links = [argument for link in links for argument in ("--find-links", str(link))]
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
        self.python = self.folder / "bin" / "python"

    def install(self, *requirements):
        command = [sys.executable, "-m", "pip", "--python", self.python, "install", "--quiet", "--no-index"]
        command += ["--disable-pip-version-check", *self.links]
        return done([*command, *requirements])

    def run(self, *arguments, cwd=None, **variables):
        """Python there, with nothing of this environment."""
        return done([self.python, "-I", *arguments], cwd=cwd, **variables)


def done(command, cwd=None, **variables):
    """What a command prints that must succeed, run with no variables for Python, pip or CyNN but these."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "PIP_", "CYNN"))}
    result = subprocess.run(list(map(str, command)), capture_output=True, text=True, cwd=cwd, env=clean | variables)
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout
