"""vision.datasets: files in their real formats, served over loopback by a server that also fails in every way."""

import functools
import gzip
import io
import os
import pickle
import subprocess
import sys
import tarfile
import zipfile
from urllib.error import HTTPError, URLError

import loopback
import numpy as np
import pytest
import vision_oracle
from small_datasets import idx, md5, python2_pickle, tar_of

import polytensor as pt
from polytensor.vision import datasets, transforms
from polytensor.vision.datasets import folder, utils

server, quick = loopback.server, loopback.quick

Image = pytest.importorskip("PIL.Image")
RNG = np.random.default_rng(0)


DATA = RNG.integers(0, 256, 3000, dtype=np.uint8).tobytes()


def test_download(server, tmp_path):
    server.files["a.bin"] = DATA
    utils.download_url(f"{server.at}/good/a.bin", tmp_path, md5=md5(DATA))
    assert (tmp_path / "a.bin").read_bytes() == DATA and os.listdir(tmp_path) == ["a.bin"]
    server.seen.clear()
    utils.download_url(f"{server.at}/good/a.bin", str(tmp_path), md5=md5(DATA))  # is there already
    assert not server.seen
    utils.download_url(f"{server.at}/redirect/a.bin", tmp_path / "new", "b.bin")
    assert (tmp_path / "new" / "b.bin").read_bytes() == DATA
    (tmp_path / "a.bin").write_bytes(b"damaged")
    assert not utils.check_integrity(tmp_path / "a.bin", md5(DATA)) and utils.check_integrity(tmp_path / "a.bin")
    utils.download_url(f"{server.at}/good/a.bin", tmp_path, md5=md5(DATA))
    assert utils.check_integrity(tmp_path / "a.bin", md5(DATA)) and not utils.check_integrity(tmp_path / "none")


@pytest.mark.parametrize("checksum", [None, md5(DATA)])
@pytest.mark.parametrize("kind", ["cut", "stall", "missing", "norange"])
def test_download_that_fails_leaves_no_file(server, tmp_path, kind, checksum):
    server.files["a.bin"] = DATA
    with pytest.raises(URLError, match="a.bin|Not Found") as error:
        utils.download_url(f"{server.at}/{kind}/a.bin", tmp_path, md5=checksum)
    assert isinstance(error.value, HTTPError) == (kind == "missing")
    kept = os.listdir(tmp_path)
    assert kept == (["a.bin.part"] if checksum and kind != "missing" else [])
    if kept:  # the next one goes on from there
        server.seen.clear()
        size = (tmp_path / kept[0]).stat().st_size
        utils.download_url(f"{server.at}/good/a.bin", tmp_path, md5=checksum)
        assert server.seen == [("/good/a.bin", f"bytes={size}-")] and size > 0
        assert os.listdir(tmp_path) == ["a.bin"] and (tmp_path / "a.bin").read_bytes() == DATA


def test_download_goes_on_within_one_call(server, tmp_path):
    server.files["a.bin"] = DATA[:150]
    server.seen.clear()
    utils.download_url(f"{server.at}/half/a.bin", tmp_path, md5=md5(DATA[:150]))
    assert (tmp_path / "a.bin").read_bytes() == DATA[:150]
    assert [r for _, r in server.seen] == [None, "bytes=75-", "bytes=112-"]


def test_wrong_checksum(server, tmp_path):
    server.files["a.bin"] = DATA
    with pytest.raises(RuntimeError, match="File not found or corrupted."):
        utils.download_url(f"{server.at}/wrong/a.bin", tmp_path, md5=md5(DATA))
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("size", [500, 3000, 4000])
def test_a_kept_part_that_does_not_fit_is_dropped(server, tmp_path, size):
    server.files["a.bin"] = DATA
    (tmp_path / "a.bin.part").write_bytes(bytes(size))
    utils.download_url(f"{server.at}/good/a.bin", tmp_path, md5=md5(DATA))
    assert (tmp_path / "a.bin").read_bytes() == DATA and os.listdir(tmp_path) == ["a.bin"]


