"""What README.md shows runs as shown."""

import re
from pathlib import Path

import pytest

import cynn

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def _block(marker: str, language: str) -> str:
    found = re.findall(rf"<!-- {marker} -->\n```{language}\n(.*?)```\n", README, flags=re.DOTALL)
    assert len(found) == 1, marker
    return found[0]


@pytest.fixture
def in_empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("name", ["train", "draw", "test"])
def test_a_command_is_one_line(name):
    command = _block(f"command: {name}", "sh")
    assert command.count("\n") == 1
    assert command.startswith(". .venv/" if name == "draw" else "python3 -m venv ")


def test_the_example_runs_as_shown(in_empty_folder, capsys):
    namespace = {}
    example = _block("example", "python")
    assert len([line for line in example.splitlines() if line]) == 10
    exec(example, namespace)
    figures, digit = capsys.readouterr().out.splitlines()[-2:]
    assert eval(figures)["accuracy"] > 0.9
    assert digit == "7"
    assert namespace["net"].parameter_count == 13_002
    (_, (x_test, _)) = cynn.datasets.load_mnist()
    loaded = cynn.load(in_empty_folder / "digits.safetensors")
    assert (loaded.predict(x_test) == namespace["net"].predict(x_test)).all()


def test_the_plugin_runs_as_shown():
    namespace = {}
    code = _block("plugin", "python")
    assert len([line for line in code.splitlines() if line]) == 6
    exec(code, namespace)
    assert namespace["net"].predict([[0.5] * 784]).shape == (1, 10)


def test_the_links_lead_somewhere():
    links = re.findall(r"\]\(([^)#]+)\)", README)
    assert links
    assert [link for link in links if not (ROOT / link).exists()] == []


def _measured() -> dict[str, list[str]]:
    """The words of the first row of each workload on the page of speed."""
    page = (ROOT / "docs" / "speed.rst").read_text(encoding="utf-8")
    rows: dict[str, list[str]] = {}
    for words in map(str.split, page.splitlines()):
        if len(words) > 8 and re.fullmatch(r"[\d.,]+", words[1]):
            rows.setdefault(words[0], words[1:])
    return rows


def test_the_figures_are_those_of_the_page_of_speed():
    """Those of a row stand in the row of that name there, in the same order."""
    measured = {name: iter(words) for name, words in _measured().items()}
    rows = re.findall(r"^\| ([\w-]+): [^|]*\| (.*) \|$", README, re.MULTILINE)
    assert len(rows) == 5
    for name, figures in rows:
        shown = figures.replace(" µs", "").split(" | ")
        assert [figure for figure in shown if figure not in measured[name]] == [], name


def test_the_bars_of_the_front_page_are_those_of_the_page_of_speed():
    """In the order of the tables there, with the ratios left out."""
    page = (ROOT / "docs" / "index.rst").read_text(encoding="utf-8")
    bars = re.findall(r"^   \.\. bars:: .*\n\n((?:      .*\n)+)", page, re.MULTILINE)
    (names,) = re.findall(r"the workloads (\S+), (\S+) and (\S+) of :doc:`speed`", page)
    for name, text in zip(names, bars, strict=True):
        shown = re.findall(r"^      .*: (\S+)$", text, re.MULTILINE)
        figures = [word for word in _measured()[name] if not word.endswith("x")]
        assert sorted(shown) == sorted(figures)
        assert "CyNN: " + figures[0] in text
