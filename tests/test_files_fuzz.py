"""Damaged files: always an error of a documented class or a load, never code, a hang, or memory beyond 4 times the file.

More of them: POLYTENSOR_FUZZ=100000 python -m pytest tests/test_files_fuzz.py
"""

import builtins
import io
import os
import pickle
import random
import struct
import time
import tracemalloc
import warnings
import zipfile

import pytest
from files_cases import CASES

import polytensor as pt
from polytensor import safetensors

COUNT = int(os.environ.get("POLYTENSOR_FUZZ", "10000"))
ERRORS = (RuntimeError, pickle.UnpicklingError, EOFError)
# what a load of the smallest file takes: the parser's objects, the error's text, and a pickle's small Python objects, of
# which one byte can make one (some 100 bytes): 4 times the file bounds what sizes in it claim
BASE = 300_000
OPCODES = b"(.012FGIJKLMNPQRSTUVX]abcdeghijlopqrstu})\x80\x81\x82\x83\x84\x85\x86\x87\x88\x89\x8a\x8b\x8c\x93\x94\x95"
HUGE = [2**7, 2**8 - 1, 2**15, 2**16 - 1, 2**31 - 1, 2**31, 2**32 - 1, 2**40, 2**62, 2**63 - 1, 2**63, 2**64 - 1]
CALLS = (
    b"cos\nsystem\nU\x04trueR",
    b"cbuiltins\neval\nU\x0411\x85R",
    b"cbuiltins\nexec\n",
    b"cnt\nsystem\n",
    b"csubprocess\nPopen\n",
)


def good(kind):
    """Files of one format: (bytes, where in them the structure lies)."""
    files = []
    for name in (
        "views",
        "nested",
        "Adam",
        "ResNet18",
        "attributes",
        "numbers",
        "dtype bfloat16",
        "OrderedDict",
        "large",
    ):
        made = CASES[name](pt)
        if kind == "safetensors":
            tensors = (
                {k: v.contiguous().clone() for k, v in made.items() if isinstance(v, pt.Tensor)}
                if isinstance(made, dict)
                else {}
            )
            data = safetensors.save(tensors or {"a": pt.ones(3, 4), "b": pt.arange(5)}, {"name": name})
        else:
            buffer = io.BytesIO()
            pt.save(made, buffer, _use_new_zipfile_serialization=kind == "zip")
            data = buffer.getvalue()
        files.append(data)
    return files


def mutated(rng, data):
    """One damaged file."""
    d = bytearray(data)
    head = min(len(d), 3000)
    for _ in range(rng.choice((1, 1, 2, 4))):
        if not d:
            break
        at = rng.randrange(len(d))
        if rng.random() < 0.6:  # where the structure is: pickles and headers stand first, a zip's directory last
            at = (
                rng.randrange(min(head, len(d)))
                if rng.random() < 0.6
                else len(d) - 1 - rng.randrange(min(1500, len(d)))
            )
        match rng.randrange(12):
            case 0:
                d[at] ^= 1 << rng.randrange(8)
            case 1:
                d[at] = rng.randrange(256)
            case 2:
                d = d[:at]
            case 3:
                d[at : at + 1] = b""
            case 4:
                d[at:at] = bytes(rng.randrange(256) for _ in range(rng.randrange(1, 9)))
            case 5:
                d[at] = rng.choice(OPCODES)
            case 6:
                form = rng.choice(("<H", "<I", "<Q", ">I"))
                value = struct.pack(form, rng.choice(HUGE) % 256 ** struct.calcsize(form))
                d[at : at + len(value)] = value
            case 7:
                n = rng.randrange(1, 400)
                other = rng.randrange(len(d))
                d[at : at + n] = d[other : other + n]
            case 8:
                d[at:at] = rng.choice(CALLS)
            case 9:  # a size of a zip entry, a length of a string, a number of a pickle
                marks = [
                    i
                    for m in (b"PK\x01\x02", b"PK\x03\x04", b"PK\x05\x06", b"X", b"J", b"\x8a")
                    if (i := d.find(m, at)) >= 0
                ]
                if marks:
                    place = rng.choice(marks) + rng.randrange(1, 30)
                    d[place : place + 4] = struct.pack("<I", rng.choice(HUGE) % 2**32)
            case 10 if (entry := d.rfind(b"PK\x01\x02", 0, at)) >= 0 or (entry := d.find(b"PK\x01\x02", at)) >= 0:
                value = struct.pack("<I", rng.choice((2**24, 2**28, 2**31, len(d), rng.randrange(len(d)))))
                d[entry + 20 : entry + 28] = value * 2  # both sizes of an entry
            case _:
                d[at : at + 1] = d[at : at + 1] * rng.randrange(2, 1000)
    return bytes(d)


