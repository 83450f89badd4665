"""SqueezeNet (Iandola et al. 2016). Source: torchvision.models.squeezenet."""

from __future__ import annotations

from typing import Any

import polytensor as torch
from polytensor import Tensor, nn

from .weights import builder, weights_enum

SqueezeNet1_0_Weights = weights_enum("SqueezeNet1_0_Weights", IMAGENET1K_V1=("squeezenet1_0-b66bff10.pth",))
SqueezeNet1_1_Weights = weights_enum("SqueezeNet1_1_Weights", IMAGENET1K_V1=("squeezenet1_1-b8a52dc0.pth",))
# channels and kernel of the first convolution; then the width of each Fire, or a pooling
_FORMS: dict[str, tuple[int, int, tuple[Any, ...]]] = {
    "1_0": (96, 7, ("M", 16, 16, 32, "M", 32, 48, 48, 64, "M", 64)),
    "1_1": (64, 3, ("M", 16, 16, "M", 32, 32, "M", 48, 48, 64, 64)),
}


class Fire(nn.Module):
    """A 1x1 convolution to few channels; from them a 1x1 and a 3x3 one side by side."""

    def __init__(self, inplanes: int, squeeze_planes: int, expand1x1_planes: int, expand3x3_planes: int) -> None:
        super().__init__()
        self.inplanes = inplanes
        self.squeeze, self.squeeze_activation = nn.Conv2d(inplanes, squeeze_planes, 1), nn.ReLU(inplace=True)
        self.expand1x1 = nn.Conv2d(squeeze_planes, expand1x1_planes, 1)
        self.expand1x1_activation = nn.ReLU(inplace=True)
        self.expand3x3 = nn.Conv2d(squeeze_planes, expand3x3_planes, 3, padding=1)
        self.expand3x3_activation = nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        x = self.squeeze_activation(self.squeeze(x))
        return torch.cat(
            [self.expand1x1_activation(self.expand1x1(x)), self.expand3x3_activation(self.expand3x3(x))], 1
        )


class SqueezeNet(nn.Module):
    """Fires, and a convolution to the classes."""

    def __init__(self, version: str = "1_0", num_classes: int = 1000, dropout: float = 0.5) -> None:
        super().__init__()
        self.num_classes = num_classes
        if version not in _FORMS:
            raise ValueError(f"Unsupported SqueezeNet version {version}: 1_0 or 1_1 expected")
        channels, kernel, rows = _FORMS[version]
        layers: list[nn.Module] = [nn.Conv2d(3, channels, kernel, 2), nn.ReLU(inplace=True)]
        for width in rows:
            if width == "M":
                layers.append(nn.MaxPool2d(kernel_size=3, stride=2, ceil_mode=True))
            else:
                layers.append(Fire(channels, width, 4 * width, 4 * width))
                channels = 8 * width
        self.features = nn.Sequential(*layers)
        last = nn.Conv2d(channels, num_classes, 1)
        self.classifier = nn.Sequential(
            nn.Dropout(p=dropout), last, nn.ReLU(inplace=True), nn.AdaptiveAvgPool2d((1, 1))
        )
        for m in self.modules():
            if isinstance(m, nn.Conv2d):
                if m is last:
                    nn.init.normal_(m.weight, mean=0.0, std=0.01)
                else:
                    nn.init.kaiming_uniform_(m.weight)
                nn.init.zeros_(m.bias)

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier(self.features(x)).flatten(1)  # type: ignore[no-any-return]


squeezenet1_0 = builder(SqueezeNet1_0_Weights, "SqueezeNet 1.0.", SqueezeNet, "1_0")
squeezenet1_1 = builder(SqueezeNet1_1_Weights, "SqueezeNet 1.1.", SqueezeNet, "1_1")
