"""nn.init: values, moments and errors against PyTorch."""

import warnings
from math import sqrt

import pytest
from same import same

import polytensor

NAMES = ["linear", "conv1d", "conv2d", "conv3d", "conv_transpose1d", "conv_transpose2d", "conv_transpose3d", "sigmoid", "tanh",
         "relu", "leaky_relu", "selu", "gelu"]  # fmt: skip
CASES = {
    **{f"gain {n}": lambda t, n=n: t.nn.init.calculate_gain(n) for n in NAMES},
    "gain slope": lambda t: t.nn.init.calculate_gain("leaky_relu", 0.5),
    "gain bad slope": lambda t: t.nn.init.calculate_gain("leaky_relu", True),
    "constant": lambda t: t.nn.init.constant_(t.empty(2, 3), 0.3),
    "ones": lambda t: t.nn.init.ones_(t.empty(2, requires_grad=True)),
    "zeros": lambda t: t.nn.init.zeros_(t.ones(2, dtype=t.float64)),
    "eye": lambda t: t.nn.init.eye_(t.ones(2, 3)),
    "eye parameter": lambda t: t.nn.init.eye_(t.nn.Parameter(t.ones(3, 2))),
    "eye 3d": lambda t: t.nn.init.eye_(t.ones(2, 3, 1)),
    "dirac": lambda t: t.nn.init.dirac_(t.ones(4, 3, 3)),
    "dirac 2d": lambda t: t.nn.init.dirac_(t.ones(4, 2, 3, 2), groups=2),
    "dirac 3d": lambda t: t.nn.init.dirac_(t.ones(2, 3, 1, 2, 3)),
    "dirac groups": lambda t: t.nn.init.dirac_(t.ones(4, 2, 3), groups=3),
    "dirac dims": lambda t: t.nn.init.dirac_(t.ones(4, 2)),
    "fan": lambda t: t.nn.init._calculate_fan_in_and_fan_out(t.ones(4, 3, 2, 5)),
    "xavier dims": lambda t: t.nn.init.xavier_uniform_(t.ones(3)),
    "kaiming mode": lambda t: t.nn.init.kaiming_normal_(t.ones(3, 2), mode="sideways"),
    "kaiming name": lambda t: t.nn.init.kaiming_uniform_(t.ones(3, 2), nonlinearity="nope"),
    "kaiming empty": lambda t: t.nn.init.kaiming_uniform_(t.ones(0, 2)),
    "orthogonal dims": lambda t: t.nn.init.orthogonal_(t.ones(3)),
    "orthogonal empty": lambda t: t.nn.init.orthogonal_(t.ones(0, 2)),
    "sparse dims": lambda t: t.nn.init.sparse_(t.ones(3), 0.1),
    "deprecated": lambda t: t.nn.init.constant(t.ones(2), 5),
    "deprecated name": lambda t: [getattr(t.nn.init, n).__name__ for n in ("uniform", "normal", "eye", "dirac", "xavier_uniform",
                                  "xavier_normal", "kaiming_uniform", "kaiming_normal", "orthogonal", "sparse")],
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_values(oracle, name):
    same(CASES[name], oracle)


def moments(x):
    x = x.detach().double()
    return [float(v) for v in (x.mean(), x.std(), x.min(), x.max())]


RANDOM = {
    "uniform": lambda i, x: i.uniform_(x, -1, 3),
    "normal": lambda i, x: i.normal_(x, 2, 0.5),
    "trunc": lambda i, x: i.trunc_normal_(x, 0.5, 1.0, -1.0, 1.5),
    "trunc default": lambda i, x: i.trunc_normal_(x, std=0.02),
    "xavier uniform": lambda i, x: i.xavier_uniform_(x, 2.0),
    "xavier normal": lambda i, x: i.xavier_normal_(x),
    "kaiming uniform": lambda i, x: i.kaiming_uniform_(x, sqrt(5)),
    "kaiming normal": lambda i, x: i.kaiming_normal_(x, mode="fan_out", nonlinearity="relu"),
}


@pytest.mark.parametrize("name", RANDOM)
def test_moments(oracle, name):
    mine, theirs = (moments(RANDOM[name](t.nn.init, t.nn.Parameter(t.empty(300, 400)))) for t in (polytensor, oracle))
    scale = theirs[1]
    # ends of uniform ranges agree well, those of normals are themselves random
    near = (0.02, 0.02, 0.02 if "normal" not in name else 2, 0.02 if "normal" not in name else 2)
    if name == "trunc default":
        near = (0.02, 0.02, 2, 2)
    assert all(abs(a - b) <= e * scale for a, b, e in zip(mine, theirs, near, strict=True)), (mine, theirs)


def test_generators_and_modes():
    init, g = polytensor.nn.init, polytensor.Generator
    for fn in (
        lambda x, k: init.uniform_(x, generator=k), lambda x, k: init.normal_(x, generator=k),
        lambda x, k: init.trunc_normal_(x, generator=k), lambda x, k: init.xavier_normal_(x, generator=k),
        lambda x, k: init.kaiming_uniform_(x, generator=k), lambda x, k: init.orthogonal_(x, generator=k),
        lambda x, k: init.sparse_(x, 0.5, generator=k),
    ):  # fmt: skip
        a, b = (fn(polytensor.nn.Parameter(polytensor.empty(5, 4)), g().manual_seed(3)) for _ in range(2))
        assert a.tolist() == b.tolist() and a.requires_grad and a.is_leaf and a._version > 0


@pytest.mark.parametrize("shape", [(5, 3), (3, 5), (4, 2, 3), (4, 4)])
def test_orthogonal(shape):
    q = polytensor.nn.init.orthogonal_(polytensor.empty(*shape, dtype=polytensor.float64), gain=2).flatten(1)
    n = min(q.shape)
    gram = q @ q.T if q.shape[0] == n else q.T @ q
    assert (gram - 4 * polytensor.eye(n)).abs().max() < 1e-12


def test_sparse():
    x = polytensor.nn.init.sparse_(polytensor.empty(10, 50), 0.25, std=2.0)
    assert (x == 0).sum(0).tolist() == [3] * 50 and 1.5 < x[x != 0].std() < 2.5
    firsts = {tuple((x[:, k] == 0).nonzero().flatten().tolist()) for k in range(50)}
    assert len(firsts) > 20


def test_warnings(oracle):
    def said(t):
        i = t.nn.init
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            i.trunc_normal_(t.empty(2), 9.0)
            i.kaiming_normal_(t.empty(0, 2))
            i.xavier_normal(t.empty(2, 2))
        return [(w.category.__name__, str(w.message)) for w in caught if w.category is not RuntimeWarning]

    assert said(polytensor) == said(oracle)
