"""Random tensors. Every draw takes whole blocks of one Generator; see backends/streams.py for the bits."""

from __future__ import annotations

from math import prod
from typing import Any

from .. import devices, dtypes
from ..autograd.modes import mode
from ..backends.streams import blocks_needed, unit_of
from ..layouts import axis_order, check_layout, check_pinned
from ..random import Generator, default_generator
from ..tensor import Tensor, wrap
from .arguments import _finish, _into, _shape
from .convert import array_dtype, to
from .rows import together
from .table import attach, check_tensor, cpp_name, named, no_kernel, placed, renamed, type_name, write_out

__all__ = [
    "bernoulli", "binomial", "multinomial", "normal", "poisson", "rand", "rand_like", "randint", "randint_like", "randn",
    "randn_like", "randperm",
]  # fmt: skip

DIGITS = {"float64": 53, "float32": 24, "float16": 11, "bfloat16": 8}


def _reserve(generator: Any, n: int, unit: str) -> tuple[int, int]:
    if generator is None:
        generator = default_generator
    elif not isinstance(generator, Generator):
        raise TypeError(f"argument 'generator' must be torch.Generator, not {type(generator).__name__}")
    return generator.reserve(blocks_needed(n, unit))  # type: ignore[no-any-return]


def _float(name: str, dtype: Any) -> Any:
    d = dtypes.get_default_dtype() if dtype is None else dtypes.of(dtype, name)
    if d.category < dtypes.FLOAT:
        raise no_kernel(name, d)
    return array_dtype(d)


def _parts(shape: Any, d: Any) -> tuple[tuple[int, ...], Any]:
    """A complex draw is a real one with two parts per element."""
    return (*shape, 2), dtypes.float32.array if d.itemsize == 8 else dtypes.float64.array


def _uniform(shape: Any, d: Any, dev: Any, generator: Any, lo: float = 0.0, hi: float = 1.0) -> Any:
    if d.kind == "c":
        real, part = _parts(shape, d)
        return _uniform(real, part, dev, generator, lo, hi).view(d).reshape(shape)
    seed, counter = _reserve(generator, prod(shape), unit_of(d))
    return dev.backend.uniform(seed, counter, tuple(shape), d, lo, hi)


def _normal(shape: Any, d: Any, dev: Any, generator: Any, mean: Any = 0.0, std: float = 1.0) -> Any:
    if d.kind == "c":  # each part has half of the variance
        real, part = _parts(shape, d)
        z = _normal(real, part, dev, generator, 0.0, std * 0.5**0.5).view(d).reshape(shape)
        return z if mean == 0 else z + dev.backend.scalar(mean, d)
    n = prod(shape)
    seed, counter = _reserve(generator, n + n % 2, unit_of(d))
    return dev.backend.normal(seed, counter, tuple(shape), d, mean, std)


def _bounds(low: int, high: int, d: dtypes.dtype) -> None:
    """RuntimeError where integers in [low, high) do not fit the dtype."""
    if high <= low:
        raise RuntimeError(f"random_ expects 'from' to be less than 'to', but got from={low} >= to={high}")
    if d.category == dtypes.COMPLEX:
        raise no_kernel("check_random_bounds", d)
    first: float = 0
    last: float = 1
    if d.category == dtypes.INT:
        limits: Any = dtypes.int_limits(d)
        first, last = limits.min, limits.max
    elif d.category == dtypes.FLOAT:
        last = dtypes.float_limits(d).max
        first = -last
    for name, value in (("from", low), ("to - 1", high - 1)):
        if not first <= value <= last:
            raise RuntimeError(f"{name} is out of bounds for {cpp_name(d)}")


def _randint(shape: Any, d: dtypes.dtype, dev: Any, generator: Any, low: int, high: int) -> Any:
    _bounds(low, high, d)
    seed, counter = _reserve(generator, prod(shape), "word")
    return dev.backend.randint(seed, counter, tuple(shape), array_dtype(d), low, high)


