"""Downloads, checksums and archives. Source: torchvision.datasets.utils."""

from __future__ import annotations

import bz2
import contextlib
import functools
import gzip
import hashlib
import lzma
import os
import pathlib
import tarfile
import threading
import zipfile
from collections.abc import Callable, Iterable
from typing import Any

from ...files.download import save_url
from ...utils.progress import progress

__all__ = [
    "calculate_md5", "check_integrity", "check_md5", "download_and_extract_archive", "download_url", "extract_archive",
    "iterable_to_str", "list_dir", "list_files", "verify_str_arg",
]  # fmt: skip

LARGE = 1 << 28  # bytes that take about a second
_slow = functools.partial(progress, delay=1)


def calculate_md5(fpath: Any, chunk_size: int = 1024 * 1024) -> str:
    """The MD5 of a file, as hexadecimal text."""
    md5, size = hashlib.md5(usedforsecurity=False), os.path.getsize(fpath)
    none = contextlib.nullcontext(lambda n: None)
    bar = _slow(size, f"checking {os.path.basename(fpath)}") if size > LARGE else none
    with open(fpath, "rb") as f, bar as update:
        while chunk := f.read(chunk_size):
            md5.update(chunk)
            update(len(chunk))
    return md5.hexdigest()


def check_md5(fpath: Any, md5: str, **kwargs: Any) -> bool:
    """Whether the file has this MD5."""
    return md5 == calculate_md5(fpath, **kwargs)


def check_integrity(fpath: Any, md5: str | None = None) -> bool:
    """Whether the file is there and, if md5 is given, has it."""
    return os.path.isfile(fpath) and (md5 is None or check_md5(fpath, md5))


def download_url(url: str, root: Any, filename: Any = None, md5: str | None = None, max_redirect_hops: int = 3) -> None:
    """Download url to root/filename, unless it is there with the right MD5.

    RuntimeError if the MD5 is wrong, URLError if the server refuses, breaks off or is silent for TIMEOUT seconds.
    """
    root = os.path.expanduser(root)
    path = os.path.join(root, os.fspath(filename or os.path.basename(url)))
    os.makedirs(root, exist_ok=True)
    if check_integrity(path, md5):
        return
    wrong = None
    if md5 is not None:

        def wrong(part: str) -> str:
            found = calculate_md5(part)
            return "" if found == md5 else f"File not found or corrupted. {url} has the MD5 {found}, not {md5}"

    save_url(url, path, wrong, max_redirect_hops)


_OPENERS: dict[str, Callable[..., Any]] = {".bz2": bz2.open, ".gz": gzip.open, ".xz": lzma.open}
_ALIASES = {".tbz": (".tar", ".bz2"), ".tbz2": (".tar", ".bz2"), ".tgz": (".tar", ".gz")}


def _kind(file: Any) -> tuple[str, str | None, str | None]:
    """(suffix, archive type or None, compression or None). RuntimeError for an unknown suffix."""
    suffixes = pathlib.Path(file).suffixes
    if not suffixes:
        raise RuntimeError(
            f"File '{file}' has no suffixes that could be used to detect the archive type and compression."
        )
    last = suffixes[-1]
    if last in _ALIASES:
        return last, *_ALIASES[last]
    if last in (".tar", ".zip"):
        return last, last, None
    if last in _OPENERS:
        before = suffixes[-2] if len(suffixes) > 1 else ""
        return (before + last, before, last) if before in (".tar", ".zip") else (last, None, last)
    known = sorted({*_ALIASES, ".tar", ".zip", *_OPENERS})
    raise RuntimeError(f"Unknown compression or archive type: '{last}'.\nKnown suffixes are: '{known}'.")


def _inside(root: str, *parts: str) -> None:
    """RuntimeError if root/parts is not below root."""
    root = os.path.realpath(root)
    target = os.path.realpath(os.path.join(root, *parts))
    if target != root and not target.startswith(os.path.join(root, "")):
        raise RuntimeError(f"Refusing to unpack {os.path.join(*parts)!r}: it would leave {root}")


