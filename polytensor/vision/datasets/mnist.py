"""MNIST and the sets in its format. Source: torchvision.datasets.MNIST, FashionMNIST, KMNIST, EMNIST."""

from __future__ import annotations

import math
import os
import shutil
import string
import warnings
from typing import Any
from urllib.error import URLError

import polytensor as torch
from polytensor import Tensor

from ..pillow import pillow
from .utils import check_integrity, download_and_extract_archive, extract_archive, verify_str_arg
from .vision import VisionDataset

__all__ = ["EMNIST", "FashionMNIST", "KMNIST", "MNIST", "read_image_file", "read_label_file"]


def _read_idx(path: str, ndim: int) -> Tensor:
    """An IDX file of bytes as a uint8 tensor. TypeError for another dtype, ValueError for a wrong shape or size."""
    with open(path, "rb") as f:
        data = bytearray(f.read())
    if len(data) < 4 or data[0] or data[1]:
        raise ValueError(f"{path} is no IDX file")
    if data[2] != 8:
        raise TypeError(f"x should be of dtype torch.uint8 instead of IDX type {data[2]}")
    if data[3] != ndim:
        raise ValueError(f"x should have {ndim} dimension instead of {data[3]}")
    start = 4 * (ndim + 1)
    shape = [int.from_bytes(data[i : i + 4], "big") for i in range(4, start, 4)]
    count = math.prod(shape)
    if len(data) != start + count:
        raise ValueError(f"{path} should have {start + count} bytes for the shape {shape}, but has {len(data)}")
    if not count:
        return torch.empty(shape, dtype=torch.uint8, device="cpu")
    return torch.frombuffer(data, dtype=torch.uint8, offset=start).view(shape)


def read_label_file(path: str) -> Tensor:
    """Labels (N,) as int64."""
    return _read_idx(path, 1).long()


def read_image_file(path: str) -> Tensor:
    """Images (N, H, W) as uint8."""
    return _read_idx(path, 3)


def _renamed(old: str, new: str) -> property:
    def get(self: Any) -> Any:
        warnings.warn(f"{old} has been renamed {new}", stacklevel=2)
        return getattr(self, new)

    return property(get)


class MNIST(VisionDataset):
    """Handwritten digits, 60000 for training and 10000 for testing: (PIL image 28x28, class).

    The files are in root/MNIST/raw. RuntimeError if they are not there and download is False.
    """

    mirrors = ["https://ossci-datasets.s3.amazonaws.com/mnist/", "http://yann.lecun.com/exdb/mnist/"]
    resources = [
        ("train-images-idx3-ubyte.gz", "f68b3c2dcbeaaa9fbdd348bbdeb94873"),
        ("train-labels-idx1-ubyte.gz", "d53e105ee54ea40749a09fcbcd1e9432"),
        ("t10k-images-idx3-ubyte.gz", "9fb629c4189551a2d022fa330f9573f3"),
        ("t10k-labels-idx1-ubyte.gz", "ec29112dd5afa0611ce80d1b7f02629c"),
    ]
    training_file, test_file = "training.pt", "test.pt"
    classes = [
        "0 - zero", "1 - one", "2 - two", "3 - three", "4 - four",
        "5 - five", "6 - six", "7 - seven", "8 - eight", "9 - nine",
    ]  # fmt: skip
    train_labels, test_labels = _renamed("train_labels", "targets"), _renamed("test_labels", "targets")
    train_data, test_data = _renamed("train_data", "data"), _renamed("test_data", "data")

    def __init__(
        self, root: Any, train: bool = True, transform: Any = None, target_transform: Any = None, download: bool = False
    ) -> None:
        super().__init__(root, transform=transform, target_transform=target_transform)
        self.train = train
        if download:
            self.download()
        if not self._check_exists():
            raise RuntimeError("Dataset not found. You can use download=True to download it")
        self.data, self.targets = self._load_data()

    @property
    def _files(self) -> tuple[str, str]:
        """The images and labels of this split."""
        split = "train" if self.train else "t10k"
        return tuple(os.path.join(self.raw_folder, f"{split}-{kind}-ubyte") for kind in ("images-idx3", "labels-idx1"))  # type: ignore[return-value]

    def _load_data(self) -> tuple[Tensor, Tensor]:
        images, labels = self._files
        data, targets = read_image_file(images), read_label_file(labels)
        if len(data) != len(targets):
            raise ValueError(f"{images} has {len(data)} images, but {labels} has {len(targets)} labels")
        return data, targets

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        img = self.data[index]
        picture = pillow().frombytes("L", (img.shape[1], img.shape[0]), img.numpy().tobytes())
        return self._transformed(picture, int(self.targets[index]))

    def __len__(self) -> int:
        return len(self.data)

    @property
    def raw_folder(self) -> str:
        """Where the files are."""
        return os.path.join(self.root, type(self).__name__, "raw")

    @property
    def processed_folder(self) -> str:
        """Where old versions of torchvision kept a copy."""
        return os.path.join(self.root, type(self).__name__, "processed")

    @property
    def class_to_idx(self) -> dict[str, int]:
        """Class name to number."""
        return {name: i for i, name in enumerate(self.classes)}

    def _check_exists(self) -> bool:
        names = (os.path.splitext(os.path.basename(name))[0] for name, _ in self.resources)
        return all(check_integrity(os.path.join(self.raw_folder, name)) for name in names)

    def download(self) -> None:
        """Download what is not there, from the first mirror that has it. RuntimeError if none does."""
        if self._check_exists():
            return
        os.makedirs(self.raw_folder, exist_ok=True)
        for filename, md5 in self.resources:
            failed = ""
            for mirror in self.mirrors:
                try:
                    download_and_extract_archive(f"{mirror}{filename}", self.raw_folder, filename=filename, md5=md5)
                    break
                except (RuntimeError, URLError) as error:
                    failed += f"Tried {mirror}, got:\n{error}\n"
            else:
                raise RuntimeError(f"Error downloading {filename}:\n{failed}")

    def extra_repr(self) -> str:
        return f"Split: {'Train' if self.train is True else 'Test'}"


