"""Files that an earlier version wrote: they are read, and training goes on from them."""

from pathlib import Path

import numpy as np
import old_files
import pytest

import cynn

DATA = Path(__file__).parents[1] / "support" / "data"


def test_a_model_file():
    net = cynn.load(DATA / "model.safetensors")
    fresh = old_files.network()
    assert net.get_config() == fresh.get_config()
    np.testing.assert_allclose(net.predict(old_files.X), fresh.predict(old_files.X), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("name", old_files.TRAININGS)
def test_a_checkpoint(name, tmp_path):
    """It was written in the middle of epoch 3; rounding differs from CPU to CPU."""
    path = DATA / f"{name}.safetensors"
    net = old_files.fit(**old_files.TRAININGS[name](tmp_path), resume=path)
    whole = old_files.fit(**old_files.TRAININGS[name](tmp_path))
    assert net.epochs_trained == net.history.epochs == old_files.EPOCHS
    assert net._optimizer_state.t == whole._optimizer_state.t
    np.testing.assert_allclose(net.history["loss"], whole.history["loss"], rtol=1e-3)
    for array, expected in zip(net.get_weights(), whole.get_weights(), strict=True):
        np.testing.assert_allclose(array, expected, rtol=1e-2, atol=1e-4)
    assert cynn.load(path).parameter_count == net.parameter_count
