"""torch.sparse: not here; tensors are dense."""

from __future__ import annotations

from .absent import missing

__getattr__ = missing("torch.sparse", "tensors are dense (torch.strided)")
