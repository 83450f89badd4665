"""CupyBackend without a GPU: its code runs on NumPy arrays that refuse what cupy.ndarray would refuse.

Every name that a kernel uses must exist in the installed CuPy, its arguments must fit CuPy's signature, a NumPy array
may not meet a CuPy one, and a full index or a reduction gives a 0-d array, no scalar. Launches of our own CUDA kernels
are replaced by `base`. What is not seen here: values that differ on the card, and speed.
"""

import ctypes
import inspect
from functools import cache
from types import ModuleType, SimpleNamespace

import cupy
import numpy as np

from polytensor.backends.base import Backend
from polytensor.backends.cupy import CupyBackend
from polytensor.backends.numpy import NumpyBackend

METHODS = {name for name in dir(cupy.ndarray) if not name.startswith("_")}


class Pointer:
    """Stands for cupy.cuda.MemoryPointer, at the first element of an array."""

    def __init__(self, array):
        self.array = array
        self.ptr = np.ndarray.__getattribute__(array, "__array_interface__")["data"][0]


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
    def data(self):
        return Pointer(self)

    def __getattribute__(self, name):
        if not name.startswith("_") and name not in METHODS:
            raise AttributeError(f"cupy.ndarray has no attribute {name!r}")
        if name == "flags":
            flags = np.ndarray.__getattribute__(self, name)
            return SimpleNamespace(
                **{k: getattr(flags, k) for k in ("c_contiguous", "f_contiguous", "owndata", "forc", "fnc")}
            )
        return object.__getattribute__(self, name)

    def __array_ufunc__(self, ufunc, method, *inputs, **kwargs):
        if not hasattr(cupy, ufunc.__name__):
            raise AttributeError(f"cupy has no ufunc {ufunc.__name__}")
        if method == "__call__" and set(kwargs) - {"out", "dtype", "casting"}:
            raise TypeError(f"cupy.{ufunc.__name__} takes no {set(kwargs) - {'out', 'dtype', 'casting'}}")
        if method in ("reduce", "accumulate", "reduceat") and ufunc not in (np.add, np.multiply):
            raise NotImplementedError(f"cupy.{ufunc.__name__}.{method}")
        return given(getattr(ufunc, method)(*taken(inputs, method == "at"), **taken(kwargs)))

    def __array_function__(self, func, types, args, kwargs):
        home = getattr(func, "__module__", "numpy").removeprefix("numpy").strip(".")
        twin = cupy
        for part in [*(p for p in home.split(".") if p), func.__name__]:
            twin = getattr(twin, part)
        return call(func, twin, args, kwargs)

    def __getitem__(self, index):
        taken(index)
        return given(np.ndarray.__getitem__(self, plain(index)))

    def __setitem__(self, index, value):
        taken((index, value))
        np.ndarray.__setitem__(self, plain(index), plain(value))


for _name in (
    "sum",
    "prod",
    "max",
    "min",
    "argmax",
    "argmin",
    "mean",
    "all",
    "any",
    "cumsum",
    "cumprod",
    "take",
    "astype",
    "dot",
):

    def _method(self, *args, _name=_name, **kwargs):
        if _name == "astype":
            allowed = {"dtype", "order", "casting", "subok", "copy"}
            if set(kwargs) - allowed:
                raise TypeError(f"cupy.ndarray.astype takes no {set(kwargs) - allowed}")
        return given(getattr(self.view(np.ndarray), _name)(*taken(args), **taken(kwargs)))

    setattr(Array, _name, _method)


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
def signature(twin):
    try:
        return inspect.signature(twin)
    except (TypeError, ValueError):  # compiled
        return None


def call(func, twin, args, kwargs):
    known = signature(twin)
    if known is not None:
        known.bind(*args, **kwargs)
    makes = func.__name__ in ("asarray", "array", "ascontiguousarray")
    result = given(func(*(plain(args) if makes else taken(args)), **taken(kwargs)))
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
        self.ufunc.at(*taken((a, indices) if b is None else (a, indices, b)))


class TwinBackend(CupyBackend):
    """See the module's text."""

    name = "twin"

    @classmethod
    def availability(cls):
        return True, "", ""

    def __init__(self):
        self.xp = Namespace(np, cupy)
        self.xp.__dict__["ndarray"] = Array
        Backend.__init__(self)
        self._roots = {}
        self.stream = NumpyBackend()

    def to_numpy(self, a):
        return np.array(plain(a))

    def from_numpy(self, a):
        return np.array(a).view(Array)

    def random_words(self, seed, counter, nblocks):
        return self.from_numpy(self.stream.random_words(seed, counter, nblocks))

    def device_count(self):
        return 1

    def current_index(self):
        return 0

    def special_library(self):
        """scipy.special on Array, as far as CuPy has a port."""
        import cupyx.scipy.special as port
        import scipy.special

        def function(name):
            assert hasattr(port, name), f"cupyx.scipy.special has no {name}"
            return lambda *xs: given(getattr(scipy.special, name)(*taken(xs)))

        return type("Port", (), {"__getattr__": lambda self, name: function(name)})()

    def scatter_add_at(self, x, index, value):
        np.add.at(plain(x), plain(index), plain(value))

    max_pool2d = Backend.max_pool2d
