"""PolyTensor: PyTorch's frontend over NumPy, Numba and CuPy. Use it as ``import polytensor as torch``."""

from __future__ import annotations

import gc as _gc
from math import e as e
from math import inf as inf
from math import nan as nan
from math import pi as pi
from sys import modules as _modules
from typing import Any as _Any


class _NoCollection:
    """No garbage collection while the package is imported: its runs find nothing and cost a tenth of the time."""

    def __init__(self) -> None:
        self.usual = _gc.isenabled()
        _gc.disable()

    def __del__(self) -> None:  # also when an import fails
        if self.usual:
            if not _gc.get_freeze_count():  # what was made here joins the old objects, without a run that looks at it
                _gc.freeze()
                _gc.unfreeze()
            _gc.enable()


_importing = _NoCollection()

from .absent import explain as _explain
from .absent import lacks as _lacks
from .dtypes import bfloat16 as bfloat16
from .dtypes import bool_ as bool
from .dtypes import can_cast as can_cast
from .dtypes import cdouble as cdouble
from .dtypes import cfloat as cfloat
from .dtypes import complex64 as complex64
from .dtypes import complex128 as complex128
from .dtypes import double as double
from .dtypes import dtype as dtype
from .dtypes import finfo as finfo
from .dtypes import float16 as float16
from .dtypes import float32 as float32
from .dtypes import float64 as float64
from .dtypes import float_ as float
from .dtypes import get_default_dtype as get_default_dtype
from .dtypes import half as half
from .dtypes import iinfo as iinfo
from .dtypes import int8 as int8
from .dtypes import int16 as int16
from .dtypes import int32 as int32
from .dtypes import int64 as int64
from .dtypes import int_ as int
from .dtypes import long as long
from .dtypes import promote_types as promote_types
from .dtypes import set_default_dtype as set_default_dtype
from .dtypes import short as short
from .dtypes import uint8 as uint8
from .dtypes import uint16 as uint16
from .dtypes import uint32 as uint32
from .dtypes import uint64 as uint64
from .devices import AcceleratorError as AcceleratorError
from .devices import Device as device
from .devices import OutOfMemoryError as OutOfMemoryError
from .devices import available_backends as available_backends
from .devices import backend_status as backend_status
from .devices import current_backend as current_backend
from .devices import current_device as get_default_device
from .devices import get_device_module as get_device_module
from .devices import register_backend as register_backend
from .devices import set_backend as set_backend
from .devices import set_default_device as set_default_device
from .devices import use_backend as use_backend
from .layouts import channels_last as channels_last
from .layouts import channels_last_3d as channels_last_3d
from .layouts import contiguous_format as contiguous_format
from .layouts import layout as layout
from .layouts import memory_format as memory_format
from .layouts import preserve_format as preserve_format
from .layouts import sparse_bsc as sparse_bsc
from .layouts import sparse_bsr as sparse_bsr
from .layouts import sparse_coo as sparse_coo
from .layouts import sparse_csc as sparse_csc
from .layouts import sparse_csr as sparse_csr
from .layouts import strided as strided
from .size import Size as Size
from .tensor import Tensor as Tensor
from .tensor import is_tensor as is_tensor
from .autograd.anomaly_mode import is_anomaly_check_nan_enabled as is_anomaly_check_nan_enabled
from .autograd.anomaly_mode import is_anomaly_enabled as is_anomaly_enabled
from .autograd.anomaly_mode import set_anomaly_enabled as set_anomaly_enabled
from .autograd import enable_grad as enable_grad
from .autograd import inference_mode as inference_mode
from .autograd import is_grad_enabled as is_grad_enabled
from .autograd import no_grad as no_grad
from .autograd import set_grad_enabled as set_grad_enabled
from .autograd.modes import is_inference_mode_enabled as is_inference_mode_enabled
from .ops import *  # noqa: F403
from .printing import set_printoptions as set_printoptions
from .random import Generator as Generator
from .random import default_generator as default_generator
from .random import get_rng_state as get_rng_state
from .random import initial_seed as initial_seed
from .random import manual_seed as manual_seed
from .random import seed as seed
from .random import set_rng_state as set_rng_state
from .serialization import load as load
from .serialization import save as save
from .settings import are_deterministic_algorithms_enabled as are_deterministic_algorithms_enabled
from .settings import compile as compile
from .settings import compiled_with_cxx11_abi as compiled_with_cxx11_abi
from .settings import get_deterministic_debug_mode as get_deterministic_debug_mode
from .settings import get_float32_matmul_precision as get_float32_matmul_precision
from .settings import is_deterministic_algorithms_warn_only_enabled as is_deterministic_algorithms_warn_only_enabled
from .settings import is_distributed as is_distributed
from .settings import is_storage as is_storage
from .settings import is_vulkan_available as is_vulkan_available
from .settings import is_warn_always_enabled as is_warn_always_enabled
from .settings import set_deterministic_debug_mode as set_deterministic_debug_mode
from .settings import set_float32_matmul_precision as set_float32_matmul_precision
from .settings import set_flush_denormal as set_flush_denormal
from .settings import set_warn_always as set_warn_always
from .settings import typename as typename
from .settings import use_deterministic_algorithms as use_deterministic_algorithms
from .storage import TypedStorage as TypedStorage
from .storage import UntypedStorage as UntypedStorage
from .threads import get_num_interop_threads as get_num_interop_threads
from .threads import get_num_threads as get_num_threads
from .threads import set_num_interop_threads as set_num_interop_threads
from .threads import set_num_threads as set_num_threads
from . import amp as amp
from .amp import GradScaler as GradScaler
from .amp.autocast_mode import autocast as autocast
from .amp.autocast_mode import autocast_decrement_nesting as autocast_decrement_nesting
from .amp.autocast_mode import autocast_increment_nesting as autocast_increment_nesting
from .amp.autocast_mode import clear_autocast_cache as clear_autocast_cache
from .amp.autocast_mode import get_autocast_cpu_dtype as get_autocast_cpu_dtype
from .amp.autocast_mode import get_autocast_dtype as get_autocast_dtype
from .amp.autocast_mode import get_autocast_gpu_dtype as get_autocast_gpu_dtype
from .amp.autocast_mode import is_autocast_cache_enabled as is_autocast_cache_enabled
from .amp.autocast_mode import is_autocast_cpu_enabled as is_autocast_cpu_enabled
from .amp.autocast_mode import is_autocast_enabled as is_autocast_enabled
from .amp.autocast_mode import set_autocast_cache_enabled as set_autocast_cache_enabled
from .amp.autocast_mode import set_autocast_cpu_dtype as set_autocast_cpu_dtype
from .amp.autocast_mode import set_autocast_cpu_enabled as set_autocast_cpu_enabled
from .amp.autocast_mode import set_autocast_dtype as set_autocast_dtype
from .amp.autocast_mode import set_autocast_enabled as set_autocast_enabled
from .amp.autocast_mode import set_autocast_gpu_dtype as set_autocast_gpu_dtype
from . import autograd as autograd
from .autograd import gradcheck as _gradcheck
from . import backends as backends
from . import func as func
from .func import vmap as vmap
from . import cuda as cuda
from . import fft as fft
from . import linalg as linalg
from . import nn as nn
from .native import *  # noqa: F403
from .naming import name_functions as _name_functions
from .numpy_names import install as _install_numpy_names
from . import optim as optim
from . import signal as signal
from . import special as special
from . import return_types as return_types
from . import random as random
from . import serialization as serialization
from . import utils as utils
from .version import __version__ as __version__

