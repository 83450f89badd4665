"""The random stream: its words, equal bits on every backend, seeds and states."""

import numpy as np
import pytest

import polytensor as pt
from polytensor.backends import streams

M = (1 << 64) - 1


def philox(seed, counter):
    """Philox4x64-10 in plain Python, from the paper: one block of four words."""
    c = [counter & M, counter >> 64 & M, 0, 0]
    k0, k1 = seed & M, 0
    for _ in range(10):
        p0, p1 = 0xD2E7470EE14C6C93 * c[0], 0xCA5A826395121157 * c[2]
        c = [(p1 >> 64) ^ c[1] ^ k0, p1 & M, (p0 >> 64) ^ c[3] ^ k1, p0 & M]
        k0, k1 = (k0 + 0x9E3779B97F4A7C15) & M, (k1 + 0xBB67AE8584CAA73B) & M
    return c


@pytest.mark.parametrize(("seed", "counter"), [(0, 0), (1, 7), (2**63 + 5, 2**40), (M, M - 1)])
def test_words_are_philox(polytensor_backend, seed, counter):
    backend = pt.devices.get_backend(polytensor_backend)
    words = backend.to_numpy(backend.random_words(seed, counter, 3))
    expected = [w for i in range(3) for w in philox(seed, counter + i)]
    assert words.tolist() == expected


DRAWS = {
    "rand": lambda: pt.rand(1001),
    "rand64": lambda: pt.rand(7, 11, dtype=pt.float64),
    "randint": lambda: pt.randint(-5, 1000, (333,)),
    "randint_wide": lambda: pt.randint(-(2**62), 2**62, (50,)),
    "randperm": lambda: pt.randperm(257),
    "bernoulli": lambda: pt.bernoulli(pt.full((500,), 0.3)),
    "dropout": lambda: pt.nn.functional.dropout(pt.ones(400), 0.4),
    "uniform_": lambda: pt.empty(77).uniform_(-2, 3),
}


@pytest.mark.parametrize("name", DRAWS)
def test_same_bits_on_every_backend(polytensor_backend, name):
    results = []
    for backend in ("numpy", polytensor_backend):
        with pt.use_backend(backend):
            pt.manual_seed(1234)
            pt.rand(3)
            results.append(DRAWS[name]().cpu().numpy())
    assert results[0].tobytes() == results[1].tobytes()


def test_normals_agree(polytensor_backend):
    results = []
    for backend in ("numpy", polytensor_backend):
        with pt.use_backend(backend):
            pt.manual_seed(5)
            results.append(pt.randn(999).cpu().numpy())
    np.testing.assert_allclose(*results, rtol=2e-6, atol=1e-6)


def test_masks_do_not_depend_on_dtype():
    masks = []
    for dtype in (pt.float32, pt.float64):
        pt.manual_seed(3)
        masks.append((pt.nn.functional.dropout(pt.ones(300, dtype=dtype), 0.5) == 0).tolist())
    assert masks[0] == masks[1]


def test_statistics():
    pt.manual_seed(0)
    n = 200_000
    u, z, k = pt.rand(n), pt.randn(n), pt.randint(0, 10, (n,))
    assert abs(u.mean().item() - 0.5) < 0.003 and 0 <= u.min().item() and u.max().item() < 1
    assert abs(z.mean().item()) < 0.01 and abs(z.std().item() - 1) < 0.01
    assert (np.bincount(k.numpy(), minlength=10) / n - 0.1).__abs__().max() < 0.004
    assert sorted(pt.randperm(100).tolist()) == list(range(100))


@pytest.mark.parametrize("dtype", [pt.complex64, pt.complex128])
def test_complex_layers(dtype, both_parts=lambda w: pt.view_as_real(w.detach()).flatten(0, -2)):
    """Each part of a complex weight is drawn as a real weight is."""
    for layer in (pt.nn.Linear(40, 50, dtype=dtype), pt.nn.Conv2d(10, 20, 2, dtype=dtype)):
        parts = both_parts(layer.weight)
        assert (abs(parts.amax(0) - 40**-0.5) < 0.01).all() and (abs(parts.amin(0) + 40**-0.5) < 0.01).all()
        assert abs((parts[:, 0] * parts[:, 1]).mean()) < 0.002
    assert layer(pt.ones(1, 10, 3, 3, dtype=dtype)).dtype is dtype


def test_seed_and_state():
    pt.manual_seed(7)
    assert pt.initial_seed() == 7
    pt.rand(5)
    state = pt.get_rng_state()
    first = pt.rand(4).tolist()
    pt.set_rng_state(state)
    assert pt.rand(4).tolist() == first
    g = pt.Generator().manual_seed(9)
    a = pt.rand(3, generator=g).tolist()
    assert pt.rand(3, generator=pt.Generator().manual_seed(9)).tolist() == a
    assert pt.manual_seed(-1).initial_seed() == M
    with pytest.raises(ValueError):
        pt.manual_seed(2**65)
    with pytest.raises((TypeError, RuntimeError)):
        pt.set_rng_state(pt.zeros(3))


@pytest.mark.parametrize(
    ("call", "error"),
    [
        (lambda: pt.randint(5, 5, (2,)), RuntimeError),
        (lambda: pt.randint(3), TypeError),
        (lambda: pt.randperm(-1), RuntimeError),
        (lambda: pt.bernoulli(pt.tensor([2.0])), RuntimeError),
        (lambda: pt.rand(2, dtype=pt.int64), NotImplementedError),
        (lambda: pt.rand(-1), RuntimeError),
        (lambda: pt.empty(2).normal_(0, -1), RuntimeError),
    ],
)
def test_bad_arguments(call, error):
    with pytest.raises(error):
        call()


def test_exponential_draws_have_a_logarithm(monkeypatch, device):
    """Programs make Gumbel noise of them; the least uniform number is 0."""
    for dtype in (pt.float16, pt.bfloat16, pt.float32):
        x = pt.nn.functional.gumbel_softmax(pt.zeros(300, 50, dtype=dtype, device=device))
        assert x.isfinite().all() and (x.sum(-1) - 1).abs().max() < 0.1
    monkeypatch.setattr(streams, "_unit", lambda backend, seed, counter, n, dtype: backend.xp.zeros(n, dtype))
    for dtype in (pt.float32, pt.float64):
        x = pt.empty(3, dtype=dtype, device=device).exponential_()
        assert (x > 0).all() and (x < 1e-7).all()
