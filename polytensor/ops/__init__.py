"""The op library: one file per family, one row per primitive (see table.py)."""

from __future__ import annotations

from ..absent import lacks as _lacks
from .creation import *
from .from_data import *
from . import indexing as _indexing
from .joining import cat, chunk, concat, concatenate, split, split_with_sizes, stack, unbind
from .layers import cross_entropy_index, log_softmax, max_pool2d, mse_loss, softmax
from .pointwise import (
    abs, absolute, add, bitwise_and, bitwise_not, bitwise_or, bitwise_xor, ceil, cos, div, divide, eq, equal, exp,
    expm1, floor, floor_divide, ge, gt, isfinite, isinf, isnan, le, log, log10, log1p, log2, logical_not, lt, mul,
    multiply, ne, neg, negative, pow, reciprocal, relu, remainder, round, rsqrt, sgn, sigmoid, sign, sin, sqrt,
    square, sub, subtract, tan, tanh, true_divide, trunc, where,
)  # fmt: skip
from .products import (
    addbmm, addmm, addmv, addr, baddbmm, bmm, dot, ger, inner, linear, matmul, mm, mv, outer, trace, vdot,
)  # fmt: skip
from .random_ops import *
from .reduce import *
from .shape import (
    broadcast_shapes, broadcast_tensors, broadcast_to, clone, flatten, moveaxis, movedim, narrow, permute, ravel,
    reshape, select, squeeze, swapaxes, swapdims, t, transpose, unflatten, unsqueeze,
)  # fmt: skip
from .complexes import *
from .elementwise import *
from .clamps import *
from .activations import *
from .attention import *
from .convolution import *
from .distance import *
from .dropouts import *
from .embedding import *
from .norms import *
from .normalization import *
from .padding import *
from .pooling import *
from .resize import *
from .recurrent import *
from .special import *
from .cumulative import *
from .statistics import *
from .views import *
from .arranging import *
from .scattering import *
from .sorting import *
from .einsum import *
from .linalg import *
from .matrices import *
from .fills import *
from .calculus import *
from .copies import *
from .exchange import *
from .lowrank import *
from .signal import *

__all__ = [
    name
    for name, value in list(globals().items())
    if not name.startswith("_")
    and hasattr(value, "__call__")  # noqa: B004
    and name not in ("cross_entropy_index", "linear", "mse_loss")  # of nn.functional alone
]


def __getattr__(name: str) -> object:
    """torch.ops.NAMESPACE: aten, and those of torch.library's ops."""
    from sys import modules

    library = modules.get(f"{__name__.partition('.')[0]}.library")
    # asked for each submodule that is imported from here, too
    if name != "aten" and (library is None or name not in library.OPS):
        raise _lacks(__name__, name)
    from .namespaces import namespace

    return namespace(name)
