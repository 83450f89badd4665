"""Special functions over an array namespace, computed in float64 and rounded once.

The kernels that networks need are our own; Bessel functions and the incomplete gamma functions come from SciPy (the
extra `scipy`), on CUDA from CuPy's port of it.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from math import factorial, fsum, gamma, log, pi, sqrt
from typing import Any

import numpy as np

Array = Any

# plain ufuncs of the array library
SPECIAL_UFUNCS = dict(
    acos="arccos", asin="arcsin", atan="arctan", acosh="arccosh", asinh="arcsinh", atanh="arctanh", sinh="sinh",
    cosh="cosh", exp2="exp2", atan2="arctan2", hypot="hypot", copysign="copysign", nextafter="nextafter", fmax="fmax",
    fmin="fmin", signbit="signbit", logaddexp2="logaddexp2",
)  # fmt: skip

# erf on [-1, 1] is x T(x*x) / U(x*x), and exp(x*x) erfc(x) is P(x) / Q(x) on [1, 8), R(x) / S(x) above (Cephes)
T = (9.60497373987051638749e0, 9.00260197203842689217e1, 2.23200534594684319226e3, 7.00332514112805075473e3,
     5.55923013010394962768e4)  # fmt: skip
U = (1.0, 3.35617141647503099647e1, 5.21357949780152679795e2, 4.59432382970980127987e3, 2.26290000613890934246e4,
     4.92673942608635921086e4)  # fmt: skip
P = (2.46196981473530512524e-10, 5.64189564831068821977e-1, 7.46321056442269912687e0, 4.86371970985681366614e1,
     1.96520832956077098242e2, 5.26445194995477358631e2, 9.34528527171957607540e2, 1.02755188689515710272e3,
     5.57535335369399327526e2)  # fmt: skip
Q = (1.0, 1.32281951154744992508e1, 8.67072140885989742329e1, 3.54937778887819891062e2, 9.75708501743205489753e2,
     1.82390916687909736289e3, 2.24633760818710981792e3, 1.65666309194161350182e3, 5.57535340817727675546e2)  # fmt: skip
R = (5.64189583547755073984e-1, 1.27536670759978104416e0, 5.01905042251180477414e0, 6.16021097993053585195e0,
     7.40974269950448939160e0, 2.97886665372100240670e0)  # fmt: skip
S = (1.0, 2.26052863220117276590e0, 9.39603524938001434673e0, 1.20489539808096656605e1, 1.70814450747565897222e1,
     9.60896809063285878198e0, 3.36907645100081516050e0)  # fmt: skip
# erf(x) / x - 1 on [0, 1] in powers of x*x, fitted at Chebyshev points to 3e-11
ERF32 = (-9.673590933288519e-06, 1.1268253922765979e-04, -8.484396552407929e-04, 5.221053412497092e-03,
         -2.6865438310430867e-02, 1.1283782622058981e-01, -3.7612638475990834e-01, 1.2837916706236066e-01)  # fmt: skip
# Mills' ratio: a normal number is above a >= 0 with probability exp(-a*a/2) N(a) / D(a). A minimax fit (tests/test_fits.py
# makes it) for float32: the relative error is at most 7.5e-8 (1 + a*a/2), with these coefficients, of which the second term
# is what rounding a*a costs anyway. All are positive: nothing cancels.
MILLS_N = (0.3988184928894043, 2.990905284881592, 9.441908836364746, 13.77364730834961)
MILLS_D = (1.0, 7.486617565155029, 24.813390731811523, 40.863277435302734, 27.54729652404785)
FARTHEST = 15.0  # from where on that probability is 0 in float32
# erfc(z) = t exp(-z^2) p(2t - 1) with t = 3 / (3 + z), z >= 0: fitted at Chebyshev points to 5e-15
ERFC64 = (
    0.3580023023627795, 0.2944648177232715, 0.19674278570148793, 0.10348908730197415, 0.03984258709138296,
    0.008942411501476275, -0.0004041388155356895, -0.0010113535886585113, -0.00018277031486702139,
    9.225694465787678e-05, 3.585549022853912e-05, -1.0124705904801933e-05, -5.827562599016475e-06,
    1.5657278174605084e-06, 9.279753552092602e-07, -3.089795566782031e-07, -1.4194534748811066e-07,
    5.7046798787668884e-08, 1.8923107149585507e-08, -6.229837358886929e-09, -1.6480344637551011e-09,
)  # fmt: skip
# the same of t - 1/2, and half of it (powers of two: exact), the highest power first
HALF_ERFC64 = tuple(c * 2.0 ** (k - 1) for k, c in enumerate(ERFC64))[::-1]
# a first guess of the inverse of erf: x A(x*x) / B(x*x) for |x| <= 0.7, C(z) / D(z), z = sqrt(-log((1 - |x|) / 2)) above
INV_A = (-0.140543331, 0.914624893, -1.645349621, 0.886226899)
INV_B = (0.012229801, -0.329097515, 1.442710462, -2.118377725, 1.0)
INV_C = (1.641345311, 3.429567803, -1.624906493, -1.970840454)
INV_D = (1.637067800, 3.543889200, 1.0)
# Bernoulli's numbers, for Stirling's series and its derivatives
BERNOULLI = (1 / 6, -1 / 30, 1 / 42, -1 / 30, 5 / 66, -691 / 2730, 7 / 6, -3617 / 510, 43867 / 798, -174611 / 330)
STIRLING = tuple(b / ((2 * k) * (2 * k - 1)) for k, b in enumerate(BERNOULLI[:8], 1))[::-1]
DIGAMMA = tuple(b / (2 * k) for k, b in enumerate(BERNOULLI[:9], 1))[::-1]
TRIGAMMA = BERNOULLI[:9][::-1]


def _zetas(count: int) -> list[float]:
    """zeta(k) - 1 for k = 2, 3, ...: a partial sum, then Euler and Maclaurin's formula."""
    found = []
    for k in range(2, count + 2):
        rise = k * (k + 1) * (k + 2)
        series = (60 / (k - 1), 0.5, k / (12 * 60), -rise / (720 * 60**3), rise * (k + 3) * (k + 4) / (30240 * 60**5))
        found.append(fsum([float(n) ** -k for n in range(2, 60)] + [60.0**-k * t for t in series]))
    return found


