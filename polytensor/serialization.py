"""save and load in PyTorch's formats, with a safe reader of our own. Source: torch.serialization.

A file is an uncompressed zip: <stem>/data.pkl (pickle protocol 2), byteorder, version and data/N per storage; the format
before it (a row of pickles) is read and written as well. The reader builds tensors, containers, numbers, dtypes and devices
by name from a fixed list and calls nothing else, so a file cannot run code. It allocates no more than the file holds, the
small Python objects of its pickle aside.
Files are written to a temporary name, synced and renamed.
"""

from __future__ import annotations

import io
import mmap as _mmap
import os
import pickle
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeAlias

from .files import atomic, reading, writing
from .unpickler import Unpickler

__all__ = [
    "add_safe_globals", "clear_safe_globals", "get_crc32_options", "get_default_mmap_options", "get_safe_globals",
    "get_unsafe_globals_in_checkpoint", "load", "safe_globals", "save", "set_crc32_options", "set_default_mmap_options",
]  # fmt: skip

DEFAULT_PROTOCOL = 2
MAP_LOCATION: TypeAlias = Any  # a device, a function, a dict of locations, or None
_safe: set[Any] = set()
_options: dict[str, Any] = {"crc32": True, "mmap": getattr(_mmap, "MAP_PRIVATE", None)}
_lock = threading.Lock()


# ---- what a file may name --------------------------------------------------------------------------------------------
def add_safe_globals(safe_globals: list[Any]) -> None:
    """Classes and functions, or (object, 'module.name') pairs, that files may use. Source: torch.serialization."""
    global _safe
    with _lock:
        _safe = _safe | set(safe_globals)


def clear_safe_globals() -> None:
    """Forget what was added."""
    global _safe
    _safe = set()


def get_safe_globals() -> list[Any]:
    """What was added."""
    return list(_safe)


class safe_globals:
    """A context in which files may use these classes and functions too. Source: torch.serialization.safe_globals."""

    def __init__(self, safe_globals: list[Any]) -> None:
        self.safe_globals = safe_globals

    def __enter__(self) -> None:
        add_safe_globals(self.safe_globals)

    def __exit__(self, type: Any, value: Any, tb: Any) -> None:
        global _safe
        with _lock:
            _safe = _safe - set(self.safe_globals)


def _named() -> dict[str, Any]:
    """The safe globals by full name. ValueError or TypeError for a pair that is not one."""
    found = {}
    for item in _safe:
        if isinstance(item, tuple):
            if len(item) != 2:
                raise ValueError(
                    f"Expected tuple of length 2 (global, str of callable full path), but got tuple of length: {len(item)}"
                )
            if type(item[1]) is not str:
                raise TypeError(
                    f"Expected second item in tuple to be str of callable full path, but got: {type(item[1])}"
                )
            found[item[1]] = item[0]
        else:
            found[f"{item.__module__}.{item.__qualname__}"] = item
    return found


# ---- options ---------------------------------------------------------------------------------------------------------
def get_crc32_options() -> bool:
    """Whether load compares storages with their checksums."""
    return bool(_options["crc32"])


def set_crc32_options(compute_crc32: bool) -> None:
    """False: load takes storages as they are, as PyTorch does; save writes checksums in any case."""
    _options["crc32"] = bool(compute_crc32)


def get_default_mmap_options() -> int | None:
    """The flag that load(mmap=True) maps with."""
    return _options["mmap"]  # type: ignore[no-any-return]


class set_default_mmap_options:
    """mmap.MAP_PRIVATE (writes stay in memory) or MAP_SHARED (they reach the file), for good or in a context."""

    def __init__(self, flags: int) -> None:
        if flags not in (_mmap.MAP_PRIVATE, _mmap.MAP_SHARED):
            raise ValueError(
                "Invalid argument in function set_default_mmap_options, expected mmap.MAP_PRIVATE or mmap.MAP_SHARED, "
                f"but got {flags}"
            )
        self.before = _options["mmap"]
        _options["mmap"] = flags

    def __enter__(self) -> None:
        pass

    def __exit__(self, *exc: Any) -> None:
        _options["mmap"] = self.before


