"""VGG with 11 to 19 layers. Source: torchvision.models.vgg."""

from __future__ import annotations

from typing import Any

from polytensor import Tensor, nn

from .weights import model, weights_enum

# layers of 64, 128, 256, 512 and 512 channels, a pooling after each
_DEPTHS = {11: (1, 1, 2, 2, 2), 13: (2, 2, 2, 2, 2), 16: (2, 2, 3, 3, 3), 19: (2, 2, 4, 4, 4)}
cfgs: dict[str, list[int | str]] = {
    letter: [v for n, width in zip(_DEPTHS[depth], (64, 128, 256, 512, 512)) for v in [*[width] * n, "M"]]
    for letter, depth in zip("ABDE", _DEPTHS)
}


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
        for m in self.modules() if init_weights else ():
            if isinstance(m, nn.Conv2d):
                nn.init.kaiming_normal_(m.weight, mode="fan_out", nonlinearity="relu")
            elif isinstance(m, nn.BatchNorm2d):
                nn.init.ones_(m.weight)
            elif isinstance(m, nn.Linear):
                nn.init.normal_(m.weight, 0, 0.01)
            if isinstance(getattr(m, "bias", None), Tensor):
                nn.init.zeros_(m.bias)

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


def _builder(name: str, letter: str, batch_norm: bool, enum: Any) -> Any:
    def build(**kwargs: Any) -> VGG:
        return VGG(make_layers(cfgs[letter], batch_norm), **kwargs)

    build.__name__ = build.__qualname__ = name
    build.__doc__ = f"VGG, configuration {letter}{', with batch normalization' if batch_norm else ''}."
    return model(enum)(build)


vgg11, vgg11_bn = _builder("vgg11", "A", False, VGG11_Weights), _builder("vgg11_bn", "A", True, VGG11_BN_Weights)
vgg13, vgg13_bn = _builder("vgg13", "B", False, VGG13_Weights), _builder("vgg13_bn", "B", True, VGG13_BN_Weights)
vgg16, vgg16_bn = _builder("vgg16", "D", False, VGG16_Weights), _builder("vgg16_bn", "D", True, VGG16_BN_Weights)
vgg19, vgg19_bn = _builder("vgg19", "E", False, VGG19_Weights), _builder("vgg19_bn", "E", True, VGG19_BN_Weights)
