"""Optimizer steps of the Numba backend against NumPy's."""

import numba_checks
import numpy as np
import pytest
from numba_checks import NUMBA, NUMPY, same, values

mode, dtype = numba_checks.mode, numba_checks.dtype


@pytest.mark.parametrize("momentum, nesterov, dampening", [(0, False, 0), (0.9, False, 0.1), (0.9, True, 0)])
@pytest.mark.parametrize("decay, maximize", [(0, False), (0.01, True)])
def test_sgd(mode, dtype, momentum, nesterov, dampening, decay, maximize):
    def run(backend):
        ps = [
            values((50, 40), dtype),
            values((7,), dtype, 1),
            values((6, 8), dtype, 2)[:, ::2],
            values((300, 300), dtype),
        ]
        bufs = [np.empty_like(p) for p in ps] if momentum else None
        for step in range(3):
            gs = [values(p.shape, dtype, 10 + step) for p in ps]
            backend.sgd_step(ps, gs, bufs, 0.1, momentum, dampening, decay, nesterov, maximize, step == 0)
        return ps + (bufs or [])

    for a, e in zip(run(NUMBA), run(NUMPY), strict=True):
        same(a, e, 5)


@pytest.mark.parametrize("amsgrad", [False, True])
@pytest.mark.parametrize("decay, decoupled, maximize", [(0, False, False), (0.01, False, True), (0.01, True, False)])
def test_adam(mode, dtype, amsgrad, decay, decoupled, maximize):
    def run(backend):
        ps = [values((50, 40), dtype), values((7,), dtype, 1), values((6, 8), dtype, 2)[:, ::2]]
        ms, vs, tops = ([np.zeros(p.shape, dtype) for p in ps] for _ in range(3))
        for step in range(1, 4):
            gs = [values(p.shape, dtype, 10 + step) for p in ps]
            top = tops if amsgrad else None
            backend.adam_step(ps, gs, ms, vs, top, step, 1e-2, 0.9, 0.999, 1e-8, decay, decoupled, maximize)
        return ps + ms + vs + tops

    for a, e in zip(run(NUMBA), run(NUMPY), strict=True):
        same(a, e, 20)


def test_optimizers_keep_an_infinite_parameter(dtype):
    p, g = np.array([np.inf, 1.0], dtype), np.ones(2, dtype)
    NUMBA.sgd_step([p], [g], None, 0.1, 0, 0, 0, False, False, False)
    assert p[0] == np.inf
