"""load: tensors, containers, numbers, dtypes and devices by name from a fixed list, and nothing else.

The memory of tensors comes from the entries of a zip, from a mapped file, or from behind the pickles of the legacy format.
"""

from __future__ import annotations

import io
import math
import pickle
import re
import struct
import sys
from collections.abc import Callable
from threading import Lock
from typing import Any

from .. import devices, dtypes, layouts
from ..ops.creation import empty_strided
from ..protocols import as_instance
from ..size import Size
from ..storage import UntypedStorage
from ..tensor import Parameter, Subclassed, Tensor, wrap
from ..unpickler import Call, Unpickler
from .writing import MAGIC, PROTOCOL, STORAGES
from .zipped import ALIGN, Reader

__all__ = ["LEGACY_START", "AnyUnpickler", "Builder", "Clear", "Legacy", "Names", "Zip", "reader_of"]

LEGACY_START = pickle.dumps(MAGIC, 2)
LIMIT = 2**62  # of sizes, strides and offsets


class Clear(RuntimeError):
    """An error that says which file and what is wrong with it."""


class _Named:
    """What a name stands for that only describes: a kind of storage, a class of tensors."""

    def __init__(self, name: str, dtype: str | None = None) -> None:
        self.name, self.dtype = name, dtype


KINDS = {("torch", name): _Named(name, d) for name, d in STORAGES.items()}
KINDS["torch.storage", "UntypedStorage"] = KINDS["torch", "UntypedStorage"] = _Named("UntypedStorage", "uint8")
TENSOR, PARAMETER = _Named("Tensor"), _Named("Parameter")


class Block:
    """The memory of a storage: writable bytes here, and on the devices that they were placed on."""

    def __init__(self, data: Any, location: str) -> None:
        self.bytes, self.location = data, location
        self.dtype: str | None = None
        self.shown = False  # by a tensor
        self.placed: dict[Any, tuple[Any, list[Any]]] = {}  # device: its bytes there, the version that views share
        self.late: list[Callable[[], None]] = []  # what was computed from the bytes, for bytes that come later

    def on(self, dev: Any) -> tuple[Any, list[Any]]:
        if dev not in self.placed:
            host = devices.cpu_device().backend
            u8 = dtypes.uint8.array
            flat = host.frombuffer(self.bytes, u8, len(self.bytes), 0) if len(self.bytes) else host.empty((0,), u8)
            self.placed[dev] = (dev.backend.from_numpy(flat), [0, 64])
        return self.placed[dev]

    def settle(self) -> None:
        """The bytes came after tensors were made of them: bring them to where else they were placed."""
        cpu = devices.cpu_device()
        flat = cpu.backend.frombuffer(self.bytes, dtypes.uint8.array, len(self.bytes), 0) if len(self.bytes) else None
        for where, (array, *_) in self.placed.items():
            if flat is not None and where != cpu and array.nbytes == flat.nbytes:
                backend = self.placed[where][2].backend if where == "callable" else where.backend  # type: ignore[misc]
                array[...] = backend.from_numpy(flat)
        for compute in self.late:
            compute()


