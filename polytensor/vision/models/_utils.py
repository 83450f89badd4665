"""Parts of models. Source: torchvision.models._utils."""

from __future__ import annotations

from typing import Any

from polytensor import nn


class IntermediateLayerGetter(nn.ModuleDict):
    """The children of `model` up to the last one wanted, run one after the other.

    return_layers says which outputs are given back, in a dict, and under what name: {"layer4": "out"}.
    """

    _version = 2

    def __init__(self, model: nn.Module, return_layers: dict[str, str]) -> None:
        wanted = {str(k) for k in return_layers}
        children = dict(model.named_children())
        if not wanted <= children.keys():
            raise ValueError("return_layers are not present in model")
        last = max((i for i, name in enumerate(children) if name in wanted), default=len(children) - 1)
        super().__init__(dict(list(children.items())[: last + 1]))
        self.return_layers = return_layers

    def forward(self, x: Any) -> dict[str, Any]:
        out = {}
        for name, module in self.items():
            x = module(x)
            if name in self.return_layers:
                out[self.return_layers[name]] = x
        return out


def _make_divisible(v: float, divisor: int, min_value: int | None = None) -> int:
    """The nearest multiple of divisor, at least min_value (divisor), and no more than a tenth below v."""
    near = max(divisor if min_value is None else min_value, int(v + divisor / 2) // divisor * divisor)
    return near + divisor if near < 0.9 * v else near
