"""CIFAR10 and CIFAR100. Source: torchvision.datasets."""

from __future__ import annotations

import pickle
from typing import Any

import polytensor as torch

from ..pillow import pillow
from .utils import check_integrity
from .vision import DownloadedDataset

__all__ = ["CIFAR10", "CIFAR100"]

_ARRAYS = {
    (f"numpy{core}.multiarray", name) for core in (".core", "._core") for name in ("_reconstruct", "scalar")
} | {("numpy._core.numeric", "_frombuffer"), ("numpy", "ndarray"), ("numpy", "dtype"), ("_codecs", "encode")}  # fmt: skip


class _ArraysOnly(pickle.Unpickler):
    """Reads lists, dicts, text, numbers and arrays, and runs no other code. UnpicklingError for anything else."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _ARRAYS:
            raise pickle.UnpicklingError(f"the file asks for {module}.{name}, which is no part of a CIFAR file")
        return super().find_class(module.replace("numpy.core", "numpy._core"), name)


def _read(path: str) -> Any:
    with open(path, "rb") as f:
        return _ArraysOnly(f, encoding="latin1").load()


class CIFAR10(DownloadedDataset):
    """Pictures of 10 classes, 50000 for training and 10000 for testing: (PIL image 32x32, class).

    The files are in root/cifar-10-batches-py. data is an ndarray (N, 32, 32, 3). RuntimeError if they are not there and
    download is False.
    """

    base_folder = "cifar-10-batches-py"
    url = "https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz"
    filename = "cifar-10-python.tar.gz"
    tgz_md5 = "c58f30108f718f92721af3b95e74349a"
    train_list = [
        ["data_batch_1", "c99cafc152244af753f735de768cd75f"],
        ["data_batch_2", "d4bba439e000b95fd0a9bffe97cbabec"],
        ["data_batch_3", "54ebc095f3ab1f0389bbae665268c751"],
        ["data_batch_4", "634d18415352ddfa80567beed471001a"],
        ["data_batch_5", "482c414d41f54cd18b22e5b47cb7c3cb"],
    ]
    test_list = [["test_batch", "40351d587109b95175f43aff81a1287e"]]
    meta = {"filename": "batches.meta", "key": "label_names", "md5": "5ff9c542aee3614f3951f8cda6e48888"}

    def __init__(
        self, root: Any, train: bool = True, transform: Any = None, target_transform: Any = None, download: bool = False
    ) -> None:
        super().__init__(root, transform=transform, target_transform=target_transform)
        self.train = train
        self._require(download)
        batches, self.targets = [], []
        for name, _ in self.train_list if train else self.test_list:
            batch = _read(self._path(name))
            batches.append(torch.from_numpy(batch["data"]))
            self.targets.extend(batch["labels"] if "labels" in batch else batch["fine_labels"])
        self.data = torch.cat(batches).view(-1, 3, 32, 32).permute(0, 2, 3, 1).numpy()
        meta = self._path(self.meta["filename"])
        if not check_integrity(meta, self.meta["md5"]):
            raise RuntimeError("Dataset metadata file not found or corrupted. You can use download=True to download it")
        self.classes = _read(meta)[self.meta["key"]]
        self.class_to_idx = {name: i for i, name in enumerate(self.classes)}

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        return self._transformed(pillow().fromarray(self.data[index]), self.targets[index])

    def extra_repr(self) -> str:
        return f"Split: {'Train' if self.train is True else 'Test'}"


class CIFAR100(CIFAR10):
    """CIFAR10's like with 100 classes, in root/cifar-100-python."""

    base_folder = "cifar-100-python"
    url = "https://www.cs.toronto.edu/~kriz/cifar-100-python.tar.gz"
    filename = "cifar-100-python.tar.gz"
    tgz_md5 = "eb9058c3a382ffc7106e4002c42a8d85"
    train_list = [["train", "16019d7e3df5f24257cddd939b257f8d"]]
    test_list = [["test", "f0ef6b0ae62326f3e7ffdfab6717acfc"]]
    meta = {"filename": "meta", "key": "fine_label_names", "md5": "7973b15100ade9c7d40fb424638fde48"}
