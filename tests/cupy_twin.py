"""CupyBackend without a GPU: its code runs on NumPy arrays that refuse what cupy.ndarray would refuse.

Every name that a kernel uses must exist in the installed CuPy, its arguments must fit CuPy's signature, a NumPy array
may not meet a CuPy one, and a full index or a reduction gives a 0-d array, no scalar. Our own CUDA kernels run on the CPU,
see cuda_emulator.py; without g++ the tests that need them are skipped. What is not seen here: values that differ on the card, and speed.
"""

import ctypes
import inspect
import re
from functools import cache
from types import ModuleType, SimpleNamespace

import cuda_emulator
import cupy
import numpy as np
from fake_cublas import fake_blas

from polytensor import dtypes
from polytensor.backends.base import Backend
from polytensor.backends.cupy import CupyBackend, cudnn
from polytensor.backends.cupy.backend import library
from polytensor.backends.cupy.faults import SLOTS, Faults

CUDNN = cudnn.library
METHODS = {name for name in dir(cupy.ndarray) if not name.startswith("_")}


class Pointer:
    """Stands for cupy.cuda.MemoryPointer, at the first element of an array."""

    def __init__(self, array):
        self.array = array
        self.ptr = np.ndarray.__getattribute__(array, "__array_interface__")["data"][0]


def unsigned(value):
    """As CuPy fills memory: with zero bytes where the value is 0, so that -0.0 is lost."""
    return value if value != 0 else 0


class Array(np.ndarray):
    """Stands for cupy.ndarray."""

    def __new__(cls, shape, dtype=float, memptr=None, strides=None, order="C"):
        if memptr is None:
            return np.empty(shape, dtype, order).view(cls)
        dtype = np.dtype(dtype)
        strides = strides or np.empty(shape, dtype).strides
        reach = 0 if 0 in shape else dtype.itemsize + sum((n - 1) * s for n, s in zip(shape, strides, strict=True))
        block = (ctypes.c_uint8 * reach).from_address(memptr.ptr)
        block.keep = memptr
        return np.ndarray(shape, dtype, block, 0, strides).view(cls)

    @property
    def base(self):
        found = np.ndarray.base.__get__(self)
        return found if isinstance(found, Array) else self.__dict__.get("_base")

    @property
    def _c_contiguous(self):
        return np.ndarray.__getattribute__(self, "flags").c_contiguous

    @property
    def data(self):
        return Pointer(self)

    def __getattribute__(self, name):
        if not name.startswith("_") and name not in METHODS:
            raise AttributeError(f"cupy.ndarray has no attribute {name!r}")
        if name == "flags":
            flags = np.ndarray.__getattribute__(self, name)
            names = ("c_contiguous", "f_contiguous", "forc", "fnc")
            return SimpleNamespace(owndata=self.base is None, **{k: getattr(flags, k) for k in names})
        return object.__getattribute__(self, name)

    def __array_ufunc__(self, ufunc, method, *inputs, **kwargs):
        name = ufunc.__name__
        if not hasattr(cupy, name):
            raise AttributeError(f"cupy has no ufunc {name}")
        if method == "at":
            return scatter(ufunc, *inputs)
        if method == "__call__":
            if set(kwargs) - {"out", "dtype", "casting"}:
                raise TypeError(f"cupy.{name} takes no {set(kwargs) - {'out', 'dtype', 'casting'}}")
            expected = loop(name, *map(kind_of, inputs)) if "dtype" not in kwargs else None
        elif ufunc not in (np.add, np.multiply):
            raise NotImplementedError(f"cupy.{name}.{method}")
        elif method == "reduceat":
            raise NotImplementedError("cupy.add.reduceat subtracts running sums, so that a NaN reaches what follows it")
        else:
            expected = None
        run = getattr(ufunc, method)
        if method == "__call__" and name in CRUDE and all(x.dtype.kind != "i" for x in inputs if hasattr(x, "dtype")):
            run = CRUDE[name]
        result = given(run(*taken(inputs), **taken(kwargs)))
        if method == "__call__" and kwargs.get("out") is None:  # CuPy's results lie in C order
            result = tuple(map(by_rows, result)) if isinstance(result, tuple) else by_rows(result)
        if expected is not None and kwargs.get("out") is None:
            agree(name, expected, result if isinstance(result, tuple) else (result,), inputs)
        return result

    def __array_function__(self, func, types, args, kwargs):
        home = getattr(func, "__module__", "numpy").removeprefix("numpy").strip(".")
        twin = cupy
        for part in [*(p for p in home.split(".") if p), func.__name__]:
            twin = getattr(twin, part)
        return call(func, twin, args, kwargs)

    def __getitem__(self, index):
        return looks[-1](self, index)

    def look(self, index):
        taken(index)
        return given(at(np.ndarray.__getitem__, self, wrapped(plain(index), self.shape)))

    def __setitem__(self, index, value):
        taken((index, value))
        at(np.ndarray.__setitem__, self, wrapped(plain(index), self.shape), plain(value))


