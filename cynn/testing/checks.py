"""The base of all checks: their order, the child process in which they run, and the report."""

from __future__ import annotations

import copy
import functools
import zlib
from collections.abc import Callable, Collection, Iterator
from typing import Any, ClassVar, Generic, TypeVar

import numpy as np

from cynn import registry
from cynn.components.hyperparameters import Component
from cynn.testing import abi, bounds, common, memory_checks, precision, sensitivity
from cynn.testing.calls import Calls, dtypes_of
from cynn.testing.child import Crash, run_apart
from cynn.testing.memory import Array, Canaries, Manner
from cynn.testing.reentrancy import same_in_two_threads
from cynn.testing.report import Check, ConformanceError, Failure, Report, Skipped, outcome_of, title_of
from cynn.testing.static_memory import what_is_kept
from cynn.testing.watch import Watch

__all__ = ["Checks", "NamedCheck", "Sample"]

P = TypeVar("P", bound=Component)
C = TypeVar("C", bound=Calls)

NamedCheck = tuple[str, Callable[[], str]]
Sample = dict[str, Any]

PLAIN = Canaries()
MAX_CRASHES = 5  # after that many, the remaining checks are not run


class Checks(Generic[P, C]):
    """The checks of one component. The results are in `report`.

    A subclass defines how the kernels of its kind are called, and its checks by name, in order. A check returns its
    evidence, or raises Failure, or Skipped if it does not apply. The checks run in a child process, one after the
    other. If the process dies, another child continues with the next check. So no check may use results of another.
    """

    kind: ClassVar[str]
    array_names: ClassVar[list[str]]  # the arrays of a call
    calls_of: Callable[[P, str, Watch, Manner], C]

    @classmethod
    def report_on(
        cls, spec: Any, *, raise_on_failure: bool, seed: int = 0, only: Collection[str] | None = None
    ) -> Report:
        """Check a component given by name, class or instance, and return the report. `only` limits the rules."""
        checks = cls(registry.of_kind(cls.kind).get(spec), seed)
        checks.only = only
        checks.run_all()
        if raise_on_failure and not checks.report.passed:
            raise ConformanceError(checks.report)
        return checks.report

    def __init__(self, component: P, seed: int = 0) -> None:
        self.given = self.component = component
        self.seed = seed
        self.report = Report(title_of(component))
        self.watch = Watch()
        self.random = np.random.default_rng(seed)
        self.only: Collection[str] | None = None
        self.fences = memory_checks.EVERY_ARRAY  # the arrays to put between protected pages

    # --------------------------------------------------------------------------------------- order

    def run_all(self) -> None:
        """Run all checks. After a process has died, the next check runs in a new one."""
        crashes = 0
        while (named := self.next_check()) is not None:
            if crashes == MAX_CRASHES:
                self.report.checks.append(Check(named[0], "-", "not tried, after so many crashes"))
                continue
            self.watch.notes.write("")
            try:
                for check, evidence, calls in run_apart(self.results):
                    if check not in self.report.checks:  # it exists in the parent process
                        self.report.checks.append(check)
                    self.watch.evidence, self.watch.calls = evidence, calls
                return
            except Crash as crash:
                crashes += 1
                named = self.next_check() or named
                self.report.checks.append(self.crashed(named, str(crash)))

    def results(self) -> Iterator[tuple[Check, dict[str, str], int]]:
        """Run each remaining check. Yields it with the observations about memory so far."""
        while (named := self.next_check()) is not None:
            check = self.result(named)
            self.report.checks.append(check)
            yield check, self.watch.evidence, self.watch.calls

    def result(self, named: NamedCheck) -> Check:
        """Run one check with its own random numbers."""
        name, check = named
        self.random = np.random.default_rng([self.seed, zlib.crc32(name.encode())])
        self.watch.last = ""
        self.component = copy.copy(self.given)  # without the state that an earlier check may have left
        return outcome_of(name, check, self.circumstances)

    def circumstances(self) -> str:
        return f" ({self.watch.last}, seed {self.seed})" if self.watch.last else ""

    def next_check(self) -> NamedCheck | None:
        """The first check that is not in the report yet."""
        done = {check.name for check in self.report.checks}
        first = self.first_checks()
        names = {name for name, _ in first}
        sound = not any(check.outcome == "FAIL" for check in self.report.checks if check.name in names)
        for stage in (first, self.all_checks() if sound else [], self.class_checks()):
            for named in stage:
                if named[0] not in done and (self.only is None or stage is first or named[0] in self.only):
                    return named
        return None

    def crashed(self, named: NamedCheck, how: str) -> Check:
        """The check and the call in which a process died."""
        where = self.watch.notes.read()
        evidence = f"{how}, in {where or 'no call of the component'}, seed {self.seed}"
        if named[0] == memory_checks.FENCES and where:
            culprit = memory_checks.culprit(self, named)
            evidence = f"{culprit}: {evidence}" if culprit else evidence
        return Check(named[0], "FAIL", evidence)

    def class_checks(self) -> list[NamedCheck]:
        """The checks of the class, which call no kernel."""
        return common.class_checks(self.component)

    def first_checks(self) -> list[NamedCheck]:
        """The checks that must pass before the others are run."""
        return [("kernel", self.kernel)]

    def all_checks(self) -> list[NamedCheck]:
        """The checks of all kinds and of this kind. Memory outside of arrays comes first: it may break the rest."""
        shared: dict[str, Callable[[Any], str]] = {
            "large and odd shapes": self.large_shapes.__func__,  # type: ignore[attr-defined]  # a method
            "NaN and infinity let through": self.not_finite.__func__,  # type: ignore[attr-defined]  # likewise
            "bounds of hyperparameters": bounds.no_nan_at_bounds,
            "each hyperparameter matters": sensitivity.each_matters,
            "float64 in full": precision.in_full,
            "as its reference": self.as_reference.__func__,  # type: ignore[attr-defined]  # likewise
        }
        return [
            *self.memory_checks(),
            *self.checks(),
            *((name, functools.partial(check, self)) for name, check in shared.items()),
            *self.watched(),
        ]

    def memory_checks(self) -> list[NamedCheck]:
        """Checks of the memory that a call reads and writes, and of the placement of its arrays."""
        return [
            (memory_checks.FENCES, functools.partial(memory_checks.stays_inside, self)),
            ("any alignment", functools.partial(memory_checks.any_alignment, self)),
        ]

    def watched(self) -> list[NamedCheck]:
        """Checks of what was observed during all calls."""
        rules = {
            "inputs unchanged": "inputs",
            "writes nothing outside its output": "bounds",
            "floating-point environment unchanged": "environment",
        }
        return [(name, functools.partial(self.no_violation, rule)) for name, rule in rules.items()]

    # ------------------------------------------------------------------------------ of each kind

    def checks(self) -> list[NamedCheck]:
        """The checks of this kind."""
        raise NotImplementedError

    def samples(self, calls: C, rows: int, columns: int) -> Iterator[tuple[str, Sample]]:
        """Inputs of this shape for `calls.results`, each with a short description."""
        raise NotImplementedError

    def probe(self, component: P) -> dict[str, Array]:
        """Results for a wide range of fixed inputs, to see whether a hyperparameter has an effect."""
        raise NotImplementedError

    def moderate(self, component: P, dtype: str) -> dict[str, Array]:
        """Results for moderate fixed inputs."""
        raise NotImplementedError

    def movements(self, component: P) -> Iterator[precision.Movement]:
        """Outputs in float64 as functions of the distance by which an input is moved."""
        raise NotImplementedError

    def large_shapes(self) -> str:
        raise NotImplementedError

    def not_finite(self) -> str:
        raise NotImplementedError

    def as_reference(self) -> str:
        raise NotImplementedError

    def declared(self, calls: C) -> list[str]:
        """What the kernel declares besides its dtypes, as text."""
        raise NotImplementedError

    def call_with_data(self, calls: C) -> Callable[[], list[Array]]:
        """A call with its own data and without guards, so that nearly all of its time is spent in the kernel."""
        raise NotImplementedError

    # ---------------------------------------------------------------------------------- of all kinds

    @functools.cached_property
    def dtypes(self) -> list[str]:
        return dtypes_of(self.component)

    @property
    def best_dtype(self) -> str:
        """float64 if it is offered."""
        return self.dtypes[0]

    def calls(self, dtype: str, component: P | None = None, manner: Manner = PLAIN) -> C:
        return type(self).calls_of(component or self.component, dtype, self.watch, manner)

    def kernel(self) -> str:
        return ", ".join([*self.dtypes, *self.declared(self.calls(self.dtypes[0]))])

    def functions(self) -> dict[str, int]:
        """The addresses of the functions."""
        return abi.functions(self.component)

    def require_compiled(self, reason: str) -> None:
        if not self.component.is_compiled():
            raise Skipped(reason)

    def require_both_dtypes(self) -> None:
        if len(self.dtypes) == 1:
            raise Skipped(f"it offers {self.dtypes[0]} alone")

    def require_float64(self) -> None:
        if "float64" not in self.dtypes:
            raise Skipped("it offers no float64, in which differences could be taken")

    def no_violation(self, rule: str) -> str:
        self.watch.last = ""  # the evidence names the call
        if rule in self.watch.evidence:
            raise Failure(self.watch.evidence[rule])
        return f"{self.watch.calls} calls"

    def reentrant(self) -> str:
        faults = {check.name for check in self.report.failures}
        if self.component.is_compiled() and faults & {
            memory_checks.FENCES,
            "reads only its arguments",
            "slots as declared",
        }:
            raise Skipped("not tried, as it reads or writes what is not its own")
        calls = self.calls(self.dtypes[-1])
        first, second = self.call_with_data(calls), self.call_with_data(calls)
        self.watch.last = calls.dtype
        if calls.compiled:
            with self.watch.call("a kernel", calls.dtype, ()):  # changes of the environment stay in this thread
                kept = what_is_kept(self.functions().values(), first, second)
            if kept is not None:
                raise Failure(
                    "a kernel must not write to static or global memory: another thread is in it, too. "
                    f"{kept} hold what the last call computed: is a static or global buffer written?"
                )
        return same_in_two_threads((first, second))
