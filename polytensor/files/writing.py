"""save: a pickle of protocol 2 that names torch's classes and keeps the memory of tensors apart, as torch.save has it."""

from __future__ import annotations

import io
import pickle
import struct
import sys
from collections import OrderedDict
from typing import Any

from .. import devices, dtypes, layouts
from ..size import Size
from ..tensor import Parameter, Subclassed, Tensor, wrap
from .zipped import Writer

__all__ = ["MAGIC", "PROTOCOL", "STORAGES", "Pickler", "memory_of", "write_legacy", "write_zip"]

STORAGES = {
    "FloatStorage": "float32", "DoubleStorage": "float64", "HalfStorage": "float16", "BFloat16Storage": "bfloat16",
    "LongStorage": "int64", "IntStorage": "int32", "ShortStorage": "int16", "CharStorage": "int8",
    "ByteStorage": "uint8", "BoolStorage": "bool", "ComplexFloatStorage": "complex64",
    "ComplexDoubleStorage": "complex128",
}  # fmt: skip
STORAGE_OF = {v: k for k, v in STORAGES.items()}
MAGIC, PROTOCOL = 0x1950A86A20F9469CFC6C, 1001  # of the legacy format


class _Global:
    """Pickles as a reference to a name of the torch package, which need not be importable here. One for each name."""

    __slots__ = ("module", "name")
    module: str
    name: str

    def __new__(cls, module: str, name: str) -> _Global:
        found = _globals.get((module, name))
        if found is None:
            found = _globals[module, name] = object.__new__(cls)
            found.module, found.name = module, name
        return found


_globals: dict[tuple[str, str], _Global] = {}


class _Reduced:
    """Pickles as a call of a name."""

    def __init__(self, module: str, name: str, args: Any) -> None:
        self.function, self.args = _Global(module, name), args


class _Storage:
    """A persistent id: ('storage', torch.FloatStorage, key, location, number of elements)."""

    def __init__(self, kind: _Global, key: str, location: str, count: int) -> None:
        self.kind, self.key, self.location, self.count = kind, key, location, count


