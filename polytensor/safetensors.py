"""The safetensors format: names, dtypes and shapes as JSON, then the bytes. Source: safetensors.torch.

A reader and a writer of our own: a file is refused unless its header is sound and its tensors fill the rest of the file,
each byte once. Files come out as the package safetensors writes them.
"""

from __future__ import annotations

import json
import os
import struct
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from . import devices, dtypes, layouts
from .files import atomic
from .files.reading import reader_of
from .files.writing import memory_of
from .tensor import Tensor, wrap

__all__ = [
    "SafetensorError", "load", "load_file", "load_model", "safe_open", "save", "save_file", "save_model", "storage_ptr",
    "storage_size",
]  # fmt: skip

# in the order in which a file has them, last first
NAMES = {
    "BOOL": "bool", "U8": "uint8", "I8": "int8", "I16": "int16", "U16": "uint16", "F16": "float16", "BF16": "bfloat16",
    "I32": "int32", "U32": "uint32", "F32": "float32", "C64": "complex64", "F64": "float64", "I64": "int64", "U64": "uint64",
}  # fmt: skip
CODES = {name: code for code, name in NAMES.items()}
ORDER = {name: i for i, name in enumerate(NAMES.values())}
LARGEST_HEADER = 100_000_000


class SafetensorError(Exception):
    """A file is not sound safetensors."""


def storage_ptr(tensor: Tensor) -> int:
    """Where the memory that a tensor is a part of begins."""
    return int(tensor.untyped_storage().data_ptr())  # type: ignore[attr-defined]


def storage_size(tensor: Tensor) -> int:
    """How many bytes the memory that a tensor is a part of has."""
    return int(tensor.untyped_storage().nbytes())  # type: ignore[attr-defined]


# ---- writing ---------------------------------------------------------------------------------------------------------
def _checked(tensors: Any) -> None:
    """The errors of the package: not a dict of tensors, layouts, shared memory, not contiguous, dtypes without a name."""
    if not isinstance(tensors, dict):
        raise ValueError(f"Expected a dict of [str, torch.Tensor] but received {type(tensors)}")
    for name, t in tensors.items():
        if not isinstance(t, Tensor):
            raise ValueError(f"Key `{name}` is invalid, expected torch.Tensor but received {type(t)}")
        if t.layout is not layouts.strided:  # type: ignore[attr-defined]
            raise ValueError(
                f"You are trying to save a sparse tensors: `{[name]}` which this library does not support."
            )
    failing = [names for names in _shared(tensors) if len(names) > 1]
    if failing:
        raise RuntimeError(
            "Some tensors share memory, this will lead to duplicate memory on disk and potential differences when loading "
            f"them again: {failing}. A potential way to correctly save your model is to use `save_model`."
        )
    for name, t in tensors.items():
        if not t.is_contiguous():  # type: ignore[attr-defined]
            raise ValueError(
                f"You are trying to save a non contiguous tensor: `{name}` which is not allowed. It either means you are "
                "trying to save tensors which are reference of each other in which case it's recommended to save only the "
                "full tensors, and reslice at load time, or simply call `.contiguous()` on your tensor to pack it before saving."
            )
        if t.dtype.name not in CODES:
            raise SafetensorError(f"safetensors has no name for {t.dtype} (tensor `{name}`)")


def _shared(tensors: dict[str, Tensor]) -> list[set[str]]:
    """Names of tensors whose bytes overlap, in groups."""
    areas = []
    for name, t in tensors.items():
        n = t._a.size * t.dtype.itemsize
        if n:
            start = t._dev.backend.data_ptr(t._a)
            areas.append((str(t._dev), start, start + n, name))
    groups: list[set[str]] = []
    last: tuple[str, int] = ("", 0)
    for place, start, stop, name in sorted(areas):
        if groups and place == last[0] and start < last[1]:
            groups[-1].add(name)
            last = (place, max(stop, last[1]))
        else:
            groups.append({name})
            last = (place, stop)
    return groups


