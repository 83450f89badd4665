"""NumPy's own elementwise loops over pieces of large arrays, on several threads.

A check of the size in Python would cost every small op a tenth. So the backend's `add`, `exp`, ... are ufuncs of the same
loops, each behind a few machine instructions: a loop that is short goes straight on, a long one over contiguous memory is
cut in pieces of CHUNK elements, which the threads take in turn. NumPy's loops treat each element alike, wherever it
lies, so the bits are NumPy's.

The loops of a ufunc are found where NumPy's C headers say (PyUFuncObject), which is checked first; where anything is not
as expected, or Numba's threads are not OpenMP's (only those may be entered from two threads), NumPy's ufuncs are used.
"""

from __future__ import annotations

import ctypes
from importlib import import_module
from typing import Any

import llvmlite.binding as llvm
import numba
import numpy as np

from ... import dtypes
from ..base import UFUNCS
from .threads import PARALLEL_FOR, words

CHUNK = 16384  # elements of a piece: of whole vectors
WORK = 60_000  # serial nanoseconds that are worth waking the threads for
# nanoseconds an element of float32
COST = {
    "add": 0.1, "sub": 0.1, "mul": 0.1, "div": 0.1, "neg": 0.07, "abs": 0.07, "sqrt": 0.1, "maximum": 0.1, "minimum": 0.1,
    "floor": 0.07, "ceil": 0.07, "trunc": 0.07, "exp": 0.25, "log": 0.3, "log2": 0.7, "log10": 2, "log1p": 0.7, "expm1": 0.7,
    "tanh": 0.4, "sin": 0.7, "cos": 0.7, "tan": 1, "pow": 2,
}  # fmt: skip
KINDS = frozenset("?bBhHiIlLqQefdFD")
FLOATS = frozenset("fd")
records: list[tuple[float, Any]] = []  # nanoseconds an element, and what `loop` is given
_kept: list[Any] = [words]  # what loops point to; not freed even at exit, where ufuncs outlive this module
_made: dict[str, Any] = {}
ctypes.pythonapi.Py_IncRef(ctypes.py_object(_kept))
_pointer = ctypes.PYFUNCTYPE(ctypes.c_void_p, ctypes.py_object, ctypes.c_char_p)(
    ("PyCapsule_GetPointer", ctypes.pythonapi)
)


class _UFunc(ctypes.Structure):
    """PyUFuncObject, as far as `userloops`."""

    _fields_ = (
        ("references", ctypes.c_ssize_t), ("type", ctypes.c_void_p), ("nin", ctypes.c_int), ("nout", ctypes.c_int),
        ("nargs", ctypes.c_int), ("identity", ctypes.c_int), ("functions", ctypes.POINTER(ctypes.c_void_p)),
        ("data", ctypes.POINTER(ctypes.c_void_p)), ("ntypes", ctypes.c_int), ("reserved", ctypes.c_int),
        ("name", ctypes.c_void_p), ("types", ctypes.POINTER(ctypes.c_ubyte)), ("doc", ctypes.c_void_p),
        ("ptr", ctypes.c_void_p), ("obj", ctypes.c_void_p), ("userloops", ctypes.c_void_p),
    )  # fmt: skip


class _Loop(ctypes.Structure):
    """PyUFunc_Loop1d: a loop of dtypes that are not NumPy's, as bfloat16."""

    _fields_ = (
        ("function", ctypes.c_void_p), ("data", ctypes.c_void_p), ("kinds", ctypes.POINTER(ctypes.c_int)),
        ("next", ctypes.c_void_p), ("nargs", ctypes.c_int), ("dtypes", ctypes.c_void_p),
    )  # fmt: skip


