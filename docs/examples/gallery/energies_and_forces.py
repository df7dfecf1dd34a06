"""
Energies and forces of a molecule
=================================

The force on an atom is minus the derivative of the energy by its place. A network that stands for the energy learns
from both: a computation of a molecule of n atoms gives one energy, and 3 n numbers of forces. Its forces are then
exactly the derivatives of its energy, so that a simulation with them keeps the energy.
"""

# %%
# Three atoms in a plane, with the energy of Morse for each pair. The network sees the three distances to the power of
# -1, so that turning or moving the molecule changes nothing.

import matplotlib.pyplot as plt
import numpy as np

import cynn

PAIRS = [(0, 1), (0, 2), (1, 2)]


def distances(places):
    """Distances of all pairs, and their derivatives by the places."""
    difference = np.stack(
        [places[:, i] - places[:, j] for i, j in PAIRS], axis=1
    )
    r = np.linalg.norm(difference, axis=2)
    slopes = np.zeros((len(places), 3, 3, 2))
    for k, (i, j) in enumerate(PAIRS):
        slopes[:, k, i] = difference[:, k] / r[:, k, None]
        slopes[:, k, j] = -slopes[:, k, i]
    return r, slopes.reshape(len(places), 3, 6)


def morse(places):
    """Energy, and forces of shape (rows, 6)."""
    r, slopes = distances(places)
    e = np.exp(-1.5 * (r - 1))
    energy = ((1 - e) ** 2).sum(axis=1)
    by_distance = 3 * (1 - e) * e
    return energy, -np.einsum("rk,rkx->rx", by_distance, slopes)


def molecules(n, generator):
    triangle = np.array([[0, 0], [1, 0], [0.5, 0.866]])
    return triangle + generator.normal(scale=0.15, size=(n, 3, 2))


# %%
# The inputs of the network are u = 1 / r. A force F along the places is a derivative of the energy along the directions
# ∂u/∂place: six directions for each row, along which ``dy_dx`` is -F.


def features(places):
    r, slopes = distances(places)
    return 1 / r, (-slopes / r[:, :, None] ** 2).transpose(
        0, 2, 1
    )  # (rows, 6, 3)


generator = np.random.default_rng(0)
places = molecules(40, generator)
energy, forces = morse(places)
u, directions = features(places)

test = molecules(2000, generator)
true_energy, true_forces = morse(test)
test_u, test_directions = features(test)


def potential(**derivatives):
    net = cynn.Network.mlp(
        [3, 32, 32, 1], activation="tanh", seed=0, dtype="float64"
    )
    net.fit(u, energy, optimizer="lbfgs", epochs=300, **derivatives)
    return net


nets = {
    "energies alone": potential(),
    "energies and forces": potential(
        dy_dx=-forces, directions=directions
    ),
}


def forces_of(net, u, directions):
    return -np.einsum("rku,ru->rk", directions, net.jacobian(u)[:, 0])


for name, net in nets.items():
    error = net.predict(test_u)[:, 0] - true_energy
    of_forces = forces_of(net, test_u, test_directions) - true_forces
    print(f"{name}: energy {np.sqrt(np.mean(error**2)):.4f}, "
          f"force {np.sqrt(np.mean(of_forces**2)):.4f}")  # fmt: skip

# %%
# A molecule that swings, by the method of Verlet, with the forces of each network.


def swing(force, steps=400, dt=0.05):
    places = np.array([[[0, 0], [1.15, 0], [0.5, 0.8]]])
    velocity, found = np.zeros((1, 6)), []
    acting = force(places)
    for _ in range(steps):
        velocity = velocity + dt / 2 * acting
        places = places + dt * velocity.reshape(1, 3, 2)
        acting = force(places)
        velocity = velocity + dt / 2 * acting
        found.append(distances(places)[0][0, 0])
    return np.array(found)


figure, (left, right) = plt.subplots(
    1, 2, figsize=(9, 3.6), layout="constrained"
)
time = 0.05 * np.arange(400)
exact = swing(lambda p: morse(p)[1])
right.plot(
    time, exact, color="#7a7a7a", linewidth=4, alpha=0.6, label="exact"
)
for name, colour in [
    ("energies alone", "#ef7f2d"),
    ("energies and forces", "#114a9c"),
]:
    net = nets[name]
    found = forces_of(net, test_u, test_directions)
    left.plot(true_forces, found, ".", color=colour, markersize=1)
    of_time = swing(lambda p, net=net: forces_of(net, *features(p)))
    right.plot(time, of_time, color=colour, label=name)
left.set(
    title="forces",
    xlabel="exact",
    ylabel="network",
    xlim=(-5, 5),
    ylim=(-5, 5),
)
right.set(title="a distance in a molecule that swings", xlabel="time")
right.legend(loc="lower left")
