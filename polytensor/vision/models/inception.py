"""Inception v3 (Szegedy et al. 2015). Source: torchvision.models.inception."""

from __future__ import annotations

import warnings
from collections import namedtuple
from collections.abc import Callable, Sequence
from typing import Any

import polytensor as torch
from polytensor import Tensor, nn
from polytensor.nn import functional as F

from .weights import model, weights_enum

Inception_V3_Weights = weights_enum(
    "Inception_V3_Weights", IMAGENET1K_V1=("inception_v3_google-0cc3c7bd.pth", 299, 342)
)
InceptionOutputs = namedtuple("InceptionOutputs", ["logits", "aux_logits"])
InceptionOutputs.__annotations__ = {"logits": Tensor, "aux_logits": Tensor | None}
_WIDE, _TALL = {"kernel_size": (1, 7), "padding": (0, 3)}, {"kernel_size": (7, 1), "padding": (3, 0)}
_ROW, _COLUMN = {"kernel_size": (1, 3), "padding": (0, 1)}, {"kernel_size": (3, 1), "padding": (1, 0)}
_ONE, _THREE, _HALVE = {"kernel_size": 1}, {"kernel_size": 3, "padding": 1}, {"kernel_size": 3, "stride": 2}


class BasicConv2d(nn.Module):
    """Convolution, norm, ReLU."""

    def __init__(self, in_channels: int, out_channels: int, **kwargs: Any) -> None:
        super().__init__()
        self.conv = nn.Conv2d(in_channels, out_channels, bias=False, **kwargs)
        self.bn = nn.BatchNorm2d(out_channels, eps=0.001)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.bn(self.conv(x)), inplace=True)


class _Block(nn.Module):
    """Branches side by side, their channels joined."""

    def _chain(self, conv: Any, name: str, channels: int, *steps: tuple[int, dict[str, Any]]) -> None:
        """Convolutions name_1, name_2, ... one after the other; `name` itself, if there is one."""
        for i, (out, how) in enumerate(steps, 1):
            setattr(self, f"{name}_{i}" if len(steps) > 1 else name, (conv or BasicConv2d)(channels, out, **how))
            channels = out

    def _through(self, x: Tensor, name: str, count: int) -> Tensor:
        for i in range(1, count + 1):
            x = getattr(self, f"{name}_{i}")(x)
        return x

    def _pooled(self, x: Tensor) -> Tensor:
        return self.branch_pool(F.avg_pool2d(x, kernel_size=3, stride=1, padding=1))  # type: ignore[no-any-return]

    def _forward(self, x: Tensor) -> list[Tensor]:
        raise NotImplementedError

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat(self._forward(x), 1)


class InceptionA(_Block):
    """1x1, 5x5, two 3x3 and a pooling."""

    def __init__(self, in_channels: int, pool_features: int, conv_block: Any = None) -> None:
        super().__init__()
        self._chain(conv_block, "branch1x1", in_channels, (64, _ONE))
        self._chain(conv_block, "branch5x5", in_channels, (48, _ONE), (64, {"kernel_size": 5, "padding": 2}))
        self._chain(conv_block, "branch3x3dbl", in_channels, (64, _ONE), (96, _THREE), (96, _THREE))
        self._chain(conv_block, "branch_pool", in_channels, (pool_features, _ONE))

    def _forward(self, x: Tensor) -> list[Tensor]:
        double = self._through(x, "branch3x3dbl", 3)
        return [self.branch1x1(x), self._through(x, "branch5x5", 2), double, self._pooled(x)]


class InceptionB(_Block):
    """3x3 and two 3x3 that halve the size, and a pooling."""

    def __init__(self, in_channels: int, conv_block: Any = None) -> None:
        super().__init__()
        self._chain(conv_block, "branch3x3", in_channels, (384, _HALVE))
        self._chain(conv_block, "branch3x3dbl", in_channels, (64, _ONE), (96, _THREE), (96, _HALVE))

    def _forward(self, x: Tensor) -> list[Tensor]:
        return [self.branch3x3(x), self._through(x, "branch3x3dbl", 3), F.max_pool2d(x, kernel_size=3, stride=2)]


