"""The scripts of pages have the types that their comments say. `pytest -m browser`: TypeScript comes from npm."""

import json
import subprocess
from pathlib import Path

import exported
import npm
import pytest

pytestmark = pytest.mark.browser

ROOT = Path(__file__).parents[2]
SCRIPTS = ["cynn/web/static/*.js", "docs/_static/*.js", "docs/interactive/*.js"]
OPTIONS = {
    "allowJs": True, "checkJs": True, "strict": True, "noUnusedLocals": True, "noEmit": True, "skipLibCheck": True,
    "target": "es2024", "module": "es2022", "moduleResolution": "bundler", "types": [],
}  # fmt: skip


def test_types(tmp_path):
    node = exported.skipped_without("node")
    compiler = npm.unpacked("typescript@5.9.3", tmp_path) / "lib" / "tsc.js"
    scripts = [path for pattern in SCRIPTS for path in ROOT.glob(pattern)]
    assert {path.name for path in scripts} >= {"main.js", "catalogue.js", "backprop.js"}
    wrong = tmp_path / "wrong.js"
    wrong.write_text("/** @param {number} x */\nexport const half = (x) => x / 2;\nhalf('1');\n")
    # the modules of the documentation import those of pages as if all were in one folder
    options = OPTIONS | {"rootDirs": sorted({str(path.parent) for path in scripts})}
    given = {"compilerOptions": options, "files": [str(path) for path in (*scripts, wrong)]}
    (tmp_path / "tsconfig.json").write_text(json.dumps(given))
    command = [node, compiler, "--pretty", "false"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    found = [line for line in done.stdout.splitlines() if not line.startswith(" ")]
    assert [line for line in found if not line.startswith("wrong.js")] == []
    assert [line.split(":")[0] for line in found] == ["wrong.js(3,6)"]
