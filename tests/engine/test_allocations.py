"""Nothing per step on the heap: a preloaded malloc counts."""

import ctypes
import os
import subprocess
import sys
import textwrap

import pytest

pytestmark = pytest.mark.skipif(
    any(hasattr(ctypes.CDLL(None), f"__{name}_init") for name in ("asan", "tsan")),
    reason="a sanitizer has a malloc of its own, which keeps what is freed",
)

COUNTER = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stddef.h>
static long count;
long allocation_count(void) { return __atomic_load_n(&count, __ATOMIC_SEQ_CST); }
#define ONE __atomic_add_fetch(&count, 1, __ATOMIC_SEQ_CST)
extern void *__libc_malloc(size_t), *__libc_calloc(size_t, size_t), *__libc_realloc(void *, size_t);
void *malloc(size_t size) { ONE; return __libc_malloc(size); }
void *calloc(size_t n, size_t size) { ONE; return __libc_calloc(n, size); }
void *realloc(void *old, size_t size) { ONE; return __libc_realloc(old, size); }
"""

# The same call with 1 step and with 1,001 steps: what the call itself allocates cancels out.
MEASURE = """
    import ctypes, sys
    import numpy as np
    import cynn

    from cynn.training.context import TrainingContext
    from cynn.training.optimizer_state import OptimizerState

    count = ctypes.CDLL(None).allocation_count
    count.restype = ctypes.c_long
    optimizer, sizes, batch_size, n_threads = eval(sys.argv[1])
    generator = np.random.default_rng(0)
    steps = 1001
    n = steps * batch_size
    x = generator.integers(0, 256, (n, sizes[0]), dtype=np.uint8)
    y = generator.integers(0, sizes[-1], n)
    net = cynn.Network.mlp(sizes, activation="sigmoid", output="softmax", seed=0)
    objective = net.objective(None)
    target = objective.targets(y, n, "y", check_finite=True)
    state = OptimizerState(cynn.registry.optimizers.get(optimizer), net)
    weights = objective.sample_weights(None, n)
    trainer = TrainingContext(net, objective, state, n_threads, True).trainer(x, target, weights, batch_size)
    rates = np.full(steps, 0.01)

    rates = np.full(steps, 0.01)

    def allocations(order):
        before = count()
        trainer.run(order, 0, 1, rates, None, 3600.0)
        return count() - before

    long, short = np.arange(n), np.arange(batch_size)
    allocations(long), allocations(short)
    print(allocations(long) - allocations(short))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the counter is preloaded, which is Linux's way")
@pytest.mark.parametrize(
    "case",
    [
        ("sgd", [784, 16, 16, 10], 10, 1),
        ("adam", [784, 16, 16, 10], 32, 2),
        ("sgd", [16, 520, 10], 16, 2),
        ("adamw", [64, 128, 10], 128, 2),
    ],
)
def test_no_allocation_per_step(tmp_path, case):
    source, library = tmp_path / "counter.c", tmp_path / "counter.so"
    source.write_text(COUNTER)
    subprocess.run(["gcc", "-shared", "-fPIC", "-O1", "-o", library, source], check=True)
    environment = {**os.environ, "LD_PRELOAD": str(library), "PYTHONMALLOC": "pymalloc"}
    result = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(MEASURE), repr(case)],
        env=environment, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert int(result.stdout) == 0


@pytest.mark.skipif(
    not os.path.exists("/proc/self/statm"), reason="there is no /proc to read the memory from"
)
def test_resident_memory_is_flat_over_100_epochs():
    script = """
        import numpy as np
        import cynn

        def resident():
            return int(open("/proc/self/statm").read().split()[1]) * 4096

        generator = np.random.default_rng(0)
        x, y = generator.random((2000, 20)), generator.integers(0, 3, 2000)
        net = cynn.Network.mlp([20, 32, 3], output="softmax", seed=0)
        net.fit(x, y, epochs=10, metrics=["accuracy"], validation_data=(x, y))
        before = resident()
        net.fit(x, y, epochs=100, metrics=["accuracy"], validation_data=(x, y))
        for _ in range(1000):
            net.predict(x[:1])
        print(resident() - before)
    """
    result = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)], capture_output=True, text=True, check=True
    )
    assert int(result.stdout) < 2**20
