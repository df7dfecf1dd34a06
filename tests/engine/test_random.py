"""Random numbers: known answers of Philox, and what makes numbers random enough for training."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from cynn.engine import randomness
from cynn.engine.randomness import Purpose
from cynn.kernels import random

WORD = st.integers(0, 2**32 - 1)


def words(n=4, seed=0, purpose=0, epoch=0, step=0):
    out = np.empty(n, np.uint32)
    random.random_words(out, seed, purpose, epoch, step)
    return out


def philox(counter, key):
    """Philox4x32-10, from the paper: Salmon and others, 2011, section 3.3."""
    c, k, mask = list(counter), list(key), 0xFFFFFFFF
    for _ in range(10):
        product_0, product_1 = 0xD2511F53 * c[0], 0xCD9E8D57 * c[2]
        high_1, high_0 = product_1 >> 32, product_0 >> 32
        c = [high_1 ^ c[1] ^ k[0], product_1 & mask, high_0 ^ c[3] ^ k[1], product_0 & mask]
        k = [(k[0] + 0x9E3779B9) & mask, (k[1] + 0xBB67AE85) & mask]
    return c


class TestPhilox:
    @pytest.mark.parametrize(
        ("counter", "key", "answer"),
        [
            ([0] * 4, [0] * 2, "6627e8d5 e169c58d bc57ac4c 9b00dbd8"),
            ([0xFFFFFFFF] * 4, [0xFFFFFFFF] * 2, "408f276d 41c83b0e a20bc7c6 6d5451fd"),
            (
                [0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344],
                [0xA4093822, 0x299F31D0],
                "d16cfe09 94fdcceb 5001e420 24126ea1",
            ),
        ],
    )
    def test_the_reference_here_gives_the_known_answers_of_random123(self, counter, key, answer):
        assert " ".join(f"{word:08x}" for word in philox(counter, key)) == answer

    def test_the_known_answer_for_zeros(self):
        assert " ".join(f"{word:08x}" for word in words()) == "6627e8d5 e169c58d bc57ac4c 9b00dbd8"

    @given(st.integers(0, 2**64 - 1), WORD, WORD, WORD)
    def test_the_seed_is_the_key_and_the_rest_the_counter(self, seed, purpose, epoch, step):
        found = words(12, seed, purpose, epoch, step)
        key = [seed & 0xFFFFFFFF, seed >> 32]
        for block in range(3):
            expected = philox([block, step, epoch, purpose], key)
            assert found[4 * block : 4 * block + 4].tolist() == expected

    def test_a_size_that_is_no_multiple_of_four(self):
        with pytest.raises(ValueError, match="must be a multiple of 4, got 6"):
            words(6)

    @pytest.mark.parametrize("seed", [-1, 2**64])
    def test_a_seed_out_of_range(self, seed):
        with pytest.raises(OverflowError):
            words(seed=seed)


class TestNumbers:
    def test_uniform(self):
        numbers = randomness.uniform((200, 500), 1, Purpose.INITIAL_WEIGHTS).ravel()
        assert numbers.min() >= 0
        assert numbers.max() < 1
        assert stats.kstest(numbers, "uniform").pvalue > 0.01
        assert abs(np.corrcoef(numbers[:-1], numbers[1:])[0, 1]) < 0.01

    def test_uniform_uses_53_bits(self):
        numbers = randomness.uniform((1000,), 1, Purpose.SPLIT) * 2**53
        assert (numbers == np.floor(numbers)).all()
        assert len(set(numbers.astype(np.int64) % 2**20)) > 950

    def test_normal(self):
        numbers = randomness.normal((200, 500), 1, Purpose.INITIAL_WEIGHTS).ravel()
        assert stats.kstest(numbers, "norm").pvalue > 0.01
        assert abs(numbers.mean()) < 0.02
        assert numbers.std() == pytest.approx(1, abs=0.01)
        assert stats.kurtosis(numbers) == pytest.approx(0, abs=0.05)
        assert abs(np.corrcoef(numbers[::2], numbers[1::2])[0, 1]) < 0.02  # the pairs of Box and Muller

    @pytest.mark.parametrize("draw", [randomness.uniform, randomness.normal])
    def test_each_is_a_function_of_its_position_only(self, draw):
        long = draw((101,), 5, Purpose.SPLIT, 3)
        for n in (0, 1, 2, 7, 100):
            assert (draw((n,), 5, Purpose.SPLIT, 3) == long[:n]).all()
        assert (draw((101,), 5, Purpose.SPLIT, 3) == long).all()
        for other in [(6, Purpose.SPLIT, 3), (5, Purpose.SHUFFLE, 3), (5, Purpose.SPLIT, 4)]:
            assert (draw((101,), *other) != long).all()


class TestPermutation:
    @given(st.integers(0, 3000), st.integers(0, 2**64 - 1))
    def test_each_number_once(self, n, seed):
        for draw in (randomness.permutation, randomness.block_permutation):
            assert sorted(draw(n, seed, Purpose.SHUFFLE).tolist()) == list(range(n))

    def test_every_order_is_as_likely_as_another(self):
        counts = {}
        for seed in range(6000):
            order = tuple(randomness.permutation(4, seed, Purpose.SHUFFLE))
            counts[order] = counts.get(order, 0) + 1
        assert len(counts) == 24
        assert stats.chisquare(list(counts.values())).pvalue > 0.001

    def test_well_mixed(self):
        order = randomness.permutation(20_000, 3, Purpose.SHUFFLE)
        assert abs(stats.spearmanr(order, np.arange(20_000)).statistic) < 0.03
        assert abs(np.corrcoef(order[:-1], order[1:])[0, 1]) < 0.03
        assert (order == np.arange(20_000)).sum() < 10

    def test_blocks_stay_together_and_are_mixed_themselves(self):
        out = np.empty(1000, np.int64)
        random.block_permutation(out, 100, 1, Purpose.SHUFFLE)
        blocks = (out // 100).reshape(10, 100)
        assert (blocks == blocks[:, :1]).all()
        assert blocks[:, 0].tolist() != list(range(10))
        within = out.reshape(10, 100) % 100
        assert len({tuple(row) for row in within.tolist()}) == 10
        with pytest.raises(ValueError, match=r"block must be at least 1\. Got 0 instead"):
            random.block_permutation(out, 0, 1, 2)

    def test_epochs_and_seeds_have_orders_of_their_own(self):
        orders = {
            tuple(randomness.permutation(50, seed, Purpose.SHUFFLE, epoch))
            for seed in range(5)
            for epoch in range(5)
        }
        assert len(orders) == 25


def test_seeds():
    assert randomness.as_seed(np.uint64(5)) == 5
    assert len({randomness.as_seed(None) for _ in range(5)}) == 5


def test_the_purposes_keep_their_numbers():
    """A seed means something else when they change."""
    assert {"INITIAL_WEIGHTS": 1, "SHUFFLE": 2, "SPLIT": 3}.items() <= vars(Purpose).items()
