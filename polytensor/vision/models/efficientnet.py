"""EfficientNet (Tan and Le 2019) and EfficientNetV2 (2021). Source: torchvision.models.efficientnet."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from math import ceil
from typing import Any

from polytensor import Tensor, nn

from ..ops.blocks import Conv2dNormActivation, SqueezeExcitation, StochasticDepth
from ._utils import _make_divisible
from .vgg import start
from .weights import builder, weights_enum


class _MBConvConfig:
    """A stage: how much its blocks widen, their kernel, the first one's stride, channels, and how many there are."""

    def __init__(
        self, expand_ratio: float, kernel: int, stride: int, input_channels: int, out_channels: int, num_layers: int,
        block: Callable[..., nn.Module],
    ) -> None:  # fmt: skip
        self.expand_ratio, self.kernel, self.stride = expand_ratio, kernel, stride
        self.input_channels, self.out_channels, self.num_layers = input_channels, out_channels, num_layers
        self.block = block

    @staticmethod
    def adjust_channels(channels: int, width_mult: float, min_value: int | None = None) -> int:
        return _make_divisible(channels * width_mult, 8, min_value)


class MBConvConfig(_MBConvConfig):
    """A stage of MBConv, scaled by width_mult and depth_mult."""

    def __init__(
        self, expand_ratio: float, kernel: int, stride: int, input_channels: int, out_channels: int, num_layers: int,
        width_mult: float = 1.0, depth_mult: float = 1.0, block: Callable[..., nn.Module] | None = None,
    ) -> None:  # fmt: skip
        channels = (self.adjust_channels(c, width_mult) for c in (input_channels, out_channels))
        super().__init__(
            expand_ratio, kernel, stride, *channels, self.adjust_depth(num_layers, depth_mult), block or MBConv
        )

    @staticmethod
    def adjust_depth(num_layers: int, depth_mult: float) -> int:
        return ceil(num_layers * depth_mult)


class FusedMBConvConfig(_MBConvConfig):
    """A stage of FusedMBConv."""

    def __init__(
        self, expand_ratio: float, kernel: int, stride: int, input_channels: int, out_channels: int, num_layers: int,
        block: Callable[..., nn.Module] | None = None,
    ) -> None:  # fmt: skip
        super().__init__(expand_ratio, kernel, stride, input_channels, out_channels, num_layers, block or FusedMBConv)


class _Residual(nn.Module):
    """self.block, with a shortcut where the shape stays that is all there is with some probability in training."""

    def _build(self, cnf: _MBConvConfig, stochastic_depth_prob: float, layers: Sequence[nn.Module]) -> None:
        self.use_res_connect = cnf.stride == 1 and cnf.input_channels == cnf.out_channels
        self.block = nn.Sequential(*layers)
        self.stochastic_depth = StochasticDepth(stochastic_depth_prob, "row")
        self.out_channels = cnf.out_channels

    def forward(self, input: Tensor) -> Tensor:
        result = self.block(input)
        return self.stochastic_depth(result) + input if self.use_res_connect else result  # type: ignore[no-any-return]


