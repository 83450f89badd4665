"""VGG with 11 to 19 layers. Source: torchvision.models.vgg."""

from __future__ import annotations

from typing import Any

from polytensor import Tensor, nn

from .weights import builder, weights_enum

# layers of 64, 128, 256, 512 and 512 channels, a pooling after each
_DEPTHS = {11: (1, 1, 2, 2, 2), 13: (2, 2, 2, 2, 2), 16: (2, 2, 3, 3, 3), 19: (2, 2, 4, 4, 4)}
cfgs: dict[str, list[int | str]] = {
    letter: [v for n, width in zip(_DEPTHS[depth], (64, 128, 256, 512, 512)) for v in [*[width] * n, "M"]]
    for letter, depth in zip("ABDE", _DEPTHS)
}


def start(net: nn.Module) -> None:
    """The first weights of convolutions, norms and linear layers; no biases."""
    for m in net.modules():
        if isinstance(m, nn.Conv2d):
            nn.init.kaiming_normal_(m.weight, mode="fan_out")
        elif isinstance(m, (nn.BatchNorm2d, nn.GroupNorm)):
            nn.init.ones_(m.weight)
        elif isinstance(m, nn.Linear):
            nn.init.normal_(m.weight, 0, 0.01)
        if isinstance(getattr(m, "bias", None), Tensor):
            nn.init.zeros_(m.bias)


class VGG(nn.Module):
    """Convolutions, then three linear layers."""

    def __init__(
        self, features: nn.Module, num_classes: int = 1000, init_weights: bool = True, dropout: float = 0.5
    ) -> None:
        super().__init__()
        self.features = features
        self.avgpool = nn.AdaptiveAvgPool2d((7, 7))
        self.classifier = nn.Sequential(
            nn.Linear(512 * 7 * 7, 4096), nn.ReLU(True), nn.Dropout(p=dropout),
            nn.Linear(4096, 4096), nn.ReLU(True), nn.Dropout(p=dropout),
            nn.Linear(4096, num_classes),
        )  # fmt: skip
        if init_weights:
            start(self)

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier(self.avgpool(self.features(x)).flatten(1))


def make_layers(cfg: list[Any], batch_norm: bool = False) -> nn.Sequential:
    """3x3 convolutions of the widths in cfg, with 'M' for a pooling."""
    layers: list[nn.Module] = []
    channels = 3
    for v in cfg:
        if v == "M":
            layers.append(nn.MaxPool2d(kernel_size=2, stride=2))
        else:
            norm = [nn.BatchNorm2d(v)] if batch_norm else []
            layers += [nn.Conv2d(channels, v, kernel_size=3, padding=1), *norm, nn.ReLU(inplace=True)]
            channels = v
    return nn.Sequential(*layers)


VGG11_Weights = weights_enum("VGG11_Weights", IMAGENET1K_V1=("vgg11-8a719046.pth",))
VGG11_BN_Weights = weights_enum("VGG11_BN_Weights", IMAGENET1K_V1=("vgg11_bn-6002323d.pth",))
VGG13_Weights = weights_enum("VGG13_Weights", IMAGENET1K_V1=("vgg13-19584684.pth",))
VGG13_BN_Weights = weights_enum("VGG13_BN_Weights", IMAGENET1K_V1=("vgg13_bn-abd245e5.pth",))
VGG16_Weights = weights_enum("VGG16_Weights", IMAGENET1K_V1=("vgg16-397923af.pth",))
VGG16_BN_Weights = weights_enum("VGG16_BN_Weights", IMAGENET1K_V1=("vgg16_bn-6c64b313.pth",))
VGG19_Weights = weights_enum("VGG19_Weights", IMAGENET1K_V1=("vgg19-dcbb9e9d.pth",))
VGG19_BN_Weights = weights_enum("VGG19_BN_Weights", IMAGENET1K_V1=("vgg19_bn-c79401a0.pth",))


def _vgg(letter: str, batch_norm: bool = False, **kwargs: Any) -> VGG:
    return VGG(make_layers(cfgs[letter], batch_norm), **kwargs)


vgg11 = builder(VGG11_Weights, "VGG, configuration A.", _vgg, "A")
vgg11_bn = builder(VGG11_BN_Weights, "VGG, configuration A, with batch normalization.", _vgg, "A", True)
vgg13 = builder(VGG13_Weights, "VGG, configuration B.", _vgg, "B")
vgg13_bn = builder(VGG13_BN_Weights, "VGG, configuration B, with batch normalization.", _vgg, "B", True)
vgg16 = builder(VGG16_Weights, "VGG, configuration D.", _vgg, "D")
vgg16_bn = builder(VGG16_BN_Weights, "VGG, configuration D, with batch normalization.", _vgg, "D", True)
vgg19 = builder(VGG19_Weights, "VGG, configuration E.", _vgg, "E")
vgg19_bn = builder(VGG19_BN_Weights, "VGG, configuration E, with batch normalization.", _vgg, "E", True)
