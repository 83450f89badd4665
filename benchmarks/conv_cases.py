"""Convolutions, forward and backward: five kinds at three sizes, written once for PolyTensor and PyTorch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Case = Callable[[], Any]
SIZES = {"small": (4, 16, 16), "medium": (16, 32, 32), "large": (16, 64, 28)}  # images, channels, height and width
KINDS: dict[str, dict[str, Any]] = {
    "1x1": {"kernel_size": 1}, "3x3": {"kernel_size": 3, "padding": 1}, "5x5": {"kernel_size": 5, "padding": 2},
    "depthwise 3x3": {"kernel_size": 3, "padding": 1}, "3x3 stride 2": {"kernel_size": 3, "padding": 1, "stride": 2},
}  # fmt: skip


def convolutions(t: Any) -> dict[str, Case]:
    """One layer's output and the gradients of its input, weight and bias."""

    def case(kind: str, images: int, channels: int, side: int) -> Case:
        groups = channels if kind.startswith("depthwise") else 1
        layer = t.nn.Conv2d(channels, channels, groups=groups, **KINDS[kind])
        x = t.randn(images, channels, side, side).requires_grad_()
        g = t.randn_like(layer(x).detach())

        def run() -> None:
            x.grad = layer.weight.grad = layer.bias.grad = None
            layer(x).backward(g)

        return run

    return {f"{kind}, {size}": case(kind, *SIZES[size]) for kind in KINDS for size in SIZES}
