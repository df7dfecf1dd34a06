"""What the docs show runs as shown, and the reference leaves no public name out."""

import inspect
import re
from pathlib import Path

import pytest

import cynn

DOCS = Path(__file__).parents[1] / "docs"


def test_the_quickstart_runs_as_shown(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    text = (DOCS / "quickstart.rst").read_text(encoding="utf-8")
    blocks = re.findall(r"\.\. code-block:: python\n\n((?:    .*\n|\n)+)", text)
    assert len(blocks) == 5
    namespace = {}
    for block in blocks:
        exec(re.sub(r"^    ", "", block, flags=re.MULTILINE), namespace)
    assert "13,002" in capsys.readouterr().out
    assert (tmp_path / "digits.safetensors").exists()
    assert namespace["net"].layers[0].weights.shape == (784, 16)


def test_the_short_form_is_the_same_network():
    (short,) = re.findall(
        r"``(cynn\.Network\.mlp\(.*?\))``", (DOCS / "quickstart.rst").read_text(encoding="utf-8")
    )
    net = eval(short)
    assert net.parameter_count == 13_002
    assert net.input.scale == 1 / 255
    assert [layer.activation.name for layer in net.layers] == ["sigmoid", "sigmoid", "softmax"]


@pytest.mark.parametrize(
    "module", ["", "activations", "losses", "optimizers", "training", "errors", "datasets"]
)
def test_the_reference_is_complete(module):
    listed = re.findall(
        r"^   ([\w.]+)$", (DOCS / "reference" / "index.rst").read_text(encoding="utf-8"), re.M
    )
    owner = getattr(cynn, module) if module else cynn
    public = {name: getattr(owner, name) for name in owner.__all__ if not name.startswith("_")}
    wanted = [name for name, value in public.items() if inspect.isclass(value)]
    if module in ("", "datasets"):  # the functions of the others are for CyNN itself
        wanted += [name for name, value in public.items() if inspect.isfunction(value)]
    assert wanted
    full = {f"{module}.{name}" if module else name for name in wanted} - {"CynnError"}  # under errors
    assert full - set(listed) == set()


def test_the_commands_in_the_docs_are_commands(monkeypatch):
    from cynn import cli

    text = (DOCS / "command_line.rst").read_text(encoding="utf-8")
    lines = re.findall(r"^    cynn (.+)$", text, re.M)
    assert len(lines) >= 4
    for line in lines:
        assert cli._parser().parse_args(line.split()).run is cli._train
    for option in set(re.findall(r"--[a-z-]+", text)) - {"--help", "--version"}:
        assert option in "".join(
            cli._parser()._subparsers._group_actions[0].choices[c].format_help() for c in COMMANDS
        )
    for command in COMMANDS:
        assert f"``cynn {command}" in text


COMMANDS = ["train", "evaluate", "predict", "summary", "plugins"]