class Pickler(pickle._Pickler):  # the Python one: it can write references by name alone
    """Pickles an object; `storages` then holds (key, dtype's name, backend, array) for each block of memory."""

    def __init__(self, file: Any, legacy: bool = False) -> None:
        super().__init__(file, protocol=2)
        self.legacy = legacy
        self.storages: dict[Any, tuple[str, str, Any, Any]] = {}

    def persistent_id(self, obj: Any) -> Any:
        if isinstance(obj, _Storage):
            pid = ("storage", obj.kind, obj.key, obj.location, obj.count)
            return (*pid, None) if self.legacy else pid
        return None

    def _storage(self, t: Tensor) -> tuple[_Storage, int, tuple[int, ...], tuple[int, ...]]:
        """The storage of a tensor, and where in it the tensor lies: offset, size, stride in elements."""
        backend, array, d = t._dev.backend, t._a, t.dtype
        item = d.itemsize
        owner = backend.owner(array)
        offset = backend.data_ptr(array) - backend.data_ptr(owner)
        plain = owner.flags.c_contiguous or owner.flags.f_contiguous
        steps = [s for s, n in zip(array.strides, array.shape, strict=True) if n > 1]
        if 0 in array.shape:
            offset = 0
        elif not plain or offset % item or owner.nbytes % item or any(s < 0 or s % item for s in steps):
            array = owner = backend.copy(array)
            offset = 0
        key = (t._dev, backend.data_ptr(owner), owner.nbytes)
        have = self.storages.get(key) if owner.nbytes else None
        if have is None:
            have = (str(len(self.storages)), d.name, backend, owner)
            self.storages[key if owner.nbytes else object()] = have
        elif have[1] != d.name:
            raise RuntimeError(
                "Cannot save multiple tensors or storages that view the same data as different types "
                f"({have[1]} and {d.name}): clone() one of them"
            )
        wide = d.name not in STORAGE_OF
        if wide and self.legacy:
            raise RuntimeError(
                f"the legacy format has no storage for {d.name}: save without _use_new_zipfile_serialization=False"
            )
        kind = _Global("torch.storage", "UntypedStorage") if wide else _Global("torch", STORAGE_OF[d.name])
        location = str(t._dev) if t._dev.type != "cpu" else "cpu"
        storage = _Storage(kind, have[0], location, owner.nbytes if wide else owner.nbytes // item)
        stride = t.stride() if array is t._a else wrap(array, t._dev).stride()  # type: ignore[attr-defined]
        return storage, offset // item, tuple(array.shape), tuple(stride)

    def _call(self, obj: Any) -> _Reduced:
        """What an object of ours is in torch's words."""
        if isinstance(obj, Tensor):
            parameter = issubclass(type(obj), Parameter)
            grad = obj.requires_grad and not parameter
            if obj.is_meta:
                args: tuple[Any, ...] = (obj.dtype, tuple(obj.shape), tuple(obj.stride()), grad)  # type: ignore[attr-defined]
                made = _Reduced("torch._utils", "_rebuild_meta_tensor_no_storage", args)
            else:
                args = (*self._storage(obj), grad, OrderedDict())
                wide = obj.dtype.name not in STORAGE_OF
                rebuild = "_rebuild_tensor_v3" if wide else "_rebuild_tensor_v2"
                made = _Reduced("torch._utils", rebuild, (*args, obj.dtype) if wide else args)
            state = dict(vars(obj))
            if parameter:
                rest: tuple[Any, ...] = (made, obj.requires_grad, OrderedDict())
                if state:
                    return _Reduced("torch._utils", "_rebuild_parameter_with_state", (*rest, state))
                return _Reduced("torch._utils", "_rebuild_parameter", rest)
            if state or type(obj) is not Tensor:
                cls = _Global("torch", "Tensor") if type(obj) is Tensor else type(obj)
                args = (made.function, cls, made.args, state)
                return _Reduced("torch._tensor", "_rebuild_from_type_v2", args)
            return made
        if isinstance(obj, Size):
            return _Reduced("torch", "Size", (tuple(obj),))
        if isinstance(obj, layouts.layout):
            return _Reduced("torch.serialization", "_get_layout", (repr(obj),))
        return _Reduced("torch", "device", (obj.type,) if obj.index is None else (obj.type, obj.index))

    def save(self, obj: Any, save_persistent_id: bool = True) -> Any:
        if isinstance(obj, _Reduced):
            self._reduce(obj)
        elif isinstance(obj, Subclassed) and type(obj).__reduce_ex__ is not Tensor.__reduce_ex__:
            super().save(obj, save_persistent_id)
        elif isinstance(obj, (_Global, dtypes.dtype, Tensor, Size, devices.Device, layouts.layout)):
            found = self.memo.get(id(obj))
            if found is not None:
                self.write(self.get(found[0]))
                return
            if isinstance(obj, _Global):
                self.write(b"c" + f"{obj.module}\n{obj.name}\n".encode())
            elif isinstance(obj, dtypes.dtype):
                self.write(b"c" + f"torch\n{obj.name}\n".encode())
            else:
                self._reduce(self._call(obj))
            self.memoize(obj)
        else:
            super().save(obj, save_persistent_id)

    def _reduce(self, call: _Reduced) -> None:
        self.save(call.function)
        self.save(call.args)
        self.write(pickle.REDUCE)


def memory_of(backend: Any, owner: Any) -> Any:
    """The bytes of a block, as a buffer."""
    return memoryview(backend.to_numpy(backend.bytes_of(owner))) if owner.nbytes else b""


def write_zip(obj: Any, file: Any, stem: str) -> None:
    buffer = io.BytesIO()
    pickler = Pickler(buffer)
    pickler.dump(obj)
    z = Writer(file, stem)
    try:
        z.entry("data.pkl", buffer.getvalue())
        z.entry(".format_version", b"1")
        z.entry(".storage_alignment", b"64")
        z.entry("byteorder", sys.byteorder.encode())
        for key, _, backend, owner in pickler.storages.values():
            z.entry(f"data/{key}", memory_of(backend, owner))
        z.entry("version", b"3\n")
        z.close()
    except BaseException:
        z.abandon()
        raise


def write_legacy(obj: Any, file: Any) -> None:
    """The format before the zip: five pickles, then each block with its length."""
    buffer = io.BytesIO()
    pickler = Pickler(buffer, legacy=True)
    pickler.dump(obj)
    sizes = {"short": 2, "int": 4, "long": 4}
    for part in (MAGIC, PROTOCOL, {"protocol_version": PROTOCOL, "little_endian": sys.byteorder == "little", "type_sizes": sizes}):  # fmt: skip
        pickle.dump(part, file, protocol=2)
    file.write(buffer.getvalue())
    blocks = sorted(pickler.storages.values(), key=lambda b: b[0])
    pickle.dump([b[0] for b in blocks], file, protocol=2)
    for _, name, backend, owner in blocks:
        file.write(struct.pack("<q", owner.nbytes // dtypes.BY_NAME[name].itemsize))
        file.write(memory_of(backend, owner))
