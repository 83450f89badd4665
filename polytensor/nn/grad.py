"""Gradients of convolutions as functions. Source: torch.nn.grad."""

from __future__ import annotations

from typing import Any

from .. import autograd
from ..ops import zeros
from . import functional as F

__all__ = ["conv1d_input", "conv1d_weight", "conv2d_input", "conv2d_weight", "conv3d_input", "conv3d_weight"]


def _gradient(dims: int, of_weight: bool) -> Any:
    """conv{dims}d_input or conv{dims}d_weight."""
    conv = getattr(F, f"conv{dims}d")

    def gradient(
        first: Any, second: Any, grad_output: Any, stride: Any, padding: Any, dilation: Any, groups: int
    ) -> Any:  # fmt: skip
        size, fixed = (second, first) if of_weight else (first, second)
        with autograd.enable_grad():
            x: Any = zeros(tuple(size), dtype=grad_output.dtype, device=grad_output.device).requires_grad_()
            operands = (fixed.detach(), x) if of_weight else (x, fixed.detach())
            return autograd.grad(conv(*operands, None, stride, padding, dilation, groups), x, grad_output)[0]

    if of_weight:

        def fn(
            input: Any, weight_size: Any, grad_output: Any, stride: Any = 1, padding: Any = 0, dilation: Any = 1,
            groups: int = 1,
        ) -> Any:  # fmt: skip
            return gradient(input, weight_size, grad_output, stride, padding, dilation, groups)

        fn.__doc__ = f"The gradient of conv{dims}d with respect to its weight, a tensor of `weight_size`."
    else:

        def fn(  # type: ignore[misc]
            input_size: Any, weight: Any, grad_output: Any, stride: Any = 1, padding: Any = 0, dilation: Any = 1,
            groups: int = 1,
        ) -> Any:  # fmt: skip
            return gradient(input_size, weight, grad_output, stride, padding, dilation, groups)

        fn.__doc__ = f"The gradient of conv{dims}d with respect to its input, a tensor of `input_size`."
    fn.__name__ = fn.__qualname__ = f"conv{dims}d_{'weight' if of_weight else 'input'}"
    return fn


conv1d_input, conv1d_weight = _gradient(1, False), _gradient(1, True)
conv2d_input, conv2d_weight = _gradient(2, False), _gradient(2, True)
conv3d_input, conv3d_weight = _gradient(3, False), _gradient(3, True)
