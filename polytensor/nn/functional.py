"""Functions behind the layers. Source: torch.nn.functional."""

from __future__ import annotations

from typing import Any

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
from ..ops.embedding import one_hot as one_hot
from ..ops.grouped import grouped_mm as grouped_mm
from ..ops.layers import log_softmax as _log_softmax
from ..ops.layers import max_pool2d as max_pool2d
from ..ops.layers import softmax as _softmax
from ..ops.normalization import batch_norm as batch_norm
from ..ops.normalization import group_norm as group_norm
from ..ops.normalization import instance_norm as instance_norm
from ..ops.normalization import layer_norm as layer_norm
from ..ops.normalization import local_response_norm as local_response_norm
from ..ops.normalization import rms_norm as rms_norm
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
from ..tensor import Tensor
from . import _reduction as _Reduction  # noqa: F401, N812
from .functional_loss import *  # noqa: F403
from .functional_margin import *  # noqa: F403


def relu(input: Tensor, inplace: bool = False) -> Tensor:
    """max(0, x)."""
    return input.relu_() if inplace else _relu(input)  # type: ignore[attr-defined, no-any-return]


def softmax(input: Tensor, dim: int | None = None, _stacklevel: int = 3, dtype: Any = None) -> Tensor:
    """exp(x) over its sum along `dim`."""
    return _softmax(input, dim, dtype, _stacklevel + 1)  # type: ignore[no-any-return]


def log_softmax(input: Tensor, dim: int | None = None, _stacklevel: int = 3, dtype: Any = None) -> Tensor:
    """Logarithm of softmax."""
    return _log_softmax(input, dim, dtype, _stacklevel + 1)  # type: ignore[no-any-return]


def max_pool2d_with_indices(
    input: Tensor, kernel_size: Any, stride: Any = None, padding: Any = 0, dilation: Any = 1, ceil_mode: bool = False,
    return_indices: bool = False,
) -> Any:  # fmt: skip
    """max_pool2d and, always, the indices."""
    return max_pool2d(input, kernel_size, stride, padding, dilation, ceil_mode, True)