def _creator(name: str, draw: Any) -> Any:
    def make(
        *size: Any, generator: Any = None, out: Any = None, dtype: Any = None, layout: Any = None, device: Any = None,
        requires_grad: bool = False, pin_memory: bool = False, **kw: Any,
    ) -> Tensor:  # fmt: skip
        shape = _shape(name, size, kw)
        if layout is not None or pin_memory:
            check_layout(layout)
            check_pinned(pin_memory)
        dev = devices.resolve(device)
        if dtype is None and out is not None:
            dtype = out.dtype
        r = _finish(draw(shape, _float(name, dtype), dev, generator), dev, requires_grad, pin_memory)
        return r if out is None else _into(out, r, dtype, name)

    make.__name__ = name
    make.__doc__ = f"A tensor of random numbers. Source: torch.{name}."
    return make


rand = _creator("rand", _uniform)
randn = _creator("randn", _normal)


def _in_order(array: Any, like: Any, dev: Any, memory_format: Any) -> Any:
    """An array of draws in the memory order that a *_like function gives its result."""
    order = axis_order(memory_format, like, array.shape)
    if order is None:
        return array
    back = [order.index(i) for i in range(len(order))]
    return dev.backend.copy(array.transpose(order)).transpose(back)


def _like(name: str, draw: Any) -> Any:
    def make(
        input: Tensor, *, generator: Any = None, dtype: Any = None, layout: Any = None, device: Any = None,
        pin_memory: bool = False, requires_grad: bool = False, memory_format: Any = None,
    ) -> Tensor:  # fmt: skip
        check_tensor(input, name)
        check_layout(layout)
        check_pinned(pin_memory)
        dev = input._dev if device is None else devices.resolve(device)
        array = draw(input._a.shape, _float(name, dtype or input.dtype), dev, generator)
        return _finish(_in_order(array, input._a, dev, memory_format), dev, requires_grad, pin_memory)

    make.__name__ = name
    make.__doc__ = f"Random numbers in input's size, dtype and layout. Source: torch.{name}."
    return make


rand_like = _like("rand_like", _uniform)
randn_like = _like("randn_like", _normal)


def _int(fn: str, name: str, value: Any) -> int:
    if isinstance(value, (bool, float)) or not hasattr(value, "__index__"):
        raise TypeError(f"{fn}(): argument '{name}' must be int, not {type(value).__name__}")
    return value.__index__()  # type: ignore[no-any-return]


def randint(*args: Any, **kwargs: Any) -> Tensor:
    """randint(high, size) or randint(low, high, size): integers in [low, high), int64 by default. Source: torch.randint."""
    given = list(args)
    size = kwargs.pop("size", None)
    if size is None:
        if not given or not isinstance(given[-1], (tuple, list)):
            raise TypeError("randint() missing a required argument: 'size' (a tuple of ints)")
        size = given.pop()
    high, low = kwargs.pop("high", None), kwargs.pop("low", None)
    if high is None:
        if not given:
            raise TypeError("randint() missing a required argument: 'high'")
        high = given.pop()
    low = (given.pop() if given else 0) if low is None else low
    if given:
        raise TypeError(f"randint() takes from 2 to 3 positional arguments but {len(args)} were given")
    low, high = _int("randint", "low", low), _int("randint", "high", high)
    generator, device, out = kwargs.pop("generator", None), kwargs.pop("device", None), kwargs.pop("out", None)
    dtype, requires_grad = kwargs.pop("dtype", None), kwargs.pop("requires_grad", False)
    check_layout(kwargs.pop("layout", None))
    pin_memory = kwargs.pop("pin_memory", False)
    check_pinned(pin_memory)
    if kwargs:
        raise TypeError(f"randint() got an unexpected keyword argument {next(iter(kwargs))!r}")
    dev = devices.resolve(device)
    d = (dtypes.int64 if out is None else out.dtype) if dtype is None else dtypes.of(dtype, "randint")
    r = _finish(_randint(_shape("randint", (size,), {}), d, dev, generator, low, high), dev, requires_grad, pin_memory)
    return r if out is None else _into(out, r, dtype, "randint")