PIECES = [
    b"(", b")", b"]", b"}", b"N", b"\x88", b"\x89", b"K\x00", b"K\x01", b"K\x04", b"M\x00\x10", b"J\xff\xff\xff\xff", b"J\x00\x00\x00\x7f",
    b"\x8a\x08\xff\xff\xff\xff\xff\xff\xff\x7f", b"G\x7f\xf8\0\0\0\0\0\0", b"X\x01\0\0\0a", b"X\x03\0\0\0cpu", b"X\x06\0\0\0latin1",
    b"X\x04\0\0\0conj", b"U\x08__dict__", b"t", b"\x85", b"\x86", b"\x87", b"R", b"R", b"R", b"b", b"s", b"u", b"a", b"e", b"0", b"1",
    b"\x81", b"Q", b"q\0", b"q\1", b"h\0", b"h\0", b"h\1", b"r\xff\xff\xff\x7f", b"(K\x02K\x02t", b"(K\x02K\x01t", b"K\x04\x85", b"K\x01\x85",
    *(b"c" + name.encode().replace(b" ", b"\n") + b"\n" for name in (
        "collections OrderedDict", "collections Counter", "builtins set", "builtins frozenset", "builtins bytearray", "builtins bytes",
        "builtins complex", "_codecs encode", "torch Size", "torch device", "torch float32", "torch bfloat16", "torch FloatStorage",
        "torch.storage UntypedStorage", "torch Tensor", "torch.nn.parameter Parameter", "torch._utils _rebuild_tensor_v2",
        "torch._utils _rebuild_tensor_v3", "torch._utils _rebuild_parameter", "torch._utils _rebuild_parameter_with_state",
        "torch._tensor _rebuild_from_type_v2", "torch.serialization _get_layout", "os system", "builtins eval")),
    b"(X\x07\0\0\0storagectorch\nFloatStorage\nX\x01\0\0\x000X\x03\0\0\0cpuK\x04tQ",
    b"ctorch._utils\n_rebuild_tensor_v2\n((X\x07\0\0\0storagectorch\nFloatStorage\nX\x01\0\0\x000X\x03\0\0\0cpuK\x04tQK\0K\x04\x85K\x01\x85\x89}tR",
]  # fmt: skip


def written_at_random(rng):
    """A sound zip around a pickle of instructions drawn at random: what no writer would ever make."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as z:
        z.writestr("a/data.pkl", b"\x80\x02" + b"".join(rng.choice(PIECES) for _ in range(rng.randrange(1, 40))) + b".")
        z.writestr("a/data/0", bytes(16))
    return buffer.getvalue()


def forbidden(*args, **kwargs):
    raise AssertionError("code was run")


@pytest.mark.parametrize(
    "kind", ["zip", "zip without checksums", "zip mapped", "zip of random pickles", "legacy", "safetensors"]
)
def test_damaged_files(kind, monkeypatch, tmp_path):
    rng = random.Random(f"{kind}{COUNT}")
    files = good(kind.partition(" ")[0])
    errors = (safetensors.SafetensorError,) if kind == "safetensors" else ERRORS
    mapped = tmp_path / "mapped"

    def read(data):
        if kind == "zip mapped":
            mapped.write_bytes(data)
            return pt.load(mapped, mmap=True)
        return safetensors.load(data) if kind == "safetensors" else pt.load(io.BytesIO(data))

    fresh = written_at_random if kind == "zip of random pickles" else lambda rng: mutated(rng, rng.choice(files))
    for data in files:
        read(data)
    for module, name in ((os, "system"), (builtins, "eval"), (builtins, "exec")):
        monkeypatch.setattr(module, name, forbidden)
    pt.serialization.set_crc32_options(kind != "zip without checksums")
    tracemalloc.start()
    loaded = 0
    try:
        for i in range(COUNT // 6):
            data = fresh(rng)
            tracemalloc.reset_peak()
            before, start = tracemalloc.get_traced_memory()[0], time.perf_counter()
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    read(data)
                loaded += 1
            except errors as error:
                assert str(error), f"file {i}"
            except BaseException as error:
                (tmp_path / "bad").write_bytes(data)
                raise AssertionError(f"file {i} ({tmp_path / 'bad'}): {type(error).__name__}: {error}") from error
            peak = tracemalloc.get_traced_memory()[1] - before
            if peak > 4 * len(data) + BASE or time.perf_counter() - start > 5:
                (tmp_path / "bad").write_bytes(data)
                raise AssertionError(f"file {i} ({tmp_path / 'bad'}) of {len(data)} bytes: {peak} bytes taken")
    finally:
        tracemalloc.stop()
        pt.serialization.set_crc32_options(True)
    assert loaded < COUNT // 6
