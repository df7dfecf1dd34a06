"""
Prices of options, learned with their derivatives
=================================================

A pricing model is slow, and gives the sensitivities of a price for little more. A network that learns both from a few
answers is a better surrogate than one that learns prices alone (Huge and Savine, "Differential machine learning",
2020). Here the model is that of Black and Scholes, whose formula says how good each surrogate is.
"""

# %%
# The price of a call with a strike of 1, and its derivatives by the three inputs: the price of the stock, its
# volatility, and the time in years.

import math

import matplotlib.pyplot as plt
import numpy as np

import cynn

LOW, HIGH = np.array([0.5, 0.1, 0.1]), np.array([1.5, 0.5, 2.0])


def cumulative(d):
    return 0.5 * (1 + np.vectorize(math.erf)(d / math.sqrt(2)))


def black_scholes(x):
    """Prices, and their derivatives by the columns of x."""
    stock, volatility, time = x.T
    deviation = volatility * np.sqrt(time)
    d = np.log(stock) / deviation + deviation / 2
    density = np.exp(-(d**2) / 2) / math.sqrt(2 * math.pi)
    price = stock * cumulative(d) - cumulative(d - deviation)
    delta, vega = cumulative(d), stock * density * np.sqrt(time)
    theta = stock * density * volatility / (2 * np.sqrt(time))
    return price, np.column_stack([delta, vega, theta])


# %%
# The model answers 60 times. The networks are the same; one is told the derivatives, too. They are by the inputs as
# they are given, whatever ``Input`` makes of them.

generator = np.random.default_rng(0)
x = generator.uniform(LOW, HIGH, (60, 3))
price, slopes = black_scholes(x)

test = generator.uniform(LOW, HIGH, (5000, 3))
true_price, true_slopes = black_scholes(test)


def surrogate(**derivatives):
    net = cynn.Network.mlp(
        [3, 48, 48, 1],
        activation="tanh",
        input_scale=2.0,
        seed=0,
        dtype="float64",
    )
    optimizer = cynn.optimizers.Adam(cynn.schedules.OneCycle(0.01))
    net.fit(
        x,
        price,
        optimizer=optimizer,
        epochs=1500,
        batch_size=60,
        **derivatives,
    )
    return net


nets = {
    "prices alone": surrogate(),
    "prices and derivatives": surrogate(dy_dx=slopes),
}
for name, net in nets.items():
    error = net.predict(test)[:, 0] - true_price
    of_delta = net.jacobian(test)[:, 0, 0] - true_slopes[:, 0]
    print(f"{name}: price {np.sqrt(np.mean(error**2)):.5f}, "
          f"delta {np.sqrt(np.mean(of_delta**2)):.4f}")  # fmt: skip

# %%
# Along the price of the stock, at a volatility of 0.15 and a quarter of a year. Gamma is the derivative of delta, which
# nobody has told to either: ``hessian_diagonal`` has it.

stock = np.linspace(0.6, 1.4, 200)
line = np.column_stack([stock, np.full(200, 0.15), np.full(200, 0.25)])
true_price, true_slopes = black_scholes(line)
true_gamma = np.gradient(true_slopes[:, 0], stock)
truth = [true_price, true_slopes[:, 0], true_gamma]

figure, axes = plt.subplots(
    1, 3, figsize=(10, 3.4), layout="constrained"
)
for (name, net), colour in zip(
    nets.items(), ["#ef7f2d", "#114a9c"], strict=True
):
    found = [
        net.predict(line)[:, 0],
        net.jacobian(line)[:, 0, 0],
        net.hessian_diagonal(line)[:, 0, 0],
    ]
    for part, values in zip(axes, found, strict=True):
        part.plot(stock, values, color=colour, label=name)
for part, values, title in zip(
    axes, truth, ["price", "delta", "gamma"], strict=True
):
    part.plot(
        stock, values, color="#7a7a7a", linestyle="--", label="formula"
    )
    part.set(title=title, xlabel="price of the stock")
axes[0].legend()
