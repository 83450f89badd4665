"""gradcheck and gradgradcheck: derivatives against central finite differences. Source: torch.autograd.gradcheck."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ..tensor import Tensor
from . import grad as _grad
from .modes import no_grad

if TYPE_CHECKING:
    from random import Random


class GradcheckError(RuntimeError):
    """Raised by gradcheck and gradgradcheck."""


def gradcheck(
    func: Callable[..., Any],
    inputs: Any,
    *,
    eps: float = 1e-6,
    atol: float = 1e-5,
    rtol: float = 1e-3,
    raise_exception: bool = True,
    nondet_tol: float = 0.0,
    check_undefined_grad: bool = True,
    check_grad_dtypes: bool = False,
    check_batched_grad: bool = False,
    check_batched_forward_grad: bool = False,
    check_forward_ad: bool = False,
    check_backward_ad: bool = True,
    fast_mode: bool = False,
    masked: bool | None = None,
) -> bool:
    """Compare the gradients of `func` with central differences, for every input that requires grad.

    `func` takes the `inputs` (a Tensor or a tuple) and returns a Tensor or a tuple; inputs should be float64 and must
    not overlap in memory. Also checked: equal results of two backward passes (within `nondet_tol`), zero gradients from
    a zero one, and outputs that got no gradient.
    Complex elements count as two real ones. `fast_mode` compares one random direction instead of every element.
    `check_forward_ad` compares forward mode as well, without `check_backward_ad` alone. Batched passes run one by one
    here, so check_batched_grad and check_batched_forward_grad check nothing more; `masked` is for sparse tensors.
    Returns True; raises GradcheckError, or returns False where `raise_exception` is False.
    """
    if not (check_forward_ad or check_backward_ad):
        raise AssertionError("Expected at least one of check_forward_ad or check_backward_ad to be True")
    if check_batched_grad and not check_backward_ad:
        raise AssertionError("Setting check_batched_grad=True requires check_backward_ad to be True")
    if check_batched_forward_grad and not check_forward_ad:
        raise AssertionError("Setting check_batched_forward_grad=True requires check_forward_ad to be True")
    inputs = _tuple(inputs)
    try:
        wanted = _wanted(inputs)
        if check_backward_ad:
            _check(
                func, inputs, wanted, eps, atol, rtol, nondet_tol, check_undefined_grad, check_grad_dtypes, fast_mode
            )
        if check_forward_ad:
            _check_forward(func, inputs, wanted, eps, atol, rtol)
    except GradcheckError:
        if raise_exception:
            raise
        return False
    return True


def gradgradcheck(
    func: Callable[..., Any],
    inputs: Any,
    grad_outputs: Any = None,
    *,
    eps: float = 1e-6,
    atol: float = 1e-5,
    rtol: float = 1e-3,
    gen_non_contig_grad_outputs: bool = False,
    raise_exception: bool = True,
    nondet_tol: float = 0.0,
    check_undefined_grad: bool = True,
    check_grad_dtypes: bool = False,
    check_batched_grad: bool = False,
    check_fwd_over_rev: bool = False,
    check_rev_over_rev: bool = True,
    fast_mode: bool = False,
    masked: bool = False,
) -> bool:
    """gradcheck of the gradients of `func` (create_graph), in `inputs` and `grad_outputs` (None: random ones).

    By backward passes (`check_rev_over_rev`), by forward mode (`check_fwd_over_rev`), or both.
    """
    if not (check_fwd_over_rev or check_rev_over_rev):
        raise AssertionError("Expected at least one of check_fwd_over_rev or check_rev_over_rev to be True")
    for name, asked in (("check_undefined_grad", check_undefined_grad), ("check_batched_grad", check_batched_grad)):
        if asked and not check_rev_over_rev:
            raise AssertionError(f"Setting {name}=True requires check_rev_over_rev to be True")
    inputs = _tuple(inputs)
    if grad_outputs is None:
        from random import Random

        rng = Random(0)
        outputs = _outputs(func, inputs)
        grad_outputs = tuple(_random_like(y, rng, gen_non_contig_grad_outputs) for y in outputs)
    grad_outputs = _tuple(grad_outputs)
    n = len(inputs)
    wanted = [i for i, x in enumerate(inputs) if isinstance(x, Tensor) and x.requires_grad]

    def gradients(*args: Any) -> tuple[Tensor, ...]:
        xs = args[:n]
        for i in wanted:
            xs[i].requires_grad_()
        grads = _grad(_outputs(func, xs), [xs[i] for i in wanted], args[n:], create_graph=True, allow_unused=True)
        return tuple(g for g in grads if g is not None)

    return gradcheck(
        gradients, (*inputs, *grad_outputs), eps=eps, atol=atol, rtol=rtol, raise_exception=raise_exception,
        nondet_tol=nondet_tol, check_undefined_grad=check_undefined_grad, check_grad_dtypes=check_grad_dtypes,
        check_batched_grad=check_batched_grad, check_forward_ad=check_fwd_over_rev, check_backward_ad=check_rev_over_rev,
        fast_mode=fast_mode,
    )  # fmt: skip


def _tuple(x: Any) -> tuple[Any, ...]:
    return tuple(x) if isinstance(x, (tuple, list)) else (x,)


def _outputs(func: Callable[..., Any], inputs: tuple[Any, ...]) -> tuple[Tensor, ...]:
    return tuple(y for y in _tuple(func(*inputs)) if isinstance(y, Tensor) and y.requires_grad)


def _flat(t: Any) -> list[float]:
    """The elements; of a complex one the real and the imaginary part. Gradients are then those of real functions."""
    from ..ops.complexes import view_as_real

    real: Any = view_as_real(t.detach()) if t.is_complex() else t.detach()
    values: list[float] = real.reshape(-1).tolist()
    return values


def _like(t: Any, values: list[float]) -> Any:
    """A tensor of these values with `t`'s shape, dtype and device."""
    from ..ops.from_data import tensor

    if t.is_complex():
        values = [complex(*pair) for pair in zip(values[::2], values[1::2], strict=True)]  # type: ignore[misc]
    flat: Any = tensor(values, dtype=t.dtype, device=t.device)
    return flat.reshape(t.shape)


