"""What the docs show runs as shown, and the reference leaves no public name out."""

import inspect
import re
from pathlib import Path

import pytest

import cynn
from cynn import cli

DOCS = Path(__file__).parents[1] / "docs"
QUICKSTART = (DOCS / "quickstart.rst").read_text(encoding="utf-8")
COMMAND_LINE = (DOCS / "command_line.rst").read_text(encoding="utf-8")
REFERENCE = (DOCS / "reference" / "index.rst").read_text(encoding="utf-8")
MODULES = ["activations", "datasets", "errors", "losses", "optimizers", "training"]


def test_the_quickstart_runs_as_shown(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"\.\. code-block:: python\n\n((?:    .*\n|\n)+)", QUICKSTART)
    assert len(blocks) == 5
    namespace = {}
    for block in blocks:
        exec(re.sub(r"^    ", "", block, flags=re.MULTILINE), namespace)
    assert "13,002" in capsys.readouterr().out
    assert (tmp_path / "digits.safetensors").exists()
    assert namespace["net"].layers[0].weights.shape == (784, 16)


def test_the_short_form_is_the_same_network():
    (short,) = re.findall(r"``(cynn\.Network\.mlp\(.*?\))``", QUICKSTART)
    net = eval(short, {"cynn": cynn})
    assert net.parameter_count == 13_002
    assert net.input.scale == 1 / 255
    assert [layer.activation.name for layer in net.layers] == ["sigmoid", "sigmoid", "softmax"]


@pytest.mark.parametrize("module", ["cynn", *MODULES])
def test_the_reference_is_complete(module):
    listed = re.findall(r"^   ([\w.]+)$", REFERENCE, re.MULTILINE)
    owner = cynn if module == "cynn" else getattr(cynn, module)
    public = {name: getattr(owner, name) for name in owner.__all__}
    wanted = {name for name, value in public.items() if inspect.isclass(value)}
    if module in ("cynn", "datasets"):  # elsewhere, functions are for CyNN itself
        wanted |= {name for name, value in public.items() if inspect.isfunction(value)}
    assert wanted
    prefix = "" if module == "cynn" else f"{module}."
    assert {prefix + name for name in wanted} - set(listed) - {"CynnError"} == set()


def test_the_commands_in_the_docs_are_commands():
    for line in re.findall(r"^    cynn (.+)$", COMMAND_LINE, re.MULTILINE):
        cli._parser().parse_args(line.split())


def test_every_command_and_option_is_in_the_docs(capsys):
    commands = re.findall(r"^``cynn (\w+)", COMMAND_LINE, re.MULTILINE)
    assert set(commands) == set(re.findall(r"^    (\w+) ", cli._parser().format_help(), re.MULTILINE))
    for command in commands:
        with pytest.raises(SystemExit):
            cli.main([command, "--help"])
    real = set(re.findall(r"--[a-z][a-z-]*", capsys.readouterr().out)) | {"--version"}
    assert set(re.findall(r"--[a-z][a-z-]*", COMMAND_LINE)) <= real
