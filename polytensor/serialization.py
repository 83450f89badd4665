"""save and load in PyTorch's zip format, with a safe reader of our own.

A file is an uncompressed zip: <stem>/data.pkl (pickle protocol 2), byteorder, version and data/N per storage. The reader
builds tensors, containers, numbers, dtypes and devices by name from a fixed list and calls nothing else, so a file
cannot run code. Files are written to a temporary name, synced and renamed.
"""

from __future__ import annotations

import io
import os
import pickle
import struct
import sys
import tempfile
import warnings
import zipfile
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from . import devices, dtypes
from .size import Size
from .tensor import Parameter, Tensor, wrap
from .unpickler import Call, Unpickler

STORAGES = {
    "FloatStorage": "float32", "DoubleStorage": "float64", "HalfStorage": "float16", "BFloat16Storage": "bfloat16",
    "LongStorage": "int64", "IntStorage": "int32", "ShortStorage": "int16", "CharStorage": "int8",
    "ByteStorage": "uint8", "BoolStorage": "bool", "ComplexFloatStorage": "complex64",
    "ComplexDoubleStorage": "complex128",
}  # fmt: skip
STORAGE_OF = {v: k for k, v in STORAGES.items()}


# ---- writing ---------------------------------------------------------------------------------------------------------
class _Global:
    """Pickles as a reference to a name of the torch package, which need not be importable here."""

    def __init__(self, module: str, name: str) -> None:
        self.module, self.name = module, name


class _Storage:
    """A persistent id: ('storage', torch.FloatStorage, key, location, number of elements)."""

    def __init__(self, dtype: str, key: str, location: str, count: int) -> None:
        self.dtype, self.key, self.location, self.count = dtype, key, location, count