class _Source:
    """Where a file's storages come from."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.blocks: dict[str, Block] = {}

    def error(self, reason: str) -> Clear:
        return Clear(f"cannot load {self.name}: {reason}")

    def storage(self, pid: Any) -> Any:
        """What a persistent id stands for: (Block, dtype's name)."""
        legacy = isinstance(self, Legacy)
        if not isinstance(pid, tuple) or len(pid) != 5 + legacy or pid[0] not in ("storage", b"storage"):
            raise self.error("it refers to something other than a storage")
        _, kind, key, location, count = pid[:5]
        if not isinstance(kind, _Named) or kind.dtype is None or type(count) is not int or count < 0:
            raise self.error("a storage is described wrongly")
        if not isinstance(key, str) or not isinstance(location, str) or (legacy and pid[5] is not None):
            raise self.error("a storage is described wrongly")
        d = dtypes.BY_NAME[kind.dtype]
        block = self.blocks.get(key)
        if block is None:
            block = self.blocks[key] = Block(self.memory(key, count, d.itemsize), location)
            block.dtype = d.name
        if len(block.bytes) != count * d.itemsize:
            raise self.error(f"storage {key} holds {len(block.bytes)} bytes, not {count} elements of {d.name}")
        if block.dtype != d.name:
            raise self.error(f"storage {key} is used with two dtypes")
        return block, d.name

    def memory(self, key: str, count: int, itemsize: int) -> Any:
        raise NotImplementedError


def reader_of(file: Any) -> tuple[Callable[[int, int], Any], int]:
    """(read n bytes at an offset into memory of our own, size) of a seekable file; several threads may read."""
    file.seek(0, io.SEEK_END)
    size = file.tell()
    one_at_a_time = Lock()  # the file has one position

    def read_at(offset: int, n: int) -> bytearray:
        data = bytearray(n)
        view, at = memoryview(data), 0
        with one_at_a_time:
            file.seek(offset)
            while at < n:
                if hasattr(file, "readinto"):
                    got = file.readinto(view[at:]) or 0
                else:
                    piece = file.read(n - at) or b""
                    got = min(len(piece), n - at)
                    view[at : at + got] = piece[:got]
                if not got:
                    raise Clear("the file ends early: it became shorter while it was read")
                at += got
        return data

    return read_at, size


class Zip(_Source):
    """torch.save's zip: <stem>/data.pkl, byteorder, version and data/N per storage."""

    def __init__(self, file: Any, name: str, checked: bool = True, mapped: Any = None) -> None:
        super().__init__(name)
        read_at, size = reader_of(file)
        self.view = memoryview(mapped) if mapped is not None else None
        self.checked = checked
        self.zip = Reader(read_at, size, self.error)
        names = list(self.zip.entries)
        pickles = [n for n in names if n.count("/") == 1 and n.endswith("/data.pkl")]
        if len(pickles) != 1:
            raise self.error("it holds no <stem>/data.pkl, so it is not a PyTorch file")
        self.stem = pickles[0].split("/")[0]
        if f"{self.stem}/constants.pkl" in names:
            raise self.error("Cannot use ``weights_only=True`` with TorchScript archives passed to ``torch.load``")
        order = self.read("byteorder", 100) if f"{self.stem}/byteorder" in names else b"little"
        if bytes(order).decode("ascii", "replace").strip() != sys.byteorder:
            raise self.error(f"its byte order is {bytes(order)!r}, this machine's is {sys.byteorder}")

    def read(self, entry: str, limit: int | None = None) -> Any:
        return self.zip.read(f"{self.stem}/{entry}", self.checked, limit)

    def pickle(self) -> Any:
        return bytes(self.read("data.pkl"))

    def memory(self, key: str, count: int, itemsize: int) -> Any:
        begin, size, _ = self.zip.entries.get(f"{self.stem}/data/{key}", (0, count * itemsize, 0))
        if size != count * itemsize:
            raise self.error(f"storage {key} holds {size} bytes, not {count} elements of {itemsize} bytes")
        if self.view is not None and begin and begin % ALIGN == 0:
            return self.view[begin : begin + size]
        return self.read(f"data/{key}")


class Legacy(_Source):
    """The format before the zip: pickles of a magic number, a version, the machine, the object and the storages' keys."""

    def __init__(self, data: Any, name: str, start: int) -> None:
        super().__init__(name)
        self.data, self.left, self.at = data, len(data), start
        if self._next() != MAGIC:
            raise self.error("it is no file of PyTorch (Invalid magic number; corrupt file?)")
        if self._next() != PROTOCOL:
            raise self.error("its protocol version is not 1001")
        machine = self._next()
        little = machine.get("little_endian", True) if isinstance(machine, dict) else None
        if little is not (sys.byteorder == "little"):
            raise self.error("it was written on a machine of another byte order")

    def _next(self) -> Any:
        reader = Unpickler(self.data, lambda module, name: None, self.storage, at=self.at)
        found = reader.load()
        self.at = reader.at
        return found

    def memory(self, key: str, count: int, itemsize: int) -> Any:
        """Filled by `finish`: the storages stand behind the pickle."""
        self.left -= count * itemsize
        if self.left < 0:
            raise self.error(f"its storages ask for more bytes than the file's {len(self.data)}")
        return bytearray(count * itemsize)

    def finish(self, at: int) -> None:
        self.at = at
        keys = self._next()
        if not isinstance(keys, list) or not set(self.blocks) <= {k for k in keys if isinstance(k, str)}:
            raise self.error("it does not hold the storages that its tensors need")
        view = memoryview(self.data)
        for key in keys:
            block = self.blocks.get(key) if isinstance(key, str) else None
            if block is None or self.at + 8 > len(view):
                raise self.error("its storages are damaged or truncated")
            (count,) = struct.unpack_from("<q", view, self.at)
            n = len(block.bytes)
            item = dtypes.BY_NAME[block.dtype or ""].itemsize
            if count * item != n or self.at + 8 + n > len(view):
                raise self.error(f"storage {key} is damaged or truncated")
            block.bytes[:] = view[self.at + 8 : self.at + 8 + n]
            block.settle()
            self.at += 8 + n


def _lengths(values: Any) -> bool:
    return isinstance(values, tuple) and all(type(v) is int and 0 <= v < LIMIT for v in values)


def absent(module: str, name: str) -> str | None:
    """What a name of PyTorch's stands for that is not here: kinds of tensors, and dtypes."""
    if module == "torch._utils":
        return {
            "_rebuild_qtensor": "quantized tensors", "_rebuild_sparse_tensor": "sparse tensors",
            "_rebuild_nested_tensor": "nested tensors",
        }.get(name)  # fmt: skip
    if module == "torch" and re.fullmatch(r"(float[48]_\w+|complex32|bits\d\w*|q?u?int\d\w*)", name):
        return f"tensors of torch.{name}"
    return None


class Builder:
    """What a file may name, and what is called for it."""

    def __init__(self, name: str, map_location: Any, safe: dict[str, Any]) -> None:
        self.name, self.map_location, self.safe = name, map_location, safe
        self.table: dict[tuple[str, str], Call] = {
            ("torch._utils", "_rebuild_tensor"): Call(self.tensor, cost=20),
            ("torch._utils", "_rebuild_tensor_v2"): Call(self.tensor, cost=20),
            ("torch._utils", "_rebuild_tensor_v3"): Call(self.tensor_v3, cost=20),
            ("torch._utils", "_rebuild_meta_tensor_no_storage"): Call(self.meta_tensor, cost=20),
            ("torch._utils", "_rebuild_parameter"): Call(self.parameter),
            ("torch._utils", "_rebuild_parameter_with_state"): Call(self.parameter),
            ("torch._tensor", "_rebuild_from_type_v2"): Call(self.with_state),
            ("torch", "Size"): Call(self.size, Size),
            ("torch", "device"): Call(self.device, devices.Device),
            ("torch.serialization", "_get_layout"): Call(self.layout),
        }  # fmt: skip
        self.rebuilds = [self.table["torch._utils", n] for n in (
            "_rebuild_tensor", "_rebuild_tensor_v2", "_rebuild_tensor_v3",
            "_rebuild_meta_tensor_no_storage", "_rebuild_parameter")]  # fmt: skip

    def error(self, reason: str) -> Clear:
        return Clear(f"cannot load {self.name}: {reason}")

    # ---- places -------------------------------------------------------------------------------------------------------
    def place(self, block: Block) -> Any:
        """(bytes on the device where a storage goes, shared version cell, device)."""
        target, location = self.map_location, block.location
        if isinstance(target, dict):
            target = target.get(location, location)
        elif callable(target) and not isinstance(target, devices.Device):
            return self._moved(block)
        dev = self._device(location if target is None else target, location)
        return (*block.on(dev), dev)

    def _device(self, target: Any, location: str) -> Any:
        """The device; where there is none such: PyTorch's words for CUDA, which people search for, or what is wrong."""
        try:
            dev = devices.resolve(target)
            dev.backend.empty  # noqa: B018 an absent device raises here
            return dev
        except (RuntimeError, AssertionError, NotImplementedError) as error:
            if str(target).startswith("cuda:") and devices.cuda_allowed():
                raise Clear(
                    f"Attempting to deserialize object on CUDA device {str(target)[5:]} but torch.cuda.device_count() is "
                    f"{devices.get_backend('cupy').device_count()}. Please use torch.load with map_location to map your "
                    f"storages to an existing device. ({self.name}, storage of {location}: {error})"
                ) from None
            if str(target).startswith("cuda"):
                raise Clear(
                    "Attempting to deserialize object on a CUDA device but torch.cuda.is_available() is False. If you are "
                    "running on a CPU-only machine, please use torch.load with map_location=torch.device('cpu') to map your "
                    f"storages to the CPU. ({self.name}, storage of {location}: {error})"
                ) from None
            if self.map_location is not None:
                raise Clear(str(error)) from None
            raise Clear(
                f"Attempting to deserialize object on {location} in {self.name}, but it is not available here. "
                "Use torch.load with map_location='cpu' to map the storages to the CPU."
            ) from None

    def _moved(self, block: Block) -> Any:
        """What a callable map_location(storage, location) makes of a storage (None: left where it was)."""
        if "callable" not in block.placed:
            cpu = devices.cpu_device()
            flat, cell = block.on(cpu)
            moved = self.map_location(UntypedStorage.of(flat, cpu), block.location)
            if moved is None:
                dev = self._device(block.location, block.location)
                found = (*block.on(dev), dev)
            elif isinstance(moved, UntypedStorage):
                same = moved.device == cpu and moved.data_ptr() == cpu.backend.data_ptr(flat)
                found = (flat, cell, cpu) if same else (moved._bytes, [0, 64], moved.device)
            else:
                dev = self._device(getattr(moved, "device", moved), block.location)
                found = (*block.on(dev), dev)
            block.placed["callable"] = found
        return block.placed["callable"]

    # ---- what is built --------------------------------------------------------------------------------------------------
    def tensor(
        self, storage: Any, offset: Any, size: Any, stride: Any, requires_grad: Any = False, hooks: Any = None,
        metadata: Any = None, dtype: Any = None,
    ) -> Tensor:  # fmt: skip
        if type(storage) is not tuple or len(storage) != 2 or not isinstance(storage[0], Block):
            raise self.error("a tensor is described wrongly")
        block, name = storage
        block.shown = True
        d = dtypes.BY_NAME[name] if dtype is None else dtype
        size = tuple(size) if type(size) is Size else size
        if type(offset) is not int or not 0 <= offset < LIMIT or not _lengths(size) or not _lengths(stride):
            raise self.error("a tensor is described wrongly")
        if len(size) != len(stride) or len(size) > 64:
            raise self.error("a tensor's size and stride do not match")
        if d.array is None:
            raise self.error("it holds bfloat16: pip install 'polytensor[bf16]'")
        have, count = len(block.bytes) // d.itemsize, 1
        for n in size:
            count *= max(n, 1)
        if count >= LIMIT // 16:
            raise self.error("a tensor's size is absurd")
        if 0 not in size:
            last = offset + sum((n - 1) * s for n, s in zip(size, stride, strict=True))
            if last >= have:
                raise self.error(f"a tensor reaches element {last} of a storage of {have}")
        flat, cell, dev = self.place(block)
        flags = metadata if isinstance(metadata, dict) else {}
        whole, lazy = size, flags.get("conj") is True or flags.get("neg") is True
        if lazy:  # computed here, where PyTorch only notes it: each element once, however often it is shown
            size = tuple(min(n, 1) if s == 0 else n for n, s in zip(size, stride, strict=True))
            if math.prod(size) > have:
                raise self.error("a tensor shows its storage's elements more than once")
        if 0 in size:
            array = dev.backend.empty(size, d.array)
        else:  # a stride that no step is taken by may be anything
            steps = tuple(s * d.itemsize if n > 1 or s < 2**58 else 0 for s, n in zip(stride, size, strict=True))
            array = dev.backend.strided_view(flat, size, steps, offset * d.itemsize, d.array)
        r = wrap(array, dev)
        r._s = cell
        if lazy:
            shown = r

            def computed() -> Any:
                found = shown.conj_physical() if flags.get("conj") is True else shown  # type: ignore[attr-defined]
                return -found if flags.get("neg") is True else found

            def again() -> None:
                own._a[...] = computed()._a

            own = computed()
            block.late.append(again)
            r = own.expand(whole)
        return r.requires_grad_() if requires_grad is True else r

    def tensor_v3(
        self, storage: Any, offset: Any, size: Any, stride: Any, requires_grad: Any, hooks: Any, dtype: Any,
        metadata: Any = None,
    ) -> Tensor:  # fmt: skip
        if not isinstance(dtype, dtypes.dtype):
            raise self.error("a tensor is described wrongly")
        return self.tensor(storage, offset, size, stride, requires_grad, hooks, metadata, dtype)

    def meta_tensor(self, dtype: Any, size: Any, stride: Any, requires_grad: Any) -> Tensor:
        """A tensor without data."""
        size = tuple(size) if type(size) is Size else size
        lengths = _lengths(size) and _lengths(stride) and len(size) == len(stride) <= 64
        if not isinstance(dtype, dtypes.dtype) or not lengths:
            raise self.error("a tensor is described wrongly")
        if dtype.array is None:
            raise self.error("it holds bfloat16: pip install 'polytensor[bf16]'")
        reach = sum(max(n - 1, 0) * s for n, s in zip(size, stride, strict=True))
        if max(reach, math.prod(max(n, 1) for n in size)) >= LIMIT // 16:
            raise self.error("a tensor's size is absurd")
        return empty_strided(size, stride, dtype=dtype, device="meta", requires_grad=requires_grad is True)

    def parameter(self, data: Any, requires_grad: Any, hooks: Any = None, state: Any = None) -> Parameter:
        if not isinstance(data, Tensor):
            raise self.error("a parameter is described wrongly")
        return self._state(Parameter(data, requires_grad=bool(requires_grad)), state)  # type: ignore[no-any-return]

    def with_state(self, function: Any, cls: Any, args: Any, state: Any) -> Any:
        call = next((c for c in self.rebuilds if c.value == function), None)
        own = isinstance(cls, type) and issubclass(
            cls, Subclassed
        )  # of the user's, who trusts the file or named the class
        if call is None or not (own or cls in (TENSOR, PARAMETER, Tensor, Parameter)) or type(args) is not tuple:
            raise self.error("it holds a tensor of a class that is not on the list")
        r = call.fn(*args)
        if own:
            r = as_instance(cls, r)
            if cls.__setstate__ is not Tensor.__setstate__:
                r.__setstate__(state)
                return r
        return self._state(r, state)

    def _state(self, r: Any, state: Any) -> Any:
        """The attributes that a user gave to a tensor."""
        if state:
            if type(state) is not dict or not all(type(k) is str and not k.startswith("__") for k in state):
                raise self.error("the attributes of a tensor are described wrongly")
            vars(r).update(state)
        return r

    def size(self, values: Any = ()) -> Size:
        if type(values) not in (tuple, list) or not _lengths(tuple(values)):
            raise self.error("a size is described wrongly")
        return Size(values)

    def device(self, kind: Any, index: Any = None) -> Any:
        try:
            return devices.named(kind, index)
        except Exception as error:
            raise self.error(f"it holds a device that is not one ({error})") from None

    def layout(self, name: Any) -> Any:
        found = getattr(layouts, name[6:], None) if isinstance(name, str) and name.startswith("torch.") else None
        if not isinstance(found, layouts.layout):
            raise self.error("a layout is described wrongly")
        return found

    # ---- names --------------------------------------------------------------------------------------------------------
    def refuse(self, reason: str) -> None:
        raise self.error(reason)

    def find(self, module: str, name: str) -> Any:
        """The object for a name on the list, or None."""
        if (module, name) in KINDS:
            return KINDS[module, name]
        if module == "torch" and name in dtypes.BY_NAME:
            return dtypes.BY_NAME[name]
        if (module, name) in (("torch", "Tensor"), ("polytensor", "Tensor")):
            return TENSOR
        if (module, name) == ("torch.nn.parameter", "Parameter"):
            return PARAMETER
        if (module, name) in self.table:
            return self.table[module, name]
        own = self.safe.get(f"{module}.{name}")
        if own is not None and module.split(".")[0] in ("sys", "os", "posix", "nt"):
            raise pickle.UnpicklingError(
                f"Trying to load unsupported GLOBAL {module}.{name} whose module {module} is blocked."
            )
        if own is None and (kind := absent(module, name)):
            self.refuse(f"it holds {kind}, which PolyTensor does not have")
        return None if own is None else Call(own, own=True)


class Names(Builder):
    """Notes which names a file asks for that are not on the list, and builds nothing of it."""

    def __init__(self) -> None:
        super().__init__("it", None, {})
        self.unknown: list[str] = []

    def refuse(self, reason: str) -> None:
        pass

    def find(self, module: str, name: str) -> Any:
        found = super().find(module, name)
        if found is None and (full := f"{module}.{name}") not in self.unknown:
            self.unknown.append(full)
        return found


class AnyUnpickler(pickle.Unpickler):
    """For weights_only=False: objects of any class."""

    def __init__(self, file: Any, builder: Builder, persistent: Any, **options: Any) -> None:
        super().__init__(file, **options)
        self.builder, self.persistent = builder, persistent

    def find_class(self, module: str, name: str) -> Any:
        if module == "polytensor" and name == "Tensor":
            return Tensor
        if (module, name) == ("torch.nn.parameter", "Parameter"):
            return Parameter
        found = self.builder.find(module, name)
        if found is not None:
            return found.fn if type(found) is Call and found.value is found.fn else getattr(found, "value", found)
        if module == "torch" or module.startswith("torch."):
            module = "polytensor" + module[5:]
        return super().find_class(module, name)

    def persistent_load(self, pid: Any) -> Any:
        return self.persistent(pid)
