"""
A table as it is
================

Texts, gaps and a date go to an estimator for tables as they are. Beside the price of a flat it says in which range nine
out of ten prices lie, and which column counts for how much.
"""

# %%
# Two thousand flats: a flat by the harbour costs more, and the more so the larger it is. One area in 20 is not known.

import matplotlib.pyplot as plt
import numpy as np

from cynn.sklearn import TabularRegressor

random, n = np.random.default_rng(0), 2000
area = random.normal(75, 20, n).clip(20)
district = random.choice(["harbour", "hill", "north", "south"], n)
built = np.datetime64("1950-01-01") + random.integers(
    0, 25000, n
).astype("timedelta64[D]")
year = (
    1950 + (built - np.datetime64("1950-01-01")).astype(float) / 365.25
)
price = (
    (3 + 1.5 * (district == "harbour") + 0.02 * (year - 1950))
    * area
    * random.normal(1, 0.08, n)
)
gaps = random.random(n) < 0.05
table = np.array(
    [np.where(gaps, None, area), district, built.astype(object)], object
).T
names = ["area", "district", "built"]

# %%
# Nothing is scaled, encoded or filled by hand. The default recipe takes 256 epochs; this page takes less.

train, test = slice(0, 1500), slice(1500, n)
options = {"epochs": 60, "random_state": 0}
model = TabularRegressor(**options).fit(table[train], price[train])
low, high = (
    TabularRegressor(loss="quantile", quantile=q, **options)
    .fit(table[train], price[train])
    .predict(table[test])
    for q in (0.05, 0.95)
)
print(f"R² {model.score(table[test], price[test]):.3f}")
print(
    "within their range: "
    f"{np.mean((low <= price[test]) & (price[test] <= high)):.0%} "
    "of the prices"
)

# %%
# On the left, prices of the test beside those that were predicted, each with its range; where the area is not known, in
# orange, the range is wide. On the right, how much R² falls where a column is shuffled.

figure, (left, right) = plt.subplots(
    1, 2, figsize=(8.5, 3.6), layout="constrained", width_ratios=(3, 2)
)
predicted = model.predict(table[test])
for has_gap, color, label in [
    (False, "tab:blue", "area known"),
    (True, "tab:orange", "area not known"),
]:
    these = np.flatnonzero(gaps[test] == has_gap)[:60]
    left.vlines(
        predicted[these],
        low[these],
        high[these],
        color=color,
        alpha=0.3,
    )
    left.plot(
        predicted[these],
        price[test][these],
        "o",
        color=color,
        markersize=3,
        label=label,
    )
left.axline((200, 200), slope=1, color="gray", linewidth=0.8)
left.set(xlabel="predicted price, thousands", ylabel="price")
left.legend()
right.barh(
    names,
    model.feature_importances(table[test], price[test], random_state=0),
    color="tab:blue",
)
right.set(xlabel="fall of R²")
plt.show()
