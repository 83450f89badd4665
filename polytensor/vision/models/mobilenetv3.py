"""MobileNetV3 (Howard et al. 2019). Source: torchvision.models.mobilenetv3."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from polytensor import Tensor, nn

from ..ops.blocks import Conv2dNormActivation, SqueezeExcitation
from ._utils import _make_divisible
from .vgg import start
from .weights import model, weights_enum

MobileNet_V3_Large_Weights = weights_enum(
    "MobileNet_V3_Large_Weights",
    "IMAGENET1K_V2",
    IMAGENET1K_V1=("mobilenet_v3_large-8738ca79.pth",),
    IMAGENET1K_V2=("mobilenet_v3_large-5c1a4163.pth", 224, 232),
)
MobileNet_V3_Small_Weights = weights_enum(
    "MobileNet_V3_Small_Weights", IMAGENET1K_V1=("mobilenet_v3_small-047dcff4.pth",)
)
# kernel, channels within, channels out, squeezed, activation, stride; a reduced tail halves the last three rows out, two within
_LARGE = [
    (3, 16, 16, False, "RE", 1), (3, 64, 24, False, "RE", 2), (3, 72, 24, False, "RE", 1), (5, 72, 40, True, "RE", 2),
    (5, 120, 40, True, "RE", 1), (5, 120, 40, True, "RE", 1), (3, 240, 80, False, "HS", 2), (3, 200, 80, False, "HS", 1),
    (3, 184, 80, False, "HS", 1), (3, 184, 80, False, "HS", 1), (3, 480, 112, True, "HS", 1), (3, 672, 112, True, "HS", 1),
    (5, 672, 160, True, "HS", 2), (5, 960, 160, True, "HS", 1), (5, 960, 160, True, "HS", 1),
]  # fmt: skip
_SMALL = [
    (3, 16, 16, True, "RE", 2), (3, 72, 24, False, "RE", 2), (3, 88, 24, False, "RE", 1), (5, 96, 40, True, "HS", 2),
    (5, 240, 40, True, "HS", 1), (5, 240, 40, True, "HS", 1), (5, 120, 48, True, "HS", 1), (5, 144, 48, True, "HS", 1),
    (5, 288, 96, True, "HS", 2), (5, 576, 96, True, "HS", 1), (5, 576, 96, True, "HS", 1),
]  # fmt: skip

_SQUEEZE = partial(SqueezeExcitation, scale_activation=nn.Hardsigmoid)


class InvertedResidualConfig:
    """A block's sizes, with all channels scaled by width_mult; activation is "HS" (hard swish) or "RE" (ReLU)."""

    def __init__(
        self, input_channels: int, kernel: int, expanded_channels: int, out_channels: int, use_se: bool, activation: str,
        stride: int, dilation: int, width_mult: float,
    ) -> None:  # fmt: skip
        self.input_channels = self.adjust_channels(input_channels, width_mult)
        self.kernel, self.use_se, self.use_hs = kernel, use_se, activation == "HS"
        self.expanded_channels = self.adjust_channels(expanded_channels, width_mult)
        self.out_channels = self.adjust_channels(out_channels, width_mult)
        self.stride, self.dilation = stride, dilation

    @staticmethod
    def adjust_channels(channels: int, width_mult: float) -> int:
        return _make_divisible(channels * width_mult, 8)


