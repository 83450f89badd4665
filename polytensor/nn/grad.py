"""Gradients of convolutions as functions. Source: torch.nn.grad."""

from __future__ import annotations

from typing import Any

from .. import autograd
from ..ops import zeros
from . import functional as F

__all__ = ["conv1d_input", "conv1d_weight", "conv2d_input", "conv2d_weight", "conv3d_input", "conv3d_weight"]


def _input(conv: Any, input_size: Any, weight: Any, grad_output: Any, *args: Any) -> Any:
    with autograd.enable_grad():
        x: Any = zeros(tuple(input_size), dtype=grad_output.dtype, device=grad_output.device).requires_grad_()
        return autograd.grad(conv(x, weight.detach(), None, *args), x, grad_output)[0]


def _weight(conv: Any, input: Any, weight_size: Any, grad_output: Any, *args: Any) -> Any:
    with autograd.enable_grad():
        w: Any = zeros(tuple(weight_size), dtype=grad_output.dtype, device=grad_output.device).requires_grad_()
        return autograd.grad(conv(input.detach(), w, None, *args), w, grad_output)[0]


def conv1d_input(
    input_size: Any,
    weight: Any,
    grad_output: Any,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
) -> Any:
    """The gradient of conv1d with respect to its input, a tensor of `input_size`."""
    return _input(F.conv1d, input_size, weight, grad_output, stride, padding, dilation, groups)


def conv1d_weight(
    input: Any,
    weight_size: Any,
    grad_output: Any,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
) -> Any:
    """The gradient of conv1d with respect to its weight, a tensor of `weight_size`."""
    return _weight(F.conv1d, input, weight_size, grad_output, stride, padding, dilation, groups)


def conv2d_input(
    input_size: Any,
    weight: Any,
    grad_output: Any,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
) -> Any:
    """The gradient of conv2d with respect to its input."""
    return _input(F.conv2d, input_size, weight, grad_output, stride, padding, dilation, groups)


def conv2d_weight(
    input: Any,
    weight_size: Any,
    grad_output: Any,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
) -> Any:
    """The gradient of conv2d with respect to its weight."""
    return _weight(F.conv2d, input, weight_size, grad_output, stride, padding, dilation, groups)


def conv3d_input(
    input_size: Any,
    weight: Any,
    grad_output: Any,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
) -> Any:
    """The gradient of conv3d with respect to its input."""
    return _input(F.conv3d, input_size, weight, grad_output, stride, padding, dilation, groups)


def conv3d_weight(
    input: Any,
    weight_size: Any,
    grad_output: Any,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
) -> Any:
    """The gradient of conv3d with respect to its weight."""
    return _weight(F.conv3d, input, weight_size, grad_output, stride, padding, dilation, groups)