def randint_like(input: Tensor, *args: Any, **kwargs: Any) -> Tensor:
    """randint_like(input, high) or (input, low, high): integers of input's size and dtype. Source: torch.randint_like."""
    check_tensor(input, "randint_like")
    bounds = list(args)
    high, low = kwargs.pop("high", None), kwargs.pop("low", None)
    if high is None:
        if not bounds:
            raise TypeError("randint_like() missing a required argument: 'high'")
        high = bounds.pop()
    low = (bounds.pop() if bounds else 0) if low is None else low
    if isinstance(high, Tensor):
        high = int(high.item())
    dtype, device, wanted = (kwargs.pop(name, None) for name in ("dtype", "device", "memory_format"))
    requires_grad, generator = kwargs.pop("requires_grad", False), kwargs.pop("generator", None)
    check_layout(kwargs.pop("layout", None))
    pin_memory = kwargs.pop("pin_memory", False)
    check_pinned(pin_memory)
    if kwargs or bounds:
        raise TypeError(f"randint_like() got an unexpected argument {next(iter(kwargs), bounds)!r}")
    dev = input._dev if device is None else devices.resolve(device)
    d = input.dtype if dtype is None else dtypes.of(dtype, "randint_like")
    low, high = _int("randint_like", "low", low), _int("randint_like", "high", high)
    array = _randint(input._a.shape, d, dev, generator, low, high)
    return _finish(_in_order(array, input._a, dev, wanted), dev, requires_grad, pin_memory)


def randperm(
    n: int, *, generator: Any = None, out: Any = None, dtype: Any = None, layout: Any = None, device: Any = None,
    pin_memory: bool = False, requires_grad: bool = False,
) -> Tensor:  # fmt: skip
    """A random permutation of 0 .. n-1, int64 by default. RuntimeError where the dtype is too small. Source: torch.randperm."""
    n = _int("randperm", "n", n)
    if n < 0:
        raise RuntimeError(f"n must be non-negative, got {n}")
    check_layout(layout)
    check_pinned(pin_memory)
    dev = devices.resolve(device)
    d = (dtypes.int64 if out is None else out.dtype) if dtype is None else dtypes.of(dtype, "randperm")
    if d in (dtypes.bool_, dtypes.complex64, dtypes.complex128):
        raise no_kernel("randperm", d)
    largest = dtypes.int_limits(d).max if d.category == dtypes.INT else 2 ** DIGITS[d.name]
    if n - 1 > largest:
        raise RuntimeError(
            f"n={n} is too large for a permutation of {d}: the value cannot be converted without overflow"
        )
    seed, counter = _reserve(generator, n, "word")
    a = dev.backend.randperm(seed, counter, n)
    target = array_dtype(d)
    r = _finish(a if a.dtype == target else dev.backend.cast(a, target), dev, requires_grad, pin_memory)
    return r if out is None else _into(out, r, dtype, "randperm")


def _bernoulli(shape: Any, p: Any, dev: Any, generator: Any) -> Any:
    seed, counter = _reserve(generator, prod(shape), "half")
    return dev.backend.bernoulli(seed, counter, tuple(shape), p)


def _probability(p: float) -> float:
    if not 0 <= p <= 1:
        raise RuntimeError(f"bernoulli_ expects p to be in [0, 1], but got p={p}")
    return float(p)


@placed
def _probabilities(p: Tensor) -> Any:
    a = p._a
    text = "Expected p_in >= 0 && p_in <= 1 to be true, but got false."
    p._dev.backend.require((a >= 0) & (a <= 1), RuntimeError, text)
    return a