# ---- writing ---------------------------------------------------------------------------------------------------------
def save(
    obj: Any, f: Any, pickle_module: Any = None, pickle_protocol: int = 2, _use_new_zipfile_serialization: bool = True
) -> None:
    """Write `obj` to a path or a binary file. A path is replaced in one step, or not at all. Source: torch.save.

    Tensors that share memory share it in the file. RuntimeError for a folder that is not there, and for tensors that show
    one memory as two dtypes. The pickle has protocol 2 and is made by our own pickler, whatever is asked for.
    """
    zipped = _use_new_zipfile_serialization
    if hasattr(f, "write"):
        writing.write_zip(obj, f, "archive") if zipped else writing.write_legacy(obj, f)
        return
    if not isinstance(f, (str, os.PathLike)):
        raise AttributeError(
            f"expected 'f' to be string, path, or a file-like object with a 'write' attribute, not {type(f).__name__}"
        )
    path = Path(os.fspath(f))
    stem = path.stem or "archive"
    atomic.write(path, lambda file: writing.write_zip(obj, file, stem) if zipped else writing.write_legacy(obj, file))


# ---- reading ---------------------------------------------------------------------------------------------------------
def load(
    f: Any, map_location: Any = None, pickle_module: Any = None, *, weights_only: bool | None = None, mmap: bool | None = None,
    **pickle_load_args: Any,
) -> Any:  # fmt: skip
    """Read what torch.save or save wrote, from a path or a seekable binary file. Source: torch.load.

    `map_location`: a device, its name, a dict from saved to wanted locations, or a callable (storage, location) that gives
    a storage or None. `mmap=True` maps a path: memory is read when it is touched, and not compared with its checksum.
    Errors: RuntimeError names the file and what is wrong with it; UnpicklingError for what is not on the list or a damaged
    pickle; EOFError for an empty file; FileNotFoundError. `weights_only=False` lets a file make objects of any class, and
    so run code: it warns.
    """
    only = pickle_module is None if weights_only is None else weights_only
    if only and pickle_module is not None:
        raise RuntimeError("Can not safely load weights when explicit pickle_module is specified")
    if not only:
        warnings.warn(
            "load(weights_only=False) unpickles objects of any class, which can run code: use it for files you trust",
            UserWarning,
            stacklevel=2,
        )
    options = {"encoding": "utf-8", **pickle_load_args}
    path = None if hasattr(f, "read") or not isinstance(f, (str, bytes, os.PathLike)) else os.fspath(f)
    if mmap and path is None:
        raise ValueError("f must be a file path in order to use the mmap argument")
    name = f"'{path}'" if path is not None else str(getattr(f, "name", "the given file"))
    builder = reading.Builder(name, map_location, _named())
    try:
        with _opened(f, path) as file:
            return _read(file, builder, only, bool(mmap), options)
    except pickle.UnpicklingError as error:
        raise pickle.UnpicklingError(f"cannot load {name}: {error}") from None
    except reading.Clear as error:
        raise RuntimeError(str(error)) from None


@contextmanager
def _opened(f: Any, path: Any) -> Iterator[Any]:
    if path is not None:
        with open(path, "rb") as file:
            yield file
        return
    if not all(hasattr(f, name) for name in ("seek", "tell")):
        raise AttributeError(
            f"'{type(f).__name__}' object has no attribute 'seek'. You can only torch.load from a file that is seekable. "
            "Please pre-load the data into a buffer like io.BytesIO and try to load from it instead."
        )
    yield f