def test_processes_that_want_the_same_file_wait_for_one(server, tmp_path):
    server.files["a.bin"] = big = DATA * 2000
    server.seen.clear()
    script = (
        "import sys; from polytensor.vision.datasets.utils import download_url\n"
        f"download_url('{server.at}/good/a.bin', sys.argv[1], md5='{md5(big)}')"
    )
    done = [subprocess.Popen([sys.executable, "-c", script, str(tmp_path)]) for _ in range(3)]
    assert [p.wait(60) for p in done] == [0, 0, 0]
    assert (tmp_path / "a.bin").read_bytes() == big and os.listdir(tmp_path) == ["a.bin"]
    assert len(server.seen) == 1


def archive_of(names, kind="tar", link=None):
    out = io.BytesIO()
    if kind == "zip":
        with zipfile.ZipFile(out, "w") as z:
            for name in names:
                z.writestr(name, "text")
        return out.getvalue()
    with tarfile.open(fileobj=out, mode="w:gz") as tar:
        if link:
            info = tarfile.TarInfo(link[0])
            info.type, info.linkname = link[2], link[1]
            tar.addfile(info)
        for name in names:
            info = tarfile.TarInfo(name)
            info.size = 4
            tar.addfile(info, io.BytesIO(b"text"))
    return out.getvalue()


def test_archives(tmp_path):
    for kind, name in (("tar", "a.tar.gz"), ("tar", "a.tgz"), ("zip", "a.zip")):
        to = tmp_path / name.replace(".", "_")
        (tmp_path / name).write_bytes(archive_of(["x/y.txt", "z.txt"], kind))
        assert utils.extract_archive(tmp_path / name, to) == to
        assert (to / "x" / "y.txt").read_text() == (to / "z.txt").read_text() == "text"
    (tmp_path / "idx.gz").write_bytes(gzip.compress(DATA))
    assert utils.extract_archive(str(tmp_path / "idx.gz"), remove_finished=True) == str(tmp_path / "idx")
    assert (tmp_path / "idx").read_bytes() == DATA and not (tmp_path / "idx.gz").exists()
    for name in ("a", "a.rar"):
        with pytest.raises(RuntimeError, match="suffix"):
            utils.extract_archive(tmp_path / name)
    (tmp_path / "cut.gz").write_bytes(gzip.compress(DATA)[:-900])
    with pytest.raises(EOFError):
        utils.extract_archive(tmp_path / "cut.gz")
    assert not [p for p in os.listdir(tmp_path) if p.startswith("cut") and p != "cut.gz"]