# What x[index] calls, the last of these. A class whose __getitem__ is set anew a thousand times keeps an old one in
# CPython 3.13: it gives no class more version tags, and forgets a method that indexing has cached by the tag alone.
looks = [Array.look]


def signature_in_doc(function):
    """The signature that Cython writes as the first line of a docstring, or None."""
    first = (function.__doc__ or "").partition("\n")[0].partition("(")[2].rpartition(")")[0]
    first = re.sub(r"[A-Za-z_]\w* (?=\w+[,=)])|[A-Za-z_]\w* (?=\w+$)", "", first)  # types of C
    try:
        return inspect.signature(eval(f"lambda {first}: 0"))
    except SyntaxError:
        return None


def checker(known):
    """A function that refuses what a signature does not take; it looks once at each number of arguments and their names."""
    fine = {None}

    def check(args, kwargs):
        kind = (len(args), *kwargs) if known is not None else None
        if kind not in fine:
            known.bind(*args, **kwargs)
            fine.add(kind)

    return check


VIEWS = {"reshape", "transpose", "swapaxes", "squeeze", "ravel", "view", "diagonal"}
for _name in METHODS:
    _plain, _check = getattr(np.ndarray, _name, None), checker(signature_in_doc(getattr(cupy.ndarray, _name)))
    if not callable(_plain) or _name == "tobytes":
        continue

    def _method(self, *args, _name=_name, _plain=_plain, _check=_check, **kwargs):
        _check((self, *args), kwargs)
        if _name in VIEWS:
            return _plain(self, *args, **kwargs)
        if _name in ("sort", "partition") and (self.ndim == 0 or not np.ndarray.flags.__get__(self).c_contiguous):
            raise NotImplementedError("Sorting non-contiguous array is not supported.")
        if _name == "take":
            kwargs["mode"] = "wrap"
        elif _name == "fill":
            args = tuple(map(unsigned, args))
        return given(_plain(np.ndarray.view(self, np.ndarray), *taken(args), **taken(kwargs)))

    setattr(Array, _name, _method)


def at(access, *args):
    """ValueError where NumPy raises IndexError: arrays of indices that do not broadcast."""
    try:
        return access(*args)
    except IndexError as error:
        if "could not be broadcast" in str(error):
            raise ValueError(str(error)) from None
        raise


def wrapped(index, shape):
    """An index as CuPy reads it: integers in arrays that are out of range wrap around."""
    items = list(index) if isinstance(index, tuple) else [index]
    arrays = [isinstance(i, np.ndarray) for i in items]
    if not any(arrays):
        return index
    used = [0 if i is None or i is Ellipsis else i.ndim if a and i.dtype.kind == "b" else 1
            for i, a in zip(items, arrays, strict=True)]  # fmt: skip
    position = 0
    for k, (i, a, n) in enumerate(zip(items, arrays, used, strict=True)):
        if i is Ellipsis:
            position += len(shape) - sum(used)
        elif a and i.dtype.kind in "iu" and position < len(shape) and shape[position]:
            items[k] = i % shape[position]
        position += n
    return tuple(items)


