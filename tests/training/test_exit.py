"""What daemon threads of a user's are in the middle of when the interpreter ends."""

import random
import subprocess
import sys
import textwrap
import threading
import time

import pytest

from cynn.saving import exit_gate

PROGRAM = textwrap.dedent("""
    import sys, threading, time
    import numpy as np, cynn

    kind, seconds, path = sys.argv[1], float(sys.argv[2]), sys.argv[3]
    x, y = np.ones((64, 20)), np.zeros(64)
    net = cynn.Network.mlp([20, 300, 300, 1], seed=0)
    net.save(path)

    def work():
        if kind == "checkpoint":
            callbacks = cynn.callbacks.Checkpoint(path, every_steps=1)
            net.fit(x, y, epochs=10**6, callbacks=callbacks)
        elif kind == "batches":
            net.fit(lambda epoch: ((x, y) for _ in range(100)), epochs=10**6)
        while True:
            cynn.load(path)

    threading.Thread(target=work, daemon=True).start()
    time.sleep(seconds)
""")


def ended(kind, seconds, folder):
    command = [sys.executable, "-c", PROGRAM, kind, str(seconds), str(folder / "net.safetensors")]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


@pytest.mark.parametrize("kind", ["checkpoint", "load", "batches"])
def test_a_daemon_thread_at_the_end(kind, tmp_path):
    found = ended(kind, 0.3, tmp_path)
    assert (found.returncode, found.stderr) == (0, "")


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["checkpoint", "load", "batches"])
def test_a_daemon_thread_at_the_end_at_any_moment(kind, tmp_path):
    generator = random.Random(0)
    for _ in range(100):
        assert ended(kind, generator.uniform(0.1, 1.0), tmp_path).returncode == 0


def test_the_gate_waits_for_who_is_inside_and_lets_no_daemon_in(monkeypatch):
    gate = exit_gate._Gate()
    monkeypatch.setattr(exit_gate, "_gate", gate)
    inside, may_leave, order = threading.Event(), threading.Event(), []

    def first():
        with exit_gate.before_exit():
            inside.set()
            may_leave.wait()
            order.append("left")

    def second():
        with exit_gate.before_exit():
            order.append("never")

    threading.Thread(target=first, daemon=True).start()
    inside.wait()
    closing = threading.Thread(target=lambda: (gate.close(), order.append("closed")))
    closing.start()
    while not gate.is_closed:
        time.sleep(0.001)
    threading.Thread(target=second, daemon=True).start()
    may_leave.set()
    closing.join()
    with exit_gate.before_exit():
        order.append("the main thread may")
    assert order == ["left", "closed", "the main thread may"]


def test_a_child_of_fork_has_a_gate_of_its_own():
    gate = exit_gate._gate
    try:
        gate.enter()
        exit_gate._after_fork()
        exit_gate._gate.close()  # does not wait
    finally:
        exit_gate._gate = gate
        gate.leave()
