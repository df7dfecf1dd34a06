"""Functions of C that plugins bring along: what leaves with them, and what the conformance kit says of faulty ones."""

import exported
import numpy as np
import pytest
from exported import LEVELS, STRICT, UNDEFINED, Compiled, selftest

import cynn
from cynn.interop.from_layers import plan_of
from cynn.testing.activations import ActivationChecks
from cynn.testing.layers import LayerChecks

SWISH = cynn.registry.activations.find("swish")
PRELU = cynn.PReLU

#: f(z) = Σ exp(-(z - k)² / 2) / 2ᵏ, with everything that may stand in a c_source.
BUMPS = """
static const real factors[3] = {1.0, 5e-1, 0.25};

/* The square; it may have the name that another has. */
real square(real x) { return x * x; }

inline real bump(real x)
{
    if (x > 40) return 0.0; // what exp would give
    return exp(-0.5 * square(x));
}

real bumps(real z, int terms, real shift)
{
    real total = (real)0;
    for (int k = 0; k < terms; ++k)
        total += factors[k] * bump(z - (real)k);
    return total + shift * floor(shift);
}
"""


class Bumps(cynn.activations.Activation):
    """a = Σ exp(-(z - k)² / 2) / 2ᵏ"""

    name = "bumps"
    c_source = BUMPS
    terms: int = cynn.hyperparameter(default=3, minimum=1, maximum=3, doc="How many.")
    shift: float = cynn.hyperparameter(default=0.0, doc="What is added.")

    def forward(self, z):
        return sum(0.5**k * np.exp(-((z - k) ** 2) / 2) for k in range(self.terms)) + self.shift * np.floor(self.shift)

    def backward(self, z, a, grad):
        return grad * sum(0.5**k * (k - z) * np.exp(-((z - k) ** 2) / 2) for k in range(self.terms))


class Shares(cynn.activations.Activation):
    """a = z² / Σ z², of a row"""

    name = "shares"
    c_source = """
    static real square(real x) { return x * x; }
    void shares(int n, const real *z, real *a)
    {
        real total = 0.0;
        for (int j = 0; j < n; ++j) total += square(z[j]);
        for (int j = 0; j < n; ++j) a[j] = total > 0 || total != total ? square(z[j]) / total : 0.0;
    }"""

    def forward(self, z):
        total = (z * z).sum(axis=1, keepdims=True)
        return z * z / np.where(total == 0, 1, total)

    def backward(self, z, a, grad):
        total = (z * z).sum(axis=1, keepdims=True)
        return 2 * z * (grad - (grad * a).sum(axis=1, keepdims=True)) / np.where(total == 0, 1, total)


class OwnSwish(SWISH):
    """It is compiled, so that it may be a gate."""

    name = "own_swish"
    c_source = "real f(real z, real beta) { return z / (1.0 + expf(-beta * z)); }"


class Folded(cynn.layers.Layer):
    """a_j = x_j s_j + x_(j + units) t, of half as many columns"""

    name = "folded"
    s = cynn.layers.Parameter(("units",))
    t = cynn.layers.Parameter((1,))
    c_source = """
    void fold(int n, int units, const real *z, real *a, const real *s, const real t[])
    {
        for (int j = 0; j < units; ++j) a[j] = z[j] * s[j] + (j + units < n ? z[j + units] * t[0] : 0.0);
    }"""

    def units_of(self, inputs):
        return (inputs + 1) // 2

    def _halves(self, x, units):
        return x[:, :units], np.pad(x[:, units:], ((0, 0), (0, 2 * units - x.shape[1])))

    def forward(self, x, parameters):
        first, second = self._halves(x, len(parameters["s"]))
        return first * parameters["s"] + second * parameters["t"]

    def backward(self, x, parameters, a, grad):
        first, second = self._halves(x, len(parameters["s"]))
        dx = np.concatenate([grad * parameters["s"], grad * parameters["t"]], axis=1)[:, : x.shape[1]]
        return dx, {"s": (grad * first).sum(axis=0), "t": (grad * second).sum().reshape(1)}


class OwnPReLU(PRELU):
    """A number for each column goes into a function of one number."""

    name = "own_prelu"
    c_source = "real f(real z, real alpha) { return z < 0 ? alpha * z : z; }"