class MBConv(_Residual):
    """Widen, filter each channel by itself, weigh the channels, narrow."""

    def __init__(
        self, cnf: MBConvConfig, stochastic_depth_prob: float, norm_layer: Callable[..., nn.Module],
        se_layer: Callable[..., nn.Module] = SqueezeExcitation,
    ) -> None:  # fmt: skip
        super().__init__()
        if not 1 <= cnf.stride <= 2:
            raise ValueError("illegal stride value")
        conv = partial(Conv2dNormActivation, norm_layer=norm_layer, activation_layer=nn.SiLU)
        inp, width = cnf.input_channels, cnf.adjust_channels(cnf.input_channels, cnf.expand_ratio)
        layers: list[nn.Module] = [conv(inp, width, 1)] if width != inp else []
        layers.append(conv(width, width, cnf.kernel, cnf.stride, groups=width))
        layers.append(se_layer(width, max(1, inp // 4), activation=partial(nn.SiLU, inplace=True)))
        layers.append(conv(width, cnf.out_channels, 1, activation_layer=None))
        self._build(cnf, stochastic_depth_prob, layers)


class FusedMBConv(_Residual):
    """Widen by a full convolution, narrow."""

    def __init__(
        self, cnf: FusedMBConvConfig, stochastic_depth_prob: float, norm_layer: Callable[..., nn.Module]
    ) -> None:
        super().__init__()
        if not 1 <= cnf.stride <= 2:
            raise ValueError("illegal stride value")
        conv = partial(Conv2dNormActivation, norm_layer=norm_layer, activation_layer=nn.SiLU)
        inp, width = cnf.input_channels, cnf.adjust_channels(cnf.input_channels, cnf.expand_ratio)
        layers = [conv(inp, width if width != inp else cnf.out_channels, cnf.kernel, cnf.stride)]
        if width != inp:
            layers.append(conv(width, cnf.out_channels, 1, activation_layer=None))
        self._build(cnf, stochastic_depth_prob, layers)


class EfficientNet(nn.Module):
    """Stages of blocks, of which later ones are left out more often in training."""

    def __init__(
        self, inverted_residual_setting: Sequence[_MBConvConfig], dropout: float, stochastic_depth_prob: float = 0.2,
        num_classes: int = 1000, norm_layer: Callable[..., nn.Module] | None = None, last_channel: int | None = None,
    ) -> None:  # fmt: skip
        super().__init__()
        setting, norm = inverted_residual_setting, norm_layer or nn.BatchNorm2d
        if not setting:
            raise ValueError("The inverted_residual_setting should not be empty")
        if not (isinstance(setting, Sequence) and all(isinstance(s, _MBConvConfig) for s in setting)):
            raise TypeError("The inverted_residual_setting should be List[MBConvConfig]")
        conv = partial(Conv2dNormActivation, norm_layer=norm, activation_layer=nn.SiLU)
        layers: list[nn.Module] = [conv(3, setting[0].input_channels, 3, 2)]
        total, count = sum(cnf.num_layers for cnf in setting), 0
        for cnf in setting:
            stage = []
            for i in range(cnf.num_layers):
                own = cnf if i == 0 else _MBConvConfig(
                    cnf.expand_ratio, cnf.kernel, 1, cnf.out_channels, cnf.out_channels, 1, cnf.block
                )  # fmt: skip
                stage.append(cnf.block(own, stochastic_depth_prob * count / total, norm))
                count += 1
            layers.append(nn.Sequential(*stage))
        last = last_channel or 4 * setting[-1].out_channels
        self.features = nn.Sequential(*layers, conv(setting[-1].out_channels, last, 1))
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.classifier = nn.Sequential(nn.Dropout(p=dropout, inplace=True), nn.Linear(last, num_classes))
        start(self)
        bound = num_classes**-0.5
        nn.init.uniform_(self.classifier[1].weight, -bound, bound)

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier(self.avgpool(self.features(x)).flatten(1))


# how much blocks widen, kernel, stride, channels in and out, blocks
_FIRST = [
    (1, 3, 1, 32, 16, 1), (6, 3, 2, 16, 24, 2), (6, 5, 2, 24, 40, 2), (6, 3, 2, 40, 80, 3), (6, 5, 1, 80, 112, 3),
    (6, 5, 2, 112, 192, 4), (6, 3, 1, 192, 320, 1),
]  # fmt: skip
_SECOND = {  # of which the first three stages are fused
    "s": [(1, 3, 1, 24, 24, 2), (4, 3, 2, 24, 48, 4), (4, 3, 2, 48, 64, 4), (4, 3, 2, 64, 128, 6), (6, 3, 1, 128, 160, 9),
          (6, 3, 2, 160, 256, 15)],
    "m": [(1, 3, 1, 24, 24, 3), (4, 3, 2, 24, 48, 5), (4, 3, 2, 48, 80, 5), (4, 3, 2, 80, 160, 7), (6, 3, 1, 160, 176, 14),
          (6, 3, 2, 176, 304, 18), (6, 3, 1, 304, 512, 5)],
    "l": [(1, 3, 1, 32, 32, 4), (4, 3, 2, 32, 64, 7), (4, 3, 2, 64, 96, 7), (4, 3, 2, 96, 192, 10), (6, 3, 1, 192, 224, 19),
          (6, 3, 2, 224, 384, 25), (6, 3, 1, 384, 640, 7)],
}  # fmt: skip


def _first(width: float, depth: float, rate: float, norm: Any, dropout: Any = None, **kwargs: Any) -> EfficientNet:
    setting = [MBConvConfig(*row, width_mult=width, depth_mult=depth) for row in _FIRST]
    return EfficientNet(setting, rate if dropout is None else dropout, **{"norm_layer": norm, **kwargs})


def _second(letter: str, rate: float, dropout: Any = None, **kwargs: Any) -> EfficientNet:
    setting = [(FusedMBConvConfig if i < 3 else MBConvConfig)(*row) for i, row in enumerate(_SECOND[letter])]
    norm = {"norm_layer": partial(nn.BatchNorm2d, eps=1e-3)}
    return EfficientNet(setting, rate if dropout is None else dropout, last_channel=1280, **{**norm, **kwargs})


_SLOW = partial(nn.BatchNorm2d, eps=0.001, momentum=0.01)
for _i, (_scale, _file, _size) in enumerate((
    ((1.0, 1.0, 0.2, None), "rwightman-7f5810bc", (224, 256)), ((1.0, 1.1, 0.2, None), "rwightman-bac287d4", (240, 256)),
    ((1.1, 1.2, 0.3, None), "rwightman-c35c1473", (288, 288)), ((1.2, 1.4, 0.3, None), "rwightman-b3899882", (300, 320)),
    ((1.4, 1.8, 0.4, None), "rwightman-23ab8bcd", (380, 384)), ((1.6, 2.2, 0.4, _SLOW), "lukemelas-1a07897c", (456, 456)),
    ((1.8, 2.6, 0.5, _SLOW), "lukemelas-24a108a5", (528, 528)), ((2.0, 3.1, 0.5, _SLOW), "lukemelas-c5b4e57e", (600, 600)),
)):  # fmt: skip
    _members = {"IMAGENET1K_V1": (f"efficientnet_b{_i}_{_file}.pth", *_size, True)}
    if _i == 1:
        _members["IMAGENET1K_V2"] = ("efficientnet_b1-c27df63c.pth", 240, 255, False)
    _enum = weights_enum(f"EfficientNet_B{_i}_Weights", max(_members), **_members)
    globals()[_enum.__name__] = _enum
    globals()[f"efficientnet_b{_i}"] = builder(_enum, f"EfficientNet B{_i}.", _first, *_scale)
for _letter, _rate, _file, _side in (
    ("s", 0.2, "dd5fe13b", 384),
    ("m", 0.3, "dc08266a", 480),
    ("l", 0.4, "59c71312", 480),
):
    _enum = weights_enum(
        f"EfficientNet_V2_{_letter.upper()}_Weights",
        IMAGENET1K_V1=(f"efficientnet_v2_{_letter}-{_file}.pth", _side, _side, _letter == "l", _letter == "l"),
    )
    globals()[_enum.__name__] = _enum
    globals()[f"efficientnet_v2_{_letter}"] = builder(
        _enum, f"EfficientNetV2 {_letter.upper()}.", _second, _letter, _rate
    )
