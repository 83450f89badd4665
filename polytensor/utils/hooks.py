"""torch.utils.hooks: what register_hook hands back."""

from __future__ import annotations

from ..autograd.node import Handle as RemovableHandle

__all__ = ["RemovableHandle"]
