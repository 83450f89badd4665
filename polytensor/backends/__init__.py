"""All that knows an array library. Also answers as ``torch.backends`` does, with honest flags."""

from __future__ import annotations

from types import SimpleNamespace

mps = SimpleNamespace(is_available=lambda: False, is_built=lambda: False)
mkl = SimpleNamespace(is_available=lambda: False)
mkldnn = SimpleNamespace(is_available=lambda: False)
openmp = SimpleNamespace(is_available=lambda: False)
cudnn = SimpleNamespace(
    is_available=lambda: False,
    version=lambda: None,
    enabled=False,
    benchmark=False,
    deterministic=True,
    allow_tf32=False,
)
cuda = SimpleNamespace(is_built=lambda: True, matmul=SimpleNamespace(allow_tf32=False))
