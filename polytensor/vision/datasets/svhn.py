"""SVHN. Source: torchvision.datasets.SVHN."""

from __future__ import annotations

import os
from typing import Any

import polytensor as torch

from .utils import check_integrity, download_url, verify_str_arg
from .vision import DownloadedDataset

__all__ = ["SVHN"]


class SVHN(DownloadedDataset):
    """House numbers, one digit each: (PIL image 32x32, class). Splits train, test, extra; needs SciPy.

    data is an ndarray (N, 3, 32, 32), labels an int64 one (the file's class 10 is the digit 0 here).
    """

    split_list = {
        name: [f"http://ufldl.stanford.edu/housenumbers/{name}_32x32.mat", f"{name}_32x32.mat", md5]
        for name, md5 in (
            ("train", "e26dedcc434d2e4c54c9b2d4a06d8373"),
            ("test", "eb5a983be6a315427106f1b164d9cef3"),
            ("extra", "a93ce644f1a588dc4d68dda5feec44a7"),
        )
    }

    def __init__(
        self,
        root: Any,
        split: str = "train",
        transform: Any = None,
        target_transform: Any = None,
        download: bool = False,
    ) -> None:
        super().__init__(root, transform=transform, target_transform=target_transform)
        self.split = verify_str_arg(split, "split", tuple(self.split_list))
        self.url, self.filename, self.file_md5 = self.split_list[split]
        self._require(download)
        try:
            from scipy.io import loadmat
        except ImportError as error:
            raise ImportError("SVHN's files are read by SciPy: pip install 'polytensor[scipy]'") from error
        content = loadmat(os.path.join(self.root, self.filename))
        labels = torch.from_numpy(content["y"].astype("int64")).reshape(-1)
        labels[labels == 10] = 0
        self.data, self.labels = content["X"].transpose(3, 2, 0, 1), labels.numpy()

    def _check_integrity(self) -> bool:
        return check_integrity(os.path.join(self.root, self.filename), self.split_list[self.split][2])

    def download(self) -> None:
        """Download the split's file, unless it is there."""
        download_url(self.url, self.root, self.filename, self.split_list[self.split][2])
