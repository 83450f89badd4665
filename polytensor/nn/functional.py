"""Functions behind the layers. Source: torch.nn.functional."""

from __future__ import annotations

import warnings
from typing import Any

from ..dtypes import int64, promote_types, uint8
from ..ops.activations import celu as celu
from ..ops.activations import celu_ as celu_
from ..ops.activations import elu as elu
from ..ops.activations import elu_ as elu_
from ..ops.activations import gelu as gelu
from ..ops.activations import glu as glu
from ..ops.activations import gumbel_softmax as gumbel_softmax
from ..ops.activations import hardshrink as hardshrink
from ..ops.activations import hardsigmoid as hardsigmoid
from ..ops.activations import hardswish as hardswish
from ..ops.activations import hardtanh as hardtanh
from ..ops.activations import hardtanh_ as hardtanh_
from ..ops.activations import leaky_relu as leaky_relu
from ..ops.activations import leaky_relu_ as leaky_relu_
from ..ops.activations import logsigmoid as logsigmoid
from ..ops.activations import mish as mish
from ..ops.activations import prelu as prelu
from ..ops.activations import relu6 as relu6
from ..ops.activations import relu_ as relu_
from ..ops.activations import rrelu as rrelu
from ..ops.activations import rrelu_ as rrelu_
from ..ops.activations import selu as selu
from ..ops.activations import selu_ as selu_
from ..ops.activations import silu as silu
from ..ops.activations import softmin as softmin
from ..ops.activations import softplus as softplus
from ..ops.activations import softshrink as softshrink
from ..ops.activations import softsign as softsign
from ..ops.activations import tanhshrink as tanhshrink
from ..ops.activations import threshold as threshold
from ..ops.activations import threshold_ as threshold_
from ..ops.attention import multi_head_attention_forward as multi_head_attention_forward
from ..ops.attention import scaled_dot_product_attention as scaled_dot_product_attention
from ..ops.convolution import conv1d as conv1d
from ..ops.convolution import conv2d as conv2d
from ..ops.convolution import conv3d as conv3d
from ..ops.convolution import conv_tbc as conv_tbc
from ..ops.convolution import conv_transpose1d as conv_transpose1d
from ..ops.convolution import conv_transpose2d as conv_transpose2d
from ..ops.convolution import conv_transpose3d as conv_transpose3d
from ..ops.creation import zeros
from ..ops.distance import bilinear as bilinear
from ..ops.distance import cosine_similarity as cosine_similarity
from ..ops.distance import normalize as normalize
from ..ops.distance import pairwise_distance as pairwise_distance
from ..ops.distance import pdist as pdist
from ..ops.dropouts import alpha_dropout as alpha_dropout
from ..ops.dropouts import dropout as dropout
from ..ops.dropouts import dropout1d as dropout1d
from ..ops.dropouts import dropout2d as dropout2d
from ..ops.dropouts import dropout3d as dropout3d
from ..ops.dropouts import feature_alpha_dropout as feature_alpha_dropout
from ..ops.embedding import embedding as embedding
from ..ops.embedding import embedding_bag as embedding_bag
from ..ops.indexing import gather
from ..ops.layers import cross_entropy_index
from ..ops.layers import log_softmax as log_softmax
from ..ops.layers import max_pool2d as max_pool2d
from ..ops.layers import mse_loss as _mse_loss
from ..ops.layers import softmax as softmax
from ..ops.norms import batch_norm as batch_norm
from ..ops.norms import group_norm as group_norm
from ..ops.norms import instance_norm as instance_norm
from ..ops.norms import layer_norm as layer_norm
from ..ops.norms import local_response_norm as local_response_norm
from ..ops.norms import rms_norm as rms_norm
from ..ops.padding import pad as pad
from ..ops.pointwise import relu as _relu
from ..ops.pointwise import sigmoid as sigmoid
from ..ops.pointwise import tanh as tanh
from ..ops.pooling import adaptive_avg_pool1d as adaptive_avg_pool1d
from ..ops.pooling import adaptive_avg_pool2d as adaptive_avg_pool2d
from ..ops.pooling import adaptive_avg_pool3d as adaptive_avg_pool3d
from ..ops.pooling import adaptive_max_pool1d as adaptive_max_pool1d
from ..ops.pooling import adaptive_max_pool1d_with_indices as adaptive_max_pool1d_with_indices
from ..ops.pooling import adaptive_max_pool2d as adaptive_max_pool2d
from ..ops.pooling import adaptive_max_pool2d_with_indices as adaptive_max_pool2d_with_indices
from ..ops.pooling import adaptive_max_pool3d as adaptive_max_pool3d
from ..ops.pooling import adaptive_max_pool3d_with_indices as adaptive_max_pool3d_with_indices
from ..ops.pooling import avg_pool1d as avg_pool1d
from ..ops.pooling import avg_pool2d as avg_pool2d
from ..ops.pooling import avg_pool3d as avg_pool3d
from ..ops.pooling import fractional_max_pool2d as fractional_max_pool2d
from ..ops.pooling import fractional_max_pool2d_with_indices as fractional_max_pool2d_with_indices
from ..ops.pooling import fractional_max_pool3d as fractional_max_pool3d
from ..ops.pooling import fractional_max_pool3d_with_indices as fractional_max_pool3d_with_indices
from ..ops.pooling import lp_pool1d as lp_pool1d
from ..ops.pooling import lp_pool2d as lp_pool2d
from ..ops.pooling import lp_pool3d as lp_pool3d
from ..ops.pooling import max_pool1d as max_pool1d
from ..ops.pooling import max_pool1d_with_indices as max_pool1d_with_indices
from ..ops.pooling import max_pool3d as max_pool3d
from ..ops.pooling import max_pool3d_with_indices as max_pool3d_with_indices
from ..ops.pooling import max_unpool1d as max_unpool1d
from ..ops.pooling import max_unpool2d as max_unpool2d
from ..ops.pooling import max_unpool3d as max_unpool3d
from ..ops.products import linear as linear
from ..ops.resize import affine_grid as affine_grid
from ..ops.resize import channel_shuffle as channel_shuffle
from ..ops.resize import fold as fold
from ..ops.resize import grid_sample as grid_sample
from ..ops.resize import interpolate as interpolate
from ..ops.resize import native_channel_shuffle as native_channel_shuffle
from ..ops.resize import pixel_shuffle as pixel_shuffle
from ..ops.resize import pixel_unshuffle as pixel_unshuffle
from ..ops.resize import unfold as unfold
from ..ops.resize import upsample as upsample
from ..ops.resize import upsample_bilinear as upsample_bilinear
from ..ops.resize import upsample_nearest as upsample_nearest
from ..ops.table import check_tensor
from ..tensor import Tensor

