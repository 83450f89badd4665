"""Compile or load every kernel ahead of its first use."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..base import FLOAT16
from . import threads

ONE = (1, 1)
NONE = (0, 0)


def _run(backend: Any, dtype: Any) -> None:
    x = np.linspace(-1, 1, 1 << 16, dtype=dtype).reshape(256, 256)
    few = x[:4, :4].copy()
    backend.clamp(few, 0, 1)
    for y in (few, x):
        backend.sigmoid(y)
        backend.softmax_backward(y, backend.softmax(y, 1), 1)
        backend.log_softmax_backward(y, backend.log_softmax(y, 1), 1)
        for f in (backend.relu_backward, backend.tanh_backward, backend.sigmoid_backward):
            f(y, y)
        for f in (backend.silu, backend.gelu, backend.gelu_tanh, backend.normal_cdf, backend.erf):
            f(y)
    for half in FLOAT16:
        backend.cast(backend.cast(x, half), x.dtype)
    backend.relu(x)
    backend.clamp(x, 0, 1)
    backend.leaky_relu(x, 0.1)
    backend.leaky_relu_backward(x, x, 0.1)
    backend.silu_backward(x, x)
    backend.hardswish_backward(x, backend.hardswish(x))
    backend.between(x, x, -0.5, 0.5)
    backend.smooth_l1(x, 1.0)
    backend.scale_channels(x.reshape(4, 4, 64, 64), x[0, :4].copy(), x[0, :4].copy())
    backend.gelu_backward(x, x)
    w = x[0].copy()
    backend.embedding_sum(x, 2, np.zeros(len(x), np.int64), -1, False)
    y, _, _ = backend.normalize(x, (1,), 1e-5)
    _, y, _, var = backend.normalize_affine(x, w, w, (1,), 1e-5)
    backend.normalize_affine_backward(x, w, y, var, (1,), 1e-5)
    backend.normalize_backward(x, y, var, (1,), 1e-5)
    y, square = backend.rms_normalize(x, (1,), 1e-5)
    backend.rms_backward(x, y, square, (1,), 1e-5)
    backend.linear(x, x[:32].copy(), x[0, :32].copy())
    backend.bmm(x.reshape(4, 64, 256), x.reshape(4, 256, 64))
    for dim in (None, (0,), (1,)):
        backend.sum(x, dim, False)
        backend.amax(x, dim, False)
        backend.var(x, dim, 1, False)
    q, none = x[:8].reshape(2, 8, 128).copy(), x[0, :0]
    y, logs = backend.attend(q, q, q, none, 0.1, True)
    backend.attend_backward(y, (True, True, True), q, q, q, none, y, logs, 0.1, True)
    backend.contiguous(x.T)
    backend.where(x > 0, x, x)
    backend.index(np.broadcast_to(x, (16, 256, 256)).reshape(-1, 256), (np.arange(4096),))
    for kind in (dtype, np.int64):
        backend.argsort(x.astype(kind), 1, False)
        backend.argsort(x.reshape(-1).astype(kind), 0, False)
    backend.cumsum(x, 1)
    backend.cummax(x, 1)
    backend.cumsum(x.reshape(-1), 0)
    backend.random_words(1, 0, 4096)
    backend.normal(1, 0, (4096,), np.dtype(dtype))
    backend.masked_scale(x, backend.dropout(x, 1, 0, 0.5)[1], 2.0)
    g = np.ones((), dtype)
    t = np.zeros(256, np.int64)
    backend.cross_entropy_backward(g, backend.cross_entropy(x, t, -100, 1)[1], t, -100, 1)
    backend.mse_loss(x, x, 1)
    backend.mse_loss_backward(g, x, x, 1)
    for c in (32, 4):  # Winograd's and the direct one
        image, w = x[: 4 * c].reshape(4, c, 16, 16).copy(), x[:36].reshape(-1)[: 9 * c * c].reshape(c, c, 3, 3).copy()
        y = backend.conv2d(image, w, x[0, :c].copy(), ONE, ONE, ONE, 1)
        backend.conv2d_grad_input(y, w, image.shape, ONE, ONE, ONE, 1)
        backend.conv2d_grad_weight(y, image, w.shape, ONE, ONE, ONE, 1)
    channels = x[0, :4].reshape(1, 4, 1, 1).copy()
    y, mean, var = backend.batch_normalize(image, channels, channels, (0, 2, 3), 1e-5)
    backend.batch_normalize_backward(y, image, channels, mean, var, (0, 2, 3), 1e-5)
    backend.batch_normalize_relu_backward(y, image, channels, y, mean, var, (0, 2, 3), 1e-5)
    for kernel in ((2, 2), (3, 3)):
        pooled, index = backend.max_pool2d(image, kernel, (2, 2), NONE, ONE, False)
        backend.max_pool2d_grad(pooled, index, image.shape)
        backend.max_pool2d_gather(image, index)
    h, w, none, need = x[:, :8].copy(), x[:32, :8].copy(), x[0, :0], (True,) * 8
    kept = backend.lstm_scan(h, h, h, w, w, none, none, none, (256,), False)
    backend.lstm_scan_backward((h, h, h), need, h, h, h, w, w, none, none, none, *kept[3:], (256,), False)
    kept = backend.gru_scan(h, h, w[:24], w[:24], none, none, (256,), False)
    backend.gru_scan_backward((h, h), need[:6], h, h, w[:24], w[:24], none, none, *kept[2:], (256,), False)
    p, s = x.copy(), [x * x, x * x, x * x]
    backend.sgd_step([p], [x], None, 0.1, 0, 0, 0, False, False, False)
    backend.sgd_step([p], [x], s[:1], 0.1, 0.9, 0, 0, False, False, False)
    backend.adam_step([p], [x], s[:1], s[1:2], None, 1, 0.1, 0.9, 0.999, 1e-8, 0, False, False)
    backend.adam_step([p], [x], s[:1], s[1:2], s[2:], 1, 0.1, 0.9, 0.999, 1e-8, 0, False, False)
    ps, gs = [p, p.copy()], [x, x]
    firsts, seconds, tops = ([x * x, x * x] for _ in range(3))
    backend.sgd_step(ps, gs, None, 0.1, 0, 0, 0.1, False, False, False)
    backend.sgd_step(ps, gs, firsts, 0.1, 0.9, 0, 0, False, False, False)
    backend.adam_step(ps, gs, firsts, seconds, None, 1, 0.1, 0.9, 0.999, 1e-8, 0, False, False)
    backend.adam_step(ps, gs, firsts, seconds, tops, 1, 0.1, 0.9, 0.999, 1e-8, 0, False, False)


def warm(backend: Any, dtype: Any) -> None:
    """Run every kernel once serial and, where there are threads, once parallel."""
    usual = threads.PARALLEL_NS
    try:
        threads.PARALLEL_NS = float("inf")
        _run(backend, dtype)
        if threads.get_num_threads() > 1:
            threads.PARALLEL_NS = 0
            _run(backend, dtype)
    finally:
        threads.PARALLEL_NS = usual