def _count(t: Any) -> int:
    return int(t.numel()) * (2 if t.is_complex() else 1)


def _one(t: Any, k: int) -> list[float]:
    return [float(i == k) for i in range(_count(t))]


def _random_like(t: Any, rng: Random, strided: bool) -> Any:
    y = _like(t, [rng.uniform(-1, 1) for _ in range(_count(t))])
    if strided and t.dim():
        from ..ops.joining import stack

        pairs: Any = stack((y, y), -1)
        y = pairs[..., 0]
    return y.requires_grad_()


def _wanted(inputs: tuple[Any, ...]) -> list[Tensor]:
    """The inputs that require grad, after a look at what would spoil the comparison."""
    wanted = [x for x in inputs if isinstance(x, Tensor) and x.requires_grad]
    if not wanted:
        raise ValueError(
            "gradcheck expects at least one input tensor to require gradient, but none of them have requires_grad=True."
        )
    for i, x in enumerate(inputs):
        if not (isinstance(x, Tensor) and x.requires_grad):
            continue
        if x.dtype.itemsize < 8:
            warnings.warn(
                f"Input #{i} requires gradient and is not a double precision floating point or complex. This check "
                "will likely fail if all the inputs are not of double precision floating point or complex.",
                stacklevel=4,
            )
        if any(n > 1 and s == 0 for n, s in zip(x.shape, x.stride(), strict=True)):
            raise RuntimeError(
                f"The {i}th input has a dimension with stride 0. gradcheck only supports inputs that are "
                "non-overlapping to be able to compute the numerical gradients correctly. You should call "
                ".contiguous on the input before passing it to gradcheck."
            )
    return wanted


def _check(
    func: Callable[..., Any], inputs: tuple[Any, ...], wanted: list[Tensor], eps: float, atol: float, rtol: float,
    nondet_tol: float, check_undefined: bool, check_dtypes: bool, fast: bool,
) -> None:  # fmt: skip
    outputs = _outputs(func, inputs)
    if not outputs:
        _check_flat(func, inputs, wanted, eps)
        return
    for j, y in enumerate(outputs):
        if fast:
            _check_direction(func, inputs, wanted, y, j, eps, atol, rtol, nondet_tol)
        else:
            _check_jacobian(func, inputs, wanted, y, j, eps, atol, rtol, nondet_tol, check_dtypes)
    _check_zero(outputs, wanted)
    if check_undefined:
        _check_undefined(outputs, wanted)