# `record`: function, its data, operands, elements from which threads pay, and each operand's size.
# `job`: function, its data, operands, their addresses, their steps, elements, elements of a piece, the next piece.
# A task takes pieces until none is left, so that threads which wake up late hold nobody up.
TEXT = """
define internal i64 @word(ptr %p, i64 %i) {
  %at = getelementptr i64, ptr %p, i64 %i
  %x = load i64, ptr %at
  ret i64 %x
}

define void @task(ptr %args, ptr %dims, ptr %steps, ptr %job) {
entry:
  %function = load ptr, ptr %job
  %d = getelementptr i64, ptr %job, i64 1
  %data = load ptr, ptr %d
  %operands = call i64 @word(ptr %job, i64 2)
  %a = getelementptr i64, ptr %job, i64 3
  %from = load ptr, ptr %a
  %s = getelementptr i64, ptr %job, i64 4
  %by = load ptr, ptr %s
  %n = call i64 @word(ptr %job, i64 5)
  %chunk = call i64 @word(ptr %job, i64 6)
  %next = getelementptr i64, ptr %job, i64 7
  %here = alloca [8 x i64]
  %count = alloca i64
  br label %take
take:
  %piece = atomicrmw add ptr %next, i64 1 monotonic
  %first = mul i64 %piece, %chunk
  %more = icmp slt i64 %first, %n
  br i1 %more, label %place, label %done
place:
  %left = sub i64 %n, %first
  %whole = icmp slt i64 %chunk, %left
  %size = select i1 %whole, i64 %chunk, i64 %left
  store i64 %size, ptr %count
  br label %operand
operand:
  %k = phi i64 [ 0, %place ], [ %k1, %operand ]
  %base = call i64 @word(ptr %from, i64 %k)
  %step = call i64 @word(ptr %by, i64 %k)
  %shift = mul i64 %step, %first
  %address = add i64 %base, %shift
  %slot = getelementptr i64, ptr %here, i64 %k
  store i64 %address, ptr %slot
  %k1 = add i64 %k, 1
  %again = icmp slt i64 %k1, %operands
  br i1 %again, label %operand, label %run
run:
  call void %function(ptr %here, ptr %count, ptr %by, ptr %data)
  br label %take
done:
  ret void
}

define void @loop(ptr %args, ptr %dims, ptr %steps, ptr %record) {
entry:
  %function = load ptr, ptr %record
  %d = getelementptr i64, ptr %record, i64 1
  %data = load ptr, ptr %d
  %n = load i64, ptr %dims
  %l = getelementptr i64, ptr %record, i64 3
  %least = load i64, ptr %l
  %short = icmp slt i64 %n, %least
  br i1 %short, label %serial, label %long
serial:
  tail call void %function(ptr %args, ptr %dims, ptr %steps, ptr %data)
  ret void
long:
  %threads = load i64, ptr WORDS
  %alone = icmp slt i64 %threads, 2
  br i1 %alone, label %serial, label %output
output:
  %operands = call i64 @word(ptr %record, i64 2)
  %inputs = sub i64 %operands, 1
  %result = call i64 @word(ptr %args, i64 %inputs)
  %across = call i64 @word(ptr %steps, i64 %inputs)
  %last = add i64 %inputs, 4
  %width = call i64 @word(ptr %record, i64 %last)
  %dense = icmp eq i64 %across, %width
  %span = mul i64 %n, %width
  %end = add i64 %result, %span
  br i1 %dense, label %input, label %serial
input:
  %k = phi i64 [ 0, %output ], [ %k1, %fine ]
  %base = call i64 @word(ptr %args, i64 %k)
  %step = call i64 @word(ptr %steps, i64 %k)
  %w = add i64 %k, 4
  %item = call i64 @word(ptr %record, i64 %w)
  %row = icmp eq i64 %step, %item
  %one = icmp eq i64 %step, 0
  %known = or i1 %row, %one
  br i1 %known, label %apart, label %serial
apart:
  %length = mul i64 %step, %n
  %reach = add i64 %length, %item
  %stop = add i64 %base, %reach
  %before = icmp ule i64 %stop, %result
  %after = icmp uge i64 %base, %end
  %same = icmp eq i64 %base, %result
  %alike = icmp eq i64 %step, %across
  %over = and i1 %same, %alike
  %clear = or i1 %before, %after
  %safe = or i1 %clear, %over
  br i1 %safe, label %fine, label %serial
fine:
  %k1 = add i64 %k, 1
  %again = icmp slt i64 %k1, %inputs
  br i1 %again, label %input, label %try
try:
  %kernel = call i64 @word(ptr WORDS, i64 2)
  %idle = icmp eq i64 %kernel, 0
  br i1 %idle, label %take, label %serial
take:
  %busy = getelementptr i64, ptr WORDS, i64 1
  %taken = cmpxchg ptr %busy, i64 0, i64 1 acquire monotonic
  %free = extractvalue { i64, i1 } %taken, 1
  br i1 %free, label %spread, label %serial
spread:
  %job = alloca [8 x i64]
  store ptr %function, ptr %job
  %j1 = getelementptr i64, ptr %job, i64 1
  store ptr %data, ptr %j1
  %j2 = getelementptr i64, ptr %job, i64 2
  store i64 %operands, ptr %j2
  %j3 = getelementptr i64, ptr %job, i64 3
  store ptr %args, ptr %j3
  %j4 = getelementptr i64, ptr %job, i64 4
  store ptr %steps, ptr %j4
  %j5 = getelementptr i64, ptr %job, i64 5
  store i64 %n, ptr %j5
  %j6 = getelementptr i64, ptr %job, i64 6
  store i64 CHUNK, ptr %j6
  %j7 = getelementptr i64, ptr %job, i64 7
  store i64 0, ptr %j7
  %none = alloca [2 x i64]
  store i64 0, ptr %none
  %count = alloca [2 x i64]
  store i64 %threads, ptr %count
  %team = trunc i64 %threads to i32
  %f = getelementptr i64, ptr WORDS, i64 3
  %for = load ptr, ptr %f
  call void %for(ptr @task, ptr %none, ptr %count, ptr %none, ptr %job, i64 0, i64 1, i32 %team)
  store atomic i64 0, ptr %busy release, align 8
  ret void
}
"""