class InvertedResidual(nn.Module):
    """Widen, filter each channel by itself, weigh the channels, narrow; a shortcut where the shape stays."""

    def __init__(
        self, cnf: InvertedResidualConfig, norm_layer: Callable[..., nn.Module],
        se_layer: Callable[..., nn.Module] = _SQUEEZE,
    ) -> None:  # fmt: skip
        super().__init__()
        if not 1 <= cnf.stride <= 2:
            raise ValueError("illegal stride value")
        self.use_res_connect = cnf.stride == 1 and cnf.input_channels == cnf.out_channels
        self.out_channels, self._is_cn = cnf.out_channels, cnf.stride > 1
        width = cnf.expanded_channels
        conv = partial(
            Conv2dNormActivation, norm_layer=norm_layer, activation_layer=nn.Hardswish if cnf.use_hs else nn.ReLU
        )
        layers: list[nn.Module] = [conv(cnf.input_channels, width, 1)] if width != cnf.input_channels else []
        stride = 1 if cnf.dilation > 1 else cnf.stride
        layers.append(conv(width, width, cnf.kernel, stride, dilation=cnf.dilation, groups=width))
        if cnf.use_se:
            layers.append(se_layer(width, _make_divisible(width // 4, 8)))
        layers.append(conv(width, cnf.out_channels, 1, activation_layer=None))
        self.block = nn.Sequential(*layers)

    def forward(self, input: Tensor) -> Tensor:
        return self.block(input) + input if self.use_res_connect else self.block(input)


class MobileNetV3(nn.Module):
    """Inverted residuals of given sizes and two linear layers."""

    def __init__(
        self, inverted_residual_setting: Sequence[InvertedResidualConfig], last_channel: int, num_classes: int = 1000,
        block: Callable[..., nn.Module] | None = None, norm_layer: Callable[..., nn.Module] | None = None,
        dropout: float = 0.2, **kwargs: Any,
    ) -> None:  # fmt: skip
        super().__init__()
        setting = inverted_residual_setting
        if not setting:
            raise ValueError("The inverted_residual_setting should not be empty")
        if not (isinstance(setting, Sequence) and all(isinstance(s, InvertedResidualConfig) for s in setting)):
            raise TypeError("The inverted_residual_setting should be List[InvertedResidualConfig]")
        norm = norm_layer or partial(nn.BatchNorm2d, eps=0.001, momentum=0.01)
        conv = partial(Conv2dNormActivation, norm_layer=norm, activation_layer=nn.Hardswish)
        last = setting[-1].out_channels
        blocks = [(block or InvertedResidual)(cnf, norm) for cnf in setting]
        self.features = nn.Sequential(conv(3, setting[0].input_channels, 3, 2), *blocks, conv(last, 6 * last, 1))
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.classifier = nn.Sequential(
            nn.Linear(6 * last, last_channel), nn.Hardswish(inplace=True), nn.Dropout(p=dropout, inplace=True),
            nn.Linear(last_channel, num_classes),
        )  # fmt: skip
        start(self)

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier(self.avgpool(self.features(x)).flatten(1))


def _made(
    rows: list[Any],
    last: int,
    width_mult: float = 1.0,
    reduced_tail: bool = False,
    dilated: bool = False,
    **kwargs: Any,
) -> MobileNetV3:
    narrow, dilation = 2 if reduced_tail else 1, 2 if dilated else 1
    setting, channels = [], 16
    for i, (kernel, within, out, *rest) in enumerate(rows):
        tail = i >= len(rows) - 3
        within = within // narrow if i >= len(rows) - 2 else within
        out = out // narrow if tail else out
        row = (channels, kernel, within, out, *rest, dilation if tail else 1)
        setting.append(InvertedResidualConfig(*row, width_mult))
        channels = out
    return MobileNetV3(setting, InvertedResidualConfig.adjust_channels(last // narrow, width_mult), **kwargs)


def _options(kwargs: dict[str, Any]) -> dict[str, Any]:
    return {
        k.removeprefix("_") if k in ("_width_mult", "_reduced_tail", "_dilated") else k: v for k, v in kwargs.items()
    }


@model(MobileNet_V3_Large_Weights)
def mobilenet_v3_large(**kwargs: Any) -> MobileNetV3:
    """MobileNetV3 with 15 blocks."""
    return _made(_LARGE, 1280, **_options(kwargs))


@model(MobileNet_V3_Small_Weights)
def mobilenet_v3_small(**kwargs: Any) -> MobileNetV3:
    """MobileNetV3 with 11 blocks."""
    return _made(_SMALL, 1024, **_options(kwargs))