def _difference(f: Callable[[], Any], x: Any, direction: list[float], eps: float) -> list[float]:
    """(f(x + eps * d) - f(x - eps * d)) / (2 * eps), with `x` changed in place and put back."""
    kept = _flat(x)

    def at(step: float) -> Any:
        with no_grad():  # .data: the graph that is being checked must not see these writes
            x.data.copy_(_like(x, [v + step * d for v, d in zip(kept, direction, strict=True)]))
        y = f()
        return y.shape, y.dtype, _flat(y)

    try:
        (*kind, above), (*other, below) = at(eps), at(-eps)
    finally:
        with no_grad():
            x.data.copy_(_like(x, kept))
    for what, a, b in zip(("shape", "dtype"), kind, other, strict=True):
        if a != b:
            raise AssertionError(
                f"Expected `func` to return outputs with the same {what} when inputs are perturbed on the elements by eps, "
                f"but got:\n {what}s {a} and {b}."
            )
    return [(a - b) / (2 * eps) for a, b in zip(above, below, strict=True)]


def _check_jacobian(
    func: Any, inputs: Any, wanted: list[Tensor], y: Any, j: int, eps: float, atol: float, rtol: float,
    nondet_tol: float, check_dtypes: bool,
) -> None:  # fmt: skip
    analytical = _analytical(y, wanted, check_dtypes)
    again = _analytical(y, wanted, False)
    for i, x in enumerate(wanted):
        _check_again(analytical[i], again[i], nondet_tol)
        numerical = [_difference(lambda: _outputs(func, inputs)[j], x, _one(x, k), eps) for k in range(_count(x))]
        _compare(analytical[i], numerical, i, j, atol, rtol)


def _analytical(y: Any, wanted: list[Tensor], check_dtypes: bool) -> list[list[list[float]]]:
    """For each input the Jacobian (elements of x, elements of y), by one backward pass per element of y."""
    columns: list[list[list[float]]] = [[] for _ in wanted]
    for k in range(_count(y)):
        grads = _grad(y, wanted, _like(y, _one(y, k)), retain_graph=True, allow_unused=True)
        for column, x, g in zip(columns, wanted, grads, strict=True):
            if g is None:
                column.append([0.0] * _count(x))
                continue
            if check_dtypes and g.dtype is not x.dtype:
                raise GradcheckError("Gradient has dtype mismatch")
            if g.shape != x.shape:
                raise GradcheckError("Analytical gradient has incorrect size")
            column.append(_flat(g))
    return [
        [list(row) for row in zip(*c, strict=True)] if c else [[] for _ in range(_count(x))]
        for c, x in zip(columns, wanted, strict=True)
    ]


def _counts(y: Any) -> bool:
    """Whether an output may have a derivative."""
    return isinstance(y, Tensor) and (y.is_floating_point() or y.is_complex())


def _check_again(first: list[list[float]], again: list[list[float]], nondet_tol: float) -> None:
    if not _close(first, again, nondet_tol, 0.0):
        raise GradcheckError(
            "Backward is not reentrant, i.e., running backward with same input and grad_output multiple times "
            "gives different values, although analytical gradient matches numerical gradient. "
            f"The tolerance for nondeterminism was {nondet_tol}."
        )


def _close(a: list[list[float]], b: list[list[float]], atol: float, rtol: float) -> bool:
    return all(abs(p - q) <= atol + rtol * abs(q) for u, v in zip(a, b, strict=True) for p, q in zip(u, v, strict=True))


