"""MobileNetV2. Source: torchvision.models.mobilenetv2."""

from __future__ import annotations

from functools import partial
from typing import Any

from polytensor import Tensor, nn

from ..ops.blocks import Conv2dNormActivation
from ._utils import _make_divisible
from .vgg import start
from .weights import model, weights_enum

MobileNet_V2_Weights = weights_enum(
    "MobileNet_V2_Weights",
    "IMAGENET1K_V2",
    IMAGENET1K_V1=("mobilenet_v2-b0353104.pth",),
    IMAGENET1K_V2=("mobilenet_v2-7ebf99e0.pth", 224, 232),
)
_conv = partial(Conv2dNormActivation, activation_layer=nn.ReLU6)
# expansion, channels, repeats, stride of the first
_SETTING = [[1, 16, 1, 1], [6, 24, 2, 2], [6, 32, 3, 2], [6, 64, 4, 2], [6, 96, 3, 1], [6, 160, 3, 2], [6, 320, 1, 1]]


class InvertedResidual(nn.Module):
    """Widen, filter each channel by itself, narrow; a shortcut where the shape stays."""

    def __init__(self, inp: int, oup: int, stride: int, expand_ratio: int, norm_layer: Any = None) -> None:
        super().__init__()
        if stride not in (1, 2):
            raise ValueError(f"stride should be 1 or 2 instead of {stride}")
        norm = norm_layer or nn.BatchNorm2d
        hidden = int(round(inp * expand_ratio))
        self.stride, self.out_channels = stride, oup
        self.use_res_connect = stride == 1 and inp == oup
        widen = [_conv(inp, hidden, 1, norm_layer=norm)] if expand_ratio != 1 else []
        narrow = [nn.Conv2d(hidden, oup, 1, bias=False), norm(oup)]
        each = _conv(hidden, hidden, 3, stride, groups=hidden, norm_layer=norm)
        self.conv = nn.Sequential(*widen, each, *narrow)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.conv(x) if self.use_res_connect else self.conv(x)


class MobileNetV2(nn.Module):
    """Inverted residuals; width_mult scales all channels."""

    def __init__(
        self,
        num_classes: int = 1000,
        width_mult: float = 1.0,
        inverted_residual_setting: Any = None,
        round_nearest: int = 8,
        block: Any = None,
        norm_layer: Any = None,
        dropout: float = 0.2,
    ) -> None:
        super().__init__()
        block, norm = block or InvertedResidual, norm_layer or nn.BatchNorm2d
        setting = _SETTING if inverted_residual_setting is None else inverted_residual_setting
        if not setting or len(setting[0]) != 4:
            raise ValueError(f"inverted_residual_setting should be non-empty or a 4-element list, got {setting}")
        channels = _make_divisible(32 * width_mult, round_nearest)
        self.last_channel = _make_divisible(1280 * max(1.0, width_mult), round_nearest)
        features: list[nn.Module] = [_conv(3, channels, 3, 2, norm_layer=norm)]
        for ratio, width, repeats, stride in setting:
            out = _make_divisible(width * width_mult, round_nearest)
            for i in range(repeats):
                features.append(block(channels, out, 1 if i else stride, expand_ratio=ratio, norm_layer=norm))
                channels = out
        features.append(_conv(channels, self.last_channel, 1, norm_layer=norm))
        self.features = nn.Sequential(*features)
        self.classifier = nn.Sequential(nn.Dropout(p=dropout), nn.Linear(self.last_channel, num_classes))
        start(self)

    def forward(self, x: Tensor) -> Tensor:
        x = nn.functional.adaptive_avg_pool2d(self.features(x), (1, 1))
        return self.classifier(x.flatten(1))


@model(MobileNet_V2_Weights)
def mobilenet_v2(**kwargs: Any) -> MobileNetV2:
    """MobileNetV2."""
    return MobileNetV2(**kwargs)
