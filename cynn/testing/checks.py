"""Base class for the checks of the three kinds: their order, memory violations, the report."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, ClassVar, Generic, TypeVar

import numpy as np

from cynn import registry
from cynn.components.hyperparameters import Component
from cynn.testing import abi
from cynn.testing.calls import Calls, dtypes_of
from cynn.testing.common import check_class
from cynn.testing.memory import Array, Violations
from cynn.testing.reentrancy import same_in_two_threads
from cynn.testing.report import ConformanceError, Failure, Report, Skipped, title_of
from cynn.testing.static_memory import what_is_kept

__all__ = ["Checks", "NamedCheck"]

P = TypeVar("P", bound=Component)
C = TypeVar("C", bound=Calls)

NamedCheck = tuple[str, Callable[[], str]]


class Checks(Generic[P, C]):
    """Runs all checks of one component. The results are in `report`.

    A subclass defines how kernels of its kind are called, and lists the checks by name, in order. A check returns its
    evidence. It raises Failure if the component is wrong, and Skipped if the check does not apply.
    """

    kind: ClassVar[str]
    seed: ClassVar[int]
    calls_of: Callable[[P, str, Violations], C]

    @classmethod
    def report_on(cls, spec: Any, *, raise_on_failure: bool) -> Report:
        """Check what a name, a class or an instance stands for, and return the report."""
        report = cls(registry.OF_KIND[cls.kind].get(spec)).report
        if raise_on_failure and not report.passed:
            raise ConformanceError(report)
        return report

    def __init__(self, component: P) -> None:
        self.component = component
        self.report = Report(title_of(component))
        self.violations = Violations()
        self.random = np.random.default_rng(self.seed)
        self.dtypes: list[str] = []
        self.run(*self.first_checks())
        if self.report.passed:
            self.run(*self.checks(), *self.checks_of_memory())
        check_class(self.report, component)

    def run(self, *checks: NamedCheck) -> None:
        for name, check in checks:
            self.report.run(name, check)

    def calls(self, dtype: str, component: P | None = None) -> C:
        return type(self).calls_of(component or self.component, dtype, self.violations)

    def first_checks(self) -> list[NamedCheck]:
        """The checks that must pass before the others are run."""
        return [("kernel", self.kernel)]

    def checks(self) -> list[NamedCheck]:
        raise NotImplementedError

    def checks_of_memory(self) -> list[NamedCheck]:
        """Checks of the memory violations seen in all earlier calls."""
        rules = {"inputs unchanged": "inputs", "writes nothing outside its output": "bounds"}
        return [(name, functools.partial(self.no_violation, rule)) for name, rule in rules.items()]

    def kernel(self) -> str:
        self.dtypes = dtypes_of(self.component)
        return ", ".join([*self.dtypes, *self.declared(self.calls(self.dtypes[0]))])

    def declared(self, calls: C) -> list[str]:
        """What the kernel declares besides its dtypes, in words. Stores what the checks need to know."""
        raise NotImplementedError

    def require_compiled(self, reason: str) -> None:
        if not self.component.is_compiled():
            raise Skipped(reason)

    def require_both_dtypes(self) -> None:
        if len(self.dtypes) == 1:
            raise Skipped(f"it offers {self.dtypes[0]} alone")

    def no_violation(self, rule: str) -> str:
        if rule in self.violations.evidence:
            raise Failure(self.violations.evidence[rule])
        return f"{self.violations.calls} calls"

    # ------------------------------------------------------------------------------------- threads

    def call_with_data(self, calls: C) -> Callable[[], list[Array]]:
        """A call with its own data and without guards, so that nearly all of its time is spent in the kernel."""
        raise NotImplementedError

    def reentrant(self) -> str:
        faults = {check.name for check in self.report.failures} & {"reads only its arguments", "slots as declared"}
        if faults or self.violations.evidence.keys() & {"bounds", "slots"}:
            raise Skipped("not tried, as it reads or writes what is not its own")
        calls = self.calls(self.dtypes[-1])
        first, second = self.call_with_data(calls), self.call_with_data(calls)
        if calls.compiled:
            kept = what_is_kept(abi.functions(self.component).values(), first, second)
            if kept is not None:
                raise Failure(
                    "a kernel must not write to static or global memory: another thread is in it, too. "
                    f"{kept} hold what the last call computed: is a static or global buffer written?"
                )
        return same_in_two_threads((first, second))