# log gamma(2 + d) = d (1 - Euler's constant) + sum of (zeta(k) - 1) (-d)**k / k
LGAMMA = tuple([1 - 0.57721566490153286061, *((-1) ** k * z / k for k, z in enumerate(_zetas(25), 2))][::-1])
# modified Bessel functions: the power series in x*x/4 below 20, Hankel's expansion in 1/x above
BELOW, TERMS, HANKEL = 20.0, 46, 26
SERIES = {n: tuple(1 / (factorial(k) * factorial(k + n)) for k in range(TERMS))[::-1] for n in (0, 1)}


def _hankel(n: int) -> tuple[float, ...]:
    terms = [1.0]
    for k in range(1, HANKEL):
        terms.append(-terms[-1] * (4 * n * n - (2 * k - 1) ** 2) / (8 * k))
    return tuple(terms[::-1])


HANKELS = {n: _hankel(n) for n in (0, 1)}


def poly(coefs: tuple[float, ...], x: Array) -> Array:
    """Horner's scheme, the highest power first."""
    one = coefs[0] == 1
    y = x + coefs[1] if one else x * coefs[0]
    if one:
        y *= x
    for c in coefs[1 + one : -1]:
        y += c
        y *= x
    y += coefs[-1]
    return y


def blocked(fn: Callable[..., Array]) -> Callable[..., Array]:
    """A kernel of float64 vectors as one of float arrays that broadcast; numbers may follow the arrays."""

    @wraps(fn)
    def kernel(self: Any, *args: Any) -> Array:
        xs = [a for a in args if hasattr(a, "dtype")]
        rest = args[len(xs) :]
        xp, dtype = self.xp, xs[0].dtype
        shape = xs[0].shape if len(xs) == 1 else np.broadcast_shapes(*(x.shape for x in xs))
        turn = len(xs) == 1 and not xs[0].flags.c_contiguous and xs[0].flags.f_contiguous  # keep the memory order
        flat = [(x.T if turn else x if x.shape == shape else xp.broadcast_to(x, shape)).reshape(-1) for x in xs]
        out = self.empty(flat[0].shape, dtype)
        span = self.span
        for i in range(0, flat[0].size, span):
            out[i : i + span] = fn(self, *[x[i : i + span].astype(np.float64) for x in flat], *rest)
        return out.reshape(shape[::-1]).T if turn else out.reshape(shape)

    return kernel


