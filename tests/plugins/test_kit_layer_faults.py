"""Layers with one fault each, in C, of every kind that the conformance kit looks for: it names the fault."""

import re
import sys

import pytest
from kit_layers import Affine, Centred, Noisy, Product, Scaled, Squared, made

from cynn.testing.layers import LayerChecks

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the faults are written for glibc")

INSIDE, READS, PIECES, ALIGNED = "stays within its arrays", "reads only its arguments", "any pieces", "any alignment"
CALLS, LINEAR, STEP = "deterministic calls", "backward linear in its gradient", "linear step as declared"
MANY, RANDOM, FULL, WEIGHTS = "many rows", "random numbers", "float64 in full", "weights and order of rows"
UNWANTED, INPUTS, SETTINGS = "an input without a gradient", "inputs unchanged", "floating-point environment unchanged"
FACTOR, WIDE, GRADIENT, NAN = "learning-rate factor", "gradient of wide rows", "gradient", "NaN let through"
REFERENCE, IN_PLACE = "as its reference", "aliasing as declared"

FAULTS = [
    # outside of arrays
    (INSIDE, Scaled, {"forward": "writes_behind"}, r"behind the end of out.*SIGSEGV.*in forward \(float64, 1 x 1\)"),
    (INSIDE, Scaled, {"backward": "writes_before"}, r"before the start of dx\[0\]"),
    (INSIDE, Scaled, {"gradient": "writes_behind"}, "behind the end of grad"),
    (INSIDE, Scaled, {"forward": "reads_before"}, r"before the start of x\[0\]"),
    (INSIDE, Scaled, {"backward": "reads_behind"}, r"behind the end of parameters\[0\]"),
    (INSIDE, Scaled, {"gradient": "reads_behind"}, "behind the end of delta"),
    (INSIDE, Scaled, {"forward": "reads_table"}, "behind the end of the addresses of parameters"),
    (INSIDE, Scaled, {"forward": "writes_parameter"}, r"forward must not write to its input parameters\[0\]"),
    (INSIDE, Scaled, {"backward": "writes_x"}, r"backward must not write to its input x\[0\]"),
    (INSIDE, Scaled, {"gradient": "writes_delta"}, "gradient must not write to its input delta"),
    (INSIDE, Centred, {"update_states": "writes_x"}, r"update_states must not write to its input x\[0\]"),
    (INPUTS, Scaled, {"forward": "writes_parameter"}, r"forward changed its input parameters\[0\]"),
    (INPUTS, Scaled, {"gradient": "writes_delta"}, "gradient changed its input delta"),
    # alignment
    (ALIGNED, Scaled, {"forward": "aligned"}, "a must not depend on where arrays start"),
    (ALIGNED, Scaled, {"backward": "aligned"}, "∂C/∂x must not depend on where arrays start"),
    (ALIGNED, Scaled, {"gradient": "aligned"}, "∂C/∂factor must not depend on where arrays start"),
    # sizes
    (MANY, Scaled, {"forward": "stops"}, "a of 1031 x 129: each row must be as it is alone"),
    (MANY, Scaled, {"forward": "at_4096"}, "a of 4096 x 3"),
    (WIDE, Scaled, {"backward": "columns_64"}, "∂C/∂x of 3 x 130 must be"),
    (MANY, Scaled, {"gradient": "rows_512"}, "∂C/∂factor of 1031 x 129: it must be the sum over rows"),
    (MANY, Scaled, {"forward": "one_column"}, "a of 70 x 1"),
    (PIECES, Scaled, {"forward": "no_rows"}, "a must not depend on the pieces"),
    # pieces
    (PIECES, Scaled, {"forward": "from_0"}, "a must not depend on the pieces.*in 0..1, 1..4"),
    (PIECES, Scaled, {"backward": "from_0"}, "∂C/∂x must not depend on the pieces"),
    (PIECES, Affine, {"gradient": "from_0"}, "∂C/∂weights must not depend on the pieces"),
    (PIECES, Scaled, {"forward": "of_piece"}, "a must not depend on the pieces"),
    (PIECES, Affine, {"linear_step": "all"}, "0.7 weights - 0.3 ∂C/∂weights must not depend on the pieces"),
    # what nobody has written
    (READS, Scaled, {"backward": "adds"}, "∂C/∂x must follow from the arrays alone.*those that it has to write"),
    (READS, Scaled, {"gradient": "adds"}, "∂C/∂factor must follow from the arrays alone"),
    (READS, Scaled, {"backward": "reads_out"}, "∂C/∂x must follow from the arrays alone"),
    (READS, Squared, {"forward": "saves_nothing"}, "∂C/∂x must follow from the arrays alone"),
    (READS, Scaled, {"forward": "heap"}, "a must follow from the arrays alone"),
    # what is remembered
    (CALLS, Scaled, {"forward": "counts"}, "a must be the same bits.*is something remembered"),
    (CALLS, Scaled, {"forward": "last"}, "a must be the same bits"),
    (CALLS, Noisy, {"forward": "rand"}, "a must be the same bits"),
    ("re-entrant", Scaled, {"forward": "buffered"}, "static or global memory"),
    # not linear
    (LINEAR, Scaled, {"backward": "clips"}, r"∂C/∂x must be linear.*1e\+08 times"),
    (LINEAR, Scaled, {"backward": "absolute"}, "∂C/∂x must be linear.*-1 times"),
    (LINEAR, Scaled, {"gradient": "drops_small"}, "∂C/∂factor must be linear.*1e-08 times"),
    (LINEAR, Scaled, {"gradient": "decays"}, "∂C/∂factor must be linear"),
    # the linear step
    (STEP, Affine, {"linear_step": "off"}, r"linear_step must make 0.7 weights - 0.3 ∂C/∂weights"),
    (STEP, Affine, {"linear_step": "sign"}, "linear_step must make"),
    (STEP, Affine, {"linear_step": "no_beta"}, "linear_step must make"),
    # states
    (INPUTS, Centred, {"forward": "moves"}, r"forward changed its input states\[0\]"),
    (INPUTS, Centred, {"forward": "moves_in_prediction"}, r"forward changed its input states\[0\]"),
    (INSIDE, Centred, {"forward": "moves_in_prediction"}, r"forward must not write to its input states\[0\]"),
    (WEIGHTS, Centred, {"update_states": "no_weights"}, "mean must be as with so many copies"),
    (WEIGHTS, Centred, {"update_states": "first_weight"}, "mean must be as with so many copies"),
    (WEIGHTS, Centred, {"update_states": "by_rows"}, "mean must be as with so many copies"),
    (WEIGHTS, Centred, {"update_states": "first_row"}, "mean must follow each row"),
    (REFERENCE, Centred, {"update_states": "swapped"}, "mean must be what the reference gives"),
    (REFERENCE, Centred, {"update_states": "nan"}, "mean must be what the reference gives"),
    (REFERENCE, Centred, {"update_states": "tail"}, "mean must be what the reference gives.*at [(]32,[)]"),
    # random numbers
    (RANDOM, Noisy, {"forward": "no_seed"}, "others with another seed of the pass"),
    (RANDOM, Noisy, {"forward": "no_epoch"}, "others with another epoch of the pass"),
    (RANDOM, Noisy, {"forward": "no_step"}, "others with another step of the pass"),
    (RANDOM, Noisy, {"forward": "no_number"}, "others with another number of the pass"),
    (RANDOM, Noisy, {"forward": "in_prediction"}, "a prediction must not draw"),
    (RANDOM, Noisy, {"forward": "noisy", "attributes": {"draws": False}},
     r"must be declared by builder.add\(..., draws=True\)"),
    (PIECES, Noisy, {"forward": "of_piece_noise"}, "a must not depend on the pieces"),
    # the environment
    (SETTINGS, Scaled, {"forward": "flush"}, "(forward|predict) changed flush-to-zero|rounding"),
    (SETTINGS, Scaled, {"backward": "rounds"}, "backward changed the direction of rounding"),
    (SETTINGS, Scaled, {"gradient": "rounds"}, "gradient changed the direction of rounding"),
    # float64 in part
    (FULL, Scaled, {"forward": "single"}, "does it go through float32"),
    (FULL, Scaled, {"backward": "single"}, "does it go through float32"),
    (FULL, Squared, {"forward": "single_h", "backward": "single_h"}, "must follow hyperparameter 0 in all its bits"),
    (MANY, Scaled, {"gradient": "single"}, "∂C/∂factor of 1031 x 129: it must be the sum over rows"),
    # the end of the process
    (MANY, Scaled, {"forward": "aborts"}, r"SIGABRT.*in forward \(float64, 1031 x 129\)"),
    (PIECES, Scaled, {"backward": "reads_null"}, r"SIGSEGV.*in backward"),
    (MANY, Scaled, {"gradient": "exits"}, "exit code 3, in gradient"),
    # NaN and infinity
    (NAN, Scaled, {"forward": "no_nan"}, "must let NaN through"),
    (NAN, Scaled, {"forward": "nan_to_others"}, "must not reach other rows"),
    # several inputs
    (GRADIENT, Product, {"backward": "same"}, "the gradient by input 1 must be"),
    (UNWANTED, Product, {"backward": "wants_both"}, "SIGSEGV.*in backward"),
    (UNWANTED, Product, {"backward": "wants_first"}, r"∂C/∂x\[1\] must be the same where nobody wants ∂C/∂x\[0\]"),
    # in place
    (IN_PLACE, Squared, {"backward": "of_delta"}, "∂C/∂x must be the same where out is x"),
    # gradients, and factors of the learning rate
    (FACTOR, Scaled, {"gradient": "with_factor", "attributes": {"hyperparameters": property(
        lambda self: [self.learning_rate_factor])}}, "a step on the parameter factor must be in proportion"),
    (GRADIENT, Scaled, {"gradient": "half"}, "the gradient by the parameter factor must be"),
    (GRADIENT, Scaled, {"gradient": "mean"}, "the gradient by the parameter factor must be"),
]  # fmt: skip
RIGHT = [Scaled, Affine, Centred, Noisy, Product, Squared]


def failure_of(layer, check):
    only = {check, READS} if check in (INPUTS, SETTINGS) else {check}  # what is seen in the course of others
    report = LayerChecks.report_on(layer, raise_on_failure=False, only=only)
    found = {each.name: each.evidence for each in report.failures}
    assert check in found, str(report)
    return found[check]


IDS = [f"{check}, {base.__name__}, {next(iter(faulty.values()))}" for check, base, faulty, _ in FAULTS]


@pytest.mark.parametrize(("check", "base", "faulty", "pattern"), FAULTS, ids=IDS)
def test_fault_is_named(check, base, faulty, pattern):
    evidence = failure_of(made(base, **faulty), check)
    assert re.search(pattern, evidence), evidence
    assert "float" in evidence
    assert "seed 0" in evidence or check in (INPUTS, SETTINGS)


@pytest.mark.parametrize("base", RIGHT)
def test_a_right_one_passes(base):
    report = LayerChecks.report_on(made(base), raise_on_failure=False)
    assert report.passed, str(report)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_of_one_dtype(dtype):
    report = LayerChecks.report_on(made(Scaled, [dtype]), raise_on_failure=False)
    assert report.passed, str(report)
