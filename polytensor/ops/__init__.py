"""The op library: one file per family, one row per primitive (see table.py)."""

from __future__ import annotations

from .creation import *
from .indexing import (
    argsort,
    gather,
    index_select,
    masked_fill,
    masked_select,
    nonzero,
    scatter,
    scatter_add,
    sort,
    topk,
)  # fmt: skip
from .layers import cross_entropy_index, dropout, log_softmax, max_pool2d, mse_loss, softmax
from .pointwise import (
    abs,
    absolute,
    add,
    bitwise_and,
    bitwise_not,
    bitwise_or,
    bitwise_xor,
    ceil,
    cos,
    div,
    divide,
    eq,
    equal,
    exp,
    expm1,
    floor,
    floor_divide,
    ge,
    gt,
    isfinite,
    isinf,
    isnan,
    le,
    log,
    log1p,
    log2,
    log10,
    logical_not,
    lt,
    mul,
    multiply,
    ne,
    neg,
    negative,
    pow,
    reciprocal,
    relu,
    remainder,
    round,
    rsqrt,
    sgn,
    sigmoid,
    sign,
    sin,
    sqrt,
    square,
    sub,
    subtract,
    tan,
    tanh,
    true_divide,
    trunc,
    where,
)  # fmt: skip
from .products import addmm, bmm, dot, linear, matmul, mm, mv, outer
from .random_ops import (
    bernoulli,
    multinomial,
    normal,
    rand,
    rand_like,
    randint,
    randint_like,
    randn,
    randn_like,
    randperm,
)  # fmt: skip
from .reduce import *
from .shape import (
    broadcast_shapes,
    broadcast_tensors,
    broadcast_to,
    cat,
    chunk,
    clone,
    concat,
    concatenate,
    flatten,
    flip,
    meshgrid,
    moveaxis,
    movedim,
    narrow,
    permute,
    ravel,
    reshape,
    select,
    split,
    squeeze,
    stack,
    swapaxes,
    swapdims,
    t,
    transpose,
    unbind,
    unflatten,
    unsqueeze,
)  # fmt: skip

from .complexes import *
from .elementwise import *
from .activations import *
from .convolution import *
from .padding import *
from .pooling import *
from .special import *
from .cumulative import *
from .statistics import *
from .views import *
from .scattering import *
from .linalg import *
from .fills import *

__all__ = [
    name
    for name, value in list(globals().items())
    if not name.startswith("_") and hasattr(value, "__call__")  # noqa: B004
]