@named("BernoulliBackward0")
@placed
def bernoulli(input: Tensor, p: float | None = None, *, generator: Any = None, out: Any = None) -> Tensor:
    """0 or 1 with probability `input` (elementwise) or `p`. Source: torch.bernoulli."""
    check_tensor(input, "bernoulli")
    if p is None:
        if input._a.dtype.kind in "biuc":
            raise no_kernel("bernoulli_tensor_cpu_p_", input)
        mask = _bernoulli(input._a.shape, _probabilities(input), input._dev, generator)
    else:
        mask = _bernoulli(input._a.shape, _probability(p), input._dev, generator)
    r = wrap(mask.astype(input._a.dtype), input._dev)
    if input._fn is not None and mode.grad:
        r = r + input * 0  # differentiable there too, with a gradient of 0
    return r if out is None else write_out(out, to(r, out.dtype))


def normal(
    mean: Any = 0.0, std: Any = 1.0, size: Any = None, *, generator: Any = None, out: Any = None, dtype: Any = None,
    layout: Any = None, device: Any = None, pin_memory: bool = False, requires_grad: bool = False,
) -> Tensor:  # fmt: skip
    """Normal numbers of given mean and std: numbers with `size`, or tensors that broadcast. Source: torch.normal."""
    if isinstance(std, Tensor):
        if std._a.dtype.kind == "c":
            raise RuntimeError("normal expects standard deviation to be non-complex")
        with std._dev.backend.here():
            good = std._a >= 0
        std._dev.backend.require(good, RuntimeError, "normal expects all elements of std >= 0.0")
    elif std < 0:
        raise RuntimeError(f"normal expects std >= 0.0, but found std {std}")
    like = mean if isinstance(mean, Tensor) else std if isinstance(std, Tensor) else None
    if like is None:
        if size is None:
            raise TypeError("normal() missing 1 required positional argument: 'size' (mean and std are numbers)")
        check_layout(layout)
        check_pinned(pin_memory)
        dev = devices.resolve(device)
        d = _float("normal_kernel_cpu", dtype or (None if out is None else out.dtype))
        r = _finish(
            _normal(_shape("normal", (size,), {}), d, dev, generator, mean, float(std)), dev, requires_grad, pin_memory
        )
        return r if out is None else _into(out, r, dtype, "normal")
    if size is not None:
        raise TypeError("normal() takes 'size' only where mean and std are numbers")
    d = _float("normal_kernel_cpu", like.dtype)
    z = like
    if isinstance(mean, Tensor) and isinstance(std, Tensor):
        z = mean.detach() + std.detach()  # the broadcast shape, or the error
    z = wrap(_normal(z._a.shape, d, like._dev, generator), like._dev)
    r = z * _value(std) + _value(mean)  # type: ignore[operator]
    return r if out is None else write_out(out, r)


def _value(x: Any) -> Any:
    return x.detach() if isinstance(x, Tensor) else x


@placed
def multinomial(
    input: Tensor, num_samples: int, replacement: bool = False, *, generator: Any = None, out: Any = None
) -> Tensor:
    """Indices drawn with probability proportional to `input` (n,) or (m, n). Source: torch.multinomial."""
    check_tensor(input, "multinomial")
    a = input._a
    if a.dtype.kind in "biuc":
        name = type_name(input)
        raise RuntimeError(f"multinomial only supports floating-point dtypes for input, got: {name}")
    if a.ndim not in (1, 2):
        raise RuntimeError("prob_dist must be 1 or 2 dim")
    if num_samples <= 0:
        raise RuntimeError("cannot sample n_sample <= 0 samples")
    if not replacement and num_samples > a.shape[-1]:
        raise RuntimeError("cannot sample n_sample > prob_dist.size(-1) samples without replacement")
    dev = input._dev
    text = "probability tensor contains either `inf`, `nan` or element < 0"
    dev.backend.require((a >= 0) & (a < float("inf")), RuntimeError, text)
    text = "invalid multinomial distribution (sum of probabilities <= 0)"
    dev.backend.require(a.sum(-1) > 0, RuntimeError, text)
    p = a.astype("float64")
    if not replacement:
        # exponential races: the k smallest of E_i / p_i are a draw without replacement
        u = _uniform(a.shape, dtypes.float64.array, dev, generator)
        race = dev.backend.where(p > 0, -dev.backend.log1p(-u) / dev.backend.maximum(p, 1e-300), float("inf"))
        r = wrap(race, dev).topk(num_samples, -1, largest=False)[1]  # type: ignore[attr-defined]
    else:
        u = _uniform((*a.shape[:-1], num_samples), dtypes.float64.array, dev, generator)
        r = wrap(dev.backend.choose(p, u), dev)
    return r if out is None else write_out(out, r)


