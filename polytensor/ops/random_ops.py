"""Random tensors. Every draw takes whole blocks of one Generator; see backends/streams.py for the bits."""

from __future__ import annotations

from math import prod
from typing import Any

from .. import devices, dtypes
from ..backends.streams import blocks_needed, unit_of
from ..tensor import Tensor, wrap
from .creation import _finish, _shape, array_dtype
from .table import attach, check_tensor, write_out


def _reserve(generator: Any, n: int, unit: str) -> tuple[int, int]:
    if generator is None:
        from ..random import default_generator as generator
    return generator.reserve(blocks_needed(n, unit))  # type: ignore[no-any-return]


def _float(name: str, dtype: Any) -> Any:
    d = dtypes.get_default_dtype() if dtype is None else dtypes.of(dtype)
    if d.category < dtypes.FLOAT:
        raise NotImplementedError(f'"{name}" not implemented for {d}: it draws floating-point numbers')
    return array_dtype(d)


def _uniform(shape: Any, d: Any, dev: Any, generator: Any, lo: float = 0.0, hi: float = 1.0) -> Any:
    seed, counter = _reserve(generator, prod(shape), unit_of(d))
    return dev.backend.uniform(seed, counter, shape, d, lo, hi)


def _normal(shape: Any, d: Any, dev: Any, generator: Any, mean: float = 0.0, std: float = 1.0) -> Any:
    n = prod(shape)
    seed, counter = _reserve(generator, n + n % 2, unit_of(d))
    return dev.backend.normal(seed, counter, shape, d, mean, std)


def _randint(shape: Any, d: Any, dev: Any, generator: Any, low: int, high: int) -> Any:
    if high <= low:
        raise RuntimeError(f"random_ expects 'from' to be less than 'to', but got from={low} >= to={high}")
    seed, counter = _reserve(generator, prod(shape), "word")
    return dev.backend.randint(seed, counter, shape, d, low, high)


def _creator(name: str, draw: Any) -> Any:
    def make(
        *size: Any, generator: Any = None, out: Any = None, dtype: Any = None, layout: Any = None, device: Any = None,
        requires_grad: bool = False, pin_memory: bool = False, **kw: Any,
    ) -> Tensor:  # fmt: skip
        shape = _shape(name, size, kw)
        dev = devices.resolve(device)
        r = _finish(draw(shape, _float(name, dtype), dev, generator), dev, requires_grad)
        return r if out is None else write_out(out, r)

    make.__name__ = name
    make.__doc__ = f"A tensor of random numbers. Source: torch.{name}."
    return make


rand = _creator("rand", _uniform)
randn = _creator("randn", _normal)


def _like(name: str, draw: Any) -> Any:
    def make(
        input: Tensor, *, generator: Any = None, dtype: Any = None, layout: Any = None, device: Any = None,
        requires_grad: bool = False, memory_format: Any = None,
    ) -> Tensor:  # fmt: skip
        check_tensor(input, name)
        dev = input._dev if device is None else devices.resolve(device)
        return _finish(draw(input._a.shape, _float(name, dtype or input.dtype), dev, generator), dev, requires_grad)

    make.__name__ = name
    return make


rand_like = _like("rand_like", _uniform)
randn_like = _like("randn_like", _normal)


def randint(*args: Any, **kwargs: Any) -> Tensor:
    """randint(high, size) or randint(low, high, size): integers in [low, high), int64 by default. Source: torch.randint."""
    args_ = list(args)
    size = kwargs.pop("size", None)
    if size is None:
        if not args_ or not isinstance(args_[-1], (tuple, list)):
            raise TypeError("randint() missing a required argument: 'size' (a tuple of ints)")
        size = args_.pop()
    high = kwargs.pop("high", None)
    low = kwargs.pop("low", None)
    if high is None:
        high = args_.pop()
    low = (args_.pop() if args_ else 0) if low is None else low
    generator, device = kwargs.pop("generator", None), kwargs.pop("device", None)
    dtype, requires_grad = kwargs.pop("dtype", None) or dtypes.int64, kwargs.pop("requires_grad", False)
    out = kwargs.pop("out", None)
    if kwargs:
        raise TypeError(f"randint() got an unexpected keyword argument {next(iter(kwargs))!r}")
    dev = devices.resolve(device)
    low, high = int(low), int(high)
    r = _finish(
        _randint(_shape("randint", (size,), {}), array_dtype(dtypes.of(dtype)), dev, generator, low, high),
        dev,
        requires_grad,
    )
    return r if out is None else write_out(out, r)


