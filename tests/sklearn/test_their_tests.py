"""scikit-learn's own tests of its MLP, as its wheel has them, of our estimators in the place of its own."""

import importlib.util
import inspect
from pathlib import Path

import pytest

pytest.importorskip("sklearn")

from sklearn import neural_network

import cynn.sklearn

pytestmark = [pytest.mark.interop, pytest.mark.filterwarnings("default")]

#: They make it up of private attributes.
PRIVATE = {
    "test_fit": "it sets _coef_grads, _coef_velocity and their like, and coefs_ of what was never fitted",
    "test_gradient": "it calls _forward_pass and _loss_grad_lbfgs",
}


def _theirs():
    """The module, in which the names of its two classes mean ours."""
    path = Path(neural_network.__file__).parent / "tests" / "test_mlp.py"
    spec = importlib.util.spec_from_file_location("their_test_mlp", path)
    module = importlib.util.module_from_spec(spec)
    with pytest.MonkeyPatch.context() as patch:
        for name in ("MLPClassifier", "MLPRegressor"):
            patch.setattr(neural_network, name, getattr(cynn.sklearn, name))
        spec.loader.exec_module(module)
    return module


theirs = _theirs()
tests = {name: test for name, test in vars(theirs).items() if name.startswith("test_")}
globals().update({name: tests[name] for name in sorted(tests.keys() - PRIVATE.keys())})


@pytest.fixture
def global_random_seed():
    return 0


def test_what_is_left_out_is_there():
    assert PRIVATE.keys() <= tests.keys()
    assert len(tests) - len(PRIVATE) >= 41
    assert sum("lbfgs" in inspect.getsource(test) for test in tests.values()) >= 13