class InceptionC(_Block):
    """1x1, 7x7 and two 7x7 as rows and columns, and a pooling."""

    def __init__(self, in_channels: int, channels_7x7: int, conv_block: Any = None) -> None:
        super().__init__()
        c = channels_7x7
        self._chain(conv_block, "branch1x1", in_channels, (192, _ONE))
        self._chain(conv_block, "branch7x7", in_channels, (c, _ONE), (c, _WIDE), (192, _TALL))
        double = ((c, _ONE), (c, _TALL), (c, _WIDE), (c, _TALL), (192, _WIDE))
        self._chain(conv_block, "branch7x7dbl", in_channels, *double)
        self._chain(conv_block, "branch_pool", in_channels, (192, _ONE))

    def _forward(self, x: Tensor) -> list[Tensor]:
        double = self._through(x, "branch7x7dbl", 5)
        return [self.branch1x1(x), self._through(x, "branch7x7", 3), double, self._pooled(x)]


class InceptionD(_Block):
    """3x3 and 7x7 that halve the size, and a pooling."""

    def __init__(self, in_channels: int, conv_block: Any = None) -> None:
        super().__init__()
        self._chain(conv_block, "branch3x3", in_channels, (192, _ONE), (320, _HALVE))
        self._chain(conv_block, "branch7x7x3", in_channels, (192, _ONE), (192, _WIDE), (192, _TALL), (192, _HALVE))

    def _forward(self, x: Tensor) -> list[Tensor]:
        pooled = F.max_pool2d(x, kernel_size=3, stride=2)
        return [self._through(x, "branch3x3", 2), self._through(x, "branch7x7x3", 4), pooled]


class InceptionE(_Block):
    """1x1, 3x3 and two 3x3 whose last one is split into a row and a column, and a pooling."""

    def __init__(self, in_channels: int, conv_block: Any = None) -> None:
        super().__init__()
        conv = conv_block or BasicConv2d
        self._chain(conv, "branch1x1", in_channels, (320, _ONE))
        self.branch3x3_1 = conv(in_channels, 384, **_ONE)
        self.branch3x3_2a, self.branch3x3_2b = conv(384, 384, **_ROW), conv(384, 384, **_COLUMN)
        self._chain(conv, "branch3x3dbl", in_channels, (448, _ONE), (384, _THREE))
        self.branch3x3dbl_3a, self.branch3x3dbl_3b = conv(384, 384, **_ROW), conv(384, 384, **_COLUMN)
        self._chain(conv, "branch_pool", in_channels, (192, _ONE))

    def _forward(self, x: Tensor) -> list[Tensor]:
        once, twice = self.branch3x3_1(x), self._through(x, "branch3x3dbl", 2)
        once = torch.cat([self.branch3x3_2a(once), self.branch3x3_2b(once)], 1)
        twice = torch.cat([self.branch3x3dbl_3a(twice), self.branch3x3dbl_3b(twice)], 1)
        return [self.branch1x1(x), once, twice, self._pooled(x)]


class InceptionAux(nn.Module):
    """A classifier in the middle, for training."""

    def __init__(self, in_channels: int, num_classes: int, conv_block: Any = None) -> None:
        super().__init__()
        conv = conv_block or BasicConv2d
        self.conv0 = conv(in_channels, 128, kernel_size=1)
        self.conv1 = conv(128, 768, kernel_size=5)
        self.fc = nn.Linear(768, num_classes)
        self.conv1.stddev, self.fc.stddev = 0.01, 0.001

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv1(self.conv0(F.avg_pool2d(x, kernel_size=5, stride=3)))
        return self.fc(F.adaptive_avg_pool2d(x, (1, 1)).flatten(1))  # type: ignore[no-any-return]


