"""Small FashionMNIST, MNIST and CIFAR10 sets in their real formats, served on loopback."""

import contextlib
import gzip
import hashlib
import io
import pickle
import tarfile

import loopback
import numpy as np


def md5(data):
    return hashlib.md5(data).hexdigest()


def idx(x):
    """An array of bytes as an IDX file."""
    return bytes([0, 0, 8, x.ndim]) + b"".join(n.to_bytes(4, "big") for n in x.shape) + x.tobytes()


def pictures(count, shape, classes=10, seed=0):
    """uint8 pictures that show their class as a bright square, and the classes, all of them equally often."""
    rng = np.random.default_rng(seed)
    y = np.arange(count) % classes
    x = rng.integers(0, 60, (count, *shape), dtype=np.uint8)
    for i, k in enumerate(y):
        row, column = divmod(int(k), 4)
        x[i, ..., 7 * row + 1 : 7 * row + 7, 7 * column + 1 : 7 * column + 7] += 180
    order = rng.permutation(count)
    return x[order], y[order].astype(np.uint8)


def mnist_files(train=320, test=128):
    """{name: bytes} of MNIST's four files, packed as they are on the mirrors."""
    out = {}
    for split, count in (("train", train), ("t10k", test)):
        x, y = pictures(count, (28, 28), seed=count)
        out[f"{split}-images-idx3-ubyte.gz"] = gzip.compress(idx(x), mtime=0)
        out[f"{split}-labels-idx1-ubyte.gz"] = gzip.compress(idx(y), mtime=0)
    return out


class Python2Pickler(pickle._Pickler):
    """Writes what Python 2 wrote, which made the CIFAR files: text and bytes as 8-bit strings, NumPy's old modules."""

    dispatch = dict(pickle._Pickler.dispatch)

    def save_string(self, x):
        data = x.encode("latin1") if isinstance(x, str) else x
        self.write(pickle.BINSTRING + len(data).to_bytes(4, "little") + data)
        self.memoize(x)

    def save_global(self, x, name=None):
        module = x.__module__.replace("numpy._core", "numpy.core")
        self.write(pickle.GLOBAL + f"{module}\n{x.__qualname__}\n".encode())
        self.memoize(x)

    dispatch[str] = dispatch[bytes] = save_string
    dispatch[type] = dispatch[type(len)] = dispatch[type(md5)] = save_global


def python2_pickle(x):
    out = io.BytesIO()
    Python2Pickler(out, protocol=2).dump(x)
    return out.getvalue()


def cifar10_files(per_batch=8, test=40):
    """{path in the archive: bytes} of CIFAR10's five training files, the test file and the names of the classes."""
    out = {}
    for i, name in enumerate([*(f"data_batch_{i}" for i in range(1, 6)), "test_batch"]):
        x, y = pictures(test if i == 5 else per_batch, (3, 32, 32), seed=i)
        names = [f"{j}.png" for j in range(len(y))]
        batch = {"batch_label": "of 6", "labels": y.tolist(), "data": x.reshape(len(x), -1), "filenames": names}
        out[name] = python2_pickle(batch)
    labels = "airplane automobile bird cat deer dog frog horse ship truck".split()
    out["batches.meta"] = python2_pickle({"label_names": labels, "num_cases_per_batch": per_batch})
    return {f"cifar-10-batches-py/{name}": data for name, data in out.items()}


def tar_of(files):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as tar:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return out.getvalue()


@contextlib.contextmanager
def served_datasets():
    """A server of FashionMNIST, MNIST and CIFAR10: {class: {attribute: value}} to set on the classes."""
    mnist, cifar = mnist_files(), cifar10_files()
    tgz = tar_of(cifar)
    sums = {name.split("/")[1]: md5(data) for name, data in cifar.items()}
    with loopback.serving() as server:
        server.files.update({**mnist, "cifar-10-python.tar.gz": tgz})
        at = f"{server.at}/good/"
        idx_set = {"mirrors": [at], "resources": [(name, md5(data)) for name, data in mnist.items()]}
        cifar10 = {
            "url": f"{at}cifar-10-python.tar.gz",
            "tgz_md5": md5(tgz),
            "train_list": [[f"data_batch_{i}", sums[f"data_batch_{i}"]] for i in range(1, 6)],
            "test_list": [["test_batch", sums["test_batch"]]],
            "meta": {"filename": "batches.meta", "key": "label_names", "md5": sums["batches.meta"]},
        }
        yield {"FashionMNIST": idx_set, "MNIST": idx_set, "CIFAR10": cifar10}
