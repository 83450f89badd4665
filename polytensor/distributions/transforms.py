"""Invertible maps with the log of their Jacobian's determinant. Source: torch.distributions.transforms."""

from .transforms_base import *  # noqa: F403
from .transforms_base import __all__ as _base
from .transforms_base import _InverseTransform as _InverseTransform
from .transforms_numbers import *  # noqa: F403
from .transforms_numbers import __all__ as _numbers
from .transforms_vectors import *  # noqa: F403
from .transforms_vectors import __all__ as _vectors

__all__ = [*_base, *_numbers, *_vectors]
