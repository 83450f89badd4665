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
from .layers import conv2d, cross_entropy_index, dropout, log_softmax, max_pool2d, mse_loss, pad, softmax
from .pointwise import (
    abs,
    absolute,
    add,
    addcdiv,
    addcmul,
    allclose,
    bitwise_and,
    bitwise_not,
    bitwise_or,
    bitwise_xor,
    ceil,
    clamp,
    clip,
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
    isclose,
    isfinite,
    isinf,
    isnan,
    le,
    lerp,
    log,
    log1p,
    log2,
    log10,
    logical_and,
    logical_not,
    logical_or,
    logical_xor,
    lt,
    maximum,
    minimum,
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
from .random_ops import *
from .reduce import (
    all,
    amax,
    amin,
    any,
    argmax,
    argmin,
    cumsum,
    logsumexp,
    max,
    mean,
    min,
    nansum,
    norm,
    prod,
    std,
    sum,
    var,
)  # fmt: skip
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

from .special import *
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
