"""Padding. Source: torch.nn.functional.pad."""

from __future__ import annotations

from typing import Any

from ..backends.resample import pad_plan
from ..layouts import contiguous_format
from ..tensor import Tensor
from .table import F, check_tensor, named, primitive, renamed

__all__ = ["constant_pad_nd"]

primitive("resample", "x", (lambda F, g, dim, plan: F.resample(g, dim, plan.adjoint),), "dim plan")


@named("ConstantPadNdBackward0")
def constant_pad(input: Tensor, widths: list[int], value: Any) -> Tensor:
    """`widths` lists (left, right) from the last dimension back; negative ones crop."""
    from .creation import full

    shape = list(input._a.shape)
    index: list[Any] = [slice(None)] * len(shape)
    for i in range(len(widths) // 2):
        d = len(shape) - 1 - i
        left, right = widths[2 * i], widths[2 * i + 1]
        if shape[d] + left + right < 0:
            raise RuntimeError(
                f"The input size {shape[d]}, plus negative padding {left} and {right} resulted in a negative output size, "
                f"which is invalid. Check dimension {d} of your input."
            )
        if left < 0 or right < 0:
            input = input.narrow(d, max(-left, 0), shape[d] - max(-left, 0) - max(-right, 0))
        index[d] = slice(max(left, 0), max(left, 0) + input._a.shape[d])
        shape[d] += left + right
    out = full(shape, value, dtype=input.dtype, device=input._dev)
    out[tuple(index)] = input
    return out


def constant_pad_nd(input: Tensor, pad: Any, value: Any = 0) -> Tensor:
    """Constant padding; see pad. Source: torch.constant_pad_nd."""
    widths = [int(w) for w in pad]
    if len(widths) % 2:
        raise RuntimeError(f"Length of pad must be even but instead it equals {len(widths)}")
    if len(widths) // 2 > input._a.ndim:
        raise RuntimeError(
            f"Length of pad should be no more than twice the number of dimensions of the input. Pad length is {len(widths)} "
            f"while the input has {input._a.ndim} dimensions."
        )
    return constant_pad(input, widths, value)


def pad(input: Tensor, pad: Any, mode: str = "constant", value: float | None = None) -> Tensor:
    """`pad` lists (left, right) from the last dimension back; negative widths crop.

    mode: constant (with `value`), or reflect, replicate, circular over the last one to three dimensions.
    Source: torch.nn.functional.pad.
    """
    x = check_tensor(input, "pad")
    widths = [int(w) for w in pad]
    if mode not in ("constant", "reflect", "replicate", "circular"):
        raise NotImplementedError(f"Unrecognised padding mode {mode}")
    if len(widths) % 2:
        raise RuntimeError("Padding length must be divisible by 2")
    if len(widths) // 2 > x._a.ndim:
        raise RuntimeError(
            "Padding length should be less than or equal to two times the input dimension but got padding length "
            f"{len(widths)} and input of dimension {x._a.ndim}"
        )
    if mode == "constant":
        return constant_pad_nd(x, widths, 0 if value is None else value)
    if value is not None and value != 0:
        raise RuntimeError(f'Padding mode "{mode}" doesn\'t take in value argument')
    n, shape = len(widths) // 2, x._a.shape
    if n not in (1, 2, 3) or len(shape) not in (n + 1, n + 2):
        raise NotImplementedError(
            f"Padding size {len(widths)} is not supported for {len(shape)}D input tensor.\nSupported combinations for "
            "non-constant padding:\n  - 2D or 3D input: padding size = 2 (pads last dimension)\n  - 3D or 4D input: padding "
            "size = 4 (pads last 2 dimensions)\n  - 4D or 5D input: padding size = 6 (pads last 3 dimensions)\n"
            f"(pad {widths}, input {list(shape)}, mode {mode})"
        )
    if mode != "circular" and 0 in shape[1 if len(shape) == n + 2 else 0 :]:
        raise RuntimeError(
            f"Expected {n + 1}D or {n + 2}D (batch mode) tensor with possibly 0 batch size and other non-zero dimensions for "
            f"input, but got: {list(shape)}"
        )
    for i in range(n):
        d = len(shape) - 1 - i
        left, right = widths[2 * i], widths[2 * i + 1]
        length = shape[d]
        if mode == "reflect" and max(left, right) >= length:
            raise RuntimeError(
                "Argument #4: Padding size should be less than the corresponding input dimension, but got: padding "
                f"({left}, {right}) at dimension {d} of input {list(shape)}"
            )
        if mode == "circular" and max(left, right) > length:
            raise RuntimeError(
                f"Padding value causes wrapping around more than once (pad {widths}, input {list(shape)})."
            )
        if length + left + right < 0 or (mode == "replicate" and length == 0):
            kind = (
                "Negative padding value is resulting in an empty dimension"
                if mode == "circular"
                else "input is too small"
            )
            raise RuntimeError(f"{kind} (pad {widths}, input {list(shape)}, mode {mode})")
    sizes = [shape[-1 - i] + widths[2 * i] + widths[2 * i + 1] for i in range(n)]
    if mode != "circular" and max(sizes) < 1:  # one dimension may vanish, not all
        raise RuntimeError(f"input is too small (pad {widths}, input {list(shape)}, mode {mode})")
    for i in range(n):
        d = len(shape) - 1 - i
        left, right = widths[2 * i], widths[2 * i + 1]
        if left or right:
            x = F.resample(x, d, pad_plan(shape[d], left, right, mode))
    x = x.clone(memory_format=contiguous_format) if x is input else x  # type: ignore[attr-defined]
    kind = {"reflect": "Reflection", "replicate": "Replication"}.get(mode)
    return renamed(x, f"{kind}Pad{n}DBackward0" if kind else "CopySlices")
