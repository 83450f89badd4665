"""DenseNet with 121 to 201 layers. Source: torchvision.models.densenet."""

from __future__ import annotations

import re
from typing import Any

import polytensor as torch
from polytensor import Tensor, nn
from polytensor.utils.checkpoint import checkpoint

from .weights import builder, weights_enum

DenseNet121_Weights = weights_enum("DenseNet121_Weights", IMAGENET1K_V1=("densenet121-a639ec97.pth",))
DenseNet161_Weights = weights_enum("DenseNet161_Weights", IMAGENET1K_V1=("densenet161-8d451a50.pth",))
DenseNet169_Weights = weights_enum("DenseNet169_Weights", IMAGENET1K_V1=("densenet169-b2777c0a.pth",))
DenseNet201_Weights = weights_enum("DenseNet201_Weights", IMAGENET1K_V1=("densenet201-c1103571.pth",))


class _DenseLayer(nn.Module):
    def __init__(self, inputs: int, growth_rate: int, bn_size: int, drop_rate: float, memory_efficient: bool) -> None:
        super().__init__()
        width = bn_size * growth_rate
        self.norm1, self.relu1 = nn.BatchNorm2d(inputs), nn.ReLU(inplace=True)
        self.conv1 = nn.Conv2d(inputs, width, 1, bias=False)
        self.norm2, self.relu2 = nn.BatchNorm2d(width), nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(width, growth_rate, 3, padding=1, bias=False)
        self.drop_rate, self.memory_efficient = float(drop_rate), memory_efficient

    def _narrow(self, *features: Tensor) -> Tensor:
        return self.conv1(self.relu1(self.norm1(torch.cat(features, 1))))

    def forward(self, features: list[Tensor]) -> Tensor:
        if self.memory_efficient and any(f.requires_grad for f in features):
            x = checkpoint(self._narrow, *features, use_reentrant=False)
        else:
            x = self._narrow(*features)
        x = self.conv2(self.relu2(self.norm2(x)))
        return nn.functional.dropout(x, self.drop_rate, self.training) if self.drop_rate > 0 else x


class _DenseBlock(nn.ModuleDict):
    def __init__(self, count: int, inputs: int, growth_rate: int, *rest: Any) -> None:
        layers = (_DenseLayer(inputs + i * growth_rate, growth_rate, *rest) for i in range(count))
        super().__init__({f"denselayer{i + 1}": layer for i, layer in enumerate(layers)})

    def forward(self, x: Tensor) -> Tensor:
        features = [x]
        for layer in self.values():
            features.append(layer(features))
        return torch.cat(features, 1)


class _Transition(nn.Sequential):
    def __init__(self, num_input_features: int, num_output_features: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(num_input_features)
        self.relu = nn.ReLU(inplace=True)
        self.conv = nn.Conv2d(num_input_features, num_output_features, kernel_size=1, stride=1, bias=False)
        self.pool = nn.AvgPool2d(kernel_size=2, stride=2)


# the names of old files: denselayer1.norm.1.weight for denselayer1.norm1.weight
_OLD = re.compile(
    r"^(.*denselayer\d+\.(?:norm|relu|conv))\.([12]\.(?:weight|bias|running_mean|running_var|num_batches_tracked))$"
)


class DenseNet(nn.Module):
    """Blocks in which each layer sees all before it."""

    def __init__(
        self,
        growth_rate: int = 32,
        block_config: Any = (6, 12, 24, 16),
        num_init_features: int = 64,
        bn_size: int = 4,
        drop_rate: float = 0,
        num_classes: int = 1000,
        memory_efficient: bool = False,
    ) -> None:
        super().__init__()
        width = num_init_features
        self.features = nn.Sequential()
        self.features.add_module("conv0", nn.Conv2d(3, width, kernel_size=7, stride=2, padding=3, bias=False))
        self.features.add_module("norm0", nn.BatchNorm2d(width))
        self.features.add_module("relu0", nn.ReLU(inplace=True))
        self.features.add_module("pool0", nn.MaxPool2d(kernel_size=3, stride=2, padding=1))
        for i, count in enumerate(block_config, 1):
            block = _DenseBlock(count, width, growth_rate, bn_size, drop_rate, memory_efficient)
            self.features.add_module(f"denseblock{i}", block)
            width += count * growth_rate
            if i < len(block_config):
                self.features.add_module(f"transition{i}", _Transition(width, width // 2))
                width //= 2
        self.features.add_module("norm5", nn.BatchNorm2d(width))
        self.classifier = nn.Linear(width, num_classes)
        for m in self.modules():
            if isinstance(m, nn.Conv2d):
                nn.init.kaiming_normal_(m.weight)
            elif isinstance(m, nn.BatchNorm2d):
                nn.init.ones_(m.weight)
                nn.init.zeros_(m.bias)
            elif isinstance(m, nn.Linear):
                nn.init.zeros_(m.bias)

    def _load_from_state_dict(self, state_dict: Any, *args: Any) -> None:
        for key in [k for k in state_dict if _OLD.match(k)]:
            state_dict[_OLD.sub(r"\1\2", key)] = state_dict.pop(key)
        super()._load_from_state_dict(state_dict, *args)

    def forward(self, x: Tensor) -> Tensor:
        x = nn.functional.relu(self.features(x), inplace=True)
        return self.classifier(nn.functional.adaptive_avg_pool2d(x, (1, 1)).flatten(1))


densenet121 = builder(DenseNet121_Weights, "DenseNet with 121 layers.", DenseNet, 32, (6, 12, 24, 16), 64)
densenet161 = builder(DenseNet161_Weights, "DenseNet with 161 layers.", DenseNet, 48, (6, 12, 36, 24), 96)
densenet169 = builder(DenseNet169_Weights, "DenseNet with 169 layers.", DenseNet, 32, (6, 12, 32, 32), 64)
densenet201 = builder(DenseNet201_Weights, "DenseNet with 201 layers.", DenseNet, 32, (6, 12, 48, 32), 64)