class FashionMNIST(MNIST):
    """Zalando's pictures of clothes, in MNIST's format."""

    mirrors = ["http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/"]
    resources = [
        ("train-images-idx3-ubyte.gz", "8d4fb7e6c68d591d4c3dfef9ec88bf0d"),
        ("train-labels-idx1-ubyte.gz", "25c81989df183df01b3e8a0aad5dffbe"),
        ("t10k-images-idx3-ubyte.gz", "bef4ecab320f06d8554ea6380940ec79"),
        ("t10k-labels-idx1-ubyte.gz", "bb300cfdad3c16e7a12a480ee83cd310"),
    ]
    classes = ["T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"]


class KMNIST(MNIST):
    """Cursive Japanese characters, in MNIST's format."""

    mirrors = ["http://codh.rois.ac.jp/kmnist/dataset/kmnist/"]
    resources = [
        ("train-images-idx3-ubyte.gz", "bdb82020997e1d708af4cf47b453dcf7"),
        ("train-labels-idx1-ubyte.gz", "e144d726b3acfaa3e44228e80efcd344"),
        ("t10k-images-idx3-ubyte.gz", "5c965bf0a639b31b8f53240b1b52f4d7"),
        ("t10k-labels-idx1-ubyte.gz", "7320c461ea6c1c855c0b718fb2a4b134"),
    ]
    classes = ["o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo"]


_SAME_WHEN_SMALL = set("cijklmopsuvwxyz")  # letters whose small form EMNIST counts with the capital
_ALL = sorted(string.digits + string.ascii_letters)
_MERGED = [c for c in _ALL if c not in _SAME_WHEN_SMALL]


class EMNIST(MNIST):
    """Handwritten letters and digits in several splits, in MNIST's format."""

    url = "https://biometrics.nist.gov/cs_links/EMNIST/gzip.zip"
    md5 = "58c8d27c78d21e728a6bc7b3cc06412e"
    splits = ("byclass", "bymerge", "balanced", "letters", "digits", "mnist")
    classes_split_dict = {
        "byclass": _ALL, "bymerge": _MERGED, "balanced": _MERGED, "letters": ["N/A", *string.ascii_lowercase],
        "digits": list(string.digits), "mnist": list(string.digits),
    }  # fmt: skip

    def __init__(self, root: Any, split: str, **kwargs: Any) -> None:
        self.split = verify_str_arg(split, "split", self.splits)
        self.training_file, self.test_file = f"training_{split}.pt", f"test_{split}.pt"
        super().__init__(root, **kwargs)
        self.classes = self.classes_split_dict[self.split]

    @property
    def _file_prefix(self) -> str:
        return f"emnist-{self.split}-{'train' if self.train else 'test'}"

    @property
    def images_file(self) -> str:
        """The split's images."""
        return os.path.join(self.raw_folder, f"{self._file_prefix}-images-idx3-ubyte")

    @property
    def labels_file(self) -> str:
        """The split's labels."""
        return os.path.join(self.raw_folder, f"{self._file_prefix}-labels-idx1-ubyte")

    @property
    def _files(self) -> tuple[str, str]:
        return self.images_file, self.labels_file

    def _check_exists(self) -> bool:
        return all(check_integrity(file) for file in self._files)

    def download(self) -> None:
        """Download and unpack all splits, unless this one is there."""
        if self._check_exists():
            return
        download_and_extract_archive(self.url, self.raw_folder, md5=self.md5)
        folder = os.path.join(self.raw_folder, "gzip")
        for name in sorted(os.listdir(folder)):
            if name.endswith(".gz"):
                extract_archive(os.path.join(folder, name), self.raw_folder)
        shutil.rmtree(folder)
