"""A fork while other threads compute: the child, which has none of them, computes on."""

import os
import textwrap

import in_a_process
import pytest

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")

BEGIN = """
import os, signal, threading
import numpy as np
import cynn
from cynn.kernels.blas import matmul

def forks_beside(work, n_threads, n_forks):
    "Calls work() over and over on other threads and forks; the statuses of the children, which call it once."
    work()  # what it imports
    stopped = threading.Event()
    def work_on():
        while not stopped.is_set():
            work()
    threads = [threading.Thread(target=work_on) for _ in range(n_threads)]
    for thread in threads:
        thread.start()
    statuses = set()
    for _ in range(n_forks):
        child = os.fork()
        if child == 0:
            signal.alarm(30)  # ends the child, should it wait for ever
            work()
            os._exit(7)
        statuses.add(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
        if statuses != {7}:
            break
    stopped.set()
    for thread in threads:
        thread.join()
    return statuses
"""


def run(code):
    """Runs the code in a process of its own."""
    in_a_process.run(BEGIN + textwrap.dedent(code), seconds=90)


@pytest.mark.parametrize("columns", [1, 900])
def test_the_fork_waits_for_a_product(columns):
    """OpenBLAS takes a lock in each product, which a child that is born meanwhile would find locked for ever."""
    run(f"""
        rows, inner, columns = 900, 900, {columns}
        if columns == 1:
            rows = 40_000
        a, b, c = np.ones((rows, inner)), np.ones((inner, columns)), np.full((rows, columns), np.nan)
        product = threading.Thread(target=matmul, args=(a, b, c))
        product.start()
        while np.isnan(c[0, 0]):  # not begun
            pass
        child = os.fork()
        if child == 0:
            os._exit(7 if (c == inner).all() else 8)  # the memory at the time of the fork
        product.join()
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
        assert (c == inner).all()
    """)


def test_a_problem_that_another_thread_evaluates():
    run("""
        x = np.linspace(-1, 1, 3000)[:, None]
        net = cynn.Network.mlp([1, 40, 1], activation="tanh", seed=0)
        problem = net.problem(x, np.sin(3 * x))
        expected = problem.value(problem.theta + 1)
        def work():
            problem.value(problem.theta)
            assert problem.value(problem.theta + 1) == expected
        assert forks_beside(work, 1, 20) == {7}
    """)


def test_wrong_products():
    """The lock of the message on a wrong product, too."""
    run("""
        from ctypes import c_int, c_int64 as long, c_void_p as pointer
        from c_functions import function
        from cynn.kernels import blas
        sizes_and_places = long, long, long, pointer, long, pointer, long, pointer, long
        can_multiply = function(blas, "can_multiply", c_int, c_int, c_int, *sizes_and_places)
        def work():
            for _ in range(300):
                assert not can_multiply(0, 0, -1, 1, 1, None, 1, None, 1, None, 1)
        assert forks_beside(work, 3, 150) == {7}
    """)