class Inception3(nn.Module):
    """Images (N, 3, 299, 299), at least 75 pixels wide; in training InceptionOutputs(logits, aux_logits)."""

    def __init__(
        self, num_classes: int = 1000, aux_logits: bool = True, transform_input: bool = False,
        inception_blocks: Sequence[Callable[..., nn.Module]] | None = None, init_weights: bool | None = None,
        dropout: float = 0.5,
    ) -> None:  # fmt: skip
        super().__init__()
        blocks = inception_blocks or (
            BasicConv2d, InceptionA, InceptionB, InceptionC, InceptionD, InceptionE, InceptionAux,
        )  # fmt: skip
        if init_weights is None:
            warnings.warn(
                "The default weight initialization of inception_v3 will be changed in future releases of torchvision. If you "
                "wish to keep the old behavior (which leads to long initialization times due to scipy/scipy#11299), please "
                "set init_weights=True.",
                FutureWarning,
                stacklevel=2,
            )
            init_weights = True
        if len(blocks) != 7:
            raise ValueError(f"length of inception_blocks should be 7 instead of {len(blocks)}")
        conv, a, b, c, d, e, aux = blocks
        self.aux_logits, self.transform_input = aux_logits, transform_input
        self.Conv2d_1a_3x3 = conv(3, 32, kernel_size=3, stride=2)
        self.Conv2d_2a_3x3 = conv(32, 32, kernel_size=3)
        self.Conv2d_2b_3x3 = conv(32, 64, kernel_size=3, padding=1)
        self.maxpool1 = nn.MaxPool2d(kernel_size=3, stride=2)
        self.Conv2d_3b_1x1 = conv(64, 80, kernel_size=1)
        self.Conv2d_4a_3x3 = conv(80, 192, kernel_size=3)
        self.maxpool2 = nn.MaxPool2d(kernel_size=3, stride=2)
        for letter, channels, width in (("b", 192, 32), ("c", 256, 64), ("d", 288, 64)):
            setattr(self, f"Mixed_5{letter}", a(channels, pool_features=width))
        self.Mixed_6a = b(288)
        for letter, width in zip("bcde", (128, 160, 160, 192)):
            setattr(self, f"Mixed_6{letter}", c(768, channels_7x7=width))
        self.AuxLogits = aux(768, num_classes) if aux_logits else None
        self.Mixed_7a, self.Mixed_7b, self.Mixed_7c = d(768), e(1280), e(2048)
        self.avgpool = nn.AdaptiveAvgPool2d((1, 1))
        self.dropout = nn.Dropout(p=dropout)
        self.fc = nn.Linear(2048, num_classes)
        for m in self.modules() if init_weights else ():
            if isinstance(m, (nn.Conv2d, nn.Linear)):
                nn.init.trunc_normal_(m.weight, mean=0.0, std=float(getattr(m, "stddev", 0.1)), a=-2, b=2)
            elif isinstance(m, nn.BatchNorm2d):
                nn.init.ones_(m.weight)
                nn.init.zeros_(m.bias)

    def _load_from_state_dict(self, state_dict: Any, *args: Any) -> None:
        if self.AuxLogits is None:
            for key in [k for k in state_dict if k.startswith("AuxLogits.")]:
                del state_dict[key]
        super()._load_from_state_dict(state_dict, *args)

    def _transform_input(self, x: Tensor) -> Tensor:
        """From the colours' means and deviations that torchvision's weights use to those of these weights."""
        if not self.transform_input:
            return x
        scale, mean = (x.new_tensor(v).view(3, 1, 1) for v in ((0.229, 0.224, 0.225), (0.485, 0.456, 0.406)))
        return x * (scale / 0.5) + (mean - 0.5) / 0.5

    def forward(self, x: Tensor) -> Any:
        x = self._transform_input(x)
        aux = None
        for name, step in self.named_children():
            if name == "AuxLogits":
                aux = step(x) if self.training else None
            elif name == "fc":
                x = self.fc(x.flatten(1))
            else:
                x = step(x)
        return InceptionOutputs(x, aux) if self.training and self.aux_logits else x


@model(Inception_V3_Weights, transform_input=True)
def inception_v3(**kwargs: Any) -> Inception3:
    """Inception v3."""
    return Inception3(**kwargs)
