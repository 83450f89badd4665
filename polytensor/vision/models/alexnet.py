"""AlexNet and LeNet. Source: torchvision.models.alexnet; LeNet-5 as in LeCun et al. 1998, with ReLU and max pooling."""

from __future__ import annotations

from typing import Any

from polytensor import Tensor, nn

from .weights import model, weights_enum

AlexNet_Weights = weights_enum("AlexNet_Weights", IMAGENET1K_V1=("alexnet-owt-7be5be79.pth",))


class LeNet(nn.Module):
    """LeNet-5 for images (N, in_channels, 28, 28) or (N, in_channels, 32, 32)."""

    def __init__(self, num_classes: int = 10, in_channels: int = 1) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, 6, 5, padding=2)
        self.conv2 = nn.Conv2d(6, 16, 5)
        self.relu = nn.ReLU()
        self.pool = nn.MaxPool2d(2)
        self.avgpool = nn.AdaptiveAvgPool2d((5, 5))
        self.fc1, self.fc2, self.fc3 = nn.Linear(400, 120), nn.Linear(120, 84), nn.Linear(84, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        x = self.pool(self.relu(self.conv1(x)))
        x = self.avgpool(self.pool(self.relu(self.conv2(x)))).flatten(1)
        return self.fc3(self.relu(self.fc2(self.relu(self.fc1(x)))))


class AlexNet(nn.Module):
    """AlexNet for images (N, 3, H, W) of 63 pixels and more."""

    def __init__(self, num_classes: int = 1000, dropout: float = 0.5) -> None:
        super().__init__()
        convolutions: list[nn.Module] = []
        channels = 3
        # width, kernel, stride, padding, whether pooled
        for row in (
            (64, 11, 4, 2, True),
            (192, 5, 1, 2, True),
            (384, 3, 1, 1, False),
            (256, 3, 1, 1, False),
            (256, 3, 1, 1, True),
        ):
            convolutions += [nn.Conv2d(channels, *row[:4]), nn.ReLU(inplace=True)]
            if row[4]:
                convolutions.append(nn.MaxPool2d(kernel_size=3, stride=2))
            channels = row[0]
        self.features = nn.Sequential(*convolutions)
        self.avgpool = nn.AdaptiveAvgPool2d((6, 6))
        self.classifier = nn.Sequential(
            nn.Dropout(p=dropout), nn.Linear(256 * 6 * 6, 4096), nn.ReLU(inplace=True),
            nn.Dropout(p=dropout), nn.Linear(4096, 4096), nn.ReLU(inplace=True),
            nn.Linear(4096, num_classes),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier(self.avgpool(self.features(x)).flatten(1))


@model()
def lenet(**kwargs: Any) -> LeNet:
    """LeNet-5."""
    return LeNet(**kwargs)


@model(AlexNet_Weights)
def alexnet(**kwargs: Any) -> AlexNet:
    """AlexNet, in the form of "One weird trick"."""
    return AlexNet(**kwargs)