class _Pickler(pickle._Pickler):  # the Python one: it can write references by name alone
    def __init__(self, file: Any) -> None:
        super().__init__(file, protocol=2)
        self.storages: dict[Any, tuple[str, Any]] = {}
        self.owners: list[Any] = []

    def persistent_id(self, obj: Any) -> Any:
        if isinstance(obj, _Storage):
            return ("storage", _Global("torch", STORAGE_OF[obj.dtype]), obj.key, obj.location, obj.count)
        return None

    def _storage(self, t: Tensor) -> tuple[_Storage, int, tuple[int, ...], tuple[int, ...]]:
        """The storage of a tensor, and where in it the tensor lies: offset, size, stride in elements."""
        array = t._dev.backend.to_numpy(t._a)
        owner = array
        while isinstance(owner.base, np.ndarray):
            owner = owner.base
        item = array.itemsize
        offset = array.__array_interface__["data"][0] - owner.__array_interface__["data"][0]
        plain = owner.flags.c_contiguous or owner.flags.f_contiguous
        if not plain or owner.dtype.itemsize != item or offset % item or any(s < 0 for s in array.strides):
            owner = array = np.ascontiguousarray(array)
            offset = 0
        name = t.dtype.name
        key = (owner.__array_interface__["data"][0], owner.nbytes, name)
        if key not in self.storages:
            self.storages[key] = (str(len(self.storages)), owner)
            self.owners.append(owner)
        location = str(t._dev) if t._dev.type == "cuda" else "cpu"
        storage = _Storage(name, self.storages[key][0], location, owner.nbytes // item)
        stride = t.stride() if array is t._a else wrap(array, t._dev).stride()
        return storage, offset // item, tuple(array.shape), tuple(stride)

    def reducer_override(self, obj: Any) -> Any:
        if isinstance(obj, Tensor):
            storage, offset, size, stride = self._storage(obj)
            args = (storage, offset, size, stride, obj.requires_grad and not isinstance(obj, Parameter), OrderedDict())
            if isinstance(obj, Parameter):
                data = _Reduced("torch._utils", "_rebuild_tensor_v2", (*args[:4], False, OrderedDict()))
                return _call("torch._utils", "_rebuild_parameter", (data, obj.requires_grad, OrderedDict()))
            return _call("torch._utils", "_rebuild_tensor_v2", args)
        if isinstance(obj, _Reduced):
            return _call(obj.module, obj.name, obj.args)
        if isinstance(obj, Size):
            return _call("torch", "Size", (tuple(obj),))
        if isinstance(obj, devices.Device):
            args = (obj.type,) if obj.index is None else (obj.type, obj.index)
            return _call("torch", "device", args)
        return NotImplemented

    def save(self, obj: Any, save_persistent_id: bool = True) -> Any:
        if isinstance(obj, _Global):
            self.write(b"c" + f"{obj.module}\n{obj.name}\n".encode())
        elif isinstance(obj, dtypes.dtype):
            self.write(b"c" + f"torch\n{obj.name}\n".encode())
        elif isinstance(obj, _Call):
            self.save(_Global(obj.module, obj.name))
        elif isinstance(obj, (Tensor, _Reduced, Size, devices.Device)):
            found = self.memo.get(id(obj))
            if found is not None:
                self.write(self.get(found[0]))
                return
            fn, args = self.reducer_override(obj)
            self.save(fn)
            self.save(args)
            self.write(pickle.REDUCE)
            self.memoize(obj)
        else:
            super().save(obj, save_persistent_id)


class _Reduced:
    def __init__(self, module: str, name: str, args: Any) -> None:
        self.module, self.name, self.args = module, name, args


class _Call(_Global):
    """The callable of a REDUCE, by name."""


def _call(module: str, name: str, args: Any) -> Any:
    return _Call(module, name), args


def _write(obj: Any, file: Any, stem: str) -> None:
    buffer = io.BytesIO()
    pickler = _Pickler(buffer)
    pickler.dump(obj)
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as z:

        def entry(name: str, data: Any) -> None:
            z.writestr(zipfile.ZipInfo(f"{stem}/{name}", (1980, 1, 1, 0, 0, 0)), data)

        entry("data.pkl", buffer.getvalue())
        entry("byteorder", sys.byteorder.encode())
        for key, owner in pickler.storages.values():
            entry(f"data/{key}", memoryview(np.ravel(owner, order="K").view(np.uint8)) if owner.nbytes else b"")
        entry("version", b"3\n")


def save(
    obj: Any, f: Any, pickle_module: Any = None, pickle_protocol: int = 2, _use_new_zipfile_serialization: bool = True
) -> None:
    """Write `obj` to a path or a binary file. A path is replaced in one step, or not at all. Source: torch.save."""
    if hasattr(f, "write"):
        _write(obj, f, "archive")
        return
    path = Path(os.fspath(f))
    if not path.parent.is_dir():
        raise RuntimeError(f"Parent directory {path.parent} does not exist.")
    handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".tmp", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            _write(obj, file, path.stem or "archive")
            file.flush()
            os.fsync(file.fileno())
        umask = os.umask(0)
        os.umask(umask)
        os.chmod(temporary, 0o666 & ~umask)
        os.replace(temporary, path)
    except BaseException:
        if os.path.exists(temporary):
            os.unlink(temporary)
        raise
    directory = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


# ---- reading ---------------------------------------------------------------------------------------------------------
class _Archive:
    """The zip: checked entries, storages read once."""

    def __init__(self, file: Any, name: str) -> None:
        self.name = name
        try:
            self.zip = zipfile.ZipFile(file)
        except (zipfile.BadZipFile, ValueError, EOFError, OSError, NotImplementedError, struct.error) as error:
            raise self.error(f"not a zip file, or a truncated one ({error}); legacy files are not read") from None
        names = self.zip.namelist()
        if len(set(names)) != len(names):
            raise self.error("it holds two entries of one name")
        pickles = [n for n in names if n.count("/") == 1 and n.endswith("/data.pkl")]
        if len(pickles) != 1:
            raise self.error("it holds no <stem>/data.pkl, so it is not a PyTorch file")
        self.stem = pickles[0].split("/")[0]
        self.total = sum(i.file_size for i in self.zip.infolist())
        if any(i.compress_type != zipfile.ZIP_STORED for i in self.zip.infolist()):
            raise self.error("it holds compressed entries, which PyTorch never writes")
        order = self.read("byteorder") if f"{self.stem}/byteorder" in names else b"little"
        if order.decode("ascii", "replace").strip() != sys.byteorder:
            raise self.error(f"its byte order is {order!r}, this machine's is {sys.byteorder}")
        self.storages: dict[str, Any] = {}

    def error(self, reason: str) -> RuntimeError:
        return RuntimeError(f"cannot load {self.name}: {reason}")

    def read(self, entry: str) -> bytes:
        try:
            return self.zip.read(f"{self.stem}/{entry}")
        except KeyError:
            raise self.error(f"the entry {entry!r} is missing") from None
        except (zipfile.BadZipFile, EOFError, OSError, NotImplementedError, RuntimeError, ValueError) as error:
            raise self.error(f"the entry {entry!r} is damaged ({error})") from None

    def storage(self, pid: Any) -> Any:
        if not isinstance(pid, tuple) or len(pid) != 5 or pid[0] != "storage":
            raise self.error("it refers to something other than a storage")
        _, kind, key, location, count = pid
        if (
            not isinstance(kind, _StorageType)
            or not isinstance(key, str)
            or not isinstance(count, int)
            or not isinstance(location, str)
        ):
            raise self.error("a storage is described wrongly")
        d = dtypes.BY_NAME[kind.dtype]
        if d.array is None:
            raise self.error("it holds bfloat16: pip install 'polytensor[bf16]'")
        if key not in self.storages:
            data = self.read(f"data/{key}")
            if len(data) != count * d.itemsize:
                raise self.error(f"storage {key} holds {len(data)} bytes, not {count} elements of {d.name}")
            self.storages[key] = (np.frombuffer(bytearray(data), d.array), location)
        array, location = self.storages[key]
        if array.dtype != d.array:
            raise self.error(f"storage {key} is used with two dtypes")
        return _Loaded(array, location)


class _StorageType:
    def __init__(self, dtype: str) -> None:
        self.dtype = dtype


class _Loaded:
    """A storage's memory and the device that it was saved from."""

    def __init__(self, array: Any, location: str) -> None:
        self.array, self.location = array, location


def _ints(values: Any) -> bool:
    return isinstance(values, tuple) and all(type(v) is int and v >= 0 for v in values)


class _Builder:
    """What a file may name, and what is called for it."""

    def __init__(self, archive: _Archive, map_location: Any) -> None:
        self.archive, self.map_location = archive, map_location
        self.shared: dict[int, Any] = {}

    def place(self, location: str) -> Any:
        target = self.map_location
        if isinstance(target, dict):
            target = target.get(location, location)
        elif callable(target):
            target = None
        target = location if target is None else target
        try:
            dev = devices.resolve(target)
            dev.backend.empty  # noqa: B018 an absent device raises here
            return dev
        except (RuntimeError, AssertionError) as error:
            if self.map_location is not None:
                raise RuntimeError(str(error)) from None
            raise RuntimeError(
                f"Attempting to deserialize object on {location} in {self.archive.name}, but it is not available here. "
                "Use torch.load with map_location='cpu' to map the storages to the CPU."
            ) from None

    def tensor(
        self, storage: Any, offset: Any, size: Any, stride: Any, requires_grad: Any = False, *rest: Any
    ) -> Tensor:
        bad = self.archive.error
        if (
            not isinstance(storage, _Loaded)
            or type(offset) is not int
            or offset < 0
            or not _ints(size)
            or not _ints(stride)
        ):
            raise bad("a tensor is described wrongly")
        if len(size) != len(stride) or len(size) > 64:
            raise bad("a tensor's size and stride do not match")
        array = storage.array
        if 0 not in size:
            last = offset + sum((n - 1) * s for n, s in zip(size, stride, strict=True))
            if last >= array.size:
                raise bad(f"a tensor reaches element {last} of a storage of {array.size}")
            count = 1
            for n in size:
                count *= n
            if count > max(self.archive.total, 1 << 20):
                raise bad(f"a tensor of {count} elements stands on a file of {self.archive.total} bytes")
        elif max(size) > 2**40:
            raise bad("a tensor's size is absurd")
        item = array.itemsize
        view = (
            np.lib.stride_tricks.as_strided(array[offset:], size, [s * item for s in stride])
            if 0 not in size
            else np.empty(size, array.dtype)
        )
        location = storage.location
        if callable(self.map_location):
            moved = self.map_location(view, location)
            dev = devices.resolve(
                location if moved is None or isinstance(moved, np.ndarray) else getattr(moved, "device", moved)
            )
            if moved is not None and isinstance(moved, np.ndarray):
                dev = devices.cpu_device()
        else:
            dev = self.place(location)
        r = wrap(dev.backend.from_numpy(view), dev)
        r._s = self.shared.setdefault(id(array), [0, 64])
        return r.requires_grad_() if requires_grad is True else r

    def parameter(self, data: Any, requires_grad: Any, *rest: Any) -> Parameter:
        if not isinstance(data, Tensor):
            raise self.archive.error("a parameter is described wrongly")
        return Parameter(data, requires_grad=bool(requires_grad))  # type: ignore[no-any-return]

    def find(self, module: str, name: str) -> Any:
        """The object for a name on the list, or None."""
        if module == "torch" and name in STORAGES:
            return _StorageType(STORAGES[name])
        if module == "torch" and name in dtypes.BY_NAME:
            return dtypes.BY_NAME[name]
        table: dict[tuple[str, str], Callable[..., Any]] = {
            ("torch._utils", "_rebuild_tensor_v2"): self.tensor,
            ("torch._utils", "_rebuild_parameter"): self.parameter,
            ("torch", "Size"): Size,
            ("torch", "device"): devices.resolve,
        }
        fn = table.get((module, name))
        return None if fn is None else Call(fn)


class _AnyUnpickler(pickle.Unpickler):
    """For weights_only=False: objects of any class."""

    def __init__(self, data: bytes, builder: _Builder) -> None:
        super().__init__(io.BytesIO(data))
        self.builder = builder

    def find_class(self, module: str, name: str) -> Any:
        found = self.builder.find(module, name)
        if found is not None:
            return found.fn if type(found) is Call else found
        if module == "torch" or module.startswith("torch."):
            module = "polytensor" + module[5:]
        return super().find_class(module, name)

    def persistent_load(self, pid: Any) -> Any:
        return self.builder.archive.storage(pid)


def load(
    f: Any, map_location: Any = None, pickle_module: Any = None, *, weights_only: bool | None = None, mmap: bool | None = None,
    **pickle_load_args: Any,
) -> Any:  # fmt: skip
    """Read what torch.save or save wrote, from a path or a binary file. Source: torch.load.

    RuntimeError names the file and what is wrong with it; UnpicklingError for names that are not on the list;
    FileNotFoundError. `weights_only=False` lets a file make objects of any class, and so run code: it warns.
    """
    only = True if weights_only is None else weights_only
    if not only:
        warnings.warn(
            "load(weights_only=False) unpickles objects of any class, which can run code: use it for files you trust",
            UserWarning,
            stacklevel=2,
        )
    if hasattr(f, "read"):
        return _read(f, getattr(f, "name", "the given file"), map_location, only)
    path = os.fspath(f)
    with open(path, "rb") as file:
        return _read(file, f"'{path}'", map_location, only)


def _read(file: Any, name: str, map_location: Any, only: bool) -> Any:
    archive = _Archive(file, str(name))
    data = archive.read("data.pkl")
    builder = _Builder(archive, map_location)
    try:
        if only:
            return Unpickler(data, builder.find, archive.storage).load()
        return _AnyUnpickler(data, builder).load()
    except pickle.UnpicklingError as error:
        raise pickle.UnpicklingError(f"cannot load {name}: {error}") from None
    except RuntimeError:
        raise