def network(dtype="float32"):
    x = cynn.Input(5)
    h = cynn.GLU(6, OwnSwish(beta=2.0))(cynn.Dense(6, Bumps(2))(x))
    h = Folded()(cynn.Residual([cynn.Dense(6, Bumps(3, shift=0.5)), OwnPReLU()])(h))
    return exported.randomized(
        cynn.Network({"shares": cynn.Activation(Shares())(h), "bumps": cynn.Dense(2, Bumps())(h)}, seed=0, dtype=dtype)
    )


def result(checks, part, name="c_source"):
    report = checks.report_on(part, raise_on_failure=False, only={name})
    return next(check for check in report.checks if check.name == name)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_they_leave(tmp_path, dtype):
    net = network(dtype)
    x = exported.rows_for(net)
    net.to_c(tmp_path / "net.c", dtype=dtype, selftest=x)
    for flags in (LEVELS["native"], UNDEFINED):
        code, said = selftest(tmp_path / "net.c", flags)
        assert (code, said[:14]) == (0, "PASS: 40 rows,"), said
    found = Compiled(tmp_path / "net.c", LEVELS["O0"], dtype)(x)
    np.testing.assert_allclose(found, exported.side_by_side(net.predict(x)), rtol=1e-4, atol=1e-5)
    text = (tmp_path / "net.c").read_text()
    assert text.count("f1_bumps(float z" if dtype == "float32" else "f1_bumps(double z") == 1  # once for all


def test_they_are_c_plus_plus_too(tmp_path):
    net = network()
    net.to_c(tmp_path / "net.c", selftest=exported.rows_for(net))
    flags = [flag for flag in STRICT if not flag.startswith("-std")]
    exported.build(tmp_path / "net.c", [*flags, "-x", "c++", "-DCYNN_SELFTEST"], "g++")


def test_in_eight_bits(tmp_path, capsys):
    net = network()
    x = exported.rows_for(net, 200)
    net.to_c(tmp_path / "net.c", dtype="int8", calibration=x)
    wanted = exported.side_by_side(net.predict(x))
    found = Compiled(tmp_path / "net.c", LEVELS["O3"], "float32")(x)
    assert np.median(np.abs(found - wanted)) <= 0.05 * np.abs(wanted).max()


@pytest.mark.parametrize(
    "leave",
    [lambda net, path: net.to_c(path, exact=True), lambda net, path: net.to_js(path),
     lambda net, path: net.to_fortran(path), lambda net, path: net.to_python(path),
     lambda net, path: net.to_c(path, dtype="int8", calibration=np.zeros((2, 5)), selftest=np.zeros((2, 5)))],
)  # fmt: skip
def test_where_an_expression_is_needed_it_is_said(tmp_path, leave):
    with pytest.raises(cynn.errors.InvalidParameterError) as caught:
        leave(network(), tmp_path / "net")
    said = str(caught.value)
    assert "by c_source, an expression of C." in said
    assert "Bumps(terms=3, shift=0.5) in layer 2, layer 0 of it, whose c_source is a whole function" in said
    assert not (tmp_path / "net").exists()


def test_a_part_with_a_name_of_ours_leaves_as_what_it_is():
    """As a formula, too; it would be taken for ReLU by its name."""

    class Own(cynn.activations.ReLU):
        c_source = "z"

        def forward(self, z):
            return z

        def backward(self, z, a, grad):
            return grad

    assert plan_of(cynn.Network([cynn.Input(2), cynn.Dense(2, Own())], seed=0)).groups == []


def test_what_overrides_a_layer_does_not_leave_as_that_layer(tmp_path):
    class Own(PRELU):
        alpha = cynn.layers.Parameter(("units",))

        def forward(self, x, parameters):
            return x

        def backward(self, x, parameters, a, grad):
            return grad, {}

    net = cynn.Network([cynn.Input(2), cynn.Dense(2), Own()], seed=0)
    with pytest.raises(cynn.errors.InvalidParameterError, match=r"Got none for Own\(.*\) in layer 1"):
        net.to_c(tmp_path / "net.c")


@pytest.mark.parametrize("part", [Bumps(), Bumps(2), Shares(), OwnSwish(beta=0.5)])
def test_the_kit_passes_activations(part):
    check = result(ActivationChecks, part)
    assert check.outcome == "pass", check.evidence
    assert check.evidence.endswith("numbers, of the function, compiled")


