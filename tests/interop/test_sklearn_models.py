"""Estimators of scikit-learn as networks."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, PolynomialFeatures, RobustScaler, StandardScaler

import cynn

pytestmark = [pytest.mark.interop, pytest.mark.filterwarnings("ignore:Stochastic Optimizer")]

X = np.random.default_rng(0).normal(3, 2, size=(120, 4))
Y = (X[:, 0] + X[:, 1] > 6).astype(int) + (X[:, 2] > 4)
OPTIONS = {"max_iter": 4, "random_state": 0}


@pytest.mark.parametrize("activation", ["identity", "logistic", "tanh", "relu"])
@pytest.mark.parametrize("classes", [2, 3])
def test_classifiers(activation, classes):
    y = np.array(["a", "b", "c"])[np.minimum(Y, classes - 1)]
    model = MLPClassifier((6, 5), activation=activation, **OPTIONS).fit(X, y)
    net = cynn.interop.sklearn.adopt(model)
    assert net.dtype == "float64"
    found, wanted = net.predict(X), model.predict_proba(X)
    np.testing.assert_allclose(found, wanted if classes == 3 else wanted[:, 1:], rtol=1e-12)
    for layer, W, b in zip(net.layers, model.coefs_, model.intercepts_, strict=True):
        assert (layer.weights == W).all()
        assert (layer.biases == b).all()


def test_float32_stays_float32():
    model = MLPRegressor(hidden_layer_sizes=(6,), **OPTIONS).fit(X.astype(np.float32), X[:, 0].astype(np.float32))
    net = cynn.interop.sklearn.adopt(model)
    assert net.dtype == "float32"
    np.testing.assert_allclose(net.predict(X)[:, 0], model.predict(X.astype(np.float32)), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    "scalers",
    [[StandardScaler()], [MinMaxScaler()], [MinMaxScaler((-1, 3)), StandardScaler()], [StandardScaler(with_mean=False)],
     [StandardScaler(with_std=False)], ["passthrough", StandardScaler()]],
)  # fmt: skip
def test_pipelines(scalers):
    model = make_pipeline(*scalers, MLPRegressor(hidden_layer_sizes=(6,), **OPTIONS)).fit(X, X[:, :2])
    net = cynn.interop.sklearn.adopt(model)
    np.testing.assert_allclose(net.predict(X), model.predict(X), rtol=1e-10, atol=1e-12)


def test_training_goes_on():
    model = make_pipeline(StandardScaler(), MLPClassifier((8,), **OPTIONS)).fit(X, Y)
    net = cynn.interop.sklearn.adopt(model)
    before = net.evaluate(X, Y)["loss"]
    scaler = net.layers[0].gamma.copy()
    net.fit(X, Y, epochs=30, progress=False)
    assert net.evaluate(X, Y)["loss"] < before
    assert (net.layers[0].gamma == scaler).all()


@pytest.mark.parametrize(
    ("model", "message"),
    [(LogisticRegression(), "MLPClassifier or an MLPRegressor"), (MLPClassifier(), "must be fitted"), (3, "Got 3"),
     (make_pipeline(RobustScaler(), MinMaxScaler(clip=True), MLPClassifier(**OPTIONS)),
      r"RobustScaler\(\).*MinMaxScaler"),
     (make_pipeline(PolynomialFeatures(), MLPClassifier(**OPTIONS)), "PolynomialFeatures")],
)  # fmt: skip
def test_what_cannot_be_adopted(model, message):
    if "Pipeline" in type(model).__name__:
        model.fit(X, Y)
    with pytest.raises(cynn.errors.InvalidParameterError, match=message):
        cynn.interop.sklearn.adopt(model)


class Doubled(MLPRegressor):
    def predict(self, X):
        return 2 * super().predict(X)


class Halved(StandardScaler):
    def transform(self, X, copy=None):
        return super().transform(X, copy) / 2


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (Doubled(hidden_layer_sizes=(3,), **OPTIONS), "Got Doubled"),
        (make_pipeline(Halved(), MLPRegressor(hidden_layer_sizes=(3,), **OPTIONS)), "Halved"),
    ],
)
def test_a_class_that_computes_something_else_is_named(model, message):
    with pytest.raises(cynn.errors.InvalidParameterError, match=message):
        cynn.interop.sklearn.adopt(model.fit(X, X[:, 0]))