def _check_forward(
    func: Any, inputs: tuple[Any, ...], wanted: list[Tensor], eps: float, atol: float, rtol: float
) -> None:
    """Forward mode's Jacobians, one tangent per element of an input, against differences."""
    from . import forward_ad

    for i, x in enumerate(wanted):
        at = next(k for k, y in enumerate(inputs) if y is x)
        rows: dict[int, list[list[float]]] = {}
        for k in range(_count(x)):
            with forward_ad.dual_level():
                dual = forward_ad.make_dual(x.detach(), _like(x, _one(x, k)))
                for j, y in enumerate(_tuple(func(*inputs[:at], dual, *inputs[at + 1 :]))):
                    if _counts(y):
                        tangent = forward_ad.unpack_dual(y).tangent
                        rows.setdefault(j, []).append([0.0] * _count(y) if tangent is None else _flat(tangent))
        for j, row in rows.items():

            def value(j: int = j) -> Any:
                return _tuple(func(*inputs))[j]

            numerical = [_difference(value, x, _one(x, k), eps) for k in range(_count(x))]
            _compare(row, numerical, i, j, atol, rtol, "computed with forward mode ")


def _compare(
    a: list[list[float]], n: list[list[float]], i: int, j: int, atol: float, rtol: float, how: str = ""
) -> None:
    if not _close(a, n, atol, rtol):
        from ..dtypes import float64
        from ..ops.from_data import tensor

        raise GradcheckError(
            f"Jacobian {how}mismatch for output {j} with respect to input {i},\n"
            f"numerical:{tensor(n, dtype=float64)}\nanalytical:{tensor(a, dtype=float64)}\n"
        )


def _check_direction(
    func: Any,
    inputs: Any,
    wanted: list[Tensor],
    y: Any,
    j: int,
    eps: float,
    atol: float,
    rtol: float,
    nondet_tol: float,
) -> None:
    """v . J u for random v and u, from both sides; each element of J may be off by atol."""
    from random import Random

    rng = Random(0)
    v = [rng.uniform(0.5, 1) for _ in range(_count(y))]
    grads, again = (_grad(y, wanted, _like(y, v), retain_graph=True, allow_unused=True) for _ in range(2))
    for i, (x, g, h) in enumerate(zip(wanted, grads, again, strict=True)):
        u = [rng.uniform(0.5, 1) for _ in range(_count(x))]
        slope = _difference(lambda: _outputs(func, inputs)[j], x, u, eps)
        numerical = sum(p * q for p, q in zip(v, slope, strict=True))
        analytical = 0.0 if g is None else sum(p * q for p, q in zip(_flat(g), u, strict=True))
        if g is not None and h is not None:
            _check_again([_flat(g)], [_flat(h)], nondet_tol)
        _compare([[analytical]], [[numerical]], i, j, atol * sum(u) * sum(v), rtol)


def _check_flat(func: Any, inputs: Any, wanted: list[Tensor], eps: float) -> None:
    """Where no output requires grad, the function must not depend on its inputs."""
    for j in [j for j, y in enumerate(_tuple(func(*inputs))) if _counts(y)]:

        def value(j: int = j) -> Any:
            return _tuple(func(*inputs))[j]

        for x in wanted:
            if any(any(_difference(value, x, _one(x, k), eps)) for k in range(_count(x))):
                raise GradcheckError("Numerical gradient for function expected to be zero")


def _check_zero(outputs: tuple[Tensor, ...], wanted: list[Tensor]) -> None:
    zeros = [_like(y, [0.0] * _count(y)) for y in outputs]
    for g, x in zip(_grad(outputs, wanted, zeros, retain_graph=True, allow_unused=True), wanted, strict=True):
        if g is None:
            continue
        if any(_flat(g)):
            raise GradcheckError("backward not multiplied by grad_output")
        if g.dtype is not x.dtype:
            raise GradcheckError("grad is incorrect type")
        if g.device != x.device:
            raise GradcheckError("grad is incorrect device")
        if g.shape != x.shape:
            raise GradcheckError("grad is incorrect size")


def _check_undefined(outputs: tuple[Tensor, ...], wanted: list[Tensor]) -> None:
    """Each output in turn gets no gradient: the backward of the others must cope."""
    for skipped in range(len(outputs) if len(outputs) > 1 else 0):
        ys = [y for k, y in enumerate(outputs) if k != skipped]
        ones = [_like(y, [1.0] * _count(y)) for y in ys]
        try:
            _grad(ys, wanted, ones, retain_graph=True, allow_unused=True)
        except RuntimeError as error:
            raise GradcheckError("Expected backward function to handle undefined output grads.") from error
