"""FakeData. Source: torchvision.datasets.FakeData."""

from __future__ import annotations

from typing import Any

import polytensor as torch

from ..transforms.functional import to_pil_image
from .vision import VisionDataset

__all__ = ["FakeData"]


class FakeData(VisionDataset):
    """Noise: (PIL image, class), the same for each index each time. The caller's random state stays as it is."""

    def __init__(
        self,
        size: int = 1000,
        image_size: tuple[int, int, int] = (3, 224, 224),
        num_classes: int = 10,
        transform: Any = None,
        target_transform: Any = None,
        random_offset: int = 0,
    ) -> None:
        super().__init__(transform=transform, target_transform=target_transform)
        self.size, self.num_classes, self.image_size, self.random_offset = size, num_classes, image_size, random_offset

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        if index >= len(self):
            raise IndexError(f"{type(self).__name__} index out of range")
        source = torch.Generator().manual_seed(index + self.random_offset)
        img = torch.randn(*self.image_size, generator=source, device="cpu")
        target = torch.randint(0, self.num_classes, (1,), generator=source, device="cpu")[0]
        picture, target = self._transformed(to_pil_image(img), target)
        return picture, target.item()

    def __len__(self) -> int:
        return self.size