def kind_of(x):
    """What CuPy chooses a loop by: a dtype, or the type of a Python number."""
    return x.dtype if hasattr(x, "dtype") else type(x)


RANK = {"b": 0, "i": 1, "u": 1, "f": 2, "V": 2, "c": 3}


@cache
def loop(name, *kinds, types=None):
    """The dtypes that cupy.<name> gives for inputs of those kinds; None if its loops are not known."""
    types = getattr(getattr(cupy, name), "types", None) if types is None else types
    if types is None:
        return None
    ranks = [RANK[k.kind] for k in kinds if isinstance(k, np.dtype)]
    if any(RANK[np.dtype(k).kind] > max(ranks, default=0) for k in kinds if not isinstance(k, np.dtype)):
        kinds = [np.dtype(k) for k in kinds]  # a number decides only where it is of a higher kind
    for text in types:
        before, _, after = text.partition("->")
        wanted = [dtypes.bfloat16.array if c == "E" else np.dtype(c) for c in before]
        if all(map(fits, kinds, wanted)):
            return [dtypes.bfloat16.array if c == "E" else np.dtype(c) for c in after]
    raise TypeError(f"Wrong type {kinds} of arguments for cupy_{name}")


def fits(kind, wanted):
    if isinstance(kind, np.dtype):
        return np.can_cast(kind, wanted)
    try:
        return np.result_type(kind(0), wanted) == wanted
    except TypeError:
        return False


def agree(name, expected, results, inputs):
    """TypeError where CuPy's loops give other dtypes than NumPy's."""
    if expected is not None and [x.dtype for x in results] != expected:
        found = [str(x.dtype) for x in results]
        raise TypeError(f"cupy.{name}{tuple(map(kind_of, inputs))} gives {expected}, numpy.{name} gives {found}")


def by_rows(x):
    return x if np.ndarray.flags.__get__(x).c_contiguous else np.ndarray.copy(x, "C").view(Array)


CRUDE = {  # of floats: neither exact nor right for infinities
    "floor_divide": lambda x, y, **options: np.floor(np.true_divide(x, y), **options),
    "remainder": lambda x, y, **options: np.subtract(x, np.floor(np.true_divide(x, y)) * y, **options),
}
ATOMIC = {"add": "ilqILQefd", "subtract": "iI", "maximum": "ilqILQ", "minimum": "ilqILQ"}  # for floats: see scatter


def scatter(ufunc, x, index, value=None):
    """ufunc.at. CuPy's maximum and minimum of floats drop NaN, and round float64 to float32."""
    if x.dtype.char not in ATOMIC.get(ufunc.__name__, ""):
        raise TypeError(f"cupy.{ufunc.__name__}.at does not support {x.dtype}")
    ufunc.at(plain(x), wrapped(plain(taken(index)), x.shape), taken(value))


def plain(x):
    """Array to np.ndarray, inside containers too."""
    if isinstance(x, Array):
        return x.view(np.ndarray)
    if isinstance(x, (tuple, list)):
        return type(x)(plain(v) for v in x) if not hasattr(x, "_fields") else type(x)(*map(plain, x))
    if isinstance(x, dict):
        return {k: plain(v) for k, v in x.items()}
    return x


def taken(x, lists=False):
    """What CuPy takes, made plain. TypeError for a NumPy array."""
    if type(x) is np.ndarray:
        raise TypeError(f"Unsupported type <class 'numpy.ndarray'> (shape {x.shape})")
    if isinstance(x, (tuple, list)):
        return type(x)(taken(v) for v in x)
    if isinstance(x, dict):
        return {k: taken(v) for k, v in x.items()}
    return plain(x)


def given(x):
    """What CuPy gives: arrays, never NumPy scalars."""
    if isinstance(x, np.ndarray):
        return x if isinstance(x, Array) else x.view(Array)
    if isinstance(x, np.generic):
        return np.asarray(x).view(Array)
    if isinstance(x, tuple) and hasattr(x, "_fields"):
        return type(x)(*map(given, x))
    return type(x)(given(v) for v in x) if isinstance(x, (tuple, list)) else x


