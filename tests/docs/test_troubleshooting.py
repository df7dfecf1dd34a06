"""Every error message of the package stands on the page on troubleshooting, once, with a cause and a cure."""

import ast
import re
from pathlib import Path

import pytest

import cynn

pytest.importorskip("docutils")

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "troubleshooting.rst").read_text(encoding="utf-8")
#: Functions that make an error whose text is collected within them.
MAKERS = {
    "unknown_name", "not_allowed", "_bad", "bad", "diverged_error", "_diverged", "missing_dtype", "nothing_offered",
    "_nothing_counts", "_mistake", "not_finite_error", "_unknown", "_not_finite",
}  # fmt: skip
#: What ends a function of the kernels or of the trainer, and is caught before anybody sees it.
INTERNAL = {"Crash", "Diverged", "KeyError", "Mismatch", "_NotWhole"}


@pytest.fixture(scope="module")
def messages():
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(DOCS / "_extensions")
        import messages

        yield messages


@pytest.fixture(scope="module")
def groups(messages):
    """What each list of the page shows."""
    places = messages.places_of(PAGE)
    everywhere = [place for group in places for place in group]
    return [list(messages.of_places(group, everywhere)) for group in places]


def test_every_message_has_one_place(messages, groups):
    for each in messages.collect():
        holding = [group for group in groups if each in group]
        assert len(holding) == 1, f"{each} must be in one list of docs/troubleshooting.rst, not {len(holding)}"


def test_every_place_has_messages(messages):
    places = [place for group in messages.places_of(PAGE) for place in group]
    assert len(places) == len(set(places))
    everything = messages.collect()
    for place in places:
        assert any(messages.named(place, each) for each in everything), place


def test_every_list_has_a_cause_and_a_cure():
    sections = re.split(r"\n[^\n]+\n-{4,}\n", PAGE)[1:]
    with_lists = [section for section in sections if ".. messages::" in section]
    assert len(with_lists) > 10
    for section in with_lists:
        assert section.count("**Cause.**") == section.count("**Cure.**") == section.count(".. messages::") == 1


def test_what_is_raised_is_what_is_collected(messages):
    """No error is made in a way that the page does not know of."""
    for path, file in messages.sources():
        text = path.read_text(encoding="utf-8")
        for name in re.findall(r"^ *raise (?:\w+\.)?(\w+)\(", text, re.MULTILINE):
            assert messages.MAKES.match(f"{name}(") or name in MAKERS | INTERNAL, f"{file} raises {name}"


def test_messages_are_read_as_python_reads_them(messages):
    """The calls found in the text of modules are those in their trees."""
    package = Path(cynn.__file__).parent
    for path, file in messages.sources():
        if path.suffix == ".py" and path.is_relative_to(package):
            tree = ast.parse(path.read_text(encoding="utf-8"))
            calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
            names = [getattr(call.func, "id", getattr(call.func, "attr", "")) for call in calls]
            made = [
                messages.message(name, call)
                for name, call in zip(names, calls, strict=True)
                if messages.MAKES.match(f"{name}(")
            ]
            found = [(each.error, each.text) for each in messages.collect() if each.file == file]
            assert sorted(filter(None, made)) == sorted(found), file


def test_real_errors_are_found(messages):
    """Messages as they come up have the words of one on the page."""
    net = cynn.Network.mlp([2, 1], seed=0)
    wrong = [
        lambda: net.predict([[1.0, 2.0, 3.0]]),
        lambda: net.predict([[float("nan"), 1.0]]),
        lambda: cynn.Dense(3, activation="sigmoyd"),
        lambda: cynn.optimizers.Adam(learning_rate=-1),
        lambda: net.fit([[1.0, 2.0]], [1.0, 2.0]),
        lambda: cynn.Network([cynn.Dense(3)]),
        lambda: cynn.Dense(3).weights,
    ]
    forms = [re.compile(".*".join(map(re.escape, each.text.split("…"))), re.DOTALL) for each in messages.collect()]
    for call in wrong:
        with pytest.raises(cynn.CynnError) as caught:
            call()
        assert any(form.fullmatch(str(caught.value)) for form in forms), caught.value
