"""Orthogonal polynomials of whole degree by their recurrences; Chebyshev's of high degree by their closed forms."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .special import blocked

Array = Any


class PolynomialKernels:
    """Mixed into Backend. Degrees are cut to whole numbers; a negative degree gives 0."""

    xp: Any

    def _recurrence(self, x: Array, n: Array, first: Array, step: Callable[[int, Array, Array], Array]) -> Array:
        """P_0 = 1, P_1 = first, P_{k+1} = step(k, P_k, P_{k-1}), each element up to its degree n."""
        xp = self.xp
        before, now = xp.ones_like(x), first
        y = xp.where(n == 0, before, xp.where(n == 1, now, 0.0))
        for k in range(1, int(n.max())):
            before, now = now, step(k, now, before)
            y = xp.where(n == k + 1, now, y)
        return y

    def _chebyshev(
        self, x: Array, n: Array, first: Array, top: Array, bottom: Array, high: int, closed: Callable[..., Array]
    ) -> Array:
        """`top` and `bottom` are the values at 1 and -1; above degree `high`, closed(angle, n) holds between them."""
        xp = self.xp
        n = xp.trunc(n)
        size = xp.abs(x)
        angle = xp.arccos(xp.where(size < 1, x, 0.5))
        far = (n > high) & (size < 1)
        y = xp.where(far, closed(angle, n), 0.0)
        near = self._recurrence(x, xp.where(far | (size == 1), -1.0, n), first, lambda k, q, p: 2 * x * q - p)
        ends = xp.where(x > 0, top, bottom)
        return xp.where(n < 0, 0.0, xp.where(size == 1, ends, xp.where(far, y, near)))

    def _sign(self, n: Array) -> Array:
        return 1.0 - 2.0 * (self.xp.trunc(n) % 2)

    def _t(self, x: Array, n: Array) -> Array:
        return self._chebyshev(x, n, x, n * 0 + 1, self._sign(n), 6, lambda angle, n: self.xp.cos(n * angle))

    def _u(self, x: Array, n: Array) -> Array:
        sin, last = self.xp.sin, self.xp.trunc(n) + 1
        return self._chebyshev(
            x, n, 2 * x, last, self._sign(n) * last, 8, lambda angle, n: sin((n + 1) * angle) / sin(angle)
        )

    def _v(self, x: Array, n: Array) -> Array:
        cos, last = self.xp.cos, 2 * self.xp.trunc(n) + 1
        return self._chebyshev(
            x,
            n,
            2 * x - 1,
            n * 0 + 1,
            self._sign(n) * last,
            8,
            lambda angle, n: cos((n + 0.5) * angle) / cos(angle / 2),
        )

    def _w(self, x: Array, n: Array) -> Array:
        sin, last = self.xp.sin, 2 * self.xp.trunc(n) + 1
        return self._chebyshev(
            x, n, 2 * x + 1, last, self._sign(n), 8, lambda angle, n: sin((n + 0.5) * angle) / sin(angle / 2)
        )

    @blocked
    def special_hermite_polynomial_h(self, x: Array, n: Array) -> Array:
        return self._recurrence(x, self.xp.trunc(n), 2 * x, lambda k, q, p: 2 * x * q - 2 * k * p)

    @blocked
    def special_hermite_polynomial_he(self, x: Array, n: Array) -> Array:
        return self._recurrence(x, self.xp.trunc(n), x, lambda k, q, p: x * q - k * p)

    @blocked
    def special_laguerre_polynomial_l(self, x: Array, n: Array) -> Array:
        return self._recurrence(x, self.xp.trunc(n), 1 - x, lambda k, q, p: ((2 * k + (1 - x)) * q - k * p) / (k + 1))

    @blocked
    def special_legendre_polynomial_p(self, x: Array, n: Array) -> Array:
        y = self._recurrence(x, self.xp.trunc(n), x, lambda k, q, p: ((2 * k + 1) * x * q - k * p) / (k + 1))
        ends = self.xp.where((x > 0) | (self._sign(n) > 0), 1.0, -1.0)
        return self.xp.where((self.xp.abs(x) == 1) & (n >= 0), ends, y)


def _kernel(form: str, shifted: bool) -> Any:
    def kernel(self: Any, x: Array, n: Array) -> Array:
        return getattr(self, "_" + form)(2 * x - 1 if shifted else x, n)

    return blocked(kernel)


for _form in "tuvw":
    setattr(PolynomialKernels, f"special_chebyshev_polynomial_{_form}", _kernel(_form, False))
    setattr(PolynomialKernels, f"special_shifted_chebyshev_polynomial_{_form}", _kernel(_form, True))