@cache
def checker_of(twin):
    try:
        return checker(inspect.signature(twin))
    except (TypeError, ValueError):  # compiled
        return checker(None)


def check_lexsort(keys):
    if not isinstance(keys, Array) or keys.ndim > 2:
        raise TypeError("cupy.lexsort takes an array of one or two dimensions")


def check_sort(x, *args, **kwargs):
    if not isinstance(x, Array) or x.ndim == 0:
        raise TypeError("cupy.sort and its kin take an array that is not 0-d")


def check_searchsorted(edges, values, *args, **kwargs):
    if not isinstance(edges, Array) or edges.ndim != 1 or edges.dtype.char == "E":
        raise TypeError("cupy.searchsorted takes a 1-D array of edges")


def check_bincount(x, weights=None, minlength=None):
    if x.ndim != 1 or x.dtype.kind not in "iub":
        raise TypeError("cupy.bincount takes a 1-D array of integers")


def check_along(x, indices, axis):
    return x, indices % x.shape[axis] if x.ndim and x.shape[axis] else indices, axis


def check_concatenate(arrays, *args, **kwargs):
    if any(not isinstance(x, Array) or x.ndim == 0 for x in arrays):
        raise TypeError("zero-dimensional arrays cannot be concatenated")


def check_where(condition, x=None, y=None):
    if not isinstance(condition, Array):
        raise AttributeError("cupy.where takes an array as its condition")
    return condition.astype(bool), x, y


def check_linalg(x, *args, **kwargs):
    if x.dtype.char not in "fdFD":
        raise TypeError(f"cupy.linalg does not take {x.dtype}")


LINALG = ("inv", "solve", "cholesky", "qr", "svd", "eigh", "eigvalsh", "eig", "det", "slogdet")
CHECKS = {
    "lexsort": check_lexsort, "sort": check_sort, "partition": check_sort, "argpartition": check_sort,
    "searchsorted": check_searchsorted, "bincount": check_bincount, "take_along_axis": check_along,
    "concatenate": check_concatenate, "where": check_where, **dict.fromkeys(LINALG, check_linalg),
}  # fmt: skip
LOOPS = {"where": cupy._sorting.search._where_ufunc, "clip": cupy._core._routines_math.clip}


def call(func, twin, args, kwargs):
    checker_of(twin)(args, kwargs)
    name = func.__name__
    if name in CHECKS:
        args = CHECKS[name](*args, **kwargs) or args
    makes = func.__name__ in ("asarray", "array", "ascontiguousarray")
    if name == "full_like":
        args = (args[0], unsigned(args[1]), *args[2:])
    elif makes and type(args[0]) is np.ndarray and args[0].ndim == 0:
        args = (np.full((), unsigned(args[0]), args[0].dtype), *args[1:])
    try:
        result = func(*(plain(args) if makes else taken(args)), **taken(kwargs))
        if name == "broadcast_to" and plain(args[0]).flags.writeable:  # CuPy knows no read-only arrays
            result.flags.writeable = True
        result = given(result)
    except np.linalg.LinAlgError:  # CuPy does not look at what the solver says
        if name not in ("inv", "solve", "cholesky"):
            raise
        result = given(np.full_like(plain(args[-1]), np.nan))
    if name in ("where", "clip") and isinstance(result, Array):
        agree(name, loop(name, *[kind_of(a) for a in args[: len(LOOPS[name].types[0].partition("->")[0])]],
                         types=tuple(LOOPS[name].types)), (result,), args)  # fmt: skip
    if isinstance(result, Array) and func is not np.lib.stride_tricks.as_strided:  # which gives no base
        for x in args:
            if isinstance(x, Array) and result.base is None and result is not x and np.may_share_memory(x, result):
                result._base = x
    return result


class Namespace:
    """Stands for the module cupy (or one of its submodules)."""

    def __init__(self, numpy, twin):
        self.__dict__.update(numpy=numpy, twin=twin)

    def __getattr__(self, name):
        twin, found = getattr(self.twin, name), getattr(self.numpy, name)
        if isinstance(found, ModuleType):
            result = Namespace(found, twin)
        elif isinstance(found, np.ufunc):
            result = Ufunc(found)
        elif callable(found) and not isinstance(found, type):

            def result(*args, **kwargs):
                return call(found, twin, args, kwargs)
        else:
            result = Grid(found) if name in ("ogrid", "mgrid") else found
        self.__dict__[name] = result
        return result