REDUCTIONS = {"none": 0, "mean": 1, "sum": 2}


def _reduction(name: str) -> int:
    if name not in REDUCTIONS:
        raise ValueError(f"{name} is not a valid value for reduction")
    return REDUCTIONS[name]


def legacy_reduction(size_average: Any, reduce: Any, reduction: str) -> str:
    """The reduction that the old arguments size_average and reduce stand for, if one is given; warns as PyTorch does."""
    if size_average is None and reduce is None:
        return reduction
    if reduce is not None and not reduce:
        new = "none"
    else:
        new = "mean" if size_average is None or size_average else "sum"
    warnings.warn(
        f"size_average and reduce args will be deprecated, please use reduction='{new}' instead.",
        UserWarning,
        stacklevel=3,
    )
    return new


def _reduced(loss: Any, reduction: str) -> Tensor:
    kind = _reduction(reduction)
    return loss if kind == 0 else loss.mean() if kind == 1 else loss.sum()  # type: ignore[no-any-return]


def relu(input: Tensor, inplace: bool = False) -> Tensor:
    """max(0, x)."""
    return input.relu_() if inplace else _relu(input)  # type: ignore[attr-defined, no-any-return]


def max_pool2d_with_indices(
    input: Tensor, kernel_size: Any, stride: Any = None, padding: Any = 0, dilation: Any = 1, ceil_mode: bool = False,
    return_indices: bool = False,
) -> Any:  # fmt: skip
    """max_pool2d and, always, the indices."""
    return max_pool2d(input, kernel_size, stride, padding, dilation, ceil_mode, True)


def one_hot(tensor: Tensor, num_classes: int = -1) -> Tensor:
    """Class indices (int64) to rows of 0 and 1 (int64)."""
    if tensor.dtype is not int64:
        raise RuntimeError("one_hot is only applicable to index tensor of type LongTensor.")
    if tensor.numel() and int(tensor.min()) < 0:  # type: ignore[attr-defined]
        raise RuntimeError("Class values must be non-negative.")
    if num_classes == -1:
        if not tensor.numel():
            raise RuntimeError("Can not infer total number of classes from empty tensor.")
        num_classes = int(tensor.max()) + 1  # type: ignore[attr-defined]
    elif tensor.numel() and int(tensor.max()) >= num_classes:  # type: ignore[attr-defined]
        raise RuntimeError("Class values must be smaller than num_classes.")
    out = zeros(*tensor.shape, num_classes, dtype=int64, device=tensor.device)
    return out.scatter_(-1, tensor.unsqueeze(-1), value=1)  # type: ignore[attr-defined, no-any-return]


