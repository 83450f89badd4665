"""STL10. Source: torchvision.datasets.STL10."""

from __future__ import annotations

import os
from typing import Any

import polytensor as torch
from polytensor import Tensor

from .utils import verify_str_arg
from .vision import DownloadedDataset

__all__ = ["STL10"]


class STL10(DownloadedDataset):
    """Pictures of 10 classes, and unlabelled ones (class -1): (PIL image 96x96, class).

    data is an ndarray (N, 3, 96, 96). folds takes one of the ten folds of the training split.
    """

    base_folder = "stl10_binary"
    url = "http://ai.stanford.edu/~acoates/stl10/stl10_binary.tar.gz"
    filename = "stl10_binary.tar.gz"
    tgz_md5 = "91f7769df0f17e558f3565bffb0c7dfb"
    class_names_file = "class_names.txt"
    folds_list_file = "fold_indices.txt"
    train_list = [
        ["train_X.bin", "918c2871b30a85fa023e0c44e0bee87f"],
        ["train_y.bin", "5a34089d4802c674881badbb80307741"],
        ["unlabeled_X.bin", "5242ba1fed5e4be9e1e742405eb56ca4"],
    ]
    test_list = [["test_X.bin", "7f263ba9f9e0b06b93213547f721ac82"], ["test_y.bin", "36f9794fa4beb8a2c72628de14fa638e"]]
    splits = ("train", "train+unlabeled", "unlabeled", "test")

    def __init__(
        self,
        root: Any,
        split: str = "train",
        folds: int | None = None,
        transform: Any = None,
        target_transform: Any = None,
        download: bool = False,
    ) -> None:
        super().__init__(root, transform=transform, target_transform=target_transform)
        self.split = verify_str_arg(split, "split", self.splits)
        if folds is not None and not isinstance(folds, int):
            raise ValueError(f"Expected type None or int for argument folds, but got type {type(folds)}.")
        if folds is not None and folds not in range(10):
            raise ValueError(f"Value for argument folds should be in the range [0, 10), but got {folds}.")
        self.folds = folds
        self._require(download)
        images, labels = [], []
        files = self.test_list if split == "test" else self.train_list
        if split != "unlabeled":
            x, y = self._images(files[0][0]), self._bytes(files[1][0]) - 1
            if folds is not None and split != "test":
                with open(self._path(self.folds_list_file)) as f:
                    chosen = torch.tensor([int(i) for i in f.read().splitlines()[folds].split()], device="cpu")
                x, y = x[chosen], y[chosen]
            images.append(x)
            labels.append(y)
        if split.endswith("unlabeled"):
            images.append(self._images(files[2][0]))
            labels.append(torch.full((len(images[-1]),), -1, device="cpu"))
        self.data, self.labels = (
            torch.cat(parts).numpy() if len(parts) > 1 else parts[0].numpy() for parts in (images, labels)
        )
        if os.path.isfile(self._path(self.class_names_file)):
            with open(self._path(self.class_names_file)) as f:
                self.classes = f.read().splitlines()

    def _bytes(self, name: str) -> Tensor:
        with open(self._path(name), "rb") as f:
            return torch.frombuffer(bytearray(f.read()), dtype=torch.uint8)

    def _images(self, name: str) -> Tensor:
        return self._bytes(name).view(-1, 3, 96, 96).transpose(2, 3)  # stored column by column