class Grid:
    """Stands for cupy.ogrid and cupy.mgrid."""

    def __init__(self, grid):
        self.grid = grid

    def __getitem__(self, index):
        return given(self.grid[index])


class Ufunc:
    """Stands for a cupy.ufunc."""

    def __init__(self, ufunc):
        self.ufunc = ufunc

    def _run(self, method, args, kwargs):
        probe = np.empty(0).view(Array)
        return probe.__array_ufunc__(self.ufunc, method, *args, **kwargs)

    def __call__(self, *args, **kwargs):
        args, extra = args[: self.ufunc.nin], args[self.ufunc.nin :]
        out = kwargs.pop("out", extra[0] if extra else None)
        if out is not None:
            kwargs["out"] = out
        result = self._run("__call__", args, kwargs)
        return result if out is None else out

    def reduce(self, array, axis=0, dtype=None, out=None, keepdims=False):
        return self._run("reduce", (array,), {"axis": axis, "dtype": dtype, "keepdims": keepdims})

    def accumulate(self, array, axis=0, dtype=None, out=None):
        return self._run("accumulate", (array,), {"axis": axis, "dtype": dtype})

    def at(self, a, indices, b=None):
        scatter(self.ufunc, a, indices, b)


class TwinBackend(CupyBackend):
    """See the module's text."""

    name = "twin"

    @classmethod
    def availability(cls):
        return True, "", ""

    def __init__(self):
        cuda_emulator.install()
        names = Namespace(np, cupy)
        names.__dict__["ndarray"] = Array
        names.where  # noqa: B018 read once, so that `library` finds it
        self.xp = Namespace(np, cupy)
        self.xp.__dict__.update(vars(library(names)))
        Backend.__init__(self)
        self._bind_products()
        self._bind_elementwise()
        self._blas = fake_blas()
        self._roots, self._faults, self._nothings = {}, None, {}
        self._refuse_missing()

    def to_numpy(self, a):
        self.refuse_captured("a copy to the host")
        found = np.array(plain(a))
        self.waited()
        return found

    def synchronize(self):
        self.waited()

    def is_pinned(self, a):
        try:
            return super().is_pinned(a)
        except cupy.cuda.runtime.CUDARuntimeError:  # no driver, and no fake_cuda.py in its place
            return False

    def to_host(self, a, non_blocking=False):
        try:
            return super().to_host(a, non_blocking)
        except cupy.cuda.runtime.CUDARuntimeError:
            return self.to_numpy(a)

    def _cudnn_run(self, *args):
        """None: a cuDNN that is installed takes none of these arrays. test_cudnn.py puts fake_cudnn.py in its place."""
        return None if cudnn.library is CUDNN else super()._cudnn_run(*args)

    def _make_faults(self):
        flags = np.zeros(SLOTS, np.uint32)
        return Faults(flags, flags.view(Array))

    def from_numpy(self, a):
        return super().from_numpy(np.array(a))

    def device_count(self):
        return 1

    def to_dlpack(self, x, stream, max_version, dl_device, copy):
        return Backend.to_dlpack(self, x, None, max_version, dl_device, copy)

    dlpack_device = Backend.dlpack_device
    stream = 0  # its address

    def _processors(self):
        return 132

    def _shared_room(self):
        return cuda_emulator.MOST_SHARED

    def current_index(self):
        return 0

    def _place(self):
        return 0, self.stream

    def special_library(self):
        """scipy.special on Array, as far as CuPy has a port."""
        import cupyx.scipy.special as port
        import scipy.special

        def function(name):
            assert hasattr(port, name), f"cupyx.scipy.special has no {name}"
            return lambda *xs: given(getattr(scipy.special, name)(*taken(xs)))

        return type("Port", (), {"__getattr__": lambda self, name: function(name)})()
