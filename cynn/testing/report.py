"""The report of the conformance kit: one line per check, with its evidence."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from cynn.components.hyperparameters import Component
from cynn.errors import CynnError

__all__ = ["Check", "ConformanceError", "Failure", "Report", "Skipped"]


class Failure(Exception):
    """Raised by a check that fails. The text says what was given, what was expected and what was got."""


class Skipped(Exception):
    """Raised by a check that does not apply. The text says why."""


class ConformanceError(CynnError, AssertionError):
    """A component breaks the rules. `report` holds the result of every check.

    Parameters
    ----------
    report : Report
        The results of all checks.
    """

    def __init__(self, report: Report) -> None:
        super().__init__(str(report))
        self.report = report


@dataclass(frozen=True)
class Check:
    """The result of one check.

    Attributes
    ----------
    name : str
        The rule.
    outcome : {"pass", "FAIL", "-"}
        `"-"` if the rule does not apply.
    evidence : str
        What was checked; for a failure the input, what was expected and what was got.
    """

    name: str
    outcome: str
    evidence: str


@dataclass
class Report:
    """The results of all checks of one component. `str(report)` is a table.

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

    def run(self, name: str, check: Callable[[], str]) -> None:
        """Run a check and add its result: passed with what it returns as evidence, or failed with what it raises.

        Parameters
        ----------
        name : str
            The rule.
        check : function without arguments
            Returns its evidence, or raises an error.
        """
        try:
            with np.errstate(all="ignore"):
                outcome, evidence = "pass", check()
        except Skipped as skipped:
            outcome, evidence = "-", str(skipped)
        except Failure as failure:
            outcome, evidence = "FAIL", str(failure)
        except Exception as error:
            outcome, evidence = "FAIL", f"it raised {type(error).__name__}: {error}"
        self.checks.append(Check(name, outcome, " ".join(evidence.split())))

    def __str__(self) -> str:
        width = max((len(check.name) for check in self.checks), default=0)
        lines = [
            f"  {check.outcome:4}  {check.name:{width}}  {check.evidence}".rstrip() for check in self.checks
        ]
        n, applied = len(self.failures), sum(check.outcome != "-" for check in self.checks)
        last = f"{n} of {applied} checks failed" if n else f"all {applied} checks passed"
        return "\n".join([self.title, *lines, f"  {last}"])


def title_of(component: Component) -> str:
    """The first line of a report."""
    from cynn.engine.abi_checks import describe

    compiled = "compiled" if component.is_compiled() else "Python"
    return f"{describe(component)} ({compiled}): {component!r}"
