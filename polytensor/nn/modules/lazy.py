"""Lazy modules under PyTorch's path. Source: torch.nn.modules.lazy."""

from ..lazy import LazyModuleMixin as LazyModuleMixin
from ..lazy import is_lazy as is_lazy
