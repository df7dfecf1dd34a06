"""The catalogue's optimizers as loops over NumPy arrays, written from the algorithm boxes of the papers.

Each function takes the hyperparameters and returns a step (w, g, t) -> w that keeps its state itself.
"""

import numpy as np


class State(dict):
    """What an algorithm remembers, 0 before it is set."""

    def __missing__(self, key):
        return 0.0


def rmsprop(lr, rho, momentum, centered, epsilon):
    s = State()

    def step(w, g, t):
        s["v"] = rho * s["v"] + (1 - rho) * g**2
        s["m"] = rho * s["m"] + (1 - rho) * g
        deviation = np.sqrt(s["v"] - s["m"] ** 2) if centered else np.sqrt(s["v"])
        s["u"] = momentum * s["u"] + g / (deviation + epsilon)
        return w - lr * s["u"]

    return step


def adagrad(lr, initial_accumulator, epsilon):
    s = State(total=initial_accumulator)

    def step(w, g, t):
        s["total"] = s["total"] + g**2
        return w - lr * g / (np.sqrt(s["total"]) + epsilon)

    return step


def adadelta(lr, rho, epsilon):
    s = State()

    def step(w, g, t):
        s["g2"] = rho * s["g2"] + (1 - rho) * g**2
        delta = -np.sqrt(s["x2"] + epsilon) / np.sqrt(s["g2"] + epsilon) * g
        s["x2"] = rho * s["x2"] + (1 - rho) * delta**2
        return w + lr * delta

    return step


def rprop(lr, decrease, increase, smallest_step, largest_step):
    s = State()

    def step(w, g, t):
        if t == 1:
            s["step"], s["last"] = np.full_like(w, lr), np.zeros_like(w)
        g = g.copy()
        for i in np.ndindex(g.shape):
            product = g[i] * s["last"][i]
            if product > 0:
                s["step"][i] = min(s["step"][i] * increase, largest_step)
            elif product < 0:
                s["step"][i] = max(s["step"][i] * decrease, smallest_step)
                g[i] = 0
        s["last"] = g
        return w - np.sign(g) * s["step"]

    return step


def ftrl(lr, beta, l1, l2, initial_accumulator):
    s = State(n=initial_accumulator)

    def step(w, g, t):
        if t == 1:  # the z of which the first w is the minimum
            s["z"] = -w * ((beta + np.sqrt(s["n"])) / lr + l2) - l1 * np.sign(w)
        sigma = (np.sqrt(s["n"] + g**2) - np.sqrt(s["n"])) / lr
        s["z"] = s["z"] + g - sigma * w
        s["n"] = s["n"] + g**2
        z = s["z"]
        moved = -(z - np.sign(z) * l1) / ((beta + np.sqrt(s["n"])) / lr + l2)
        return np.where(np.abs(z) <= l1, 0, moved)

    return step


def _moments(s, g, beta_1, beta_2):
    s["m"] = beta_1 * s["m"] + (1 - beta_1) * g
    s["v"] = beta_2 * s["v"] + (1 - beta_2) * g**2
    return s["m"], s["v"]


def adamax(lr, beta_1, beta_2, epsilon):
    s = State()

    def step(w, g, t):
        m, _ = _moments(s, g, beta_1, beta_2)
        s["u"] = np.maximum(beta_2 * s["u"], np.abs(g) + epsilon)
        return w - lr / (1 - beta_1**t) * m / s["u"]

    return step


def nadam(lr, beta_1, beta_2, epsilon, momentum_decay):
    s = State(product=1.0)

    def step(w, g, t):
        mu, mu_next = (beta_1 * (1 - 0.5 * 0.96 ** (i * momentum_decay)) for i in (t, t + 1))
        s["product"] *= mu
        m, v = _moments(s, g, beta_1, beta_2)
        ahead = mu_next * m / (1 - s["product"] * mu_next) + (1 - mu) * g / (1 - s["product"])
        return w - lr * ahead / (np.sqrt(v / (1 - beta_2**t)) + epsilon)

    return step


def radam(lr, beta_1, beta_2, epsilon):
    s = State()
    rho_inf = 2 / (1 - beta_2) - 1

    def step(w, g, t):
        m, v = _moments(s, g, beta_1, beta_2)
        m_hat = m / (1 - beta_1**t)
        rho = rho_inf - 2 * t * beta_2**t / (1 - beta_2**t)
        if rho <= 5:
            return w - lr * m_hat
        length = np.sqrt(1 - beta_2**t) / (np.sqrt(v) + epsilon)
        r = np.sqrt((rho - 4) * (rho - 2) * rho_inf / ((rho_inf - 4) * (rho_inf - 2) * rho))
        return w - lr * r * m_hat * length

    return step


def amsgrad(lr, beta_1, beta_2, epsilon):
    s = State()

    def step(w, g, t):
        m, v = _moments(s, g, beta_1, beta_2)
        s["largest"] = np.maximum(s["largest"], v)
        return w - lr * m / (1 - beta_1**t) / (np.sqrt(s["largest"] / (1 - beta_2**t)) + epsilon)

    return step