def _rounds(shape: Any, take: Any, large: Any, propose: Any, generator: Any) -> Any:
    """Repeat proposals for the elements `large` until each has one that is taken."""
    pending = large
    for _ in range(200):
        if not bool(pending.any()):
            break
        k, ok = propose(*_reserve(generator, 2 * prod(shape), "word"))
        ok = ok & pending
        take[ok] = k[ok]
        pending = pending & ~ok
    return take


@named("PoissonBackward0")
@placed
def poisson(input: Tensor, generator: Any = None) -> Tensor:
    """Poisson numbers of rates `input`, in its dtype. RuntimeError for negative rates and NaN. Source: torch.poisson."""
    check_tensor(input, "poisson")
    a, dev = input._a, input._dev
    if a.dtype.kind in "biuc":
        raise no_kernel("poisson_cpu", input)
    dev.backend.require(a >= 0, RuntimeError, "invalid Poisson rate, expected rate to be non-negative")
    backend, rate = dev.backend, a.astype("float64")
    large = rate >= 10
    small = backend.where(large, 0.0, rate)
    k = backend.asarray(backend.poisson_small(*_reserve(generator, a.size, "word"), small))
    safe = backend.where(large & backend.isfinite(rate), rate, 10.0)
    k = _rounds(a.shape, k, large, lambda s, c: backend.poisson_large(s, c, safe), generator)
    r = wrap(backend.where(backend.isfinite(rate), k, rate).astype(a.dtype), dev)
    return r + input * 0 if input._fn is not None and mode.grad else r  # type: ignore[operator, return-value]


@placed
def binomial(count: Tensor, prob: Tensor, generator: Any = None) -> Tensor:
    """Binomial numbers; count and prob (floating, of one dtype) broadcast. Source: torch.binomial."""
    for name, x in (("count", count), ("prob", prob)):
        check_tensor(x, "binomial", name)
        if x._a.dtype.kind in "biuc":
            kind = type_name(x)
            raise ValueError(f"binomial only supports floating-point dtypes for {name}, got: {kind}")
    if count.dtype is not prob.dtype:
        have, want = (type_name(x) for x in (prob, count))
        raise RuntimeError(f"Found dtype {have} but expected {want}")
    shape = (count.detach() + prob.detach())._a.shape
    dev = count._dev
    backend = dev.backend
    n = backend.expand(count._a, shape).astype("float64")
    p = backend.expand(prob._a, shape).astype("float64")
    bad = ~((n >= 0) & (p >= 0)) | ~backend.isfinite(n)
    n, p = backend.where(bad, 0.0, n), backend.where(bad, 0.0, backend.minimum(p, 1.0))
    flip = p > 0.5
    q = backend.where(flip, 1.0 - p, p)
    large = n * q >= 10
    k = backend.binomial_small(*_reserve(generator, prod(shape), "word"), backend.where(large, 0.0, n), q)
    safe_n, safe_p = backend.where(large, n, 100.0), backend.where(large, q, 0.5)
    k = backend.asarray(k)
    k = _rounds(shape, k, large, lambda s, c: backend.binomial_large(s, c, safe_n, safe_p), generator)
    k = backend.where(flip, n - k, k)
    invalid = ~(prob._a == prob._a) | ~(count._a == count._a)
    k = backend.where(invalid, float("nan"), k)
    return wrap(k.astype(count._a.dtype), dev)


