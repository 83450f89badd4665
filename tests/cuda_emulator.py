"""Our CUDA sources on the CPU: g++ compiles them with cuda_emulator.h, the threads of a block run as fibers.

`load` stands in for polytensor.backends.cupy.launch.load. Each launch runs twice, the second time with blocks and threads
in reverse, on copies of its arrays that lie between pages which cannot be touched. A LaunchError tells of

- an argument that is not of the parameter's type, too many or too few of them, limits of blocks, registers and shared memory;
- a barrier that not all threads reach, or reach at different lines, and lanes that a warp waits for in vain;
- reads and writes outside of an array or of dynamic shared memory, an index out of a fixed array, a misaligned access;
- a result that hangs on the order of the threads (a barrier is missing, or shared memory is read before it is written).

What it cannot see: speed, memory ordering, rounding of CUDA's own math functions, and code that NVRTC refuses.
Launches with a table of addresses (T* const*) or a struct run once: what those reach is not copied.
"""

import ctypes
import hashlib
import mmap
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import suppress
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from polytensor.backends.cupy import launch

COMPILER = shutil.which("g++") if sys.platform == "linux" else None
HEADER = Path(__file__).with_name("cuda_emulator.h")
CHECKS = "alignment,bounds,integer-divide-by-zero,shift"
FLAGS = (
    "-std=c++2a", "-O1", "-w", "-fPIC", "-U_FORTIFY_SOURCE",
    "-fstack-clash-protection", "-ffp-contract=off", f"-fsanitize={CHECKS}", "-fsanitize-undefined-trap-on-error",
)  # fmt: skip
STACK = 1 << 16
MOST_SHARED = 99 << 10  # bytes that a block may have on every card since sm_80
LOCK = threading.Lock()
ANY, FLOAT, SIGNED, UNSIGNED, BOOL, COMPLEX, BFLOAT, POINTER, STRUCT = range(9)
KINDS = {"f": FLOAT, "i": SIGNED, "u": UNSIGNED, "b": BOOL, "c": COMPLEX, "V": BFLOAT}
NAMES = {v: k for k, v in list(globals().items()) if k.isupper() and isinstance(v, int) and v < 9}


class LaunchError(AssertionError):
    """A launch that is wrong on a GPU too."""


class Launch(ctypes.Structure):
    """As in cuda_emulator.h."""

    _fields_ = [
        ("arguments", ctypes.c_int), ("groups", ctypes.c_int), ("values", ctypes.c_void_p), ("group", ctypes.c_void_p),
        ("offset", ctypes.c_void_p), ("start", ctypes.c_void_p), ("size", ctypes.c_void_p),
        ("grid", ctypes.c_uint * 3), ("block", ctypes.c_uint * 3), ("shared", ctypes.c_size_t),
        ("stacks", ctypes.c_void_p), ("stack_size", ctypes.c_size_t), ("once", ctypes.c_int),
        ("error", ctypes.c_char_p),
    ]  # fmt: skip


@cache
def folder():
    """Where compiled kernels are kept: they are named by a hash of all that went into them. After a week they go."""
    path = Path(tempfile.gettempdir()) / f"cuda-emulator-{os.getuid()}"
    path.mkdir(mode=0o700, exist_ok=True)
    if path.stat().st_uid != os.getuid():
        return Path(tempfile.mkdtemp())
    for old in path.iterdir():
        with suppress(OSError):
            if time.time() - old.stat().st_mtime > 7 * 86400:
                old.unlink()
    return path


@cache
def stacks():
    """Memory for 1024 stacks, below each of them a page that cannot be touched."""
    libc = ctypes.CDLL(None)
    region = mmap.mmap(-1, 1027 * STACK)  # two at the bottom for frames that are too large
    start = ctypes.addressof(ctypes.c_char.from_buffer(region)) + 2 * STACK
    libc.mprotect(ctypes.c_void_p(start - 2 * STACK), ctypes.c_size_t(2 * STACK), 0)
    for k in range(1025):
        libc.mprotect(ctypes.c_void_p(start + k * STACK), ctypes.c_size_t(4096), 0)
    return region, start


def built(key, suffix, text, *options):
    """The file that g++ makes of a text; compiled once."""
    target = folder() / f"{key}{suffix}"
    if not target.exists():
        with tempfile.TemporaryDirectory(dir=folder()) as work:
            source, made = Path(work) / "source.cpp", Path(work) / "made"
            source.write_text(text)
            command = [COMPILER, *FLAGS, *options, source, "-o", made]
            run = subprocess.run(command, capture_output=True, text=True, check=False)
            if run.returncode:
                raise LaunchError(f"g++ does not compile this:\n{run.stderr[:4000]}")
            made.replace(target)
    return target