def _compile() -> int:
    """The address of `loop`."""
    text = TEXT.replace("WORDS", f"inttoptr (i64 {words.ctypes.data} to ptr)").replace("CHUNK", str(CHUNK))
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    module = llvm.parse_assembly(text)
    module.verify()
    machine = llvm.Target.from_default_triple().create_target_machine(opt=2, jit=True)
    engine = llvm.create_mcjit_compiler(module, machine)
    engine.finalize_object()
    _kept.append(engine)
    return int(engine.get_function_address("loop"))


def _api() -> Any:
    """NumPy's table of C functions for ufuncs: how to make one, and how to give it one more loop."""
    capsule = import_module("numpy._core._multiarray_umath")._UFUNC_API
    table = ctypes.cast(_pointer(capsule, None), ctypes.POINTER(ctypes.c_void_p))
    pointer, number = ctypes.c_void_p, ctypes.c_int
    make = ctypes.PYFUNCTYPE(ctypes.py_object, *[pointer] * 3, *[number] * 4, *[pointer] * 2, number)
    add = ctypes.PYFUNCTYPE(number, ctypes.py_object, number, pointer, pointer, pointer)
    return make(table[1]), add(table[2])


def _spread(name: str, ufunc: Any, loop: int, make: Any, add: Any) -> Any:
    """A ufunc of the loops of `ufunc`, those of floats behind `loop`."""
    found = _UFunc.from_address(id(ufunc))
    kinds = [t.replace("->", "") for t in ufunc.types]
    numbers = b"".join(bytes([np.dtype(c).num for c in t]) for t in kinds)
    known = (found.nin, found.nout, found.ntypes) == (ufunc.nin, ufunc.nout, ufunc.ntypes)
    if not known or bytes(found.types[: len(numbers)]) != numbers:
        raise OSError("another layout of ufuncs")
    own = [i for i, t in enumerate(kinds) if KINDS.issuperset(t)]
    functions, data = ((ctypes.c_void_p * len(own))() for _ in range(2))
    for place, i in enumerate(own):
        functions[place], data[place] = found.functions[i], found.data[i]
        if FLOATS.issuperset(kinds[i]):
            sizes = [np.dtype(c).itemsize for c in kinds[i]]
            record = np.array([found.functions[i], found.data[i] or 0, ufunc.nargs, 0, *sizes], np.int64)
            records.append((COST[name] * sizes[0] / 4, record))
            _kept.append(record)
            functions[place], data[place] = loop, record.ctypes.data
    types = ctypes.create_string_buffer(b"".join(bytes([np.dtype(c).num for c in kinds[i]]) for i in own))
    _kept.append((functions, data, types))
    made = make(functions, data, types, len(own), ufunc.nin, ufunc.nout, -1, found.name, found.doc, 0)
    bfloat16 = dtypes.bfloat16.array
    if bfloat16 is not None and found.userloops:
        capsule = ctypes.cast(found.userloops, ctypes.py_object).value.get(bfloat16.num)
        if capsule is not None:
            extra = _Loop.from_address(_pointer(capsule, None))
            if add(made, bfloat16.num, extra.function, extra.kinds, extra.data):
                raise OSError("no loop for bfloat16")
    return made


def set_work(ns: float) -> None:
    """Serial nanoseconds from which loops are spread."""
    for cost, record in records:
        record[3] = max(1, min(ns / cost, 2**62))


def spread() -> dict[str, Any]:
    """Kernel's name -> ufunc; none where NumPy's layout is not known or Numba's threads are not OpenMP's."""
    if not _made and ctypes.sizeof(ctypes.c_void_p) == 8 and str(numba.config.THREADING_LAYER) == "omp":
        try:
            pool = import_module("numba.np.ufunc.omppool")
            numba.get_num_threads()  # launches them
            words[PARALLEL_FOR] = pool.parallel_for
            loop, api = _compile(), _api()
            made = {name: _spread(name, getattr(np, UFUNCS[name]), loop, *api) for name in COST}
        except (ImportError, AttributeError, OSError, RuntimeError):
            return {}
        _made.update(made)
        set_work(WORK)
    return _made
