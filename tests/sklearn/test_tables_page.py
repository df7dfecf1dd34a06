"""The page "Tables" runs as shown, and prints what it shows."""

import subprocess

import pytest

pytest.importorskip("sklearn")
pytest.importorskip("pandas")

import exported
import pandas as pd
from code_blocks import DOCS, blocks
from printed import agrees

pytestmark = pytest.mark.interop


def test_the_page(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    names, printed, code = {}, "", {}
    for block in blocks(DOCS / "tables.rst"):
        code[block.kind] = block.code
        if block.kind == "python":
            exec(compile(block.code, str(block), "exec"), names)
            printed = capsys.readouterr().out
        elif block.kind == "text":
            assert agrees(printed, block.code), printed
    flat = pd.DataFrame({
        "area": [75.0], "district": ["hill"], "balcony": [True], "built": [pd.Timestamp("1980-01-01")]
    })  # fmt: skip
    expected = pytest.approx(names["model"].predict(flat)[0], rel=1e-5)
    main = f'#include "flats.c"\n#include <stdio.h>\nint main(void) {{ {code["c"]} printf("%.9g", (double)y[0]); }}'
    (tmp_path / "main.c").write_text(main)
    assert float(subprocess.check_output([exported.build(tmp_path / "main.c", exported.STRICT)])) == expected
    assert exported.selftest(tmp_path / "flats.c", ["-O1"])[0] == 0
    (tmp_path / "main.mjs").write_text(code["js"] + "\nconsole.log(y[0]);")
    assert float(subprocess.check_output([exported.skipped_without("node"), "main.mjs"])) == expected