def nll_loss(
    input: Tensor, target: Tensor, weight: Tensor | None = None, size_average: Any = None, ignore_index: int = -100,
    reduce: Any = None, reduction: str = "mean",
) -> Tensor:  # fmt: skip
    """-weight[t] * input[t]; input (N, C), (C,) or (N, C, d1, ...). The mean is weighted."""
    reduction = legacy_reduction(size_average, reduce, reduction)
    return _nll(input, _class_indices(input, target), weight, ignore_index, _reduction(reduction))


def _class_indices(input: Tensor, target: Tensor) -> Tensor:
    """The target as int64, after a look at dtype and shape."""
    if input.dim() > 1 and (not target.dim() or input.shape[0] != target.shape[0]):
        got = target.shape[0] if target.dim() else 1
        raise ValueError(f"Expected input batch_size ({input.shape[0]}) to match target batch_size ({got}).")
    if input.dim() > 1 and input.shape[2:] != target.shape[1:]:
        raise RuntimeError(
            f"Expected target size {[input.shape[0], *input.shape[2:]]}, got {list(target.shape)} (input {list(input.shape)})"
        )
    if target.dtype is uint8:
        return target.to(int64)  # type: ignore[attr-defined, no-any-return]
    if target.dtype is not int64:
        raise RuntimeError(f"expected target dtype to be Long or Byte, but got {target.dtype}")
    return target


def _check_weight(weight: Tensor | None, classes: int) -> None:
    if weight is not None and tuple(weight.shape) != (classes,):
        raise RuntimeError(
            f"weight tensor should be defined either for all {classes} classes or no classes but got weight tensor of "
            f"shape: {list(weight.shape)}"
        )


def _nll(input: Tensor, target: Tensor, weight: Tensor | None, ignore_index: int, kind: int) -> Tensor:
    if input.dim() == 1:
        loss = _nll(input.unsqueeze(0), target.reshape(1), weight, ignore_index, kind)  # type: ignore[attr-defined]
        return loss.reshape(())  # type: ignore[attr-defined, no-any-return]
    classes = input.shape[1]
    _check_weight(weight, classes)
    keep = target != ignore_index
    safe = target.masked_fill(~keep, 0)  # type: ignore[attr-defined]
    wrong = (safe < 0) | (safe >= classes)
    if wrong.any():
        raise IndexError(f"Target {int(safe[wrong][0])} is out of bounds.")
    loss = -gather(input, 1, safe.unsqueeze(1)).squeeze(1)  # type: ignore[attr-defined]
    scale = keep.to(input.dtype)  # type: ignore[attr-defined]
    if weight is not None:
        scale = scale * weight[safe]  # type: ignore[index]
    loss = (loss * scale).masked_fill(~keep, 0)
    return loss if kind == 0 else loss.sum() / scale.sum() if kind == 1 else loss.sum()  # type: ignore[no-any-return]


def cross_entropy(
    input: Tensor, target: Tensor, weight: Tensor | None = None, size_average: Any = None, ignore_index: int = -100,
    reduce: Any = None, reduction: str = "mean", label_smoothing: float = 0.0,
) -> Tensor:  # fmt: skip
    """log_softmax and nll_loss; target holds class indices, or probabilities of input's shape."""
    check_tensor(target, "cross_entropy_loss", "target")
    if size_average is not None or reduce is not None:
        reduction = legacy_reduction(size_average, reduce, reduction)
    kind = _reduction(reduction)
    if (
        weight is None and label_smoothing == 0.0 and input.ndim == 2 and target.ndim == 1 and target._a.dtype.name == "int64"
        and input._a.dtype.kind == "f"
    ):  # fmt: skip
        if input._a.shape[0] != target._a.shape[0]:
            raise ValueError(
                f"Expected input batch_size ({input._a.shape[0]}) to match target batch_size ({target._a.shape[0]})."
            )
        return cross_entropy_index(input, target, ignore_index, kind)
    if not 0.0 <= label_smoothing <= 1.0:
        raise RuntimeError(f"label_smoothing must be between 0.0 and 1.0. Got: {label_smoothing}")
    dim = 0 if input.dim() == 1 else 1
    classes = input.shape[dim]
    _check_weight(weight, classes)
    per_class = None if weight is None else weight.reshape([-1 if i == dim else 1 for i in range(input.dim())])  # type: ignore[attr-defined]
    probabilities = target.shape == input.shape and target.is_floating_point()
    if not probabilities:
        target = _class_indices(input, target)
    elif ignore_index >= 0:
        raise RuntimeError("ignore_index is not supported for floating point target")
    logp = log_softmax(input, dim)
    if probabilities:
        if label_smoothing:
            target = target * (1 - label_smoothing) + label_smoothing / classes  # type: ignore[operator]
        terms = logp * target if per_class is None else logp * target * per_class  # type: ignore[operator]
        loss = -terms.sum(dim)
        return loss if kind == 0 else loss.sum() if kind == 2 else loss.sum() / (input.numel() / classes)  # type: ignore[no-any-return]
    loss = _nll(logp, target, weight, ignore_index, kind)
    if not label_smoothing:
        return loss
    kept = target != ignore_index
    spread = -(logp if per_class is None else logp * per_class).sum(dim)  # type: ignore[attr-defined, operator]
    smooth = spread.masked_fill(~kept, 0)
    if kind == 1:
        count = kept if weight is None else weight[target.masked_fill(~kept, 0)] * kept  # type: ignore[attr-defined, index]
        smooth = smooth.sum() / count.sum()
    elif kind == 2:
        smooth = smooth.sum()
    return loss * (1 - label_smoothing) + smooth * (label_smoothing / classes)  # type: ignore[operator, no-any-return]


