"""Products of matrices and recurrent layers of the Numba backend against NumPy's."""

import numba_checks
import numpy as np
import pytest
from numba_checks import NUMBA, NUMPY, THREADS, values

mode, dtype = numba_checks.mode, numba_checks.dtype


@pytest.mark.parametrize("m, k, n", [(4, 32, 32), (21, 33, 47), (64, 300, 96), (300, 47, 97), (9, 700, 170)])
def test_products(mode, dtype, m, k, n, monkeypatch):
    """Either factor turned over, edges of tiles, panels, chunks and depths; a linear layer's bias; NaN stays in its row."""
    own = NUMBA._products
    monkeypatch.setattr(own, "WIDE", True)
    x, w, b = values((m, k), dtype), values((k, n), dtype, 1), values((n,), dtype, 2)
    x[3, 1] = np.nan
    rtol = 1e-5 if dtype == "float32" else 1e-13
    whole = x.astype("f8") @ w.astype("f8")
    none = np.empty(0, dtype)
    for a in (x, np.asfortranarray(x)):
        for c in (w, np.asfortranarray(w)):
            np.testing.assert_allclose(own.gemm(a, c, none), whole, rtol, rtol * np.sqrt(k) * 8)
            np.testing.assert_allclose(NUMBA.matmul(a, c), whole, rtol, rtol * np.sqrt(k) * 8)
    weight = np.ascontiguousarray(w.T)
    y = own.gemm(x, weight.T, b)
    np.testing.assert_allclose(y, whole + b, rtol, rtol * np.sqrt(k) * 8)
    np.testing.assert_allclose(NUMBA.linear(x[None], weight, b), y[None], rtol, rtol * np.sqrt(k) * 8)
    np.testing.assert_array_equal(own.gemm(x[:-1], weight.T, b), y[:-1])  # a row's bits do not depend on the others
    monkeypatch.setattr(THREADS, "PARALLEL_NS", np.inf)
    np.testing.assert_array_equal(own.gemm(x, weight.T, b), y)


@pytest.mark.parametrize("m, k, n", [(16, 16, 32), (19, 33, 47), (64, 32, 64)])
def test_products_of_many(mode, dtype, m, k, n, monkeypatch):
    """Every order of the axes of either factor, as attention makes them."""
    own = NUMBA._products
    monkeypatch.setattr(own, "WIDE", True)
    x, w = values((5, m, k), dtype), values((5, k, n), dtype, 1)
    rtol = 1e-5 if dtype == "float32" else 1e-13
    whole = np.matmul(x.astype("f8"), w.astype("f8"))
    orders = [(0, 1, 2), (0, 2, 1), (1, 0, 2), (2, 0, 1)]
    for a in orders:
        for c in orders:
            left, right = (np.ascontiguousarray(t.transpose(o)).transpose(np.argsort(o)) for t, o in ((x, a), (w, c)))
            np.testing.assert_allclose(own.gemm_each(left, right), whole, rtol, rtol * np.sqrt(k) * 8)
            np.testing.assert_allclose(NUMBA.bmm(left, right), whole, rtol, rtol * np.sqrt(k) * 8)
    assert own.gemm_each(x[:, ::2], w) is None and own.gemm_each(x[:4], w) is None


@pytest.mark.skipif(THREADS.thread_setter() is None, reason="NumPy has another BLAS")
def test_small_products_of_blas(monkeypatch):
    """They run on one thread, and the number is put back."""
    monkeypatch.setattr(THREADS, "_budget", 2)
    x, seen = values((64, 700), "float32"), []
    set_threads = THREADS.thread_setter()
    monkeypatch.setattr(THREADS, "thread_setter", lambda: lambda n: (seen.append(n), set_threads(n)))
    w = values((700, 10), "float32", 1)
    np.testing.assert_allclose(NUMBA.matmul(x, w), x.astype("f8") @ w, 1e-4, 1e-3)
    assert seen == [1, 2]


def test_products_leave_the_rest():
    """Other dtypes, layouts, ranks and sizes go to BLAS; shapes that do not fit get NumPy's error."""
    own, x = NUMBA._products, values((64, 64), "float32")
    wide, few = values((700, 170), "float32"), values((9, 700), "float32")
    if own.WIDE:
        assert own.takes(x, x.T) and own.takes(wide[:9], wide.T) and own.takes(wide.T, wide)
    assert not own.takes(x, x) and not own.takes(x[:8], x.T) and not own.takes(few, wide)
    assert not own.takes(x.astype("c8"), x.astype("c8"))
    assert not own.takes(x, x.astype("f8")) and not own.takes(x[:, ::2], x[:32]) and not own.takes(x[0], x)
    assert not own.takes(np.empty((512, 512), "f4"), np.empty((512, 512), "f4")) and not own.takes(x[:8], x)
    with pytest.raises(ValueError):
        NUMBA.matmul(x, x[:32])


@pytest.mark.parametrize("n", [1, 7, 300])
@pytest.mark.parametrize("sizes", [(20, 20), (20, 3, 1)])
def test_recurrent(mode, dtype, n, sizes):
    """Layers of LSTM and GRU over packed rows, forward and backward; gates in saturation too."""
    rows, batch = sum(sizes), sizes[0]
    x, h, c, b = (values(s, dtype, k) for k, s in enumerate([(rows, 5), (batch, n), (batch, n), (4 * n,)]))
    x[0] *= 1000
    wi, wh, none = values((4 * n, 5), dtype, 4), values((4 * n, n), dtype, 5) / n, np.empty(0, dtype)
    rtol = 1e-4 if dtype == "float32" else 1e-11

    def run(backend):
        out = backend.lstm_scan(x, h, c, wi, wh, b, b, none, sizes, False)
        grads = backend.lstm_scan_backward(out[:3], (True,) * 8, x, h, c, wi, wh, b, b, none, *out[3:], sizes, False)
        ws = wi[: 3 * n], wh[: 3 * n], b[: 3 * n], b[: 3 * n]
        gru = backend.gru_scan(x, h, *ws, sizes, True)
        more = backend.gru_scan_backward(gru[:2], (True,) * 6, x, h, *ws, *gru[2:], sizes, True)
        return [a for a in (*out, *grads, *gru, *more) if a is not None and a.size]

    with np.errstate(all="ignore"):
        for ours, theirs in zip(run(NUMBA), run(NUMPY), strict=True):
            np.testing.assert_allclose(ours, theirs, rtol=rtol, atol=rtol * max(1, np.abs(theirs).max()))
