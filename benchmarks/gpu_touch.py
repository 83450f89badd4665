"""Every CUDA kernel of ours on small arrays, for compute-sanitizer; tests/test_gpu_bench.py counts them."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterator
from typing import Any

TOUCHED = ("small ops", "small ops, forward + backward", "large ops", "conv", "optimizers")
KINDS = ("float32", "float64", "float16", "bfloat16")


def touch(
    device: str, names: tuple[str, ...] = TOUCHED, models: tuple[str, ...] = (), kinds: tuple[str, ...] = KINDS
) -> None:
    """Groups of cases, models (all of them if none is named), and the rest of the kernels in each of these dtypes.

    Each array has an allocation of its own, so that memcheck sees what passes the end of one.
    """
    from cases import GROUPS, MODELS

    import polytensor as t

    if device == "cuda":
        import cupy

        cupy.cuda.set_allocator(None)
    parts: list[tuple[str, Callable[[], Any]]] = []
    for kind in kinds:
        for fn in FUNCTIONS:
            parts.append((f"{fn.__name__} of {kind}", lambda fn=fn, kind=kind: through(t, fn, kind)))
    parts += [(name, lambda name=name: [fn() for fn in GROUPS[name](t).values()]) for name in names]
    for name in models or MODELS:
        parts.append((name, lambda name=name: twice(MODELS[name](t, 4))))
    wrong = 0
    with t.device(device):
        for name, part in parts:
            print(f"touching {name}", flush=True)
            try:
                part()
                t.cuda.synchronize() if device == "cuda" else None
            except Exception:  # noqa: BLE001 the others go on
                wrong += 1
                traceback.print_exc()
    if wrong:
        raise RuntimeError(f"{wrong} of {len(parts)} parts failed")


def through(t: Any, fn: Callable[..., Any], kind: str) -> None:
    for x in fn(t, lambda *shape: t.randn(*shape).to(getattr(t, kind))):
        x.sum().backward() if x.requires_grad else None


def twice(step: Callable[[], Any]) -> None:
    step(), step()


def elements(t: Any, made: Callable[..., Any]) -> Iterator[Any]:
    """Activations, losses and draws."""
    f = t.nn.functional
    for fn in (
        f.elu, f.gelu, f.hardshrink, f.hardsigmoid, f.hardswish, f.hardtanh, f.leaky_relu, f.logsigmoid, f.mish, f.silu,
        f.softplus, f.softshrink, f.relu, t.sigmoid, t.tanh, t.special.ndtr, lambda x: f.gelu(x, approximate="tanh"),
        t.exp, t.expm1, t.neg, lambda x: x.abs().sqrt(), lambda x: x.abs().log(), lambda x: x.abs().log1p(),
        lambda x: f.threshold(x, 0.1, 2.0), lambda x: x.clamp(-1, 1), lambda x: f.dropout(x, 0.3),
    ):  # fmt: skip
        for shape in ((5, 37), (1,)):
            yield fn(made(*shape).requires_grad_())
    for fn in (t.add, t.sub, t.mul, t.div, t.maximum, t.minimum, t.eq, t.ne, t.lt, t.le, t.gt, t.ge):
        for other in (made(5, 37), made(37), made(())):
            yield fn(made(5, 37), other)
    yield t.where(made(5, 37) > 0, made(37), made(()))
    yield t.where(made(37, 5).T > 0, made(5, 74)[:, ::2], made(5, 1))
    for fn in (lambda x: x * 0.1, lambda x: x / 0.3, lambda x: t.add(x, x, alpha=0.3), lambda x: t.lerp(x, -x, 0.3)):
        yield from (fn(made(5, 37).to(kind)) for kind in (t.float16, t.bfloat16))  # numbers that 16 bits do not hold
    for fn in (t.remainder, t.floor_divide):
        yield fn(made(5, 37), made(5, 37))
    x = made(5, 37).requires_grad_()
    yield t.autograd.grad(f.gelu(x).sum(), x, create_graph=True)[0]
    x, y = (made(9, 2001).requires_grad_() for _ in range(2))
    for reduction in ("none", "sum", "mean"):
        yield f.mse_loss(x, y.detach(), reduction=reduction)
    yield f.smooth_l1_loss(x, y.detach())
    yield f.soft_margin_loss(x, y.detach().sign())
    yield f.binary_cross_entropy(x.sigmoid(), y.detach().sigmoid())
    yield f.binary_cross_entropy_with_logits(x, y.detach().sigmoid())
    yield t.bernoulli(x.detach().sigmoid())
    yield made(33).bernoulli_(0.3)
    for fn in (t.rand, t.randn):
        yield fn(5, 37, dtype=x.dtype)
    yield t.randint(0, 7, (33,))
    state = t.get_rng_state()
    yield t.randperm(33)
    t.set_rng_state(state)


def rows(t: Any, made: Callable[..., Any]) -> Iterator[Any]:
    """Softmax, cross-entropy, norms, reductions, and what has two or more arrays in a launch."""
    f = t.nn.functional
    for shape in ((3, 33), (3, 36), (2, 5, 1200), (3, 2001), (4, 7000)):
        x = made(*shape).requires_grad_()
        for dim in (0, -1):
            yield t.softmax(x, dim)
            yield t.log_softmax(x, dim)
            for fn in (t.sum, t.mean, t.amax, t.prod, t.var):
                yield fn(x, dim)
            yield x.detach().argmax(dim)
        yield f.layer_norm(x, shape[-1:], t.ones(shape[-1]).to(x.dtype), t.zeros(shape[-1]).to(x.dtype))
        yield f.rms_norm(x, shape[-1:])
    for count in (5, 5000):
        x, target = made(count, 9).requires_grad_(), t.randint(0, 9, (count,))
        for reduction in ("none", "sum", "mean"):
            yield f.cross_entropy(x, target, reduction=reduction)
    for training in (True, False):
        x, mean, var = made(3, 5, 4, 4).requires_grad_(), made(5), made(5).abs()
        yield f.batch_norm(x, mean, var, made(5), made(5), training=training)
    yield f.group_norm(made(2, 4, 5).requires_grad_(), 2)
    for dtype in (t.int8, t.int64):
        yield t.ones(3, 17, dtype=dtype) @ t.ones(17, 19, dtype=dtype)
    yield made(13, 33, 5, 6)[::2, 1:].transpose(0, 1) @ made(33, 13, 6, 5)[1:, ::2]


def windows(t: Any, made: Callable[..., Any]) -> Iterator[Any]:
    """Convolution without cuDNN, pooling, resampling."""
    f, switches = t.nn.functional, t.backends.cudnn
    before, switches.enabled = switches.enabled, False
    try:
        x = made(2, 4, 9, 10).requires_grad_()
        for groups, out, stride, dilation in ((1, 6, 1, 1), (4, 8, 2, 1), (2, 6, 1, 2)):
            w = made(out, 4 // groups, 3, 3).requires_grad_()
            yield f.conv2d(x, w, made(out), stride, 1, dilation, groups)
        yield f.conv_transpose2d(x, made(4, 3, 3, 3).requires_grad_(), stride=2)
        yield f.conv1d(made(2, 4, 33).requires_grad_(), made(4, 1, 5).requires_grad_(), groups=4)
    finally:
        switches.enabled = before
    y = f.max_pool2d(x, 3, 2, 1)
    yield y
    yield f.max_unpool2d(*f.max_pool2d(x, 2, return_indices=True), 2)
    yield f.max_pool1d(made(2, 3, 20).requires_grad_(), 4, 2)
    yield f.avg_pool2d(x, 3, 2)
    yield f.adaptive_max_pool2d(x, 4)
    yield f.adaptive_avg_pool2d(x, 3)
    for mode in ("nearest", "bilinear", "bicubic"):
        yield f.interpolate(x, scale_factor=2, mode=mode)
    g = made(*y.shape).requires_grad_()
    into = t.autograd.grad(f.max_pool2d(x, 3, 2, 1), x, g, create_graph=True)[0]
    yield t.autograd.grad(into.sum(), g)[0]
    yield f.unfold(x, 3)


def scores(t: Any, made: Callable[..., Any]) -> Iterator[Any]:
    """Attention by our own kernels, that for large scores too."""
    from polytensor.backends.cupy.large_attention import LargeAttention

    attend, cuda = t.nn.functional.scaled_dot_product_attention, t.backends.cuda
    before = t.backends.cudnn.enabled, cuda.matmul.allow_tf32, LargeAttention.LARGE_ATTENTION
    t.backends.cudnn.enabled = False
    try:
        for least in (before[2], 1):
            LargeAttention.LARGE_ATTENTION = least
            cuda.matmul.allow_tf32 = least == 1
            for n, m, d in ((5, 5, 16), (33, 70, 64)):
                q, k, v = (made(2, 2, s, d).requires_grad_() for s in (n, m, m))
                yield attend(q, k, v)
                yield attend(q, k, v, is_causal=n == m, attn_mask=None if n == m else t.ones(n, m, dtype=t.bool).tril())
    finally:
        t.backends.cudnn.enabled, cuda.matmul.allow_tf32, LargeAttention.LARGE_ATTENTION = before


def places(t: Any, made: Callable[..., Any]) -> Iterator[Any]:
    """Scatters, gathers, searches; with sums in a fixed order too."""
    f, x = t.nn.functional, made(9, 5).requires_grad_()
    i = t.randint(0, 9, (200,))
    before = t.are_deterministic_algorithms_enabled()
    try:
        for fixed in (False, True):
            t.use_deterministic_algorithms(fixed)
            yield x[i]
            yield x.index_select(0, i)
            yield f.embedding(i, x, padding_idx=2)
            yield x.index_add(0, i, made(200, 5))
            into = made(9, 5)
            into[i] = made(200, 5)
            into[t.tensor([1, 1, 2]), t.tensor([0, 0, 3])] = made(3)
            yield into.index_put_((i,), made(200, 5), accumulate=True)
            yield into.scatter(0, i.reshape(-1, 5), made(40, 5))
            for op in ("sum", "amax", "prod"):
                yield into.scatter_reduce(0, i.reshape(-1, 5), made(40, 5), op)
    finally:
        t.use_deterministic_algorithms(before)
    yield f.embedding(i, x, scale_grad_by_freq=True)
    yield t.searchsorted(made(33).sort()[0], made(21))
    yield t.multinomial(made(7).abs().float(), 3)


def cells(t: Any, made: Callable[..., Any]) -> Iterator[Any]:
    """Recurrent layers."""
    for kind in (t.nn.RNN, t.nn.GRU, t.nn.LSTM):
        x = made(4, 3, 5).requires_grad_()
        yield kind(5, 6).to(x.dtype)(x)[0]


def steps(t: Any, made: Callable[..., Any]) -> Iterator[Any]:
    """Optimizers, clipping and unscaling."""
    params = [made(*shape).requires_grad_() for shape in ((33, 7), (5,), (1,))]

    def step(opt: Any) -> None:
        for p in params:
            p.grad = made(*p.shape)
        opt.step()

    o = t.optim
    for make in (
        lambda: o.SGD(params, 0.1), lambda: o.SGD(params, 0.1, momentum=0.9, nesterov=True), lambda: o.Adam(params),
        lambda: o.AdamW(params, amsgrad=True), lambda: o.Adam(params, capturable=True), lambda: o.RMSprop(params),
        lambda: o.Adagrad(params), lambda: o.Adadelta(params), lambda: o.Adamax(params), lambda: o.NAdam(params),
        lambda: o.RAdam(params), lambda: o.Rprop(params), lambda: o.ASGD(params),
    ):  # fmt: skip
        opt = make()
        step(opt), step(opt)
    t.nn.utils.clip_grad_norm_(params, 0.1)
    t.nn.utils.clip_grad_value_(params, 0.1)
    if params[0].dtype is not t.float16:  # which a scaler refuses
        scaler, opt = t.amp.GradScaler(), o.SGD(params, 0.1)
        scaler.scale((params[0] * params[0]).sum()).backward()
        scaler.unscale_(opt), scaler.step(opt), scaler.update()
    yield from ()


def graphs(t: Any, made: Callable[..., Any]) -> Iterator[Any]:
    """Draws in a CUDA graph."""
    x = made(5, 7)
    drop = t.cuda.graphs.make_graphed_callables(t.nn.Dropout(0.5), (x,))
    yield drop(x)
    yield drop(x)


FUNCTIONS = (elements, rows, windows, scores, places, cells, steps, graphs)