def mse_loss(
    input: Tensor,
    target: Tensor,
    size_average: Any = None,
    reduce: Any = None,
    reduction: str = "mean",
    weight: Any = None,
) -> Tensor:
    """(input - target) ** 2; warns where the shapes differ, as PyTorch does."""
    reduction = legacy_reduction(size_average, reduce, reduction)
    kind = _reduction(reduction)
    if input.shape != target.shape:
        warnings.warn(
            f"Using a target size ({target.shape}) that is different to the input size ({input.shape}). This will likely lead "
            "to incorrect results due to broadcasting. Please ensure they have the same size.",
            UserWarning,
            stacklevel=2,
        )
    if input._a.dtype != target._a.dtype:
        common = promote_types(input.dtype, target.dtype)
        input, target = input.to(common), target.to(common)  # type: ignore[attr-defined]
    if weight is not None:
        if weight.shape != input.shape:
            raise ValueError("Inputs and weight must have the same size.")
        loss = (input - target) ** 2 * weight  # type: ignore[operator]
        return loss.sum() / weight.sum() if kind == 1 else _reduced(loss, reduction)  # type: ignore[no-any-return]
    return _mse_loss(input, target, kind)


def l1_loss(
    input: Tensor, target: Tensor, size_average: Any = None, reduce: Any = None, reduction: str = "mean"
) -> Tensor:
    """|input - target|."""
    reduction = legacy_reduction(size_average, reduce, reduction)
    return _reduced((input - target).abs(), reduction)  # type: ignore[operator]


def binary_cross_entropy_with_logits(
    input: Tensor, target: Tensor, weight: Tensor | None = None, size_average: Any = None, reduce: Any = None,
    reduction: str = "mean", pos_weight: Tensor | None = None,
) -> Tensor:  # fmt: skip
    """Binary cross-entropy of sigmoid(input), without overflow."""
    reduction = legacy_reduction(size_average, reduce, reduction)
    if target.shape != input.shape:
        raise ValueError(f"Target size ({target.shape}) must be the same as input size ({input.shape})")
    softplus = (-input.abs()).exp().log1p()  # type: ignore[attr-defined]
    if pos_weight is None:
        loss = (1 - target) * input + (-input).clamp(min=0) + softplus  # type: ignore[operator]
    else:
        factor = (pos_weight - 1) * target + 1  # type: ignore[operator]
        loss = (1 - target) * input + factor * ((-input).clamp(min=0) + softplus)  # type: ignore[operator]
    return _reduced(loss if weight is None else loss * weight, reduction)


def binary_cross_entropy(
    input: Tensor, target: Tensor, weight: Tensor | None = None, size_average: Any = None, reduce: Any = None,
    reduction: str = "mean",
) -> Tensor:  # fmt: skip
    """-(t log p + (1 - t) log(1 - p)), logarithms cut at -100."""
    reduction = legacy_reduction(size_average, reduce, reduction)
    if target.shape != input.shape:
        raise ValueError(f"Using a target size ({target.shape}) that is different to the input size ({input.shape})")
    loss = -(target * input.log().clamp(min=-100) + (1 - target) * (1 - input).log().clamp(min=-100))  # type: ignore[attr-defined, operator]
    return _reduced(loss if weight is None else loss * weight, reduction)