def adabelief(lr, beta_1, beta_2, epsilon):
    s = State()

    def step(w, g, t):
        m, _ = _moments(s, g, beta_1, beta_2)
        s["s"] = beta_2 * s["s"] + (1 - beta_2) * (g - m) ** 2 + epsilon
        return w - lr * m / (1 - beta_1**t) / (np.sqrt(s["s"] / (1 - beta_2**t)) + epsilon)

    return step


def adan(lr, beta_1, beta_2, beta_3, epsilon, weight_decay):
    b1, b2, b3 = 1 - beta_1, 1 - beta_2, 1 - beta_3  # as the paper writes them
    s = State()

    def step(w, g, t):
        last = g if t == 1 else s["last"]
        s["m"] = (1 - b1) * s["m"] + b1 * g
        s["v"] = (1 - b2) * s["v"] + b2 * (g - last)
        s["n"] = (1 - b3) * s["n"] + b3 * (g + (1 - b2) * (g - last)) ** 2
        s["last"] = g
        eta = lr / (np.sqrt(s["n"] / (1 - beta_3**t)) + epsilon)
        m_hat, v_hat = s["m"] / (1 - beta_1**t), s["v"] / (1 - beta_2**t)
        return (w - eta * (m_hat + (1 - b2) * v_hat)) / (1 + weight_decay * lr)

    return step


def lion(lr, beta_1, beta_2, weight_decay):
    s = State()

    def step(w, g, t):
        update = np.sign(beta_1 * s["m"] + (1 - beta_1) * g)
        s["m"] = beta_2 * s["m"] + (1 - beta_2) * g
        return w - lr * (update + weight_decay * w)

    return step


def schedule_free_adamw(lr, beta_1, beta_2, epsilon, weight_decay, warmup_steps):
    s = State()

    def step(y, g, t):
        if t == 1:
            s["x"], s["z"] = y, y
        _, v = _moments(s, g, beta_1, beta_2)
        gamma = lr * min(1, t / warmup_steps) if warmup_steps else lr
        direction = g / (np.sqrt(v / (1 - beta_2**t)) + epsilon)
        s["z"] = s["z"] - gamma * direction - gamma * weight_decay * y
        s["sum"] = s["sum"] + gamma**2
        c = gamma**2 / s["sum"]
        s["x"] = (1 - c) * s["x"] + c * s["z"]
        return (1 - beta_1) * s["z"] + beta_1 * s["x"]

    step.state = s
    return step


def lamb(lr, beta_1, beta_2, epsilon, weight_decay):
    s = State()

    def step(w, g, t):
        m, v = _moments(s, g, beta_1, beta_2)
        r = m / (1 - beta_1**t) / (np.sqrt(v / (1 - beta_2**t)) + epsilon)
        u = r + weight_decay * w
        return w - lr * np.linalg.norm(w) / np.linalg.norm(u) * u

    return step


def adafactor(lr, decay_power, epsilon_1, epsilon_2, clip):
    s = State()

    def rms(x):
        return np.sqrt(np.mean(x**2))

    def step(w, g, t):
        rho = min(lr, 1 / np.sqrt(t))
        alpha = max(epsilon_2, rms(w)) * rho
        beta = 1 - t**-decay_power
        squares = g**2 + epsilon_1
        if min(w.shape) > 1:
            n, m = w.shape
            s["R"] = beta * s["R"] + (1 - beta) * squares @ np.ones((m, 1))
            s["C"] = beta * s["C"] + (1 - beta) * np.ones((1, n)) @ squares
            v = s["R"] @ s["C"] / (np.ones((1, n)) @ s["R"])
        else:
            s["V"] = beta * s["V"] + (1 - beta) * squares
            v = s["V"]
        u = g / np.sqrt(v)
        return w - alpha * u / max(1, rms(u) / clip)

    return step


def muon(lr, momentum, nesterov, iterations, weight_decay, bias_rate):
    s = State()

    def newton_schulz(G):
        a, b, c = 3.4445, -4.7750, 2.0315
        X = G / (np.linalg.norm(G) + 1e-7)
        if G.shape[0] > G.shape[1]:
            X = X.T
        for _ in range(int(iterations)):
            A = X @ X.T
            X = a * X + (b * A + c * A @ A) @ X
        return X.T if G.shape[0] > G.shape[1] else X

    def step(w, g, t):
        if len(w) == 1:
            m, v = _moments(s, g, 0.9, 0.95)
            direction = m / (1 - 0.9**t) / (np.sqrt(v / (1 - 0.95**t)) + 1e-10)
            return w * (1 - lr * bias_rate * weight_decay) - lr * bias_rate * direction
        s["B"] = momentum * s["B"] + (1 - momentum) * g
        update = (1 - momentum) * g + momentum * s["B"] if nesterov else s["B"]
        G = update.T  # (outputs, inputs), as in the original code
        direction = newton_schulz(G) * max(1, G.shape[0] / G.shape[1]) ** 0.5
        return w * (1 - lr * weight_decay) - lr * direction.T

    return step