def dropout_mask(shape: Any, p: float, dtype: Any, dev: Any, generator: Any) -> Any:
    """An array of 0 (with probability p) and 1 / (1 - p)."""
    keep = _bernoulli(tuple(shape), 1.0 - p, dev, generator)
    with dev.backend.here():
        mask = keep.astype(dtype)
        if 0.0 < p < 1.0:
            mask *= dev.backend.scalar(1.0 / (1.0 - p), mask.dtype)
    return mask


# ---- in-place fills --------------------------------------------------------------------------------------------------
def _fill(x: Tensor, draw: Any, name: str) -> Tensor:
    """Write what draw() gives into x, under autograd: the old value's gradient is 0."""
    x._check_inplace()
    array = draw()
    if x._fn is not None and mode.grad:
        return renamed(x.copy_(wrap(array, x._dev)), f"{name}Backward0")  # type: ignore[attr-defined]
    x._dev.backend.write(x._a, array)
    x._bump()
    return x


def _float_of(x: Tensor, name: str, kinds: str = "biuc") -> Any:
    if x._a.dtype.kind in kinds:
        raise no_kernel(name, x)
    return x._a.dtype


def uniform_(self: Tensor, a: float = 0.0, b: float = 1.0, *, generator: Any = None, **kw: float) -> Tensor:
    """Fill with uniform numbers in [from, to)."""
    lo, hi = kw.pop("from", a), kw.pop("to", b)
    if kw:
        raise TypeError(f"uniform_() got an unexpected keyword argument {next(iter(kw))!r}")
    d = _float_of(self, "check_uniform_bounds", "biu")
    largest = dtypes.float_limits(self.dtype).max
    for name, value in (("from", lo), ("to", hi)):
        if not -largest <= value <= largest:
            raise RuntimeError(f"{name} is out of bounds for {cpp_name(self)}")
    if lo > hi:
        raise RuntimeError(f"uniform_ expects to return a [from, to) range, but found from={lo} > to={hi}")
    if hi - lo > largest:
        raise RuntimeError(
            f"uniform_ expects to-from <= std::numeric_limits<{type_name(self)}>::max(), but found to={hi} and "
            f"from={lo} which result in to-from to exceed the limit"
        )
    return _fill(self, lambda: _uniform(self._a.shape, d, self._dev, generator, float(lo), float(hi)), "Uniform")


def normal_(self: Tensor, mean: float = 0.0, std: float = 1.0, *, generator: Any = None) -> Tensor:
    """Fill with normal numbers."""
    if not std >= 0:
        raise RuntimeError(f"normal expects std >= 0.0, but found std {std}")
    d = _float_of(self, "normal_kernel_cpu", "biu")
    return _fill(self, lambda: _normal(self._a.shape, d, self._dev, generator, mean, float(std)), "Normal")


@placed
def bernoulli_(self: Tensor, p: Any = 0.5, *, generator: Any = None) -> Tensor:
    """Fill with 0 and 1; p: a number, or a tensor that expands to self."""
    if isinstance(p, Tensor):
        _float_of(p, "bernoulli_tensor_cpu_p_")
        together("bernoulli_", self, p)
        odds = _probabilities(p.expand(self._a.shape))  # type: ignore[attr-defined]
    else:
        odds = _probability(p)
    dtype = self._a.dtype
    return _fill(self, lambda: _bernoulli(self._a.shape, odds, self._dev, generator).astype(dtype), "Bernoulli")