def without_includes(text):
    return re.sub(r"#include\s*<cuda_\w+\.h>", "", text)


def key_of(*parts):
    return hashlib.sha256("\0".join((*parts, *FLAGS, os.uname().machine)).encode()).hexdigest()[:32]


@cache
def prelude():
    """What comes before every kernel, read by g++ once for all. (hash, header)"""
    text = f'{HEADER.read_text()}\n#line 100001 "prelude"\n{without_includes(launch.PRELUDE)}'
    key = key_of(text)
    built(key, ".h.gch", text, "-x", "c++-header")
    header = folder() / f"{key}.h"
    if not header.exists():  # g++ looks for it beside the compiled one
        made = folder() / f"{key}.{os.getpid()}"
        made.write_text(text)
        made.replace(header)
    return key, header


def compiled(text, expression):
    """A shared object with `emulate` and `signature` for one instance of a kernel."""
    before, header = prelude()
    text = f"""#include "{header}"
#line 1 "kernel"
{without_includes(text.removeprefix(launch.PRELUDE))}
extern "C" int emulate(const emulator::Launch* l) {{
    return emulator::launch(*l, emulator::call<&{expression}>);
}}
extern "C" int signature(int* element, int* value) {{ return emulator::signature(&{expression}, element, value); }}
extern "C" long statics() {{ return _end - __bss_start; }}
"""
    library = built(key_of(before, text), ".so", text, "-shared", "-nostartfiles", "-Wl,--no-undefined")
    return ctypes.PyDLL(str(library))  # keeps the interpreter's lock: handlers of signals belong to the whole process


def kind_of(dtype):
    return KINDS[dtype.kind] << 16 | dtype.itemsize


def told(code):
    return f"{NAMES[code >> 16].lower()} of {code & 0xFFFF} bytes"


