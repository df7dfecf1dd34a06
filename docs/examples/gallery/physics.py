"""
A surrogate for a simulation, in float64
========================================

Where a simulation is to be asked often, a network can learn its answers. Here: how far a ball flies that is slowed down
by the air. With ``dtype="float64"`` the surrogate can be differentiated, too: differences of neighbouring answers drown
in the rounding of float32.
"""

# %%
# The simulation: gravity, and a drag that grows with the square of the speed. All balls fly at once, in small steps of
# Heun's method, until they hit the ground.

import matplotlib.pyplot as plt
import numpy as np

import cynn


def distance(speed, angle, drag, dt=0.005):
    """How far a ball flies, in metres.

    The speed is in m/s, the angle in radians, the drag in 1/m.
    """
    position = np.zeros((2, len(speed)))
    velocity = speed * np.array([np.cos(angle), np.sin(angle)])
    landed = np.full(len(speed), np.nan)

    def acceleration(v):
        return np.array([[0.0], [-9.81]]) - drag * np.hypot(*v) * v

    while np.isnan(landed).any():
        first = acceleration(velocity)
        second = acceleration(velocity + dt * first)
        moved = position + dt * velocity + dt**2 / 2 * first
        hit = np.isnan(landed) & (moved[1] < 0)
        share = position[1, hit] / (position[1, hit] - moved[1, hit])
        landed[hit] = position[0, hit] + share * (
            moved[0, hit] - position[0, hit]
        )
        position, velocity = moved, velocity + dt / 2 * (first + second)
    return landed


# %%
# It is asked 6,000 times. The network gets the three numbers brought to about -1 to 1, and the distance in units of
# 10 metres.

LOW, HIGH = np.array([10.0, 0.2, 0.0]), np.array([30.0, 1.4, 0.05])


def scaled(settings):
    return 2 * (settings - LOW) / (HIGH - LOW) - 1


generator = np.random.default_rng(0)
settings = generator.uniform(LOW, HIGH, (7000, 3))
metres = distance(*settings.T)


def surrogate(dtype):
    net = cynn.Network.mlp(
        [3, 48, 48, 1], activation="tanh", seed=0, dtype=dtype
    )
    net.fit(
        scaled(settings[:6000]),
        metres[:6000] / 10,
        optimizer=cynn.optimizers.Adam(cynn.schedules.OneCycle(0.01)),
        epochs=150,
        batch_size=64,
    )
    return net


nets = {dtype: surrogate(dtype) for dtype in ("float32", "float64")}
for dtype, net in nets.items():
    error = (
        10 * net.predict(scaled(settings[6000:]))[:, 0] - metres[6000:]
    )
    print(
        f"{dtype}: root mean square error "
        f"{np.sqrt(np.mean(error**2)) * 100:.1f} cm"
    )

# %%
# Both are as good. Now the derivative: how many metres more for a degree more, of a throw at 20 m/s with a drag of
# 0.02 / m, as a difference of two answers close together. What looks for the best angle by itself takes steps as small
# as this, or smaller.

degrees = np.linspace(15, 75, 181)
step = 1e-5


def throws(at):
    return np.column_stack(
        [np.full_like(at, 20.0), np.radians(at), np.full_like(at, 0.02)]
    )


BLUE, ORANGE, GREY = "#114a9c", "#ef7f2d", "#7a7a7a"
figure, (left, right) = plt.subplots(
    1, 2, figsize=(9, 3.8), layout="constrained"
)
left.plot(
    degrees,
    distance(*throws(degrees).T),
    color=GREY,
    linewidth=5,
    alpha=0.6,
    label="simulation",
)
left.plot(
    degrees,
    10 * nets["float64"].predict(scaled(throws(degrees))),
    color=BLUE,
    label="surrogate",
)
left.set(title="how far", xlabel="angle (degrees)", ylabel="metres")
for dtype, colour, width in [
    ("float32", ORANGE, 0.8),
    ("float64", BLUE, 2),
]:
    ahead, behind = (
        10
        * nets[dtype].predict(scaled(throws(degrees + sign * step)))[
            :, 0
        ]
        for sign in (0.5, -0.5)
    )
    right.plot(
        degrees,
        (ahead - behind) / step,
        color=colour,
        linewidth=width,
        label=dtype,
    )
right.set(
    title="how much further for a degree",
    xlabel="angle (degrees)",
    ylabel="metres / degree",
)
for axes in (left, right):
    axes.legend(loc="lower left")
