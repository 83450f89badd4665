"""All that knows an array library. Also answers as ``torch.backends`` does, with honest flags."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any


def _flags(name: str, **values: Any) -> ModuleType:
    """A module of flags that programs may set, under both ways to import it."""
    module = ModuleType(f"{__name__}.{name}", f"torch.backends.{name}: flags.")
    module.__dict__.update(values)
    sys.modules[module.__name__] = module
    return module


def _no() -> bool:
    return False


def _switch(name: str) -> tuple[Any, Any]:
    """A function that tells a flag, and one that sets it."""
    state = [True]

    def enabled() -> bool:
        return state[0]

    def enable(enabled: bool) -> None:
        state[0] = bool(enabled)

    enabled.__name__, enable.__name__ = f"{name}_enabled", f"enable_{name}"
    return enabled, enable


@contextmanager
def _within(flags: Any, **given: Any) -> Iterator[None]:
    """Other flags within the block."""
    before = {k: getattr(flags, k) for k in given}
    flags.__dict__.update({k: v for k, v in given.items() if v is not None})
    try:
        yield
    finally:
        flags.__dict__.update(before)


def _cudnn_flags(
    enabled: bool | None = None, benchmark: bool | None = None, benchmark_limit: int | None = None,
    deterministic: bool | None = None, allow_tf32: bool | None = None, fp32_precision: str = "none",
) -> Any:  # fmt: skip
    return _within(
        cudnn, enabled=enabled, benchmark=benchmark, benchmark_limit=benchmark_limit, deterministic=deterministic,
        allow_tf32=allow_tf32,
    )  # fmt: skip


def _mkldnn_flags(
    enabled: bool | None = None, deterministic: bool | None = None, allow_tf32: bool | None = None,
    fp32_precision: str = "none",
) -> Any:  # fmt: skip
    return _within(mkldnn, enabled=enabled, deterministic=deterministic, allow_tf32=allow_tf32)


def _cuda_built() -> bool:
    """Whether CuPy, which brings CUDA, is installed."""
    from importlib.util import find_spec

    return find_spec("cupy") is not None


def _opt_einsum() -> bool:
    from importlib.util import find_spec

    return find_spec("opt_einsum") is not None


mps = _flags("mps", is_available=_no, is_built=_no, is_macos_or_newer=lambda major, minor: False)
mkl = _flags("mkl", is_available=_no)
mkldnn: Any = _flags(
    "mkldnn", is_available=_no, enabled=True, deterministic=False, allow_tf32=True, flags=_mkldnn_flags
)
openmp = _flags("openmp", is_available=_no)
opt_einsum = _flags("opt_einsum", is_available=_opt_einsum, enabled=True, strategy=None)
mha = _flags("mha", **dict(zip(("get_fastpath_enabled", "set_fastpath_enabled"), _switch("fastpath"), strict=True)))
cpu = _flags("cpu", get_cpu_capability=lambda: "DEFAULT")


def _cudnn_version() -> int | None:
    """As 91200, where there is a GPU."""
    from ..cuda import is_available
    from .cupy.cudnn import library, status

    return int(library().backend_version()) if is_available() and status()[0] else None


def _cudnn_acceptable(tensor: Any) -> bool:
    return bool(tensor.is_cuda and cudnn.enabled and _cudnn_version())


# allow_tf32 is off, unlike in PyTorch: the same convolution gives the same numbers on every device
cudnn: Any = _flags(
    "cudnn", is_available=lambda: _cudnn_version() is not None, version=_cudnn_version, enabled=True, benchmark=False,
    is_acceptable=_cudnn_acceptable, benchmark_limit=None, deterministic=False, allow_tf32=False, flags=_cudnn_flags,
)  # fmt: skip
cuda: Any = _flags("cuda", is_built=_cuda_built)
for _name in ("flash_sdp", "math_sdp", "mem_efficient_sdp", "cudnn_sdp"):
    setattr(cuda, f"{_name}_enabled", (_pair := _switch(_name))[0])
    setattr(cuda, f"enable_{_name}", _pair[1])
cuda.fp16_bf16_reduction_math_sdp_allowed, cuda.allow_fp16_bf16_reduction_math_sdp = _switch("math_reduction")
cuda.allow_fp16_bf16_reduction_math_sdp(False)
cuda.is_flash_attention_available = _no


@contextmanager
def _sdp_kernel(
    enable_flash: bool = True, enable_math: bool = True, enable_mem_efficient: bool = True, enable_cudnn: bool = True
) -> Iterator[dict[str, Any]]:
    """Other attention flags within the block; deprecated for torch.nn.attention.sdpa_kernel."""
    import warnings

    warnings.warn(
        "`torch.backends.cuda.sdp_kernel()` is deprecated. In the future, this context manager will be removed. Please see "
        "`torch.nn.attention.sdpa_kernel()` for the new context manager, with updated signature.",
        FutureWarning,
        stacklevel=3,
    )
    given = dict(
        flash_sdp=enable_flash, math_sdp=enable_math, mem_efficient_sdp=enable_mem_efficient, cudnn_sdp=enable_cudnn
    )
    before = {k: getattr(cuda, f"{k}_enabled")() for k in given}
    for k, value in given.items():
        getattr(cuda, f"enable_{k}")(value)
    try:
        yield {}
    finally:
        for k, value in before.items():
            getattr(cuda, f"enable_{k}")(value)


cuda.sdp_kernel = _sdp_kernel
cuda.__dict__["matmul"] = _flags(
    "cuda.matmul", allow_fp16_reduced_precision_reduction=True, allow_bf16_reduced_precision_reduction=True
)  # fmt: skip


class _Matmul(ModuleType):
    """allow_tf32 says in one bit what torch.set_float32_matmul_precision says in a word."""

    @property
    def allow_tf32(self) -> bool:
        from ..settings import get_float32_matmul_precision

        return get_float32_matmul_precision() != "highest"

    @allow_tf32.setter
    def allow_tf32(self, value: bool) -> None:
        from ..settings import set_float32_matmul_precision

        set_float32_matmul_precision("high" if value else "highest")


cuda.matmul.__class__ = _Matmul


# ---- what each backend does with each dtype --------------------------------------------------------------------------
NATIVE = "computes in it"
STORAGE = "stores it; sums and products compute in float32 and round once"
CONVERTS = "stores and converts it; no promotion with integers, as in PyTorch"
VIA_NUMPY = "runs NumPy's kernels"
MISSING = "missing: "  # and what it needs
TABLE = "polytensor.backends.capabilities() lists what each backend can do"


def capabilities() -> dict[str, dict[str, str]]:
    """For each backend and dtype, what it does with it, or what is missing: {'numpy': {'float16': '...'}}."""
    from .. import devices, dtypes

    table = {}
    for name, (usable, reason, _) in devices.backend_status().items():
        if usable:
            backend = devices.get_backend(name)
            table[name] = {d.name: backend.capability(d) for d in dtypes.ALL}
        else:
            table[name] = dict.fromkeys([d.name for d in dtypes.ALL], f"cannot run here: {reason}")
    return table
