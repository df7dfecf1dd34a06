"""Schedules against their formulas, in optimizers, in training, and what is refused."""

import itertools
import json
import math
import pickle
from fractions import Fraction

import helpers
import numpy as np
import pytest

import cynn
from cynn import schedules, testing
from cynn.errors import CynnError, InvalidParameterError, UnknownNameError
from cynn.optimizers import SGD, Adam
from cynn.schedules import (
    Constant,
    CosineDecay,
    CosineDecayRestarts,
    ExponentialDecay,
    OneCycle,
    PolynomialDecay,
    ReduceOnPlateau,
    StepDecay,
    WarmUp,
)

STEPS = 60


def exponential(step):
    return 0.3 * 0.7 ** (step / 8)


def exponential_staircase(step):
    return 0.3 * 0.7 ** math.floor(step / 8)


def polynomial(step):
    return (0.3 - 0.05) * (1 - min(step, 40) / 40) ** 2 + 0.05


def polynomial_cycle(step):
    length = 7 * max(1, math.ceil(step / 7))
    return (0.3 - 0.05) * (1 - step / length) + 0.05


def cosine(step):
    return 0.3 * (0.9 * 0.5 * (1 + math.cos(math.pi * min(step, 40) / 40)) + 0.1)


def restarts(step, t_mul=2, m_mul=0.5, first=5):
    begin, length, period = 0, first, 0
    while step >= begin + length:
        begin, length, period = begin + length, length * t_mul, period + 1
    wave = 0.5 * m_mul**period * (1 + math.cos(math.pi * (step - begin) / length))
    return 0.3 * (0.9 * wave + 0.1)


def one_cycle(step):
    """PyTorch's OneCycleLR: two phases, each from one rate to another along half a cosine."""
    top, last = 0.3 * 50 - 1, 49
    first_rate = 0.3 / 25
    last_rate = first_rate / 1e4
    if step <= top:
        start, end, share = first_rate, 0.3, step / top
    else:
        start, end, share = 0.3, last_rate, min(1, (step - top) / (last - top))
    return end + (start - end) / 2 * (1 + math.cos(math.pi * share))


def warm_up(step):
    return 0.02 + (0.3 - 0.02) * (step + 1) / 10 if step < 10 else cosine(step - 10)