@pytest.mark.parametrize("part", [Folded(), OwnPReLU(), cynn.registry.layers.get("scale")])
def test_the_kit_passes_layers(part):
    check = result(LayerChecks, part)
    assert check.outcome == "pass", check.evidence


@pytest.mark.parametrize(
    ("source", "said"),
    [
        (BUMPS.replace("z - (real)k", "z < 0 ? -z : z - (real)k"), "must give what the kernel gives"),
        (BUMPS.replace("if (x > 40)", "if (!(x <= 40))"), "must give what the kernel gives, nan"),
        (BUMPS.replace("k < terms", "k <= terms"), "died|signal|ended|crash"),
        (BUMPS.replace("real bumps(real z", "double bumps(double z"), "must have a function `real name(real z, ...)`"),
        (BUMPS.replace("int terms", "float terms"), "real or int for its parameter terms. Got 'float' instead"),
        (BUMPS.replace("int terms", "int term"), "Got 'term' instead. Did you mean 'terms'?"),
        (BUMPS.replace("real z, ", ""), "Got 'the parameters terms, shift' instead"),
        (BUMPS.replace("real total", "real other = 0, total"), "must compile without a warning"),
        (BUMPS.replace("total +=", "totals +="), "must compile without a warning"),
        (BUMPS.replace("real total", "static real total"), "no static variable that is not const"),
        ("real seen;\n" + BUMPS, "no variable beside its functions that is not const"),
        ("#define ONE 1\n" + BUMPS, "no lines for the preprocessor"),
        (BUMPS + "real", "must have whole definitions"),
        (BUMPS + "static const real one[] = {1.0};", "at its end"),
        (BUMPS.replace("return total +", "return 2 * total -"), "must give what the kernel gives"),
        (7, "must be a text. Got 7 instead"),
    ],
)  # fmt: skip
def test_the_kit_fails_faulty_functions(source, said):
    check = result(ActivationChecks, type("Odd", (Bumps,), {"c_source": source, "__doc__": "odd"})())
    assert check.outcome == "FAIL"
    assert any(each in check.evidence for each in said.split("|")), check.evidence


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ("j < n; ++j) a", "j <= n; ++j) a", "must write the 5 numbers of a alone. It wrote to a[5]"),
        ("j < n; ++j) a", "j < n - 1; ++j) a", "must give what the kernel gives"),
        ("n; ++j) total", "5; ++j) total", "must give what the kernel gives"),
        ("n; ++j) total", "n + 1; ++j) total", "must give what the kernel gives"),
        ("total > 0 ||", "total > 0 &&", "must give what the kernel gives"),
        ("const real *z, real *a", "real *z, real *a", "const real * for its parameter z. Got 'real *' instead"),
        (", real *a", "", "Got 'the parameters n, z' instead"),
        ("int n, ", "real n, ", "the type int for its parameter n. Got 'real' instead"),
    ],
)  # fmt: skip
def test_the_kit_fails_faulty_functions_of_rows(before, after, said):
    source = Shares.c_source.replace(before, after)
    assert source != Shares.c_source
    check = result(ActivationChecks, type("Odd", (Shares,), {"c_source": source, "__doc__": "odd"})())
    assert check.outcome == "FAIL"
    assert said in check.evidence


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ("const real *s", "real s", "the type const real * for its parameter s. Got 'real' instead"),
        ("t[0]", "(s[0] + 0 * t[0])", "must give what the kernel gives"),
        ("a[j] = z[j]", "a[units - 1 - j] = z[j]", "must give what the kernel gives"),
        ("const real t[]", "const real *u", "Got 'u' instead"),
    ],
)
def test_the_kit_fails_faulty_layers(before, after, said):
    source = Folded.c_source.replace(before, after)
    check = result(LayerChecks, type("Odd", (Folded,), {"c_source": source, "__doc__": "odd"})())
    assert check.outcome == "FAIL"
    assert said in check.evidence


def test_the_kit_says_where_there_is_no_compiler(monkeypatch):
    monkeypatch.setenv("CC", "no-such-compiler")
    check = result(ActivationChecks, Bumps())
    assert (check.outcome, check.evidence[:26]) == ("-", "no compiler of C was found")
