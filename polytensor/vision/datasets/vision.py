"""VisionDataset: what the image datasets share. Source: torchvision.datasets.VisionDataset."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from ...data import Dataset
from ..pillow import pillow, preload
from .utils import check_integrity, download_and_extract_archive

__all__ = ["DownloadedDataset", "StandardTransform", "VisionDataset"]


class StandardTransform:
    """transform for the input and target_transform for the target."""

    def __init__(self, transform: Callable[..., Any] | None = None, target_transform: Any = None) -> None:
        self.transform, self.target_transform = transform, target_transform

    def __call__(self, input: Any, target: Any) -> tuple[Any, Any]:
        if self.transform is not None:
            input = self.transform(input)
        if self.target_transform is not None:
            target = self.target_transform(target)
        return input, target

    def __repr__(self) -> str:
        lines = [type(self).__name__]
        for head, t in (("Transform: ", self.transform), ("Target transform: ", self.target_transform)):
            if t is not None:
                first, *rest = repr(t).splitlines()
                lines += [head + first, *(" " * len(head) + line for line in rest)]
        return "\n".join(lines)


class VisionDataset(Dataset):
    """A dataset in a folder, with transforms. ValueError if transforms comes with transform or target_transform."""

    _repr_indent = 4

    def __init__(
        self, root: Any = None, transforms: Any = None, transform: Any = None, target_transform: Any = None
    ) -> None:
        preload()
        self.root = os.path.expanduser(root) if isinstance(root, str) else root
        single = transform is not None or target_transform is not None
        if transforms is not None and single:
            raise ValueError("Only transforms or transform/target_transform can be passed as argument")
        self.transform, self.target_transform = transform, target_transform
        self.transforms = StandardTransform(transform, target_transform) if single else transforms

    def _transformed(self, img: Any, target: Any) -> tuple[Any, Any]:
        """The sample after transform and target_transform, as they are now."""
        return StandardTransform(self.transform, self.target_transform)(img, target)

    def __len__(self) -> int:
        raise NotImplementedError

    def __repr__(self) -> str:
        body = [f"Number of datapoints: {len(self)}"]
        if self.root is not None:
            body.append(f"Root location: {self.root}")
        body += self.extra_repr().splitlines()
        if self.transforms is not None:
            body.append(repr(self.transforms))
        return "\n".join([f"Dataset {type(self).__name__}", *(" " * self._repr_indent + line for line in body)])

    def extra_repr(self) -> str:
        """More lines of the repr."""
        return ""


class DownloadedDataset(VisionDataset):
    """Pictures `data` (N, C, H, W) with `labels`, of files with checksums: by default an archive's, in root/base_folder."""

    base_folder: str
    url: str
    filename: str
    tgz_md5: str
    train_list: list[list[str]]
    test_list: list[list[str]]
    split: str
    data: Any
    labels: Any

    def _require(self, download: bool) -> None:
        """RuntimeError if the files are not there, or not whole."""
        if download:
            self.download()
        if not self._check_integrity():
            raise RuntimeError("Dataset not found or corrupted. You can use download=True to download it")

    def _path(self, name: str) -> str:
        return os.path.join(self.root, self.base_folder, name)

    def _check_integrity(self) -> bool:
        return all(check_integrity(self._path(name), md5) for name, md5 in self.train_list + self.test_list)

    def download(self) -> None:
        """Download and unpack, unless all files are there."""
        if not self._check_integrity():
            download_and_extract_archive(self.url, self.root, filename=self.filename, md5=self.tgz_md5)

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        img = pillow().fromarray(self.data[index].transpose(1, 2, 0))
        return self._transformed(img, int(self.labels[index]))

    def __len__(self) -> int:
        return len(self.data)

    def extra_repr(self) -> str:
        return f"Split: {self.split}"
