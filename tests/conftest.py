"""Settings of the whole suite."""

import os
import signal

import pytest
from hypothesis import settings
from skips import pytest_configure  # noqa: F401  (a hook of pytest, which finds it here)

from cynn import registry

# the same examples in every run, and no clock: a busy machine is no failure
settings.register_profile("cynn", deadline=None, derandomize=True, database=None)
settings.load_profile("cynn")


os.environ.setdefault("MPLBACKEND", "agg")  # pictures are drawn, and no window opens


@pytest.fixture(autouse=True)
def registrations_are_forgotten():
    """A class that a test, or a page of the documentation, registers is unknown to the next one."""
    registries = registry.every()
    before = [dict(each._registered) for each in registries]
    yield
    for each, names in zip(registries, before, strict=True):
        each._registered.clear()
        each._registered.update(names)


@pytest.fixture(autouse=True, scope="session")
def ctrl_c_is_heard():
    """A shell starts what runs in the background with Ctrl-C ignored, and child processes inherit that."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)
