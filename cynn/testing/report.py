"""The report of the conformance kit: one line per check, with its evidence."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from cynn.components.configurable import Configurable
from cynn.errors import CynnError

__all__ = ["Check", "ConformanceError", "Failure", "Report", "Skipped", "outcome_of"]


class Failure(Exception):
    """Raised by a check that fails, with the input, the expected and the actual result."""


class Skipped(Exception):
    """Raised by a check that does not apply. The message says why."""


class ConformanceError(CynnError, AssertionError):
    """A component does not follow the rules. `report` contains all checks.

    Parameters
    ----------
    report : Report
        The report with all checks.
    """

    def __init__(self, report: Report) -> None:
        super().__init__(str(report))
        self.report = report


@dataclass(frozen=True)
class Check:
    """One rule, and whether a component follows it.

    Attributes
    ----------
    name : str
        The rule.
    outcome : {"pass", "FAIL", "-"}
        `"-"` if the rule does not apply.
    evidence : str
        What was checked. For a failure: the input, the expected and the actual result, with dtype, shape and seed.
    traceback : str
        The traceback if the component raised a Python error, otherwise empty.
    """

    name: str
    outcome: str
    evidence: str
    traceback: str = ""


@dataclass
class Report:
    """All checks of one component. Its `str` is a table.

    Attributes
    ----------
    title : str
        Kind, name and origin.
    checks : list of Check
        In the order in which they ran.
    """

    title: str
    checks: list[Check] = field(default_factory=list)

    @property
    def passed(self) -> bool:
        """Whether no check failed."""
        return not self.failures

    @property
    def failures(self) -> list[Check]:
        """The checks that failed."""
        return [check for check in self.checks if check.outcome == "FAIL"]

    def as_dict(self) -> dict[str, Any]:
        """The report as numbers, strings and lists, as printed by `cynn check --json`.

        Returns
        -------
        dict
            `title`, `passed` and `checks`, each a dict of its attributes.
        """
        return {"title": self.title, "passed": self.passed, "checks": [asdict(check) for check in self.checks]}

    def __str__(self) -> str:
        width = max((len(check.name) for check in self.checks), default=0)
        lines = []
        for check in self.checks:
            lines.append(f"  {check.outcome:4}  {check.name:{width}}  {check.evidence}".rstrip())
            lines += [f"        {line}" for line in check.traceback.splitlines()]
        n, applied = len(self.failures), sum(check.outcome != "-" for check in self.checks)
        last = f"{n} of {applied} checks failed" if n else f"all {applied} checks passed"
        return "\n".join([self.title, *lines, f"  {last}"])


def outcome_of(name: str, check: Callable[[], str], circumstances: Callable[[], str] = str) -> Check:
    """Run a check. Its return value is the evidence, an exception is a failure.

    Parameters
    ----------
    name : str
        The rule.
    check : function without arguments
        Returns its evidence, or raises.
    circumstances : function without arguments
        Describes the circumstances of a failure.
    """
    where = ""
    try:
        with np.errstate(all="ignore"):
            outcome, evidence = "pass", check()
    except Skipped as skipped:
        outcome, evidence = "-", str(skipped)
    except Failure as failure:
        outcome, evidence = "FAIL", f"{failure}{circumstances()}"
        where = _traceback(failure.__cause__) if failure.__cause__ else ""
    except (Exception, SystemExit) as error:
        outcome, evidence = "FAIL", f"it raised {type(error).__name__}: {error}{circumstances()}"
        where = _traceback(error)
    return Check(name, outcome, " ".join(evidence.split()), where)


def _traceback(error: BaseException) -> str:
    """The traceback of the component's own code, without the frames of the kit."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if f"{'cynn'}/testing/" not in frame.filename.replace("\\", "/")]
    if not own:
        return ""
    text = "".join(["Traceback (most recent call last):\n", *traceback.format_list(own)])
    return text + "".join(traceback.format_exception_only(error))


def title_of(component: Configurable) -> str:
    """The first line of a report."""
    from cynn.engine.abi_checks import describe

    cls: Any = type(component)
    return f"{describe(component)} ({'compiled' if cls.is_compiled() else 'Python'}): {component!r}"