# functions that bear their module's name
autograd.gradcheck, autograd.gradgradcheck = _gradcheck.gradcheck, _gradcheck.gradgradcheck  # type: ignore[attr-defined]
newaxis = None
_install_numpy_names(globals())
_LAZY = (
    "_C", "__config__", "__future__", "_dynamo", "_inductor", "_logging", "_subclasses", "accelerator", "compiler", "cpu", "data",
    "distributed", "distributions", "functional", "futures", "fx", "hub", "jit", "library", "mps", "multiprocessing", "onnx",
    "overrides", "profiler", "safetensors", "sparse", "testing", "types", "xpu",
)  # fmt: skip
_HOMES = {  # where names that few ask for are, by how they begin
    "_C": ("PyTorchFile",),
    "conditions": ("Sym", "_assert", "_check", "sym_"),
    "dtypes": ("chalf", "complex32", "float8_", "qint", "quint"),
    "foreach": ("_foreach_",),
    "futures": ("Future",),
    "jit": ("CompilationUnit", "ScriptFunction", "ScriptModule"),
    "sparse": ("sparse_", "spmm"),
    "storage": (
        "BFloat16Storage",
        "BoolStorage",
        "ByteStorage",
        "CharStorage",
        "ComplexDoubleStorage",
        "ComplexFloatStorage",
        "DoubleStorage",
        "FloatStorage",
        "HalfStorage",
        "IntStorage",
        "LongStorage",
        "ShortStorage",
        "Storage",
    ),
    "streams": ("Event", "Stream"),
}


def __getattr__(name: str) -> _Any:
    if name == "torch":  # PyTorch's module holds itself
        return _modules[__name__]
    from importlib import import_module

    if name in _LAZY:
        module = import_module(f"{__name__}.{name}")
        _explain(module)
        return module
    for home, starts in _HOMES.items():
        if name.startswith(starts) and (found := getattr(import_module(f"{__name__}.{home}"), name, None)) is not None:
            return found
    raise _lacks("torch", name)


for _name in ("", ".nn.functional", ".linalg", ".special", ".fft", ".signal.windows"):
    _name_functions(_modules[__name__ + _name], __name__ + _name)
_name_functions(Tensor, f"{__name__}.tensor", "Tensor.")
for _name, _module in list(_modules.items()):
    if _name.startswith(__name__):
        _explain(_module)
del annotations  # PyTorch has no such name
del _importing