class Kernel:
    """callable(grid, block, args, shared_mem=0), see launch.kernel."""

    def __init__(self, name, text, expression, shared_mem=0):
        self.name = expression
        # 64 Ki registers are there for a block, and a thread takes up to 255 of them unless it is told of more threads
        bounds = re.search(rf"__launch_bounds__\(([^,()]*)(?:,[^()]*(?:\([^()]*\)[^()]*)*)?\)\s+{name}\(", text)
        self.most_threads = max(map(int, re.findall(r"\d+", bounds[1]))) if bounds else 256
        self.most_shared = max(shared_mem, launch.STATIC_SHARED)
        self.library = compiled(text, expression)
        elements, values = (ctypes.c_int * 65)(), (ctypes.c_int * 65)()
        n = self.library.signature(elements, values)
        if n > 64:
            raise LaunchError(f"{name}: more than 64 parameters")
        self.parameters = list(zip(elements[:n], values[:n], strict=True))
        self.statics = self.library.statics()
        if self.statics > launch.STATIC_SHARED:
            raise LaunchError(f"{name}: {self.statics} bytes of static shared memory")

    def fail(self, text):
        raise LaunchError(f"{self.name}: {text}")

    def check_sizes(self, grid, block, shared_mem):
        for name, given, most in (("grid", grid, (2**31 - 1, 65535, 65535)), ("block", block, (1024, 1024, 64))):
            if not isinstance(given, tuple) or not 1 <= len(given) <= 3:
                self.fail(f"{name} {given!r} is no tuple of one to three sizes")
            if any(n < 1 or n > limit for n, limit in zip(given, most, strict=False)):
                self.fail(f"{name} {given} is out of its limits {most}")
        if np.prod(block) > 1024:
            self.fail(f"{np.prod(block)} threads in a block")
        if np.prod(block) > self.most_threads:
            self.fail(f"{np.prod(block)} threads in a block of a kernel that is bound to {self.most_threads}")
        if shared_mem > self.most_shared or shared_mem + self.statics > MOST_SHARED:
            self.fail(f"{shared_mem} bytes of dynamic shared memory (and {self.statics} of static)")

    def __call__(self, grid, block, args, shared_mem=0):
        self.check_sizes(grid, block, shared_mem)
        if len(args) != len(self.parameters):
            self.fail(f"{len(args)} arguments for {len(self.parameters)} parameters")
        keep, values, spans, once = [], (ctypes.c_void_p * 65)(), [], False
        for k, (a, (element, value)) in enumerate(zip(args, self.parameters, strict=True)):
            if isinstance(a, np.ndarray) and type(a) is not np.ndarray:  # the twin's array: stands for memory of a GPU
                a = a.view(np.ndarray)
                self.check_array(k, a, element)
                low, high = np.lib.array_utils.byte_bounds(a) if a.size else (a.__array_interface__["data"][0],) * 2
                spans.append((low, high, a.__array_interface__["data"][0], k))
                once |= element >> 16 == POINTER
                keep.append(a)
                continue
            if type(a) is int:  # CuPy makes an int64 of it
                a = np.int64(a).view(np.uint64 if value == UNSIGNED << 16 | 8 else np.int64)
            a = getattr(a, "value", a)
            if not isinstance(a, np.generic) and not (type(a) is np.ndarray and a.size == 1):
                self.fail(f"argument {k} is {type(a)}, neither an array of CuPy nor a NumPy scalar")
            code = (
                kind_of(a.dtype) if a.dtype.names is None and a.dtype.kind in KINDS else STRUCT << 16 | a.dtype.itemsize
            )
            if element >= 0 or code != value:
                wanted = "a pointer" if element >= 0 else told(value)
                self.fail(f"argument {k} is {a.dtype}, the parameter is {wanted}")
            once |= value >> 16 == STRUCT
            a = np.array(a)
            keep.append(a)
            values[k] = a.__array_interface__["data"][0]
        self.run(grid, block, shared_mem, values, spans, once)

    def check_array(self, k, a, element):
        if element < 0:
            self.fail(f"argument {k} is an array, the parameter is no pointer")
        wanted = element >> 16
        if wanted == POINTER:
            if kind_of(a.dtype) not in (UNSIGNED << 16 | 8, SIGNED << 16 | 8):
                self.fail(f"argument {k} is an array of {a.dtype}, the parameter points to pointers")
        elif wanted not in (ANY, STRUCT) and kind_of(a.dtype) != element:
            self.fail(f"argument {k} is an array of {a.dtype}, the parameter points to {told(element)}")
        elif wanted != ANY and not a.flags.aligned:
            self.fail(f"argument {k} is not aligned")

    def run(self, grid, block, shared_mem, values, spans, once):
        group, offset = (ctypes.c_int * 65)(*[-1] * 65), (ctypes.c_size_t * 65)()
        start, size, groups, end = (ctypes.c_void_p * 65)(), (ctypes.c_size_t * 65)(), 0, 0
        for low, high, pointer, k in sorted(spans):
            if not groups or low >= end:  # no overlap with the arrays before: a piece of memory of its own
                start[groups], size[groups], end = low, 0, low
                groups += 1
            end = max(end, high)
            size[groups - 1] = end - start[groups - 1]
            group[k], offset[k] = groups - 1, pointer - start[groups - 1]
        error = ctypes.create_string_buffer(512)
        told = Launch(
            len(self.parameters), groups, *map(ctypes.addressof, (values, group, offset, start, size)),
            (ctypes.c_uint * 3)(*(grid + (1, 1))[:3]), (ctypes.c_uint * 3)(*(block + (1, 1))[:3]), shared_mem,
            stacks()[1], STACK, once, ctypes.cast(error, ctypes.c_char_p),
        )  # fmt: skip
        with LOCK:
            failed = self.library.emulate(ctypes.byref(told))
        if failed:
            self.fail(error.value.decode())


class Called:
    """A function in the place of launch.Launch."""

    def __init__(self, function):
        self.function = function

    def __call__(self, *args, **rest):
        return self.function(*args, **rest)

    def over(self, n, args, each=1):
        self((min(-(-n // (256 * each)), launch.MOST_THREADS // 256),), (256,), args)


class Dispatch(Called):
    """A kernel that runs here for the twin's arrays, and on the GPU for those of CuPy."""

    def __init__(self, name, types, shared_mem):
        self.made = cache(lambda: Kernel(name, launch.code(name), launch.expression(name, types), shared_mem))
        self.real = cache(lambda: REAL(name, types, shared_mem))

    def __call__(self, grid, block, args, shared_mem=0):
        import cupy

        if any(isinstance(a, cupy.ndarray) for a in args):
            return self.real()(grid, block, args, shared_mem=shared_mem)
        if COMPILER is None:
            pytest.skip("there is no g++ to run CUDA kernels on the CPU")
        return self.made()(grid, block, args, shared_mem=shared_mem)


REAL = launch.load


def install():
    """From here on kernels take the twin's arrays too."""
    if launch.load is REAL:
        launch.ready.clear()
        launch.load = Dispatch
