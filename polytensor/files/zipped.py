"""The uncompressed zip that torch.save writes: a strict reader, and a writer of aligned entries.

The reader believes no number before it has compared it with the file's size: entries lie inside the file, do not
overlap, are stored as they are and have names of their own; so nothing is allocated that the file cannot fill.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from typing import Any

__all__ = ["ALIGN", "Reader", "Writer"]

ALIGN = 64  # storages start at multiples of it, so that a mapped file serves as memory
LOCAL, CENTRAL, END, END64, LOCATOR = b"PK\3\4", b"PK\1\2", b"PK\5\6", b"PK\6\6", b"PK\6\7"
BIG16, BIG32 = 0xFFFF, 0xFFFFFFFF


class Reader:
    """The entries of a zip. `read_at(offset, n)` gives n bytes of the file, `size` is its length.

    Whatever is wrong with the file goes to `error`, which makes the exception to raise.
    """

    def __init__(self, read_at: Callable[[int, int], Any], size: int, error: Callable[[str], Exception]) -> None:
        self.read_at, self.size, self.error = read_at, size, error
        self.entries: dict[str, tuple[int, int, int]] = {}  # name: offset of its data, size, CRC
        self._directory()

    def _bad(self, why: str) -> Exception:
        return self.error(f"not a zip file, or a truncated one ({why})")

    def _bytes(self, offset: int, n: int) -> bytes:
        if offset < 0 or n < 0 or offset + n > self.size:
            raise self._bad(f"{n} bytes wanted at {offset} of {self.size}")
        return bytes(self.read_at(offset, n))

    def _directory(self) -> None:
        tail = min(self.size, 22 + BIG16)
        end = self._bytes(self.size - min(self.size, 22), min(self.size, 22))
        at = self.size - 22
        if not end.startswith(END) or end[20:] != b"\0\0":  # a comment follows
            found = self._bytes(self.size - tail, tail).rfind(END)
            if found < 0 or tail - found < 22:
                raise self._bad("it has no end record")
            at = self.size - tail + found
        record = self._bytes(at, 22)
        count, length, start = struct.unpack("<10xHII2x", record)
        if at >= 20 and (locator := self._bytes(at - 20, 20)).startswith(LOCATOR):
            (where,) = struct.unpack("<8xQ4x", locator)
            record = self._bytes(where, 56)
            if not record.startswith(END64):
                raise self._bad("its zip64 end record is damaged")
            count, length, start = struct.unpack("<32xQQQ", record)
        if start + length > at:
            raise self._bad("its directory lies outside of it")
        self._read_directory(self._bytes(start, length), count, start)

    def _read_directory(self, data: bytes, count: int, limit: int) -> None:
        at, spans = 0, []
        while at < len(data):
            if data[at : at + 4] != CENTRAL or at + 46 > len(data):
                raise self._bad("its directory is damaged")
            flags, method, crc, packed, size, name_n, extra_n, note_n, offset = struct.unpack_from(
                "<8xHH4xIIIHHH8xI", data, at
            )
            raw = data[at + 46 : at + 46 + name_n]
            extra = data[at + 46 + name_n : at + 46 + name_n + extra_n]
            at += 46 + name_n + extra_n + note_n
            size, packed, offset = self._wide(extra, size, packed, offset)
            try:
                name = raw.decode("utf-8" if flags & 0x800 else "latin-1")
            except UnicodeDecodeError:
                raise self._bad("a name in it is damaged") from None
            if name in self.entries:
                raise self.error(f"it holds two entries of one name ({name!r})")
            if flags & 1:
                raise self.error("it holds encrypted entries, which PyTorch never writes")
            if method or packed != size:
                raise self.error("it holds compressed entries, which PyTorch never writes")
            local = self._bytes(offset, 30)
            if not local.startswith(LOCAL):
                raise self.error(f"the entry {name!r} is damaged (no header at {offset})")
            local_name, local_extra = struct.unpack("<26xHH", local)
            begin = offset + 30 + local_name + local_extra
            if begin + size > limit or self._bytes(offset + 30, local_name) != raw:
                raise self.error(f"the entry {name!r} is damaged ({size} bytes at {begin} of {self.size})")
            self.entries[name] = (begin, size, crc)
            spans.append((offset, begin + size))
        if at != len(data) or len(self.entries) != count:
            raise self._bad(f"its directory has {len(self.entries)} entries, not {count}")
        spans.sort()
        for (_, stop), (begin, _) in zip(spans, spans[1:], strict=False):
            if begin < stop:
                raise self.error("its entries overlap")

    def _wide(self, extra: bytes, *values: int) -> list[int]:
        """The sizes and the offset of an entry, from its zip64 field where they do not fit into 32 bits."""
        wide = list(values)
        if BIG32 not in wide:
            return wide
        at = 0
        while at + 4 <= len(extra):
            kind, n = struct.unpack_from("<HH", extra, at)
            if kind == 1:
                field = extra[at + 4 : at + 4 + n]
                places = [i for i, v in enumerate(wide) if v == BIG32]
                if len(field) >= 8 * len(places):
                    for k, i in enumerate(places):
                        (wide[i],) = struct.unpack_from("<Q", field, 8 * k)
                    return wide
            at += 4 + n
        raise self._bad("its zip64 field is damaged")

    def read(self, name: str, check: bool = True, limit: int | None = None) -> Any:
        """The bytes of an entry, compared with their checksum."""
        if name not in self.entries:
            raise self.error(f"the entry {name.partition('/')[2]!r} is missing")
        begin, size, crc = self.entries[name]
        if limit is not None and size > limit:
            raise self.error(f"the entry {name!r} has {size} bytes; at most {limit} are read")
        data = self.read_at(begin, size)
        if check and zlib.crc32(data) != crc:
            raise self.error(
                f"the entry {name.partition('/')[2]!r} is damaged (Bad CRC-32), or was written without checksums "
                "(torch.serialization.set_crc32_options(False) reads it as it is)"
            )
        return data


class Writer:
    """Writes entries that start at multiples of ALIGN, as torch.load(mmap=True) likes them."""

    def __init__(self, file: Any, stem: str) -> None:
        import zipfile  # 2 ms, which `import polytensor` need not take

        self.zip = zipfile.ZipFile(file, "w", zipfile.ZIP_STORED)
        self.stem = stem

    def entry(self, name: str, data: Any) -> None:
        import zipfile

        info = zipfile.ZipInfo(f"{self.stem}/{name}", (1980, 1, 1, 0, 0, 0))
        n = len(data)
        header = 30 + len(info.filename.encode()) + 4 + (20 if n * 1.05 > zipfile.ZIP64_LIMIT else 0)
        place = self.zip.fp.tell() - getattr(self.zip, "_start_disk", 0)  # type: ignore[union-attr]
        pad = -(place + header) % ALIGN
        info.extra = struct.pack("<HH", 0x4246, pad) + b"Z" * pad
        self.zip.writestr(info, data)

    def close(self) -> None:
        self.zip.close()

    def abandon(self) -> None:
        """After an error: nothing more is written, neither now nor when the object goes."""
        self.zip.fp = None
