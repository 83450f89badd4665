"""Downloads: whole and right, or not at all.

A download is written to NAME.part and renamed when it is complete and its checksum is right, so NAME is never half a file.
A part that was left by an interrupted download is gone on with where a checksum can tell whether the result is right.
"""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import os
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from typing import Any

from ..utils.progress import progress as bar

__all__ = ["save_url", "sha256"]

USER_AGENT = "polytensor"
TIMEOUT = 30.0  # seconds without a byte
ATTEMPTS = 3  # tries of one URL that breaks off
CHUNK = 1 << 17


def sha256(path: Any) -> str:
    """The SHA-256 of a file, as hexadecimal text."""
    with open(path, "rb") as f:
        return hashlib.file_digest(f, "sha256").hexdigest()


class _BrokenOff(OSError):
    """The connection ended or stalled before the file's end."""


def _fetch(url: str, part: str, hops: int, shown: bool | None) -> None:
    """Read url into `part`, from where `part` ends if the server can. _BrokenOff if it ends early, URLError if refused."""

    class Redirects(urllib.request.HTTPRedirectHandler):
        max_redirections = hops + 1

    have = os.path.getsize(part) if os.path.exists(part) else 0
    headers = {"User-Agent": USER_AGENT, "Accept-Encoding": "identity"}
    if have:
        headers["Range"] = f"bytes={have}-"
    opener = urllib.request.build_opener(Redirects)
    try:
        response = opener.open(urllib.request.Request(url, headers=headers), timeout=TIMEOUT)
    except urllib.error.HTTPError as error:
        error.close()
        if error.code != 416:
            raise
        os.remove(part)  # there is nothing after its end: the part is of another file, or whole but wrong
        raise _BrokenOff(f"{url}: the part that was kept does not fit") from error
    with response:
        length = getattr(response, "length", None)  # a file: URL has none
        if have and not (response.headers.get("Content-Range") or "").startswith(f"bytes {have}-"):
            have = 0  # the server sends the file from its start
        total = None if length is None else have + length
        name = os.path.basename(part)[:-5]
        with open(part, "ab" if have else "wb") as f, bar(total, name, initial=have, shown=shown) as update:
            try:
                while chunk := response.read1(CHUNK):  # what there is, so that a stall loses nothing
                    f.write(chunk)
                    update(len(chunk))
            except http.client.IncompleteRead as error:
                f.write(error.partial)
                raise _BrokenOff(f"{url} broke off after {f.tell()} bytes") from error
        got = os.path.getsize(part)
        if total is not None and got != total:
            raise _BrokenOff(f"{url} broke off after {got} of {total} bytes")


@contextlib.contextmanager
def _alone(path: str) -> Iterator[None]:
    """One process at a time for each path, where the system can lock files: the others wait."""
    try:
        import fcntl
    except ImportError:
        yield
        return
    lock = path + ".lock"
    while True:
        f = open(lock, "w")
        try:
            fcntl.flock(f, fcntl.LOCK_EX)
        except OSError:  # a file system without locks
            pass
        with contextlib.suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(f.fileno()), os.stat(lock)):
                break
        f.close()  # who had it before has removed it
    try:
        yield
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.remove(lock)
        f.close()


def save_url(
    url: str, path: str, wrong: Callable[[str], str] | None = None, hops: int = 3, *, anew: bool = False,
    progress: bool | None = None,
) -> None:  # fmt: skip
    """Download url to path, unless it is there and right; `anew`: even then.

    wrong(file) says what is wrong with it, or nothing; without it no part is gone on with. progress: a bar always, never,
    or (None) on a terminal. RuntimeError with what `wrong` says; URLError if the server refuses, breaks off or is silent
    for TIMEOUT seconds. What stood at `path` stays there until the new file is complete and right.
    """
    with _alone(path):
        if anew or not os.path.isfile(path) or (wrong is not None and wrong(path)):  # else another process was faster
            _save(url, path, wrong, hops, progress)


def _save(url: str, path: str, wrong: Callable[[str], str] | None, hops: int, progress: bool | None) -> None:
    part = path + ".part"
    if wrong is None and os.path.exists(part):
        os.remove(part)  # nothing could tell whether its two halves belong together
    reason: Exception | None = None
    for _ in range(ATTEMPTS):
        kept = os.path.exists(part)
        try:
            _fetch(url, part, hops, progress)
        except urllib.error.HTTPError:
            raise
        except (OSError, http.client.HTTPException) as error:
            if isinstance(error, urllib.error.URLError) and not isinstance(error.reason, OSError):
                raise
            reason = error
            continue
        fault = "" if wrong is None else wrong(part)
        if not fault:
            os.replace(part, path)
            return
        os.remove(part)
        reason = RuntimeError(fault)
        if not kept:
            raise reason
    if wrong is None and os.path.exists(part):
        os.remove(part)
    raise urllib.error.URLError(f"{url} could not be downloaded in {ATTEMPTS} tries: {reason}") from reason