def host_library() -> Any:
    """scipy.special, of the extra `scipy`."""
    import scipy.special

    return scipy.special


class SpecialKernels:
    """Mixed into Backend."""

    xp: Any
    asynchronous: bool
    span = 16384  # float64 elements that a kernel works on at a time: its temporaries stay in the cache
    empty: Any
    scalar: Any
    to_numpy: Any
    from_numpy: Any

    # ---- plumbing ---------------------------------------------------------------------------------------------
    def _either(self, mask: Array, yes: Callable[..., Array], no: Callable[..., Array], *xs: Array) -> Array:
        """yes(*xs) where mask holds, else no(*xs); on the host each sees its own elements alone."""
        if self.asynchronous:
            return self.xp.where(mask, yes(*xs), no(*xs))
        count = int(np.count_nonzero(mask))
        if count == mask.size:
            return yes(*xs)
        if count == 0:
            return no(*xs)
        flat, out = [x.reshape(-1) for x in xs], self.empty(mask.size, xs[0].dtype)
        for fn, chosen in ((yes, mask), (no, ~mask)):  # by places: with a mask each element is a branch to guess
            places = self.xp.flatnonzero(chosen)
            out[places] = fn(*[x[places] for x in flat])
        return out.reshape(mask.shape)

    def special_library(self) -> Any:
        """scipy.special, or what stands for it on this backend's arrays."""
        return host_library()

    def _scipy(self, name: str, library: Callable[[], Any] | None = None) -> Any:
        try:
            return getattr((library or self.special_library)(), name)
        except ImportError as error:
            raise RuntimeError(
                f"{name} needs SciPy, which is not installed: pip install 'polytensor[scipy]'"
            ) from error

    def _by_scipy(self, name: str, *xs: Array) -> Array:
        dtype = xs[0].dtype
        if dtype.itemsize == 2:
            return self._scipy(name)(*[x.astype(np.float32) for x in xs]).astype(dtype)
        return self._scipy(name)(*xs)

    # ---- arithmetic -------------------------------------------------------------------------------------------
    def _no_zero(self, x: Array, y: Array) -> None:
        """Integers have no result for a division by 0; on CUDA any value comes out, as in PyTorch."""
        if y.dtype.kind in "iu" and not self.asynchronous and x.size and not y.all():
            raise RuntimeError("ZeroDivisionError")

    def floor_divide(self, x: Array, y: Array) -> Array:
        self._no_zero(x, y)
        return self.xp.floor_divide(x, y)

    div_floor = floor_divide

    def div_trunc(self, x: Array, y: Array) -> Array:
        if y.dtype.kind not in "iu":
            return self.xp.trunc(x / y)
        self._no_zero(x, y)
        q = self.xp.floor_divide(x, y)
        return q + ((q < 0) & (q * y != x)).astype(q.dtype)

    def remainder(self, x: Array, y: Array) -> Array:
        self._no_zero(x, y)
        return self.xp.remainder(x, y)

    def fmod(self, x: Array, y: Array) -> Array:
        self._no_zero(x, y)
        return self.xp.fmod(x, y)

    def lerp(self, x: Array, y: Array, w: Array) -> Array:
        if x.dtype.itemsize == 2:
            return self.lerp(*(a.astype(np.float32) for a in (x, y, w))).astype(x.dtype)
        d = y - x
        if w.size == 1 and not self.asynchronous:
            return x + w * d if abs(w.item()) < 0.5 else y - d * (1 - w)
        return self.xp.where(self.xp.abs(w) < 0.5, x + w * d, y - d * (1 - w))

    def clamp_tensor(self, x: Array, lo: Array, hi: Array) -> Array:
        return self.xp.minimum(self.xp.maximum(x, lo), hi)

    def clamp_min_tensor(self, x: Array, lo: Array) -> Array:
        return self.xp.maximum(x, lo)

    def clamp_max_tensor(self, x: Array, hi: Array) -> Array:
        return self.xp.minimum(x, hi)

    def frac(self, x: Array) -> Array:
        return x - self.xp.trunc(x)

    def heaviside(self, x: Array, y: Array) -> Array:
        """0 at NaN, as in PyTorch."""
        return self.xp.where(x == 0, y, (x > 0).astype(x.dtype))

    def nan_to_num(self, x: Array, nan: float, posinf: float, neginf: float) -> Array:
        inf = float("inf")
        if not self.asynchronous and self.xp.isfinite(x).all():
            return x.copy(order="K")
        y = self.xp.where(x != x, self.scalar(nan, x.dtype), x)
        y = self.xp.where(x == inf, self.scalar(posinf, x.dtype), y)
        return self.xp.where(x == -inf, self.scalar(neginf, x.dtype), y)

    def frexp(self, x: Array) -> tuple[Array, Array]:
        if x.dtype.itemsize == 2:
            mantissa, exponent = self.frexp(x.astype(np.float32))
            return mantissa.astype(x.dtype), exponent
        mantissa, exponent = self.xp.frexp(x)
        finite = self.xp.isfinite(x)  # the C library leaves the exponent of inf and NaN open
        return mantissa, self.xp.where(finite, exponent, exponent.dtype.type(0))

    def ldexp(self, x: Array, n: Array) -> Array:
        if x.dtype.itemsize == 2:
            return self.ldexp(x.astype(np.float32), n).astype(x.dtype)
        return self.xp.ldexp(x, self.xp.clip(n.astype(np.int64), -5000, 5000).astype(np.int32))

    def deg2rad(self, x: Array) -> Array:
        return self.mul_number(x, pi / 180) if x.dtype.itemsize == 2 else x * self.scalar(pi / 180, x.dtype)

    def rad2deg(self, x: Array) -> Array:
        return self.mul_number(x, 180 / pi) if x.dtype.itemsize == 2 else x * self.scalar(180 / pi, x.dtype)

    def isposinf(self, x: Array) -> Array:
        return x == float("inf")

    def isneginf(self, x: Array) -> Array:
        return x == -float("inf")

    # ---- integers ---------------------------------------------------------------------------------------------
    def gcd(self, x: Array, y: Array) -> Array:
        return self.xp.gcd(x, y)

    def lcm(self, x: Array, y: Array) -> Array:
        return self.xp.lcm(x, y)

    def bitwise_left_shift(self, x: Array, n: Array) -> Array:
        """0 for a shift by a negative number or by the width and more."""
        bits = 8 * x.dtype.itemsize
        wide = (n < 0) | (n >= bits)
        zero = self.scalar(0, x.dtype)
        return self.xp.where(wide, zero, self.xp.left_shift(x, self.xp.where(wide, zero, n)))

    def bitwise_right_shift(self, x: Array, n: Array) -> Array:
        """The sign alone for a shift by a negative number or by the width and more."""
        last = self.scalar(8 * x.dtype.itemsize - (x.dtype.kind == "i"), x.dtype)
        if x.dtype.kind == "u":
            far = n >= last
            shifted = self.xp.right_shift(x, self.xp.where(far, self.scalar(0, x.dtype), n))
            return self.xp.where(far, self.scalar(0, x.dtype), shifted)
        return self.xp.right_shift(x, self.xp.where((n < 0) | (n > last), last, n))

    # ---- the error function -----------------------------------------------------------------------------------
    def _erf_near(self, x: Array) -> Array:
        z = x * x
        return x * poly(T, z) / poly(U, z)

    def _erfcx_far(self, a: Array) -> Array:
        """exp(a*a) erfc(a) for a >= 1."""
        return self._either(a < 8, lambda a: poly(P, a) / poly(Q, a), self._erfcx_beyond, a)

    def _erfcx_beyond(self, a: Array) -> Array:
        b = self.xp.minimum(a, 1e40)
        return self.xp.where(a > 1e40, 1 / sqrt(pi) / a, poly(R, b) / poly(S, b))

    def _gauss(self, a: Array) -> Array:
        """exp(-a*a), the rounding of a*a made up for."""
        a = self.xp.minimum(a, 30.0)
        high = a.astype(np.float32).astype(np.float64)
        return self.xp.exp(-(high * high)) * self.xp.exp((high - a) * (high + a))

    def _erfc_far(self, a: Array) -> Array:
        return self._gauss(a) * self._erfcx_far(a)

    def erf(self, x: Array) -> Array:
        return self.in_spans(self._erf32, x) if x.dtype == np.float32 else self._erf64(x)

    def _erf32(self, x: Array) -> Array:
        """Good to 1 unit in the last place: a polynomial below 1, and from the tail of the normal distribution above."""
        a = self.xp.abs(x)
        near = poly(ERF32, a * a)
        near *= a
        near += a
        far = self.upper_tail(self.clamp(a, None, 8.0) * sqrt(2))
        far *= -2
        far += 1
        y = self.where(a < 1, near, far)
        return (y.view("int32") | (x.view("int32") & -(2**31))).view(x.dtype)

    def mills(self, a: Array) -> Array:
        """exp(a*a/2) times the probability that a standard normal number is above a, for a >= 0; float32: <= FARTHEST."""
        if a.dtype.itemsize == 4:
            y = poly(MILLS_N, a)
            y /= poly(MILLS_D, a)
            return y
        t = 3 * sqrt(2) / (a + 3 * sqrt(2))
        y = poly(HALF_ERFC64, t - 0.5)
        y *= t
        return y

    def upper_tail(self, a: Array) -> Array:
        """The probability that a standard normal number is above a; see mills."""
        y = a * a
        y *= -0.5
        return self.xp.exp(y) * self.mills(a)

    def in_spans(self, fn: Callable[..., Array], *xs: Array, itemsize: int = 0) -> Array:
        """fn(*xs) of arrays of one shape, element by element, a span at a time: its temporaries stay in the cache.

        `itemsize`: that of the temporaries, if it is another one.
        """
        x = xs[0]
        span = self.span * 8 // (itemsize or x.itemsize)
        if x.size <= span or not all(y.flags.c_contiguous and y.shape == x.shape for y in xs):
            return fn(*xs)
        flat, out = [y.reshape(-1) for y in xs], self.empty(x.size, x.dtype)
        for i in range(0, x.size, span):
            out[i : i + span] = fn(*[y[i : i + span] for y in flat])
        return out.reshape(x.shape)

    @blocked
    def _erf64(self, x: Array) -> Array:
        xp = self.xp
        return self._either(
            xp.abs(x) >= 1,
            lambda x: xp.copysign(1 - self._erfc_far(xp.minimum(xp.abs(x), 7.0)), x),
            self._erf_near,
            x,
        )

    def _erfc_tails(self, x: Array) -> Array:
        y = self._erfc_far(self.xp.abs(x))
        return self.xp.where(x < 0, 2 - y, y)

    @blocked
    def erfc(self, x: Array) -> Array:
        return self._either(self.xp.abs(x) >= 1, self._erfc_tails, lambda x: 1 - self._erf_near(x), x)

    @blocked
    def special_erfcx(self, x: Array) -> Array:
        """exp(x*x) erfc(x)."""
        xp = self.xp

        def rest(x: Array) -> Array:
            grown = xp.exp(x * x)
            near = grown * (1 - self._erf_near(xp.maximum(x, -1.0)))
            return xp.where(x < -1, 2 * grown - self._erfcx_far(xp.maximum(-x, 1.0)), near)

        return self._either(x >= 1, self._erfcx_far, rest, x)

    @blocked
    def special_ndtr(self, x: Array) -> Array:
        """The normal distribution function."""
        z = x * sqrt(0.5)
        near = lambda z: 0.5 + 0.5 * self._erf_near(z)  # noqa: E731
        return self._either(self.xp.abs(z) >= 1, lambda z: 0.5 * self._erfc_tails(-z), near, z)

    @blocked
    def special_log_ndtr(self, x: Array) -> Array:
        xp = self.xp

        def tail(x: Array) -> Array:
            return xp.log(self._erfcx_far(-x * sqrt(0.5)) / 2) - x * x / 2

        def body(x: Array) -> Array:
            z = x * sqrt(0.5)
            far = self._erfc_tails(xp.where(xp.abs(z) < 1, 1.0, z))
            return xp.log1p(-0.5 * xp.where(xp.abs(z) < 1, 1 - self._erf_near(xp.clip(z, -1, 1)), far))

        return self._either(x < -sqrt(2.0), tail, body, x)

    def _erfinv_near(self, y: Array) -> Array:
        """For |y| <= 0.7, so that |x| < 1."""
        z = y * y
        x = y * poly(INV_A, z) / poly(INV_B, z)
        for _ in range(2):
            u = (self._erf_near(x) - y) / (2 / sqrt(pi) * self.xp.exp(-x * x))
            x = x - u / (1 + x * u)
        return x

    def _erfcinv_tail(self, c: Array) -> Array:
        """x > 0 with erfc(x) = c, for 0 <= c < 0.3 (and NaN below 0)."""
        xp = self.xp
        c = xp.where(c < 0, float("nan"), c)
        z = xp.sqrt(-xp.log(xp.maximum(c, 1e-323) / 2))
        x = poly(INV_C, z) / poly(INV_D, z)
        for _ in range(3):
            scaled = self._either(x < 1, lambda x: (1 - self._erf_near(x)) * xp.exp(x * x), self._erfcx_far, x)
            # log erfc(x) - log c, whose Newton step stays good where erfc underflows
            x = x + (xp.log(scaled) - x * x - xp.log(xp.maximum(c, 1e-323))) * scaled * (sqrt(pi) / 2)
        return xp.where(c == 0, float("inf"), x)

    @blocked
    def erfinv(self, y: Array) -> Array:
        xp = self.xp
        tail = lambda y: xp.copysign(self._erfcinv_tail(1 - xp.abs(y)), y)  # noqa: E731
        return self._either(xp.abs(y) > 0.7, tail, self._erfinv_near, y)

    @blocked
    def special_ndtri(self, p: Array) -> Array:
        xp = self.xp

        def tails(p: Array) -> Array:
            return xp.where(p < 0.5, -1.0, 1.0) * self._erfcinv_tail(2 * xp.where(p < 0.5, p, 1 - p))

        return sqrt(2.0) * self._either(xp.abs(p - 0.5) > 0.35, tails, lambda p: self._erfinv_near(2 * p - 1), p)

    # ---- the gamma function -----------------------------------------------------------------------------------
    def _lgamma_stirling(self, x: Array) -> Array:
        xp = self.xp
        inverse = 1 / x
        y = (x - 0.5) * xp.log(x) - x + (0.5 * log(2 * pi) + inverse * poly(STIRLING, inverse * inverse))
        return xp.where(x < 1e305, y, xp.where(x == x, x * xp.maximum(xp.log(x) - 1, 1), x))

    def _lgamma_near(self, x: Array) -> Array:
        """Steps of the recurrence lead to [1.5, 2.5), for -3 < x < 8."""
        xp = self.xp
        first, z = x, 1.0
        for _ in range(6):
            high, low = x >= 2.5, x < 0.5
            step = xp.where(low, x, xp.where(high, x - 1, 1.0))
            x = xp.where(high, step, x + low)
            z = z * step
        d = xp.where(x < 1.5, x - 1, x - 2)
        y = d * poly(LGAMMA, d) - xp.where(x < 1.5, xp.log1p(d), 0.0)
        z = xp.log(xp.abs(z))
        return xp.where(first < 0.5, y - z, y + z)

    def _sinpi(self, x: Array) -> Array:
        """sin(pi x) with its sign lost, exact at whole and half numbers."""
        r = x - self.xp.rint(x)
        return self.xp.sin(pi * r)

    def _lgamma_positive(self, x: Array) -> Array:
        return self._either(x >= 8, self._lgamma_stirling, self._lgamma_near, x)

    def _lgamma_reflected(self, x: Array) -> Array:
        xp = self.xp
        y = log(pi) - xp.log(-x) - xp.log(xp.abs(self._sinpi(x))) - self._lgamma_positive(-x)
        return xp.where(xp.isinf(x) | (x == xp.floor(x)), float("inf"), y)

    @blocked
    def lgamma(self, x: Array) -> Array:
        """log |Gamma(x)|."""
        return self._either(x <= -3, self._lgamma_reflected, self._lgamma_positive, x)

    def _digamma_positive(self, x: Array) -> Array:
        # ten steps of the recurrence, then the asymptotic series
        xp = self.xp
        low = x < 10
        steps = self._either(low, lambda x: sum(1 / (x + k) for k in range(10)), xp.zeros_like, x)
        x = xp.where(low, x + 10, x)
        z = 1 / x
        z2 = z * z
        return xp.log(x) - 0.5 * z - z2 * poly(DIGAMMA, z2) - steps

    @blocked
    def digamma(self, x: Array) -> Array:
        xp = self.xp

        def reflected(x: Array) -> Array:
            r = x - xp.rint(x)
            y = self._digamma_positive(1 - x) - pi / xp.tan(pi * r)
            return xp.where((r == 0) | xp.isinf(x), xp.where(x == 0, -xp.copysign(float("inf"), x), float("nan")), y)

        return self._either(x <= 0, reflected, self._digamma_positive, x)

    def _trigamma_positive(self, x: Array) -> Array:
        xp = self.xp
        low = x < 10
        steps = self._either(low, lambda x: sum(1 / (x + k) ** 2 for k in range(10)), xp.zeros_like, x)
        x = xp.where(low, x + 10, x)
        z = 1 / x
        z2 = z * z
        return z + 0.5 * z2 + z * z2 * poly(TRIGAMMA, z2) + steps

    def _hurwitz(self, s: Array, q: Array) -> Array:
        """sum over k >= 0 of (q + k)**-s for s > 1, q > 0: ten terms, then Euler and Maclaurin's formula."""
        total = sum((q + k) ** -s for k in range(10))
        a = q + 10
        term = a**-s
        total = total + term * (a / (s - 1) + 0.5)
        factor, square = s, a * a
        term = term / a
        for k, b in enumerate(BERNOULLI, 1):
            total = total + b / factorial(2 * k) * factor * term
            factor = factor * (s + (2 * k - 1)) * (s + 2 * k)
            term = term / square
        return total

    def _hurwitz_any(self, s: Array, q: Array) -> Array:
        """For q < 0 too, where s is whole: the terms left of 0 are a finite sum, the difference of two series."""
        xp = self.xp

        def left(s: Array, q: Array) -> Array:
            r = q - xp.floor(q)
            up = xp.where(r == 0, 0.5, xp.ceil(q) - q)
            whole = (r == 0) | xp.isinf(q)
            sign = xp.where(s % 2 == 0, 1.0, -1.0)
            r = xp.where(whole, 0.5, r)
            y = self._hurwitz(s, r) + sign * (self._hurwitz(s, up) - self._hurwitz(s, 1 - q))
            return xp.where(whole, float("inf"), xp.where(s == xp.floor(s), y, float("nan")))

        return self._either(q <= 0, left, self._hurwitz, s, q)

    @blocked
    def special_zeta(self, s: Array, q: Array) -> Array:
        xp = self.xp
        y = self._hurwitz_any(xp.where(s > 1, s, 2.0), q)
        return xp.where(s > 1, y, xp.where(s == 1, float("inf"), float("nan")))

    @blocked
    def polygamma(self, x: Array, n: int) -> Array:
        if n == 1:
            x = self.xp.where(x == -float("inf"), float("nan"), x)
            return self._either(x <= 0, lambda x: self._hurwitz_any(x * 0 + 2, x), self._trigamma_positive, x)
        factor = gamma(n + 1) if n < 170 else float("inf")
        return (factor if n % 2 else -factor) * self._hurwitz_any(x * 0 + (n + 1), x)

    def special_gammainc(self, a: Array, x: Array) -> Array:
        return self._by_scipy("gammainc", a, x)

    def special_gammaincc(self, a: Array, x: Array) -> Array:
        return self._by_scipy("gammaincc", a, x)

    # ---- logarithms of sums and products -----------------------------------------------------------------------------
    def logaddexp(self, x: Array, y: Array) -> Array:
        if x.dtype.kind != "c":
            far = self.xp.abs(self.where(x == y, self.scalar(0, x.dtype), x - y))  # of equal infinities too
            return self.xp.maximum(x, y) + self.xp.log1p(self.xp.exp(-far))
        top = self.xp.where(x.real >= y.real, x, y)
        return top + self.xp.log1p(self.xp.exp(x + y - 2 * top))

    def logit(self, x: Array, eps: float | None) -> Array:
        if eps is not None:
            low, high = self.scalar(eps, x.dtype), self.scalar(1 - eps, x.dtype)
            x = self.xp.where(x < low, low, self.xp.where(x > high, high, x))  # the lower bound counts if they cross
        return self.xp.log(x / (self.scalar(1, x.dtype) - x))

    def xlogy(self, x: Array, y: Array) -> Array:
        """x log(y), 0 at x = 0 unless y is NaN."""
        return self.xp.where((x == 0) & (y == y), self.scalar(0, x.dtype), x * self.xp.log(y))

    def special_xlog1py(self, x: Array, y: Array) -> Array:
        return self.xp.where((x == 0) & (y == y), self.scalar(0, x.dtype), x * self.xp.log1p(y))

    def special_entr(self, x: Array) -> Array:
        """-x log(x), -inf below 0."""
        low = self.scalar(-float("inf"), x.dtype)
        y = -x * self.xp.log(x)
        return self.xp.where(x == 0, self.scalar(0, x.dtype), self.xp.where(x < 0, low, y))

    def sinc(self, x: Array) -> Array:
        if x.dtype.itemsize == 2:
            return self.sinc(x.astype(np.float32)).astype(x.dtype)
        z = x * self.scalar(pi, x.dtype)
        one = self.scalar(1, x.dtype)
        return self.xp.where(x == 0, one, self.xp.sin(z) / self.xp.where(x == 0, one, z))

    def special_spherical_bessel_j0(self, x: Array) -> Array:
        safe = self.xp.where((x == 0) | self.xp.isinf(x), self.scalar(1, x.dtype), x)
        y = self.xp.where(x == 0, self.scalar(1, x.dtype), self.xp.sin(safe) / safe)
        return self.xp.where(self.xp.isinf(x), self.scalar(0, x.dtype), y)

    # ---- Bessel functions -------------------------------------------------------------------------------------
    def _bessel_i(self, x: Array, n: int, scaled: bool) -> Array:
        xp = self.xp
        a = xp.abs(x)

        def below(a: Array) -> Array:
            z = a * a / 4
            y = poly(SERIES[n], z)
            y = y * a / 2 if n else y
            return y * xp.exp(-a) if scaled else y

        def above(a: Array) -> Array:
            y = poly(HANKELS[n], 1 / a) * (1 / sqrt(2 * pi)) / xp.sqrt(a)
            if scaled:
                return y
            half = xp.exp(a / 2)  # exp(a) overflows before its product with y does
            return y * half * half

        y = self._either(a < BELOW, below, above, a)
        return xp.copysign(y, x) if n else y

    @blocked
    def i0(self, x: Array) -> Array:
        return self._bessel_i(x, 0, False)

    @blocked
    def special_i0e(self, x: Array) -> Array:
        return self._bessel_i(x, 0, True)

    @blocked
    def special_i1(self, x: Array) -> Array:
        return self._bessel_i(x, 1, False)

    @blocked
    def special_i1e(self, x: Array) -> Array:
        return self._bessel_i(x, 1, True)

    def special_modified_bessel_i0(self, x: Array) -> Array:
        return self.i0(x)

    def special_modified_bessel_i1(self, x: Array) -> Array:
        return self.special_i1(x)

    def special_airy_ai(self, x: Array) -> Array:
        """On the host, since CuPy lacks it."""
        return self.from_numpy(self._scipy("airy", host_library)(self.to_numpy(x))[0].astype(x.dtype))


for _name, _library in (
    ("bessel_j0", "j0"), ("bessel_j1", "j1"), ("bessel_y0", "y0"), ("bessel_y1", "y1"), ("modified_bessel_k0", "k0"),
    ("modified_bessel_k1", "k1"), ("scaled_modified_bessel_k0", "k0e"), ("scaled_modified_bessel_k1", "k1e"),
):  # fmt: skip
    setattr(SpecialKernels, f"special_{_name}", lambda self, x, _library=_library: self._by_scipy(_library, x))