CASES = {
    "constant": (Constant(0.3), lambda step: 0.3),
    "step": (StepDecay(0.3, 7, 0.5), lambda step: 0.3 * 0.5 ** (step // 7)),
    "exponential": (ExponentialDecay(0.3, 8, 0.7), exponential),
    "exponential_staircase": (ExponentialDecay(0.3, 8, 0.7, staircase=True), exponential_staircase),
    "polynomial": (PolynomialDecay(0.3, 40, 0.05, power=2), polynomial),
    "polynomial_cycle": (PolynomialDecay(0.3, 7, 0.05, cycle=True), polynomial_cycle),
    "cosine": (CosineDecay(0.3, 40, alpha=0.1), cosine),
    "restarts": (CosineDecayRestarts(0.3, 5, m_mul=0.5, alpha=0.1), restarts),
    "restarts_equal": (
        CosineDecayRestarts(0.3, 5, t_mul=1, m_mul=0.5, alpha=0.1),
        lambda step: restarts(step, t_mul=1),
    ),
    "one_cycle": (OneCycle(0.3, 50), one_cycle),
    "warm_up": (WarmUp(CosineDecay(0.3, 40, alpha=0.1), 10, 0.02), warm_up),
    "plateau": (ReduceOnPlateau(CosineDecay(0.3, 40, alpha=0.1), monitor="loss"), cosine),
}
NAMED = pytest.mark.parametrize("name", CASES)


class TestFormulas:
    @NAMED
    def test_against_the_formula(self, name):
        schedule, formula = CASES[name]
        expected = [formula(step) for step in range(STEPS)]
        np.testing.assert_allclose(schedule.rates(0, STEPS), expected, rtol=1e-12, atol=1e-15)

    @NAMED
    def test_any_part_of_it_is_the_same(self, name):
        schedule, _ = CASES[name]
        whole = schedule.rates(0, STEPS)
        assert whole.dtype == np.float64
        for first, count in [(0, 1), (9, 3), (10, 1), (13, 30), (59, 1)]:
            assert schedule.rates(first, count).tobytes() == whole[first : first + count].tobytes()
        assert schedule(17) == whole[17]

    @pytest.mark.parametrize("t_mul", [1.0, 1.1, 1.5, 2.0, 3.0, 10.0])
    @pytest.mark.parametrize("first", [1, 3, 10, 997])
    def test_every_restart_is_at_its_step(self, t_mul, first):
        """The logarithm that finds the period is off by a rounding at some of them."""
        schedule = CosineDecayRestarts(1.0, first, t_mul=t_mul)
        begins = np.cumsum(first * t_mul ** np.arange(12)) if t_mul > 1 else first * np.arange(1.0, 13)
        for begin in begins[begins < 1e15]:
            if begin == int(begin):
                assert schedule(int(begin)) == pytest.approx(1.0, abs=1e-9)

    def test_every_restart_is_at_its_step_where_t_mul_is_no_binary_fraction(self):
        """43 (1.1 - 1) / (1.1 - 1) is a little more than 43."""
        for t_mul, first in itertools.product(["1.1", "1.2", "1.3", "1.7"], range(1, 120)):
            schedule, begin, length = CosineDecayRestarts(1.0, first, t_mul=float(t_mul)), 0, Fraction(first)
            for _ in range(6):
                begin, length = begin + length, length * Fraction(t_mul)
                if begin.denominator == 1:
                    assert schedule(int(begin)) == pytest.approx(1.0, abs=1e-9), (t_mul, first, begin)

    @pytest.mark.parametrize(
        "left_out, given",
        [
            (CosineDecay(0.3), CosineDecay(0.3, 40)),
            (PolynomialDecay(0.3), PolynomialDecay(0.3, 40)),
            (ExponentialDecay(0.3), ExponentialDecay(0.3, 40)),
            (OneCycle(0.3), OneCycle(0.3, 40)),
            (WarmUp(OneCycle(0.3), 10), WarmUp(OneCycle(0.3, 30), 10)),
            (WarmUp(OneCycle(0.3), 37), WarmUp(OneCycle(0.3, 3), 37)),
        ],
    )
    def test_a_length_that_is_left_out_is_that_of_the_fit(self, left_out, given):
        assert left_out.rates(3, 40, 40).tobytes() == given.rates(3, 40, 40).tobytes()
        with pytest.raises(InvalidParameterError, match="must be given where the number of steps is not known"):
            left_out.rates(20, 1)

    def test_one_cycle_of_few_steps(self):
        for total in (1, 2, 3):
            for pct_start in (0, 0.3, 1):
                rates = OneCycle(0.3, total, pct_start=pct_start).rates(0, 5)
                assert ((rates > 0) & (rates <= 0.3)).all()

    def test_one_cycle_without_a_way_up_begins_at_the_top(self):
        rates = OneCycle(0.3, 10, pct_start=0).rates(0, 11)
        assert rates[0] == 0.3
        assert (np.diff(rates[:10]) < 0).all()
        assert rates[9] == rates[10] == pytest.approx(0.3 / 25 / 1e4)

    def test_a_warm_up_that_does_not_end(self):
        rates = WarmUp(CosineDecay(0.5), 10).rates(0, 10, 10)
        np.testing.assert_allclose(rates, 0.05 * np.arange(1, 11))


class TestAsParameters:
    @NAMED
    def test_config_repr_equality(self, name):
        schedule, _ = CASES[name]
        config = json.loads(json.dumps(schedule.get_config()))
        again = SGD(learning_rate=config).learning_rate
        assert again == schedule
        assert hash(again) == hash(schedule)
        assert again is not schedule
        assert eval(repr(schedule), vars(schedules)) == schedule
        others = [other for key, (other, _) in CASES.items() if key != name]
        assert schedule not in others
        assert pickle.loads(pickle.dumps(schedule)) == schedule

    @NAMED
    def test_in_the_config_of_an_optimizer(self, name):
        optimizer = Adam(CASES[name][0], beta_1=0.8)
        config = json.loads(json.dumps(optimizer.get_config()))
        assert cynn.registry.optimizers.get(config) == optimizer
        assert optimizer != Adam(0.3, beta_1=0.8)
        assert repr(CASES[name][0]) in repr(optimizer)

    def test_a_function_has_no_config(self):
        optimizer = SGD(lambda step: 0.1)
        with pytest.raises(CynnError, match="must be a number or a schedule to have a configuration"):
            optimizer.get_config()

    def test_the_kernel_gets_the_same_values(self):
        assert Adam(CosineDecay(0.1)).kernel_values() == Adam(0.1).kernel_values()

    def test_an_optimizer_of_a_plugin_takes_one(self):
        optimizer = cynn.registry.optimizers.get("rmsprop", learning_rate=StepDecay(0.1, 5))
        assert cynn.registry.optimizers.get(optimizer.get_config()) == optimizer
        x, y = helpers.blobs()
        assert helpers.classifier().fit(x, y, optimizer=optimizer, epochs=1).epochs == 1

    def test_the_conformance_kit_takes_one(self):
        report = testing.check_optimizer(SGD(StepDecay(0.1, 5)), raise_on_failure=False)
        assert report.passed, report

    @pytest.mark.parametrize(
        "make, words",
        [
            (lambda: CosineDecay(0), "'initial_learning_rate' parameter of CosineDecay must be a finite number > 0"),
            (lambda: CosineDecay(0.1, 0), "'decay_steps' parameter of CosineDecay must be a whole number >= 1"),
            (lambda: CosineDecay(0.1, alpha=2), "'alpha' parameter of CosineDecay must be"),
            (lambda: StepDecay(0.1, None), "'decay_steps' parameter of StepDecay must be a whole number"),
            (lambda: ExponentialDecay(0.1, 5, -1), "'decay_rate' parameter of ExponentialDecay must be"),
            (lambda: ExponentialDecay(0.1, 5, 1, "no"), "'staircase' parameter of ExponentialDecay must be True"),
            (lambda: CosineDecayRestarts(0.1, 5, t_mul=0.5), "'t_mul' parameter of CosineDecayRestarts must be"),
            (lambda: CosineDecayRestarts(0.1, 5, m_mul=0), "'m_mul' parameter of CosineDecayRestarts must be"),
            (lambda: CosineDecayRestarts(0.1, 5, alpha=2), "'alpha' parameter of CosineDecayRestarts must be"),
            (lambda: WarmUp("fast", 5), "'learning_rate' parameter of WarmUp must be"),
            (lambda: ReduceOnPlateau(0.1, factor=1), "'factor' parameter of ReduceOnPlateau must be"),
            (lambda: ReduceOnPlateau(0.1, mode="up"), "'mode' parameter of ReduceOnPlateau must be"),
            (lambda: Constant(-1), "'learning_rate' parameter of Constant must be"),
        ],
    )
    def test_what_is_refused(self, make, words):
        with pytest.raises(InvalidParameterError, match=words):
            make()

    def test_a_typo_lists_the_nearest(self):
        with pytest.raises(UnknownNameError, match=r"no schedule named 'cosine_decai'. Did you mean 'cosine_decay"):
            SGD({"name": "cosine_decai"})


def fitted(optimizer, n_threads=1, epochs=3, net=None, **options):
    x, t = helpers.inputs(650, 150, "float32"), helpers.targets(650, 10, "mean_squared_error")
    net = net or cynn.Network.mlp([150, 120, 60, 10], seed=2)
    history = net.fit(
        x, t, optimizer=optimizer, epochs=epochs, batch_size=300, n_threads=n_threads, **options
    )
    return net, history


class TestTraining:
    @NAMED
    def test_the_same_bits_at_any_number_of_threads(self, name):
        def bits(n_threads):
            optimizer = SGD(WarmUp(CASES[name][0], 2, 0.001))
            return helpers.digest(fitted(optimizer, n_threads)[0])

        assert bits(1) == bits(2) == bits(3)

    @NAMED
    def test_no_python_runs_between_steps(self, name, monkeypatch):
        """The rates of an epoch's steps are one array, asked for once, however many steps there are."""
        asked, given = [], CASES[name][0]
        rates = type(schedules.started(given)).rates

        def watched(self, first, count, total=None):
            asked.append((first, count))
            return rates(self, first, count, total)

        monkeypatch.setattr(type(schedules.started(given)), "rates", watched)
        fitted(SGD(given), epochs=1)
        fitted(SGD(given), epochs=2, callbacks=[cynn.callbacks.Timer()])
        assert asked == [(0, 3), (0, 3), (3, 3)]

    @pytest.mark.parametrize("name", [*CASES, "function"])
    def test_a_warm_up_in_front_of_any(self, name):
        given, formula = CASES.get(name, (lambda step: 0.1 / (1 + step), lambda step: 0.1 / (1 + step)))
        found = schedules.started(WarmUp(given, 4, 0.001)).rates(0, 20, 20)
        top = formula(0)
        expected = [0.001 + (top - 0.001) * (step + 1) / 4 for step in range(4)]
        expected += [formula(step) for step in range(16)]
        np.testing.assert_allclose(found, expected, rtol=1e-12)

    def test_every_step_has_its_rate(self):
        """A constant gradient of 1: the weight falls by the sum of the rates."""
        for schedule, formula in CASES.values():
            net = helpers.network([1, 1], ["identity"])
            net.layers[0].weights = [[0.0]]
            x, y = np.ones((12, 1)), np.full(12, -1e9)
            optimizer = SGD(schedule)
            net.fit(x, y, loss="mae", optimizer=optimizer, epochs=2, batch_size=3)
            net.fit(x, y, loss="mae", optimizer=optimizer, epochs=1, batch_size=3)  # steps go on
            expected = -sum(formula(step) for step in range(12))
            assert net.layers[0].weights[0, 0] == pytest.approx(expected, rel=1e-12)

    def test_a_function_of_the_step(self):
        seen = []

        def rate(step):
            seen.append(step)
            return 0.1 / (step + 1)

        function, _ = fitted(SGD(rate))
        same, _ = fitted(SGD(schedules.started(rate)))
        assert seen[:9] == list(range(9))
        assert helpers.digest(function) == helpers.digest(same)

    @pytest.mark.parametrize("wrong", [np.nan, np.inf, -0.1])
    def test_a_function_that_gives_no_rate(self, wrong):
        net = cynn.Network.mlp([150, 120, 60, 10], seed=2)
        before = helpers.digest(net)
        with pytest.raises(InvalidParameterError, match=r"finite number >= 0 at every step. Got .* at step 2 of"):
            fitted(SGD(lambda step: wrong if step == 2 else 0.1), net=net)
        assert helpers.digest(net) == before

    def test_rates_of_another_number_than_steps(self):
        class Short(schedules.Schedule):
            name = "short"

            def at(self, steps, total_steps):
                return steps[1:] + 1

        with pytest.raises(InvalidParameterError, match=r"of 5 steps must have the shape \(5,\)\. Got \(4,\)"):
            Short().rates(0, 5)

    def test_the_step_of_a_wrong_rate_is_counted_from_the_first_of_all(self):
        with pytest.raises(InvalidParameterError, match=r"Got -1\.0 at step 12 of"):
            schedules.started(lambda step: -1.0 if step == 12 else 0.1).rates(10, 5)

    def test_a_second_fit_ends_at_its_own_end(self):
        optimizer = SGD(CosineDecay(0.01))
        net, _ = fitted(optimizer)
        _, history = fitted(optimizer, net=net, epochs=2)
        assert history["learning_rate"] == [optimizer.learning_rate.rates(t, 1, 15)[0] for t in (11, 14)]

    def test_the_history_has_the_rate(self):
        _, history = fitted(SGD(StepDecay(0.01, 3, 0.5)))
        assert history["learning_rate"] == [0.01, 0.005, 0.0025]
        assert "learning_rate" not in fitted(SGD(0.01))[1].history

    def test_divergence_names_the_rate_of_its_step(self):
        with pytest.raises(cynn.errors.TrainingDivergedError, match=r"it was 1e\+20"):
            fitted(SGD(lambda step: 1e20))

    def test_one_given_in_the_middle_begins_anew(self):
        optimizer, seen = SGD(ReduceOnPlateau(0.1, monitor="loss", min_delta=1e9, patience=0)), []

        class Change(cynn.callbacks.Callback):
            def on_epoch_end(self, epoch, logs):
                seen.append(logs["learning_rate"])
                if epoch == 2:
                    optimizer.learning_rate = Constant(0.003)

        fitted(optimizer, epochs=4, callbacks=[Change()])
        assert seen == pytest.approx([0.1, 0.1, 0.003, 0.003])


class TestPlateau:
    def rates(self, schedule, figures, name="val_loss"):
        found = []
        for figure in figures:
            schedule.on_epoch_end({name: figure})
            found.append(schedule(0))
        return found

    def test_after_patience_epochs(self):
        schedule = ReduceOnPlateau(1.0, factor=0.5, patience=2)
        assert self.rates(schedule, [3, 2, 2, 2, 2, 1, 1, 1]) == [1, 1, 1, 0.5, 0.5, 0.5, 0.5, 0.25]

    def test_min_delta(self):
        schedule = ReduceOnPlateau(1.0, factor=0.5, patience=1, min_delta=0.5)
        assert self.rates(schedule, [3, 2.6, 2.4, 2.3]) == [1, 0.5, 0.5, 0.25]

    @pytest.mark.parametrize(
        ("patience", "cooldown", "expected"),
        [
            (1, 0, [1, 0.5, 0.25, 0.125, 0.0625, 0.03125]),
            (1, 1, [1, 0.5, 0.5, 0.25, 0.25, 0.125]),
            (1, 2, [1, 0.5, 0.5, 0.5, 0.25, 0.25]),
            (2, 2, [1, 1, 0.5, 0.5, 0.5, 0.5, 0.25]),
            (0, 3, [1, 0.5, 0.5, 0.5, 0.5, 0.25]),
        ],
    )
    def test_cooldown(self, patience, cooldown, expected):
        """After a reduction so many epochs are not counted: PyTorch's definition."""
        schedule = ReduceOnPlateau(1.0, factor=0.5, patience=patience, cooldown=cooldown)
        assert self.rates(schedule, [1] * len(expected)) == expected

    def test_better_while_it_cools(self):
        schedule = ReduceOnPlateau(1.0, factor=0.5, patience=1, cooldown=2)
        assert self.rates(schedule, [3, 3, 2, 2, 2]) == [1, 0.5, 0.5, 0.5, 0.25]

    def test_min_learning_rate(self):
        schedule = ReduceOnPlateau(1.0, factor=0.1, patience=1, min_learning_rate=0.05)
        assert self.rates(schedule, [1, 1, 1, 1]) == pytest.approx([1, 0.1, 0.05, 0.05])

    def test_min_learning_rate_raises_no_rate(self):
        schedule = ReduceOnPlateau(StepDecay(1.0, 1, 0.1), factor=0.5, patience=1, min_learning_rate=0.05)
        assert self.rates(schedule, [1, 1]) == [1, 0.5]
        np.testing.assert_allclose(schedule.rates(0, 4), [0.5, 0.05, 0.01, 0.001])

    def test_one_within_another(self):
        inner = ReduceOnPlateau(1.0, "loss", factor=0.5, patience=1)
        schedule = ReduceOnPlateau(inner, "loss", factor=0.1, patience=2)
        assert self.rates(schedules.started(schedule), [1, 1, 1], "loss") == pytest.approx([1, 0.5, 0.025])

    @pytest.mark.parametrize("mode", ["auto", "max"])
    def test_a_figure_that_is_to_rise(self, mode):
        schedule = ReduceOnPlateau(1.0, "val_accuracy", factor=0.5, patience=1, mode=mode)
        assert self.rates(schedule, [0.1, 0.2, 0.3, 0.2], "val_accuracy") == [1, 1, 1, 0.5]

    def test_nothing_says_in_which_direction(self):
        def of_my_own(y_true, y_pred):
            return 0.0

        schedule = WarmUp(ReduceOnPlateau(0.1, "of_my_own"), 1)
        with pytest.raises(InvalidParameterError, match="of ReduceOnPlateau must be 'min' or 'max'"):
            fitted(SGD(schedule), metrics=[of_my_own])
        of_my_own.greater_is_better = True
        fitted(SGD(schedule), metrics=[of_my_own])

    def test_a_nan_is_not_better(self):
        schedule = ReduceOnPlateau(1.0, factor=0.5, patience=1)
        assert self.rates(schedule, [np.nan, 1, np.nan]) == [0.5, 0.5, 0.25]

    def test_a_figure_that_there_is_not(self):
        with pytest.raises(UnknownNameError, match="no figure for the 'monitor' parameter of ReduceOnPlateau"):
            fitted(SGD(ReduceOnPlateau(0.1)))

    @pytest.mark.parametrize("place", range(13))
    def test_state_is_handed_on(self, place):
        def schedule():
            inner = ReduceOnPlateau(1.0, patience=3)
            return schedules.started(WarmUp(ReduceOnPlateau(inner, factor=0.5, patience=2, cooldown=2), 1))

        figures = [3, 3, 2, 2, 2, 2, 2, 2, 2, 1, 1, 1, 1]
        whole = self.rates(schedule(), figures)
        first, second = schedule(), schedule()
        found = self.rates(first, figures[:place])
        second.set_state(json.loads(json.dumps(first.get_state())))
        assert found + self.rates(second, figures[place:]) == whole
        assert len(set(whole)) > 3

    def test_one_schedule_serves_two_networks(self):
        optimizer = SGD(ReduceOnPlateau(0.01, monitor="loss", min_delta=1e9, patience=1))
        first, second = fitted(optimizer)[1], fitted(optimizer)[1]
        assert first["learning_rate"] == second["learning_rate"] == pytest.approx([0.01, 0.01, 0.001])

    def test_a_network_that_is_pickled_goes_on_with_it(self):
        def optimizer():
            return SGD(ReduceOnPlateau(0.01, monitor="loss", min_delta=1e9, patience=1))

        once, _ = fitted(optimizer(), epochs=4)
        twice, _ = fitted(optimizer(), epochs=2)
        again = pickle.loads(pickle.dumps(twice))
        fitted(None, epochs=2, net=again)
        assert helpers.digest(again) == helpers.digest(once)
