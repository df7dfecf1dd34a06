"""A skip that nobody expects fails the run: a test that never runs finds nothing.

`CYNN_EXPECTED_SKIPS` names a file with a line for each that is expected, `<file of tests>: <how the reason
begins>`. `.ci/run` sets it; without it any skip will do, since not every machine has all that some test needs.
"""

import os
from pathlib import Path


class Skips:
    def __init__(self, lines):
        self.expected = [line.split(": ", 1) for line in lines if line and not line.startswith("#")]
        self.unexpected = []

    def pytest_runtest_logreport(self, report):
        if report.skipped and not hasattr(report, "wasxfail"):
            reason = report.longrepr[2].removeprefix("Skipped: ")
            if not any(report.nodeid.startswith(file) and reason.startswith(why) for file, why in self.expected):
                self.unexpected.append(f"{report.nodeid}: {reason}")

    pytest_collectreport = pytest_runtest_logreport

    def pytest_sessionfinish(self, session):
        if self.unexpected:
            session.exitstatus = 1

    def pytest_terminal_summary(self, terminalreporter):
        if self.unexpected:
            terminalreporter.section("skips that are not expected")
            for each in self.unexpected:
                terminalreporter.write_line(each)


def pytest_configure(config):
    path = os.environ.get("CYNN_EXPECTED_SKIPS")
    if path:
        config.pluginmanager.register(Skips(Path(path).read_text(encoding="utf-8").splitlines()))