BAD = {
    "up": dict(names=["../evil"]), "deep": dict(names=["a/../../evil"]), "absolute": dict(names=["/tmp/pt_evil"]),
    "zip_up": dict(names=["../evil"], kind="zip"), "zip_absolute": dict(names=["/tmp/pt_evil"], kind="zip"),
    "symlink": dict(names=["l/evil"], link=("l", "..", tarfile.SYMTYPE)),
    "absolute_symlink": dict(names=["l/evil"], link=("l", "/tmp", tarfile.SYMTYPE)),
    "hardlink": dict(names=[], link=("l", "../secret", tarfile.LNKTYPE)),
    "device": dict(names=[], link=("l", "", tarfile.FIFOTYPE)),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_no_path_leaves_the_root(case, tmp_path):
    (tmp_path / "secret").write_text("secret")
    source = tmp_path / ("a.zip" if case.startswith("zip") else "a.tar.gz")
    source.write_bytes(archive_of(**BAD[case]))
    root = tmp_path / "root"
    root.mkdir()
    with pytest.raises(RuntimeError, match="Refusing to unpack"):
        utils.extract_archive(source, root)
    assert sorted(os.listdir(tmp_path)) == sorted([source.name, "root", "secret"]) and not list(root.rglob("*evil*"))
    assert not os.path.exists("/tmp/pt_evil")


# MNIST and its kin


def mnist_files(n=5, seed=0):
    rng = np.random.default_rng(seed)
    out = {}
    for split, count in (("train", n), ("t10k", 2)):
        out[f"{split}-images-idx3-ubyte"] = rng.integers(0, 256, (count, 28, 28), dtype=np.uint8)
        out[f"{split}-labels-idx1-ubyte"] = rng.integers(0, 10, count, dtype=np.uint8)
    return out


@pytest.fixture
def mnist(server, monkeypatch):
    """FashionMNIST on the local server: its arrays."""
    arrays = mnist_files()
    packed = {f"{name}.gz": gzip.compress(idx(x)) for name, x in arrays.items()}
    server.files.update(packed)
    monkeypatch.setattr(datasets.MNIST, "resources", [(name, md5(data)) for name, data in packed.items()])
    monkeypatch.setattr(datasets.FashionMNIST, "resources", datasets.MNIST.resources)
    monkeypatch.setattr(datasets.FashionMNIST, "mirrors", [f"{server.at}/good/"])
    return arrays


def test_fashion_mnist(mnist, tmp_path, server):
    with pytest.raises(RuntimeError, match="Dataset not found. You can use download=True to download it"):
        datasets.FashionMNIST(tmp_path)
    d = datasets.FashionMNIST(str(tmp_path), train=True, download=True, transform=transforms.ToTensor())
    raw = tmp_path / "FashionMNIST" / "raw"
    assert sorted(os.listdir(raw)) == sorted([*mnist, *(f"{n}.gz" for n in mnist)])
    assert np.array_equal(d.data.numpy(), mnist["train-images-idx3-ubyte"]) and d.data.dtype is pt.uint8
    assert d.targets.tolist() == mnist["train-labels-idx1-ubyte"].tolist() and d.targets.dtype is pt.int64
    x, y = d[3]
    assert x.shape == (1, 28, 28) and isinstance(y, int) and y == d.targets[3]
    np.testing.assert_allclose(x[0].numpy(), mnist["train-images-idx3-ubyte"][3] / 255, rtol=1e-6)
    server.seen.clear()
    test = datasets.FashionMNIST(tmp_path, train=False, download=True, target_transform=lambda y: -y)
    assert len(test) == 2 and not server.seen and test[0][1] == -test.targets[0] and test[0][0].mode == "L"
    assert d.class_to_idx["Ankle boot"] == 9 and len(d.classes) == 10
    assert repr(d) == (
        "Dataset FashionMNIST\n    Number of datapoints: 5\n"
        f"    Root location: {tmp_path}\n    Split: Train\n    StandardTransform\nTransform: ToTensor()"
    )
    with pytest.warns(UserWarning, match="train_labels has been renamed targets"):
        assert d.train_labels is d.targets


def test_mirrors_are_tried_in_turn(mnist, tmp_path, server, monkeypatch):
    kinds = ["missing", "wrong", "cut", "stall", "good"]
    monkeypatch.setattr(datasets.MNIST, "mirrors", [f"{server.at}/{k}/" for k in kinds])
    server.seen.clear()
    d = datasets.MNIST(tmp_path, download=True)
    assert len(d) == 5 and [p.split("/")[1] for p, _ in server.seen if "train-images" in p and "good" in p] == ["good"]
    monkeypatch.setattr(datasets.MNIST, "mirrors", [f"{server.at}/{k}/" for k in kinds[:2]])
    with pytest.raises(
        RuntimeError, match=r"(?s)Error downloading train-images.*Tried .*missing.*404.*Tried .*wrong.*MD5"
    ):
        datasets.MNIST(tmp_path / "other", download=True)
    with pytest.raises(RuntimeError, match="Dataset not found"):
        datasets.MNIST(tmp_path / "other")


def test_damaged_idx_files(mnist, tmp_path):
    datasets.FashionMNIST(tmp_path, download=True)
    images = tmp_path / "FashionMNIST" / "raw" / "train-images-idx3-ubyte"
    good = images.read_bytes()
    for bad in (
        good[:-1],
        good[:3],
        b"\x01" + good[1:],
        good[:3] + b"\x01" + good[4:],
        good[:4] + b"\xff" * 8 + good[12:],
    ):
        images.write_bytes(bad)
        with pytest.raises(ValueError):
            datasets.FashionMNIST(tmp_path)
    images.write_bytes(good[:2] + b"\x0d" + good[3:])
    with pytest.raises(TypeError):
        datasets.FashionMNIST(tmp_path)


def test_emnist(server, tmp_path, monkeypatch):
    out = io.BytesIO()
    images, labels = RNG.integers(0, 256, (3, 28, 28), dtype=np.uint8), np.array([1, 2, 26], np.uint8)
    with zipfile.ZipFile(out, "w") as z:
        for part in ("train", "test"):
            z.writestr(f"gzip/emnist-letters-{part}-images-idx3-ubyte.gz", gzip.compress(idx(images)))
            z.writestr(f"gzip/emnist-letters-{part}-labels-idx1-ubyte.gz", gzip.compress(idx(labels)))
    server.files["gzip.zip"] = out.getvalue()
    monkeypatch.setattr(datasets.EMNIST, "url", f"{server.at}/good/gzip.zip")
    monkeypatch.setattr(datasets.EMNIST, "md5", md5(out.getvalue()))
    d = datasets.EMNIST(tmp_path, "letters", train=False, download=True)
    assert len(d) == 3 and d[2][1] == 26 and d.classes[26] == "z" and d.classes[0] == "N/A"
    with pytest.raises(
        ValueError, match="Unknown value 'x' for argument split. Valid values are {'byclass', 'bymerge'"
    ):
        datasets.EMNIST(tmp_path, "x")
    assert len(datasets.EMNIST.classes_split_dict["balanced"]) == 47


# CIFAR, STL10, SVHN


def cifar(cls, server, monkeypatch, protocol=2):
    """The set on the local server: {file: (images, labels)}."""
    hundred = cls is datasets.CIFAR100
    dump = python2_pickle if protocol == "python2" else functools.partial(pickle.dumps, protocol=protocol)
    files, made, lists = {}, {}, {}
    for attribute in ("train_list", "test_list"):
        lists[attribute] = []
        for name, _ in getattr(cls, attribute):
            x, y = RNG.integers(0, 256, (4, 3072), dtype=np.uint8), RNG.integers(0, 10, 4).tolist()
            batch = {"data": x, "fine_labels" if hundred else "labels": y, "filenames": ["a"] * 4}
            made[name], files[name] = (x, y), dump(batch)
            lists[attribute].append([name, md5(files[name])])
    meta = dump({cls.meta["key"]: [f"class {i}" for i in range(100 if hundred else 10)]})
    files[cls.meta["filename"]] = meta
    packed = tar_of({f"{cls.base_folder}/{name}": data for name, data in files.items()})
    server.files[cls.filename] = packed
    monkeypatch.setattr(cls, "url", f"{server.at}/good/{cls.filename}")
    monkeypatch.setattr(cls, "tgz_md5", md5(packed))
    monkeypatch.setattr(cls, "meta", {**cls.meta, "md5": md5(meta)})
    for attribute, value in lists.items():
        monkeypatch.setattr(cls, attribute, value)
    return made


@pytest.mark.parametrize("name", ["CIFAR10", "CIFAR100"])
@pytest.mark.parametrize("protocol", ["python2", 2, 5])
def test_cifar(name, protocol, server, tmp_path, monkeypatch):
    cls = getattr(datasets, name)
    made = cifar(cls, server, monkeypatch, protocol)
    with pytest.raises(RuntimeError, match="Dataset not found or corrupted. You can use download=True to download it"):
        cls(tmp_path)
    d = cls(tmp_path, download=True)
    x = np.concatenate([made[n][0] for n, _ in cls.train_list]).reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
    assert isinstance(d.data, np.ndarray) and np.array_equal(d.data, x)
    assert d.targets == [y for n, _ in cls.train_list for y in made[n][1]]
    img, label = d[2]
    assert img.mode == "RGB" and np.array_equal(np.asarray(img), x[2]) and label == d.targets[2]
    test = cls(tmp_path, train=False, transform=transforms.PILToTensor())
    assert len(test) == 4 and np.array_equal(test[1][0].numpy(), test.data[1].transpose(2, 0, 1))
    assert d.classes[3] == "class 3" and d.class_to_idx["class 4"] == 4 and "Split: Train" in repr(d)
    batch = tmp_path / cls.base_folder / cls.train_list[0][0]
    batch.write_bytes(b"x" + batch.read_bytes()[1:])
    with pytest.raises(RuntimeError, match="corrupted"):
        cls(tmp_path)


class Evil:
    def __reduce__(self):
        return os.mkdir, ("pt_evil",)


def test_cifar_runs_no_code(server, tmp_path, monkeypatch):
    cifar(datasets.CIFAR10, server, monkeypatch)
    datasets.CIFAR10(tmp_path, download=True)
    bad = pickle.dumps({"data": Evil(), "labels": []})
    (tmp_path / "cifar-10-batches-py" / "test_batch").write_bytes(bad)
    monkeypatch.setattr(datasets.CIFAR10, "test_list", [["test_batch", md5(bad)]])
    monkeypatch.chdir(tmp_path)
    with pytest.raises(pickle.UnpicklingError, match="mkdir"):
        datasets.CIFAR10(tmp_path, train=False)
    assert not os.path.exists("pt_evil")


def test_stl10(server, tmp_path, monkeypatch):
    cls = datasets.STL10
    x = {
        n: RNG.integers(0, 256, (c, 3, 96, 96), dtype=np.uint8)
        for n, c in (("train", 4), ("test", 2), ("unlabeled", 3))
    }
    y = {"train": np.array([1, 10, 3, 4], np.uint8), "test": np.array([5, 6], np.uint8)}
    files = {f"{n}_X.bin": v.transpose(0, 1, 3, 2).tobytes() for n, v in x.items()} | {
        f"{n}_y.bin": v.tobytes() for n, v in y.items()
    }
    extra = {"class_names.txt": b"airplane\nbird\n", "fold_indices.txt": b"0 2 \n" + b"1 3 \n" * 9}
    packed = tar_of({f"stl10_binary/{n}": v for n, v in (files | extra).items()})
    server.files[cls.filename] = packed
    monkeypatch.setattr(cls, "url", f"{server.at}/good/{cls.filename}")
    monkeypatch.setattr(cls, "tgz_md5", md5(packed))
    for attribute in ("train_list", "test_list"):
        monkeypatch.setattr(cls, attribute, [[n, md5(files[n])] for n, _ in getattr(cls, attribute)])
    with pytest.raises(RuntimeError, match="Dataset not found or corrupted"):
        cls(tmp_path)
    d = cls(tmp_path, download=True)
    assert (
        np.array_equal(d.data, x["train"]) and d.labels.tolist() == [0, 9, 2, 3] and d.classes == ["airplane", "bird"]
    )
    assert np.array_equal(np.asarray(d[1][0]), x["train"][1].transpose(1, 2, 0)) and d[1][1] == 9
    assert cls(tmp_path, folds=1).labels.tolist() == [9, 3] and len(cls(tmp_path, "test")) == 2
    assert cls(tmp_path, "train+unlabeled").labels.tolist() == [0, 9, 2, 3, -1, -1, -1]
    assert cls(tmp_path, "unlabeled")[0][1] == -1
    with pytest.raises(ValueError, match=r"folds should be in the range \[0, 10\), but got 10"):
        cls(tmp_path, folds=10)


def test_svhn(server, tmp_path, monkeypatch):
    io_ = pytest.importorskip("scipy.io")
    x, y = RNG.integers(0, 256, (32, 32, 3, 4), dtype=np.uint8), np.array([[1], [10], [3], [9]], np.uint8)
    out = io.BytesIO()
    io_.savemat(out, {"X": x, "y": y})
    server.files["train_32x32.mat"] = out.getvalue()
    rows = {
        **datasets.SVHN.split_list,
        "train": [f"{server.at}/good/train_32x32.mat", "train_32x32.mat", md5(out.getvalue())],
    }
    monkeypatch.setattr(datasets.SVHN, "split_list", rows)
    d = datasets.SVHN(tmp_path, download=True)
    assert d.labels.tolist() == [1, 0, 3, 9] and d.labels.dtype == np.int64 and d.data.shape == (4, 3, 32, 32)
    assert np.array_equal(np.asarray(d[2][0]), x[:, :, :, 2]) and d[1][1] == 0 and "Split: train" in repr(d)
    with pytest.raises(RuntimeError, match="Dataset not found or corrupted"):
        datasets.SVHN(tmp_path, "test")
    monkeypatch.setitem(sys.modules, "scipy.io", None)
    with pytest.raises(ImportError, match="SciPy: pip install"):
        datasets.SVHN(tmp_path)


# folders of files


@pytest.fixture
def images(tmp_path):
    for name, count in (("cat", 2), ("dog", 3)):
        (tmp_path / name / "more").mkdir(parents=True)
        for i in range(count):
            place = tmp_path / name / ("more" if i == 2 else ".")
            Image.fromarray(RNG.integers(0, 256, (5, 6, 3), dtype=np.uint8)).save(place / f"{i}.PNG")
        (tmp_path / name / "notes.txt").write_text("no image")
    return tmp_path


def test_image_folder(images):
    d = datasets.ImageFolder(images, transform=transforms.ToTensor())
    assert d.classes == ["cat", "dog"] and d.class_to_idx == {"cat": 0, "dog": 1} and d.targets == [0, 0, 1, 1, 1]
    assert len(d) == 5 and d[0][0].shape == (3, 5, 6) and d.imgs is d.samples and d[4][1] == 1
    text = datasets.DatasetFolder(images, str, (".txt",))
    assert [os.path.basename(x) for x, _ in text] == ["notes.txt"] * 2
    assert len(datasets.ImageFolder(images, is_valid_file=lambda p: p.endswith("1.PNG"))) == 2
    (images / "empty").mkdir()
    with pytest.raises(
        FileNotFoundError, match="Found no valid file for the classes empty. Supported extensions are: .jpg"
    ):
        datasets.ImageFolder(images)
    assert datasets.ImageFolder(images, allow_empty=True).classes == ["cat", "dog", "empty"]
    with pytest.raises(FileNotFoundError, match="Couldn't find any class folder"):
        datasets.ImageFolder(images / "empty")
    with pytest.raises(ValueError, match="Both extensions and is_valid_file"):
        folder.make_dataset(images)


def test_fake_data():
    pt.manual_seed(5)
    state = pt.get_rng_state()
    d = datasets.FakeData(4, (3, 8, 9), 3, transform=transforms.ToTensor())
    assert d[1][0].shape == (3, 8, 9) and d[1][0].equal(d[1][0]) and not d[1][0].equal(d[2][0])
    assert {y for _, y in (d[i] for i in range(4))} <= {0, 1, 2} and pt.equal(pt.get_rng_state(), state)
    with pytest.raises(IndexError):
        d[4]


def test_like_torchvision(images, mnist, tmp_path):
    tv = vision_oracle.load()
    datasets.FashionMNIST(tmp_path, download=True)
    for make in (
        lambda m: m.datasets.ImageFolder(
            images, transform=m.transforms.Compose([m.transforms.CenterCrop(4)]), allow_empty=True
        ),
        lambda m: m.datasets.FashionMNIST(tmp_path, target_transform=abs),
    ):
        from polytensor import vision

        ours, theirs = make(vision), make(tv)
        assert repr(ours) == repr(theirs) and ours.class_to_idx == theirs.class_to_idx
        for (a, i), (b, j) in zip(ours, (theirs[k] for k in range(len(theirs))), strict=False):
            assert i == j and np.array_equal(np.asarray(a), np.asarray(b))
    names = ("MNIST", "FashionMNIST", "KMNIST", "EMNIST", "CIFAR10", "CIFAR100", "SVHN", "STL10")
    kept = ("url", "md5", "tgz_md5", "filename", "base_folder", "classes", "test_list", "meta", "split_list", "splits")
    for name in names:
        ours, theirs = getattr(datasets, name), getattr(tv.datasets, name)
        for attribute in (*kept, "train_list", "classes_split_dict", "mirrors", "resources"):
            if hasattr(theirs, attribute) and not (attribute in ("mirrors", "resources") and "MNIST" in name):
                assert getattr(ours, attribute) == getattr(theirs, attribute), (name, attribute)
    assert (
        datasets.KMNIST.resources == tv.datasets.KMNIST.resources
        and datasets.MNIST.mirrors == tv.datasets.MNIST.mirrors
    )


def test_a_script_written_for_torchvision(mnist, tmp_path):
    datasets.FashionMNIST(tmp_path, download=True)
    script = tmp_path / "script.py"
    script.write_text(
        "import torch, torchvision\n"
        "from torch.utils.data import DataLoader\n"
        "from torchvision import datasets\n"
        "from torchvision.datasets import FashionMNIST\n"
        "import torchvision.transforms as T, torchvision.transforms.functional as F\n"
        "from torchvision.transforms import ToTensor, Lambda, v2\n"
        "from torchvision.datasets.utils import check_integrity\n"
        "import torchvision.models as models, torchvision.utils\n"
        "from torchvision.models import resnet18, ResNet18_Weights\n"
        "from torchvision.io import read_image, decode_image\n"
        "from torchvision.utils import make_grid\n"
        "assert models.resnet18 is resnet18 is torchvision.models.get_model_builder('resnet18')\n"
        "assert isinstance(models.lenet(), torch.nn.Module) and make_grid(torch.zeros(2, 3, 4, 4)).shape == (3, 8, 14)\n"
        "assert torchvision.__version__ and torchvision.disable_beta_transforms_warning() is None\n"
        "mixed, labels = v2.CutMix(num_classes=3)(torch.rand(2, 3, 4, 4), torch.tensor([0, 2]))\n"
        "assert labels.shape == (2, 3) and torchvision.ops.box_iou(torch.ones(1, 4), torch.ones(2, 4)).shape == (1, 2)\n"
        f"data = datasets.FashionMNIST(root={str(tmp_path)!r}, train=True, download=True, transform=ToTensor())\n"
        "x, y = next(iter(DataLoader(data, batch_size=4)))\n"
        "print(torch.__name__, torchvision.__name__, x.shape, y.dtype, F.hflip(x).shape, FashionMNIST is datasets.FashionMNIST)\n"
    )
    done = subprocess.run(
        [sys.executable, "-m", "polytensor", "run", str(script)], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert (
        done.stdout.strip()
        == "torch polytensor.vision torch.Size([4, 1, 28, 28]) torch.int64 torch.Size([4, 1, 28, 28]) True"
    )


# odd folders and archives: the same results, or the same class of error, as torchvision


def png(path, mode="RGB"):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    Image.new(mode, (4, 3)).save(path)


def file_at(path, data=b""):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as f:
        f.write(data)
    return path


def half(path, data):
    return file_at(path, data[: len(data) // 2])


def linked(d, target, name):
    png(f"{d}/a/x.png")
    os.symlink(target, f"{d}/a/{name}")
    return d


def undecodable(d):
    png(f"{d}/a/x.png")
    os.makedirs(os.fsencode(d) + b"/b\xff")
    os.rename(f"{d}/a/x.png", os.fsencode(d) + b"/b\xff/y.png")
    os.rmdir(f"{d}/a")
    return d


ODD = {
    "root is a file": lambda m, d: m.datasets.MNIST(file_at(f"{d}/f"), download=True),
    "root of CIFAR is a file": lambda m, d: m.datasets.CIFAR10(file_at(f"{d}/f")),
    "no length": lambda m, d: len(m.datasets.VisionDataset(d)),
    "root is a number": lambda m, d: m.datasets.CIFAR10(3),
    "folder is a file": lambda m, d: m.datasets.ImageFolder(file_at(f"{d}/f")),
    "folder is missing": lambda m, d: m.datasets.ImageFolder(f"{d}/no"),
    "folder is empty": lambda m, d: m.datasets.ImageFolder(d),
    "no image": lambda m, d: m.datasets.ImageFolder((file_at(f"{d}/a/x.png", b"text"), d)[1])[0],
    "unknown ending": lambda m, d: m.datasets.ImageFolder((file_at(f"{d}/a/x.xyz", b"text"), d)[1]),
    "names": lambda m, d: m.datasets.ImageFolder((png(f"{d}/ä ö/日本.png"), d)[1]).classes,
    "undecodable names": lambda m, d: len(m.datasets.ImageFolder(undecodable(d))),
    "a loop of links": lambda m, d: len(m.datasets.ImageFolder(linked(d, d, "loop"))),
    "a dead link": lambda m, d: m.datasets.ImageFolder(linked(d, "/nowhere", "a.png"))[0],
    "index": lambda m, d: m.datasets.ImageFolder((png(f"{d}/a/x.png"), d)[1])[1],
    "ending as text": lambda m, d: len(m.datasets.DatasetFolder((png(f"{d}/a/x.png"), d)[1], str, ".png")),
    "both ways": lambda m, d: m.datasets.DatasetFolder((png(f"{d}/a/x.png"), d)[1], str, ".png", is_valid_file=bool),
    "neither way": lambda m, d: m.datasets.DatasetFolder((png(f"{d}/a/x.png"), d)[1], str),
    "two transforms": lambda m, d: m.datasets.VisionDataset(d, transforms=max, transform=abs),
    "split": lambda m, d: m.datasets.STL10(d, split="x"),
    "split as a number": lambda m, d: m.datasets.SVHN(d, split=3),
    "folds": lambda m, d: m.datasets.STL10(d, folds="a"),
    "no split": lambda m, d: m.datasets.EMNIST(d),
    "negative index": lambda m, d: m.datasets.FakeData(3, (3, 4, 4))[-1][1] >= 0,
    **{f"mode {mode}": lambda m, d, mode=mode: m.datasets.ImageFolder((png(f"{d}/a/x.png", mode), d)[1])[0][0].mode
       for mode in ("L", "RGBA", "P", "1", "I;16", "LA")},
    **{f"half a {name}": lambda m, d, name=name: m.datasets.utils.extract_archive(
        half(f"{d}/{name}", archive_of(["x/y", "z"] * 40, "zip" if name.endswith("zip") else "tar")), f"{d}/o")
       for name in ("a.zip", "a.tgz", "a.tar.gz")},
    **{f"a {ending} of text": lambda m, d, ending=ending: m.datasets.utils.extract_archive(file_at(f"{d}/a.{ending}", b"text" * 200))
       for ending in ("zip", "tar", "tar.gz", "tar.xz", "gz", "bz2", "xz")},
    "archive is missing": lambda m, d: m.datasets.utils.extract_archive(f"{d}/no.zip"),
    "a file in the way": lambda m, d: m.datasets.utils.extract_archive(
        file_at(f"{d}/a.zip", archive_of(["x/y"], "zip")), os.path.dirname(file_at(f"{d}/o/x"))),
    "nobody answers": lambda m, d: m.datasets.utils.download_url("http://127.0.0.1:1/x", d),
    "no address": lambda m, d: m.datasets.utils.download_url("nonsense", d),
    "target is a folder": lambda m, d: m.datasets.utils.download_url("http://127.0.0.1:1/x", d, "."),
}  # fmt: skip


@pytest.mark.filterwarnings("ignore:Python 3.14 will:DeprecationWarning")  # torchvision's, in Python 3.12 and 3.13
@pytest.mark.parametrize("name", ODD)
def test_odd_input_like_torchvision(name, tmp_path):
    from polytensor import vision

    found = []
    for i, module in enumerate((vision_oracle.load(), vision)):
        (tmp_path / str(i)).mkdir()
        try:
            found.append(ODD[name](module, str(tmp_path / str(i))))
        except Exception as error:
            found.append(type(error))
    assert found[0] == found[1]


@pytest.mark.parametrize("kind", ["tar", "zip"])
def test_a_link_that_is_there_leads_nowhere(kind, tmp_path):
    """What stood in the folder before can lead out of it as well as what the archive brings."""
    (tmp_path / "root").mkdir()
    (tmp_path / "other").mkdir()
    (tmp_path / "root" / "l").symlink_to(tmp_path / "other")
    source = tmp_path / ("a.zip" if kind == "zip" else "a.tar.gz")
    source.write_bytes(archive_of(["l/evil"], kind))
    with pytest.raises(RuntimeError, match="Refusing to unpack"):
        utils.extract_archive(source, tmp_path / "root")
    assert not os.listdir(tmp_path / "other")