def _extract_tar(source: str, root: str, compression: str | None) -> None:
    name = os.path.basename(source)
    with tarfile.open(source, f"r:{compression[1:]}" if compression else "r:") as tar:
        with _slow(None, f"reading {name}", unit=" entries") as update:
            for _ in tar:
                update(1)
        members = tar.getmembers()
        for m in members:
            if not (m.isfile() or m.isdir() or m.issym() or m.islnk()):
                raise RuntimeError(f"Refusing to unpack {m.name!r}: it is neither a file nor a folder nor a link")
            _inside(root, m.name)
            if m.issym():
                if os.path.isabs(m.linkname):
                    raise RuntimeError(f"Refusing to unpack {m.name!r}: it would leave {root}")
                _inside(root, os.path.dirname(m.name), m.linkname)
            elif m.islnk():
                _inside(root, m.linkname)
        with _slow(sum(m.size for m in members), f"unpacking {name}") as update:
            for m in members:
                _inside(root, m.name)  # again: a link that was just unpacked may lie on its way
                if hasattr(tarfile, "data_filter"):
                    try:
                        tar.extract(m, root, filter="data")
                    except tarfile.FilterError as error:
                        raise RuntimeError(f"Refusing to unpack {m.name!r}: {error}") from error
                else:
                    tar.extract(m, root)
                update(m.size)


def _extract_zip(source: str, root: str) -> None:
    with zipfile.ZipFile(source) as archive:
        for name in archive.namelist():
            _inside(root, name.replace("\\", "/"))
        entries = archive.infolist()
        with _slow(sum(e.file_size for e in entries), f"unpacking {os.path.basename(source)}") as update:
            for entry in entries:
                archive.extract(entry, root)
                update(entry.file_size)


def extract_archive(from_path: Any, to_path: Any = None, remove_finished: bool = False) -> Any:
    """Unpack a .tar, .zip, .gz, .bz2 or .xz (or a .tar of these) into to_path, its own folder if None.

    RuntimeError for an unknown suffix, and for an entry whose path leaves to_path. Gives the folder, or the file that a
    single compressed file became.
    """
    source = os.fspath(from_path)
    root = os.path.dirname(source) if to_path is None else os.fspath(to_path)
    suffix, archive, compression = _kind(source)
    result = root
    if archive == ".tar":
        _extract_tar(source, root, compression)
    elif archive == ".zip":
        _extract_zip(source, root)
    else:
        result = os.path.join(root, os.path.basename(source)[: -len(suffix)])
        part = f"{result}.{os.getpid()}-{threading.get_ident()}.part"
        try:
            bar = _slow(os.path.getsize(source), f"unpacking {os.path.basename(source)}")
            with open(source, "rb") as packed, _OPENERS[suffix](packed) as f, open(part, "wb") as out, bar as update:
                at = 0
                while chunk := f.read(1 << 20):
                    out.write(chunk)
                    update(packed.tell() - at)
                    at = packed.tell()
            os.replace(part, result)
        except BaseException:
            with contextlib.suppress(FileNotFoundError):
                os.remove(part)
            raise
    if remove_finished:
        os.remove(source)
    return result if isinstance(from_path, str) else pathlib.Path(result)


def download_and_extract_archive(
    url: str,
    download_root: Any,
    extract_root: Any = None,
    filename: Any = None,
    md5: str | None = None,
    remove_finished: bool = False,
) -> None:
    """download_url, then extract_archive into extract_root (download_root if None)."""
    download_root = os.path.expanduser(download_root)
    filename = filename or os.path.basename(url)
    download_url(url, download_root, filename, md5)
    extract_archive(os.path.join(download_root, filename), extract_root or download_root, remove_finished)


def list_dir(root: Any, prefix: bool = False) -> list[str]:
    """The folders in root, with root before them if prefix."""
    root = os.path.expanduser(root)
    names = [p for p in os.listdir(root) if os.path.isdir(os.path.join(root, p))]
    return [os.path.join(root, p) for p in names] if prefix else names


def list_files(root: Any, suffix: str, prefix: bool = False) -> list[str]:
    """The files in root that end in suffix, with root before them if prefix."""
    root = os.path.expanduser(root)
    names = [p for p in os.listdir(root) if p.endswith(suffix) and os.path.isfile(os.path.join(root, p))]
    return [os.path.join(root, p) for p in names] if prefix else names


def iterable_to_str(iterable: Iterable[Any]) -> str:
    """'a', 'b', 'c'."""
    return ", ".join(f"'{item}'" for item in iterable)


def verify_str_arg(
    value: Any, arg: str | None = None, valid_values: Iterable[Any] | None = None, custom_msg: str | None = None
) -> Any:
    """The value, if it is a text among valid_values. ValueError otherwise."""
    if not isinstance(value, str):
        about = "" if arg is None else f" for argument {arg}"
        raise ValueError(f"Expected type str{about}, but got type {type(value)}.")
    if valid_values is not None and value not in valid_values:
        raise ValueError(
            custom_msg
            or f"Unknown value '{value}' for argument {arg}. Valid values are {{{iterable_to_str(valid_values)}}}."
        )
    return value