def _mapped(file: Any, copy: bool) -> Any:
    """The file as memory, or None where it has no descriptor or no bytes."""
    try:
        flags = _options["mmap"]
        if copy and flags == getattr(_mmap, "MAP_SHARED", None):
            with open(file.name, "r+b") as writable:
                return _mmap.mmap(writable.fileno(), 0, access=_mmap.ACCESS_WRITE)
        return _mmap.mmap(file.fileno(), 0, access=_mmap.ACCESS_COPY if copy else _mmap.ACCESS_READ)
    except (OSError, ValueError, AttributeError, io.UnsupportedOperation):
        return None


def _read(file: Any, builder: reading.Builder, only: bool, mapped: bool, options: dict[str, Any]) -> Any:
    start = file.tell()
    head = b""
    while len(head) < len(reading.LEGACY_START):
        piece = file.read(len(reading.LEGACY_START) - len(head)) or b""
        if isinstance(piece, str):
            raise TypeError(f"{builder.name} is open as text; open it with mode 'rb'")
        head += piece
        if not piece:
            break
    if not head:
        raise EOFError(f"Ran out of input: {builder.name} is empty, or was read to its end (seek(0) it first)")
    if head == reading.LEGACY_START:
        if mapped:
            raise RuntimeError(
                "mmap can only be used with files saved with `torch.save(_use_new_zipfile_serialization=True), "
                "please torch.save your checkpoint with this option in order to use mmap."
            )
        return _read_legacy(file, start, builder, only, options)
    if not head.startswith(b"PK"):
        raise pickle.UnpicklingError("not a zip file, nor what older releases of PyTorch wrote")
    archive = reading.Zip(file, builder.name, _options["crc32"], _mapped(file, True) if mapped else None)
    return _unpickle(archive.pickle(), 0, builder, archive, only, options)[0]


def _read_legacy(file: Any, start: int, builder: reading.Builder, only: bool, options: dict[str, Any]) -> Any:
    data, skipped = _mapped(file, False), 0
    if data is None:
        file.seek(start)
        data, start, skipped = file.read(), 0, start
    source = reading.Legacy(data, builder.name, start)
    result, at = _unpickle(data, source.at, builder, source, only, options)
    source.finish(at)
    file.seek(source.at + skipped)  # another file may follow
    return result


def _unpickle(
    data: Any, at: int, builder: reading.Builder, source: Any, only: bool, options: dict[str, Any]
) -> tuple[Any, int]:
    """(the object, where its pickle ends)."""
    if only:
        reader = Unpickler(
            data, builder.find, source.storage, encoding=options["encoding"], at=at, own=builder.safe.values()
        )
        found = reader.load()
        if not all(block.shown for block in source.blocks.values()):
            raise builder.error("it holds a storage by itself: save the tensor over it instead")
        return found, reader.at
    stream = io.BytesIO(data[at:])
    return reading.AnyUnpickler(stream, builder, source.storage, **options).load(), at + stream.tell()


def get_unsafe_globals_in_checkpoint(f: Any) -> list[str]:
    """The names that a file asks for and that are not on the list. Source: torch.serialization."""
    import pickletools

    safe, names = _named(), reading.Names()
    with _opened(f, None if hasattr(f, "read") else os.fspath(f)) as file:
        data = reading.Zip(file, str(getattr(f, "name", f))).pickle()
    try:
        for code, argument, _ in pickletools.genops(data):
            if code.name == "GLOBAL":
                module, _, name = argument.partition(" ")
                if (module, name) not in Unpickler(b"", names.find, None).calls:  # type: ignore[arg-type]
                    names.find(module, name)
    except ValueError as error:
        raise pickle.UnpicklingError(f"its pickle is damaged ({error})") from None
    return [name for name in names.unknown if name not in safe]


def location_tag(storage: Any) -> str:
    """Where a storage lives: 'cpu' or 'cuda:0'."""
    return str(storage.device)


def default_restore_location(storage: Any, location: str) -> Any:
    """The storage on the device that `location` names."""
    return storage if str(storage.device) == location else storage.to(location)