def _write(tensors: dict[str, Tensor], metadata: dict[str, str] | None, write: Callable[[Any], Any]) -> None:
    _checked(tensors)
    if sys.byteorder != "little":
        raise SafetensorError("safetensors files are little-endian, this machine is not")
    header: dict[str, Any] = {}
    if metadata is not None:
        if not all(isinstance(k, str) and isinstance(v, str) for k, v in metadata.items()):
            raise TypeError("metadata is a dict of str to str")
        header["__metadata__"] = dict(metadata)
    names = sorted(tensors, key=lambda name: (-ORDER[tensors[name].dtype.name], name))
    at = 0
    for name in names:
        t = tensors[name]
        n = t._a.size * t.dtype.itemsize
        header[name] = {"dtype": CODES[t.dtype.name], "shape": list(t._a.shape), "data_offsets": [at, at + n]}
        at += n
    text = json.dumps(header, ensure_ascii=False, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    write(struct.pack("<Q", len(text)) + text)
    for name in names:
        t = tensors[name]
        if t._a.size:
            write(memory_of(t._dev.backend, t._a))


def save(tensors: dict[str, Tensor], metadata: dict[str, str] | None = None) -> bytes:
    """Tensors by name as bytes. ValueError for what is not contiguous; RuntimeError for memory that is shared."""
    pieces: list[bytes] = []
    _write(tensors, metadata, lambda piece: pieces.append(bytes(piece)))
    return b"".join(pieces)


def save_file(tensors: dict[str, Tensor], filename: Any, metadata: dict[str, str] | None = None) -> None:
    """Tensors by name into a file, which is replaced in one step or not at all. Errors as those of `save`."""
    _checked(tensors)
    atomic.write(Path(os.fspath(filename)), lambda file: _write(tensors, metadata, file.write))


def save_model(
    model: Any, filename: Any, metadata: dict[str, str] | None = None, force_contiguous: bool = True
) -> None:
    """A module's state_dict; of tensors that share memory one is written, the metadata say which stands for which."""
    state = dict(model.state_dict())
    notes = dict(metadata or {})
    for kept, dropped in _duplicates(state, ()).items():
        for name in dropped:
            notes.setdefault(name, kept)
            del state[name]
    if force_contiguous:
        state = {name: t.contiguous() for name, t in state.items()}
    save_file(state, filename, notes or metadata)


def _duplicates(state: dict[str, Tensor], preferred: Any) -> dict[str, list[str]]:
    """For each group of names that share memory: the one to keep, and the others."""
    found: dict[str, list[str]] = {}
    for names in _shared(state):
        if len(names) > 1:
            whole = [n for n in sorted(names) if state[n]._a.nbytes == state[n].untyped_storage().nbytes()]  # type: ignore[attr-defined]
            if not whole:
                raise RuntimeError(
                    "Error while trying to find names to remove to save state dict, but found no suitable name to keep for "
                    f"saving amongst: {names}. None is covering the entire storage."
                )
            keep = next((n for n in whole if n in preferred), whole[0])
            found[keep] = [n for n in sorted(names) if n != keep]
    return found


# ---- reading ---------------------------------------------------------------------------------------------------------
class _Header:
    """A header whose tensors fill the `size` bytes of a file, each byte once."""

    def __init__(self, read_at: Callable[[int, int], Any], size: int) -> None:
        if size < 8:
            raise self.error("header too small")
        (n,) = struct.unpack("<Q", bytes(read_at(0, 8)))
        if n > LARGEST_HEADER:
            raise self.error(f"header too large: {n} bytes")
        if n + 8 > size:
            raise self.error(f"invalid header length: {n} bytes in a file of {size}")
        text = bytes(read_at(8, n))
        if not text.startswith(b"{"):
            raise self.error("invalid start character in header, must be '{'")
        try:
            found = json.loads(text.decode(), object_pairs_hook=self._once)
        except (ValueError, RecursionError) as error:
            raise self.error(f"invalid JSON ({str(error)[:200]})") from None
        self.start = 8 + n
        self.metadata = found.pop("__metadata__", None)
        if self.metadata is not None and (
            type(self.metadata) is not dict or not all(type(v) is str for v in self.metadata.values())
        ):
            raise self.error("__metadata__ is no map of strings to strings")
        self.tensors: dict[str, tuple[dtypes.dtype, tuple[int, ...], int, int]] = {}
        for name, info in found.items():
            self.tensors[name] = self._tensor(name, info)
        at = 0
        for name, (_, _, begin, end) in sorted(self.tensors.items(), key=lambda item: item[1][2:]):
            if begin != at:
                raise self.error(f"invalid offset for tensor `{name}`: it begins at {begin}, not at {at}")
            at = end
        if at != size - self.start:
            raise self.error(f"incomplete metadata, file not fully covered: {at} of {size - self.start} bytes")

    @staticmethod
    def error(why: str) -> SafetensorError:
        return SafetensorError(f"Error while deserializing header: {why}")

    def _once(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) != len(pairs):
            raise self.error("two entries of one name")
        return found

    def _tensor(self, name: str, info: Any) -> tuple[dtypes.dtype, tuple[int, ...], int, int]:
        if type(info) is not dict or set(info) != {"dtype", "shape", "data_offsets"}:
            raise self.error(f"tensor `{name}` is described wrongly")
        code, shape, offsets = info["dtype"], info["shape"], info["data_offsets"]
        if type(code) is not str or code not in NAMES:
            raise self.error(f"tensor `{name}` has a dtype that is not known here: {str(code)[:20]!r}")
        for values in (shape, offsets):
            if type(values) is not list or not all(type(v) is int and 0 <= v < 2**62 for v in values):
                raise self.error(f"tensor `{name}` is described wrongly")
        if len(offsets) != 2 or len(shape) > 64:
            raise self.error(f"tensor `{name}` is described wrongly")
        d = dtypes.BY_NAME[NAMES[code]]
        count = 1
        for n in shape:
            count *= n
        if offsets[1] - offsets[0] != count * d.itemsize:
            raise self.error(f"tensor `{name}`: shape {shape} of {d} does not fill the bytes {offsets}")
        wide = 1
        for n in shape:
            wide *= max(n, 1)
        if wide >= 2**58:
            raise self.error(f"tensor `{name}`: its shape is absurd")
        return d, tuple(shape), *offsets


def _tensor(read_at: Callable[[int, int], Any], header: _Header, name: str, dev: Any) -> Tensor:
    d, shape, begin, end = header.tensors[name]
    host = devices.cpu_device().backend
    kind = dtypes.need_array(d)
    if begin == end:
        return wrap(dev.backend.empty(shape, kind), dev)
    data = bytearray(read_at(header.start + begin, end - begin))
    flat = host.frombuffer(data, kind, (end - begin) // d.itemsize, 0)
    return wrap(dev.backend.from_numpy(flat.reshape(shape)), dev)


class safe_open:
    """A file whose tensors are read one by one: keys(), get_tensor(name), get_slice(name)[...], metadata().

    >>> with safe_open("model.safetensors", framework="pt") as f:  # doctest: +SKIP
    ...     weight = f.get_tensor("weight")
    """

    def __init__(self, filename: Any, framework: str = "pt", device: Any = "cpu", *, backend: str = "mmap") -> None:
        if framework not in ("pt", "torch", "pytorch"):
            raise SafetensorError(f"framework {framework} is invalid: tensors of PolyTensor come as 'pt'")
        self._device = devices.resolve(device)
        self._file: Any = open(os.fspath(filename), "rb")  # noqa: SIM115 closed by __exit__
        try:
            self._read_at, size = reader_of(self._file)
            self._header = _Header(self._read_at, size)
        except BaseException:
            self._file.close()
            raise

    def __enter__(self) -> safe_open:
        return self

    def __exit__(self, *exc: Any) -> None:
        self._file.close()

    def keys(self) -> list[str]:
        """The names, sorted."""
        return sorted(self._header.tensors)

    def offset_keys(self) -> list[str]:
        """The names in the order of the file."""
        return sorted(self._header.tensors, key=lambda name: self._header.tensors[name][2:])

    def metadata(self) -> dict[str, str] | None:
        return self._header.metadata

    def get_tensor(self, name: str) -> Tensor:
        """A tensor of its own. SafetensorError for a name that is not there."""
        if name not in self._header.tensors:
            raise SafetensorError(f"File does not contain tensor {name}")
        return _tensor(self._read_at, self._header, name, self._device)

    def get_tensors(self) -> dict[str, Tensor]:
        return {name: self.get_tensor(name) for name in self.keys()}

    def get_slice(self, name: str) -> Slice:
        return Slice(self, name)


class Slice:
    """A tensor of a file that is not read before it is indexed."""

    def __init__(self, file: safe_open, name: str) -> None:
        if name not in file._header.tensors:
            raise SafetensorError(f"File does not contain tensor {name}")
        self._file, self._name = file, name

    def get_shape(self) -> list[int]:
        return list(self._file._header.tensors[self._name][1])

    def get_dtype(self) -> str:
        return CODES[self._file._header.tensors[self._name][0].name]

    def __getitem__(self, index: Any) -> Tensor:
        return self._file.get_tensor(self._name)[index].clone()  # type: ignore[no-any-return, index]


def load(data: bytes) -> dict[str, Tensor]:
    """Tensors by name from the bytes of a file. SafetensorError for what is not sound."""
    view = memoryview(data)
    header = _Header(lambda at, n: view[at : at + n], len(view))
    cpu = devices.cpu_device()
    return {name: _tensor(lambda at, n: view[at : at + n], header, name, cpu) for name in header.tensors}


def load_file(filename: Any, device: Any = "cpu", *, backend: str = "mmap") -> dict[str, Tensor]:
    """Tensors by name from a file. SafetensorError for what is not sound; FileNotFoundError."""
    with safe_open(filename, "pt", device, backend=backend) as f:
        return f.get_tensors()


def load_model(
    model: Any, filename: Any, strict: bool = True, device: Any = "cpu", *, backend: str = "mmap"
) -> tuple[set[str], list[str]]:
    """A file of save_model into a module: (missing names, unexpected names). RuntimeError for any if `strict`."""
    state = load_file(filename, device, backend=backend)
    groups = _duplicates(dict(model.state_dict()), state)
    missing_names, unexpected = model.load_state_dict(state, strict=False)
    missing = set(missing_names)
    for names in groups.values():
        for name in names:
            if name in missing:
                missing.remove(name)
            else:
                unexpected.append(name)
    if strict and (missing or unexpected):
        lines = [f"Error(s) in loading state_dict for {type(model).__name__}:"]
        if missing:
            lines.append("    Missing key(s) in state_dict: " + ", ".join(f'"{name}"' for name in sorted(missing)))
        if unexpected:
            lines.append(
                "    Unexpected key(s) in state_dict: " + ", ".join(f'"{name}"' for name in sorted(unexpected))
            )
        raise RuntimeError("\n".join(lines))
    return missing, unexpected
