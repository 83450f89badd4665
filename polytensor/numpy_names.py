"""`axis` for `dim`, `keepdims` for `keepdim`, `x` for `input`, as PyTorch takes them everywhere.

The reductions take them by themselves. What is listed here is wrapped for the user; the library calls it unwrapped.
fft and linalg wrap their own.
"""

from __future__ import annotations

from typing import Any

from .ops.operands import numpy_names
from .tensor import Tensor

__all__ = ["install"]

FUNCTIONS = (
    "argsort cat chunk concat concatenate cosine_similarity cross cumulative_trapezoid frobenius_norm gather gradient "
    "hash_tensor index_add index_copy index_fill index_reduce index_select kthvalue log_softmax narrow narrow_copy "
    "norm_except_dim nuclear_norm repeat_interleave scatter scatter_add scatter_reduce select select_copy select_scatter "
    "slice_copy slice_scatter softmax sort split_copy split_with_sizes split_with_sizes_copy squeeze squeeze_copy stack "
    "take_along_dim tensor_split topk trapezoid trapz unbind unbind_copy unflatten unsafe_chunk unsafe_split "
    "unsafe_split_with_sizes unsqueeze unsqueeze_copy"
).split()
METHODS = (
    "argsort chunk cross gather hash_tensor index_add index_add_ index_copy index_copy_ index_fill index_fill_ "
    "index_reduce index_reduce_ index_select kthvalue log_softmax narrow_copy repeat_interleave scatter scatter_ "
    "scatter_add scatter_add_ scatter_reduce scatter_reduce_ select_scatter slice_scatter softmax sort split_with_sizes "
    "squeeze squeeze_ take_along_dim tensor_split topk unsafe_chunk unsafe_split unsafe_split_with_sizes unsqueeze_"
).split()


def install(names: dict[str, Any]) -> None:
    """Wrap the functions of a module's `names` and the methods of Tensor."""
    for name in FUNCTIONS:
        names[name] = numpy_names(names[name])
    for name in METHODS:
        setattr(Tensor, name, numpy_names(getattr(Tensor, name)))
