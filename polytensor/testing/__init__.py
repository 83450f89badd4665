"""Tools for testing code that uses PolyTensor: closeness, gradients, equality of the backends, random tensors.

>>> import polytensor as torch
>>> torch.testing.assert_close(torch.ones(2) * 2, torch.full((2,), 2.0))
"""

from ..autograd.gradcheck import GradcheckError, gradcheck, gradgradcheck
from .comparison import TOLERANCES, assert_allclose, assert_close
from .creation import make_tensor
from .equivalence import check_equivalence

__all__ = [
    "TOLERANCES",
    "GradcheckError",
    "assert_allclose",
    "assert_close",
    "check_equivalence",
    "gradcheck",
    "gradgradcheck",
    "make_tensor",
]
