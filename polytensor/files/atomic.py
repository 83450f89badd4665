"""A file is replaced in one step, or not at all: temporary name, fsync, rename, fsync of the folder."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

__all__ = ["write"]


def write(path: Path, fill: Callable[[Any], None]) -> None:
    """Let `fill(file)` write a binary file that then stands at `path`, or where a link at `path` leads.

    A file that was there keeps its permissions; a device or pipe is written to as it is. RuntimeError if the folder is not
    there, or if `path` is a folder or must not be written.
    """
    path = Path(os.path.realpath(path))
    if path.is_symlink():
        raise RuntimeError(f"File {path} cannot be opened: {os.strerror(errno.ELOOP)}")
    if not path.parent.is_dir():
        raise RuntimeError(f"Parent directory {path.parent} does not exist.")
    if path.is_dir() or (path.exists() and not os.access(path, os.W_OK)):
        raise RuntimeError(
            f"File {path} cannot be opened: {'it is a folder' if path.is_dir() else 'Permission denied'}"
        )
    if path.exists() and not path.is_file():
        with open(path, "wb") as file:
            fill(file)
        return
    name = path.name if len(os.fsencode(path.name)) <= 200 else path.name[:50]  # the temporary one is longer
    import tempfile  # with shutil and its compressors 2 ms, which `import polytensor` need not take

    handle, temporary = tempfile.mkstemp(prefix=f".{name}.", suffix=".tmp", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            fill(file)
            file.flush()
            os.fsync(file.fileno())
        if path.exists():
            mode = path.stat().st_mode & 0o777
        else:
            umask = os.umask(0)
            os.umask(umask)
            mode = 0o666 & ~umask
        os.chmod(temporary, mode)
        os.replace(temporary, path)
    except BaseException as error:
        if os.path.exists(temporary):
            os.unlink(temporary)
        if isinstance(error, OSError) and error.errno is not None and error.filename is None:  # a full disk: say where
            raise OSError(error.errno, error.strerror, os.fspath(path)) from error
        raise
    if os.name == "posix":  # elsewhere a folder cannot be opened
        directory = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)
