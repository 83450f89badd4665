"""check_equivalence: one function, every backend, the same answers and the same gradients."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from .. import devices as _devices
from ..tensor import Tensor
from .comparison import assert_close


def check_equivalence(
    fn: Callable[..., Any],
    *inputs: Any,
    devices: Iterable[Any] | None = None,
    rtol: float | None = None,
    atol: float | None = None,
    grad: bool = True,
) -> None:
    """Run ``fn(*inputs)`` on each device and compare outputs and gradients with the NumPy backend's.

    `devices` are backend names or devices (None: every backend that can run here). Tensor inputs are copied to each
    device; with `grad` the sum of all floating outputs, weighted element by element, is differentiated with respect to
    each input that requires grad. The backend is the current one while `fn` runs. AssertionError names the backend and
    what differs.

    >>> import polytensor as torch
    >>> check_equivalence(torch.tanh, torch.linspace(-1, 1, 5, requires_grad=True))
    """
    names = _devices.available_backends() if devices is None else [_name(d) for d in devices]
    expected = _run(fn, inputs, "numpy", grad)
    for name in names:
        if name == "numpy":
            continue
        actual = _run(fn, inputs, name, grad)
        for part, a, e in zip(("output", "gradient"), actual, expected, strict=True):
            head = f"{part} of backend {name!r} differs from 'numpy': "
            assert_close(a, e, rtol=rtol, atol=atol, equal_nan=True, check_device=False, msg=head.__add__)


def _name(device: Any) -> str:
    place: Any = _devices.resolve(device)
    return str(place.backend.name)


def _run(fn: Callable[..., Any], inputs: Sequence[Any], name: str, grad: bool) -> tuple[list[Any], list[Any]]:
    """(outputs, gradients by input; None for an input without one), all on the CPU."""
    with _devices.use_backend(name):
        device = _devices.backend_device(name)
        copies = [_copy(x, device) for x in inputs]
        outputs: list[Any] = _flatten(fn(*copies))
        grads: list[Any] = []
        if grad:
            wanted = [x for x in copies if isinstance(x, Tensor) and x.requires_grad]
            roots = [y for y in outputs if isinstance(y, Tensor) and y.requires_grad]
            if wanted and roots:
                from .. import autograd

                got = autograd.grad(roots, wanted, [_weights(y) for y in roots], allow_unused=True)
                grads = [_on_cpu(g) for g in got]
        return [_on_cpu(y) for y in outputs], grads


def _copy(x: Any, device: Any) -> Any:
    if not isinstance(x, Tensor):
        return x
    source: Any = x.detach()
    return source.to(device, copy=True).requires_grad_(x.requires_grad)


def _on_cpu(x: Any) -> Any:
    return x.detach().cpu() if hasattr(x, "detach") else x


def _flatten(x: Any) -> list[Any]:
    if isinstance(x, dict):
        return [z for y in x.values() for z in _flatten(y)]
    return [z for y in x for z in _flatten(y)] if isinstance(x, (tuple, list)) else [x]


def _weights(y: Any) -> Any:
    """A gradient that differs from element to element, so that a transposed result shows."""
    from ..ops.creation import arange

    steps: Any = arange(1, y.numel() + 1, dtype=y.dtype, device=y.device)
    return steps.reshape(y.shape) / max(y.numel(), 1)