def randint_like(input: Tensor, low: int, high: int | None = None, *, dtype: Any = None, device: Any = None) -> Tensor:
    """Integers in [low, high) of input's shape and dtype. Source: torch.randint_like."""
    low, high = (0, low) if high is None else (low, high)
    return randint(low, high, tuple(input._a.shape), dtype=dtype or input.dtype, device=device or input._dev)


def randperm(
    n: int,
    *,
    generator: Any = None,
    out: Any = None,
    dtype: Any = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """A random permutation of 0 .. n-1. Source: torch.randperm."""
    if n < 0:
        raise RuntimeError(f"n must be non-negative, got {n}")
    dev = devices.resolve(device)
    seed, counter = _reserve(generator, n, "word")
    a = dev.backend.randperm(seed, counter, n)
    d = array_dtype(dtypes.int64 if dtype is None else dtypes.of(dtype))
    return _finish(a if a.dtype == d else a.astype(d), dev, requires_grad)


def _bernoulli(shape: Any, p: Any, dev: Any, generator: Any) -> Any:
    seed, counter = _reserve(generator, prod(shape), "half")
    return dev.backend.bernoulli(seed, counter, shape, p)


def bernoulli(input: Tensor, p: float | None = None, *, generator: Any = None) -> Tensor:
    """0 or 1 with probability `input` (elementwise) or `p`. Source: torch.bernoulli."""
    if p is None:
        a = input._a
        if a.size and not bool(((a >= 0) & (a <= 1)).all()):
            raise RuntimeError("Expected p_in >= 0 && p_in <= 1 to be true, but got false.")
        mask = _bernoulli(a.shape, a, input._dev, generator)
    else:
        if not 0 <= p <= 1:
            raise RuntimeError(f"bernoulli_ expects p to be in [0, 1], but got p={p}")
        mask = _bernoulli(input._a.shape, float(p), input._dev, generator)
    return wrap(mask.astype(input._a.dtype), input._dev)


def normal(
    mean: Any = 0.0, std: Any = 1.0, size: Any = None, *, generator: Any = None, dtype: Any = None, device: Any = None,
    out: Any = None,
) -> Tensor:  # fmt: skip
    """Normal numbers with given mean and std (numbers with `size`, or tensors). Source: torch.normal."""
    for s in (std,):
        if not isinstance(s, Tensor) and s < 0:
            raise RuntimeError(f"normal expects std >= 0.0, but found std {s}")
    if size is not None:
        r = randn(*size, generator=generator, dtype=dtype, device=device) * std + mean  # type: ignore[operator]
    else:
        like = mean if isinstance(mean, Tensor) else std
        r = randn_like(like, generator=generator) * std + mean  # type: ignore[operator]
    return r if out is None else write_out(out, r)  # type: ignore[no-any-return]


def multinomial(input: Tensor, num_samples: int, replacement: bool = False, *, generator: Any = None) -> Tensor:
    """Indices drawn with probability proportional to `input` (n,) or (m, n). Source: torch.multinomial."""
    if input._a.ndim not in (1, 2):
        raise RuntimeError("prob_dist must be 1 or 2 dim")
    a = input._a
    if not bool((a >= 0).all()) or not bool((a < float("inf")).all()):
        raise RuntimeError("probability tensor contains either `inf`, `nan` or element < 0")
    if not bool((a.sum(-1) > 0).all()):
        raise RuntimeError("invalid multinomial distribution (sum of probabilities <= 0)")
    dev = input._dev
    if not replacement:
        if num_samples > a.shape[-1]:
            raise RuntimeError("cannot sample n_sample > prob_dist.size(-1) samples without replacement")
        # exponential races: the k smallest of E_i / p_i are a draw without replacement
        u = _uniform(a.shape, dtypes.float64.array, dev, generator)
        race = wrap(-dev.backend.log1p(-u) / a, dev)
        return race.topk(num_samples, -1, largest=False)[1]  # type: ignore[attr-defined, no-any-return]
    cumulative = dev.backend.cumsum(a.astype("float64"), a.ndim - 1)
    shape = (*a.shape[:-1], num_samples)
    u = _uniform(shape, dtypes.float64.array, dev, generator) * cumulative[..., -1:]
    return wrap((u[..., None] >= cumulative[..., None, :]).sum(-1), dev)


def dropout_mask(shape: Any, p: float, dtype: Any, dev: Any, generator: Any) -> Any:
    """An array of 0 (with probability p) and 1 / (1 - p)."""
    keep = _bernoulli(tuple(shape), 1.0 - p, dev, generator)
    mask = keep.astype(dtype)
    if 0.0 < p < 1.0:
        mask *= dev.backend.scalar(1.0 / (1.0 - p), mask.dtype)
    return mask


# ---- in-place fills --------------------------------------------------------------------------------------------------
def _fill(x: Tensor, array: Any) -> Tensor:
    x._check_inplace()
    x._dev.backend.write(x._a, array)
    x._bump()
    return x


def _float_of(x: Tensor, name: str) -> Any:
    if x._a.dtype.kind in "biu":
        raise NotImplementedError(f'"{name}" not implemented for {x.dtype}')
    return x._a.dtype


def uniform_(self: Tensor, a: float = 0.0, b: float = 1.0, *, generator: Any = None, **kw: float) -> Tensor:
    """Fill with uniform numbers in [from, to)."""
    lo, hi = kw.get("from", a), kw.get("to", b)
    if lo > hi:
        raise RuntimeError(f"uniform_ expects to return a [from, to) range, but found from={lo} > to={hi}")
    return _fill(self, _uniform(self._a.shape, _float_of(self, "uniform_"), self._dev, generator, lo, hi))


def normal_(self: Tensor, mean: float = 0.0, std: float = 1.0, *, generator: Any = None) -> Tensor:
    """Fill with normal numbers."""
    if std < 0:
        raise RuntimeError(f"normal expects std >= 0.0, but found std {std}")
    return _fill(self, _normal(self._a.shape, _float_of(self, "normal_"), self._dev, generator, mean, std))


def bernoulli_(self: Tensor, p: Any = 0.5, *, generator: Any = None) -> Tensor:
    """Fill with 0 and 1."""
    return _fill(self, _bernoulli(self._a.shape, p._a if isinstance(p, Tensor) else float(p), self._dev, generator))


def random_(self: Tensor, low: int = 0, high: int | None = None, *, generator: Any = None) -> Tensor:
    """Fill with integers in [low, high); by default all that the dtype holds exactly."""
    if high is None:
        bits = {"float32": 24, "float64": 53, "float16": 11, "bfloat16": 8, "uint8": 8, "bool": 1}
        low, high = (0, low) if low else (0, 2 ** bits.get(self.dtype.name, 8 * self._a.dtype.itemsize - 1))
    d = self._a.dtype if self._a.dtype.kind in "iu" else dtypes.int64.array
    return _fill(self, _randint(self._a.shape, d, self._dev, generator, low, high))


def exponential_(self: Tensor, lambd: float = 1.0, *, generator: Any = None) -> Tensor:
    """Fill with exponential numbers of rate `lambd`."""
    u = _uniform(self._a.shape, _float_of(self, "exponential_"), self._dev, generator)
    return _fill(self, -self._dev.backend.log1p(-u) / lambd)


for _name in ("uniform_", "normal_", "bernoulli_", "random_", "exponential_", "bernoulli", "multinomial"):
    attach(_name, globals()[_name])