def random_(self: Tensor, *args: Any, generator: Any = None, **kw: Any) -> Tensor:
    """random_(), random_(to), random_(from, to): integers, by default all from 0 up that the dtype holds exactly."""
    d = self.dtype
    if len(args) > 2 or set(kw) - {"from", "to"}:
        raise TypeError(f"random_() got an unexpected argument {next(iter(set(kw) - {'from', 'to'}), args)!r}")
    if d.category == dtypes.INT:
        top = dtypes.int_limits(d).max + 1
    else:
        top = 2 if d is dtypes.bool_ else 2 ** DIGITS.get(d.name, 53) + 1
    low, high = kw.get("from", 0), kw.get("to", top)
    if len(args) == 2:
        low, high = args
    elif args and ("from" in kw or "to" in kw):
        low = args[0]
    elif args:
        high = args[0]
    low, high = _int("random_", "from", low), _int("random_", "to", top if high is None else high)
    return _fill(self, lambda: _randint(self._a.shape, d, self._dev, generator, low, high), "Random")


def _continuous(x: Tensor, name: str) -> Any:
    if x.dtype.category != dtypes.FLOAT:
        raise RuntimeError(
            f"{name} distribution is a continuous probability distribution. dtype must be a floating point but you "
            f"specified {type_name(x)}"
        )
    return x._a.dtype


def exponential_(self: Tensor, lambd: float = 1.0, *, generator: Any = None) -> Tensor:
    """Fill with exponential numbers of rate `lambd`."""
    d = _continuous(self, "Exponential")
    if not lambd > 0:
        raise RuntimeError(f"exponential_ expects lambda > 0.0, but found lambda={lambd}")

    def draw() -> Any:
        seed, counter = _reserve(generator, self._a.size, unit_of(d))
        return self._dev.backend.exponential(seed, counter, self._a.shape, d, float(lambd))

    return _fill(self, draw, "Exponential")


def cauchy_(self: Tensor, median: float = 0.0, sigma: float = 1.0, *, generator: Any = None) -> Tensor:
    """Fill with Cauchy numbers."""
    d = _continuous(self, "Cauchy")
    if not sigma > 0:
        raise RuntimeError(f"cauchy_ expects sigma > 0.0, but found sigma={sigma}")

    def draw() -> Any:
        seed, counter = _reserve(generator, self._a.size, unit_of(d))
        return self._dev.backend.cauchy(seed, counter, self._a.shape, d, float(median), float(sigma))

    return _fill(self, draw, "Cauchy")


def log_normal_(self: Tensor, mean: float = 1.0, std: float = 2.0, *, generator: Any = None) -> Tensor:
    """Fill with exp of normal numbers of that mean and std."""
    if not std > 0:
        raise RuntimeError(f"log_normal_ expects std > 0.0, but found std={std}")
    d = _float_of(self, "log_normal_cpu")

    def draw() -> Any:
        n = self._a.size
        seed, counter = _reserve(generator, n + n % 2, unit_of(d))
        return self._dev.backend.log_normal(seed, counter, self._a.shape, d, float(mean), float(std))

    return _fill(self, draw, "LogNormal")


def geometric_(self: Tensor, p: float, *, generator: Any = None) -> Tensor:
    """Fill with the number of trials up to the first success of probability p."""
    if not 0 < p < 1:
        raise RuntimeError(f"geometric_ expects p to be in (0, 1), but got p={p}")
    d = _float_of(self, "geometric_cpu", "bc")

    def draw() -> Any:
        seed, counter = _reserve(generator, self._a.size, "word")
        return self._dev.backend.geometric(seed, counter, self._a.shape, d, float(p))

    return _fill(self, draw, "Geometric")


for _name in (
    "uniform_", "normal_", "bernoulli_", "random_", "exponential_", "cauchy_", "log_normal_", "geometric_", "bernoulli",
    "multinomial",
):  # fmt: skip
    attach(_name, globals()[_name])
