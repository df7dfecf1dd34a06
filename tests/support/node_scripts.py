"""The scripts of pages in Node: `run`."""

import json
import shutil
import subprocess
from pathlib import Path

import exported
import pytest

import cynn.web

STATIC = Path(cynn.web.__file__).with_name("static")


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A function that runs a module of JavaScript, which may import the scripts, and returns what it prints as JSON."""
    node = exported.skipped_without("node")
    folder = tmp_path_factory.mktemp("scripts")
    shutil.copytree(STATIC, folder, dirs_exist_ok=True)
    (folder / "package.json").write_text('{"type": "module"}')

    def run(text, given=None):
        (folder / "given.json").write_text(json.dumps(given))
        text = f"const given = JSON.parse(readFileSync('given.json', 'utf8'));\n{text}"
        text = f"import {{ readFileSync }} from 'node:fs';\n{text}"
        (folder / "main.js").write_text(text)
        return json.loads(subprocess.check_output([node, "main.js"], text=True, cwd=folder))

    return run
