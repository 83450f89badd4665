"""The functions of torch.* that nn.functional has under the same name, with other arguments; and those named after
in-place methods. A reduction is a number here: 0 none, 1 mean, 2 sum. Source: torch.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from . import ops
from .nn import functional as fn
from .ops.activations import rrelu_noise
from .ops.embedding import renorm_
from .ops.table import check_tensor, write_out
from .ops.table import result_type as promoted
from .tensor import Tensor

__all__ = [
    "adaptive_max_pool1d",
    "addmv_", "affine_grid_generator", "alpha_dropout", "alpha_dropout_", "as_strided_", "batch_norm",
    "binary_cross_entropy_with_logits", "celu", "celu_", "clamp_", "clamp_max_", "clamp_min_", "clip_", "convolution",
    "cosine_embedding_loss", "ctc_loss", "detach", "dropout", "dropout_", "embedding", "embedding_bag",
    "embedding_renorm_", "feature_alpha_dropout", "feature_alpha_dropout_", "feature_dropout", "feature_dropout_",
    "fill_", "gcd_", "get_device", "grid_sampler", "grid_sampler_2d", "grid_sampler_3d", "hardshrink",
    "hinge_embedding_loss", "index_put_", "instance_norm", "is_signed", "kl_div", "lcm_", "ldexp_", "log_softmax",
    "logit_", "margin_ranking_loss", "max_pool1d_with_indices", "nan_to_num_", "poisson_nll_loss", "resize_as_", "result_type",
    "round_", "rrelu", "rrelu_", "selu", "selu_", "softmax", "threshold", "threshold_", "triplet_margin_loss", "xlogy_",
]  # fmt: skip

REDUCTIONS = ("none", "mean", "sum")
MODES, PADDINGS = ("bilinear", "nearest", "bicubic"), ("zeros", "border", "reflection")


def _named(reduction: int) -> str:
    return REDUCTIONS[reduction] if reduction in (1, 2) else "none"


# ---- activations and dropouts ------------------------------------------------------------------------------------------
def softmax(input: Tensor, dim: int, dtype: Any = None, *, out: Tensor | None = None) -> Tensor:
    """exp(x) over its sum along `dim`. Source: torch.softmax."""
    r = ops.softmax(input, dim, dtype, 4)
    return r if out is None else write_out(out, r)


def log_softmax(input: Tensor, dim: int, dtype: Any = None, *, out: Tensor | None = None) -> Tensor:
    """Logarithm of softmax. Source: torch.log_softmax."""
    r = ops.log_softmax(input, dim, dtype, 4)
    return r if out is None else write_out(out, r)


def hardshrink(input: Tensor, lambd: float = 0.5, *, out: Tensor | None = None) -> Tensor:
    """x where |x| > lambd, else 0. Source: torch.hardshrink."""
    r = fn.hardshrink(input, lambd)
    return r if out is None else write_out(out, r)


def threshold(input: Tensor, threshold: float, value: float, *, out: Tensor | None = None) -> Tensor:
    """x where x > threshold, else value. Source: torch.threshold."""
    r = fn.threshold(input, threshold, value)
    return r if out is None else write_out(out, r)


def threshold_(input: Tensor, threshold: float, value: float) -> Tensor:
    """threshold in place. Source: torch.threshold_."""
    return fn.threshold(input, threshold, value, True)


def celu(input: Tensor, alpha: float = 1.0) -> Tensor:
    """max(0, x) + min(0, alpha * (exp(x / alpha) - 1)). Source: torch.celu."""
    return fn.celu(input, alpha)


def celu_(input: Tensor, alpha: float = 1.0) -> Tensor:
    """celu in place. Source: torch.celu_."""
    return fn.celu(input, alpha, True)


def selu(input: Tensor) -> Tensor:
    """Scaled elu. Source: torch.selu."""
    return fn.selu(input)


def selu_(input: Tensor) -> Tensor:
    """selu in place. Source: torch.selu_."""
    return fn.selu(input, True)


def rrelu(
    input: Tensor, lower: float = 0.125, upper: float = 0.3333333333333333, training: bool = False,
    generator: Any = None,
) -> Tensor:  # fmt: skip
    """x, times a slope from [lower, upper] where negative: random in training, else the mean. Source: torch.rrelu."""
    return rrelu_noise(input, lower, upper, training, False, generator)


def rrelu_(
    input: Tensor, lower: float = 0.125, upper: float = 0.3333333333333333, training: bool = False,
    generator: Any = None,
) -> Tensor:  # fmt: skip
    """rrelu in place. Source: torch.rrelu_."""
    return rrelu_noise(input, lower, upper, training, True, generator)


def _dropout(name: str, in_place: bool) -> Any:
    plain: Callable[..., Tensor] = getattr(ops, name)

    def op(input: Tensor, p: float, train: bool) -> Tensor:
        if not 0.0 <= p <= 1.0:
            raise RuntimeError(f"dropout probability has to be between 0 and 1, but got {p}")
        return plain(input, p, train, in_place)

    op.__name__ = op.__qualname__ = name + "_" * in_place
    op.__doc__ = f"{name.replace('_', ' ')}{' in place' * in_place}, if `train`. Source: torch.{op.__name__}."
    return op


dropout, dropout_ = (_dropout("dropout", k) for k in (False, True))
alpha_dropout, alpha_dropout_ = (_dropout("alpha_dropout", k) for k in (False, True))
feature_dropout, feature_dropout_ = (_dropout("feature_dropout", k) for k in (False, True))
feature_alpha_dropout, feature_alpha_dropout_ = (_dropout("feature_alpha_dropout", k) for k in (False, True))


def result_type(*args: Any, **kwargs: Any) -> Any:
    """The dtype of arithmetic on two tensors or numbers: (tensor, other), (scalar, tensor) or (scalar1, scalar2).

    Source: torch.result_type.
    """
    for name in kwargs:
        if name not in ("tensor", "other", "scalar", "tensor1", "tensor2", "scalar1", "scalar2"):
            raise TypeError(f"result_type() got an unexpected keyword argument '{name}'")
    operands = (*args, *kwargs.values())
    if len(operands) != 2:
        raise TypeError(f"result_type() takes 2 arguments, but {len(operands)} were given")
    return promoted(*operands)


# ---- layers --------------------------------------------------------------------------------------------------------------
def batch_norm(
    input: Tensor, weight: Tensor | None, bias: Tensor | None, running_mean: Tensor | None, running_var: Tensor | None,
    training: bool, momentum: float, eps: float, cudnn_enabled: bool,
) -> Tensor:  # fmt: skip
    """Batch normalization; weight and bias come first here. Source: torch.batch_norm."""
    return fn.batch_norm(input, running_mean, running_var, weight, bias, training, momentum, eps)


def instance_norm(
    input: Tensor, weight: Tensor | None, bias: Tensor | None, running_mean: Tensor | None, running_var: Tensor | None,
    use_input_stats: bool, momentum: float, eps: float, cudnn_enabled: bool,
) -> Tensor:  # fmt: skip
    """Instance normalization; weight and bias come first here. Source: torch.instance_norm."""
    return fn.instance_norm(input, running_mean, running_var, weight, bias, use_input_stats, momentum, eps)


def convolution(
    input: Tensor, weight: Tensor, bias: Tensor | None, stride: Any, padding: Any, dilation: Any, transposed: bool,
    output_padding: Any, groups: int,
) -> Tensor:  # fmt: skip
    """The convolution of 1 to 3 dimensions, or the transposed one, that the weight's rank asks for. Source: torch.convolution."""
    n = check_tensor(weight, "convolution", "weight")._a.ndim - 2
    if n not in (1, 2, 3):
        raise RuntimeError(f"weight should have at least three dimensions and at most five, got {list(weight.shape)}")
    if transposed:
        run = (fn.conv_transpose1d, fn.conv_transpose2d, fn.conv_transpose3d)[n - 1]
        return run(input, weight, bias, stride, padding, output_padding, groups, dilation)
    return (fn.conv1d, fn.conv2d, fn.conv3d)[n - 1](input, weight, bias, stride, padding, dilation, groups)


def adaptive_max_pool1d(input: Tensor, output_size: Any) -> Any:
    """(maxima, their indices) over windows that give `output_size` values. Source: torch.adaptive_max_pool1d."""
    return fn.adaptive_max_pool1d(input, output_size, True)


def max_pool1d_with_indices(
    input: Tensor, kernel_size: Any, stride: Any = (), padding: Any = 0, dilation: Any = 1, ceil_mode: bool = False
) -> Any:
    """(maxima, their indices) over windows. Source: torch.max_pool1d_with_indices."""
    return fn.max_pool1d(input, kernel_size, stride or None, padding, dilation, ceil_mode, True)


def embedding(
    weight: Tensor, indices: Tensor, padding_idx: int = -1, scale_grad_by_freq: bool = False, sparse: bool = False
) -> Tensor:
    """Rows of weight by indices; the weight comes first here. Source: torch.embedding."""
    skip = None if padding_idx < 0 else padding_idx
    return fn.embedding(indices, weight, skip, scale_grad_by_freq=scale_grad_by_freq, sparse=sparse)


def embedding_renorm_(input: Tensor, indices: Tensor, max_norm: float, norm_type: float) -> Tensor:
    """Scale, in place, the rows at `indices` that are longer than max_norm. Source: torch.embedding_renorm_."""
    return renorm_(input, indices, max_norm, norm_type)


def embedding_bag(
    weight: Tensor, indices: Tensor, offsets: Tensor, scale_grad_by_freq: bool = False, mode: int = 0,
    sparse: bool = False, per_sample_weights: Tensor | None = None, include_last_offset: bool = False,
    padding_idx: int | None = None,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:  # fmt: skip
    """(bags, the bag of each index, the size of each bag, the index of each maximum). mode: 0 sum, 1 mean, 2 max.

    What the mode does not need is 0 or empty. Source: torch.embedding_bag.
    """
    name = ("sum", "mean", "max")[mode]
    bags = fn.embedding_bag(
        indices, weight, offsets, None, 2.0, scale_grad_by_freq, name, sparse, per_sample_weights, include_last_offset,
        padding_idx,
    )  # fmt: skip
    starts: Any = (offsets[:-1] if include_last_offset else offsets).contiguous()
    zeros: Any = ops.zeros_like(starts)
    places = ops.arange(indices.shape[0], dtype=starts.dtype, device=indices.device)
    member: Any = ops.searchsorted(starts, places, right=True).to(starts.dtype) - 1
    kept: Any = ops.ones_like(member) if padding_idx is None else (indices != padding_idx).to(member.dtype)
    if mode == 0:
        quick = padding_idx is None and weight._a.dtype.itemsize < 8 and weight.stride(1) == 1
        return bags, member[:0] if quick else member, zeros, zeros
    sizes = zeros.index_add(0, member, kept)
    if mode == 1:
        return bags, member, sizes, sizes
    hit = (weight[indices] == bags[member]) & (kept != 0).unsqueeze(1)  # the first index that gave the maximum
    order = ops.where(hit, places.unsqueeze(1), places.numel())
    first = bags.new_full(bags.shape, places.numel(), dtype=starts.dtype)
    first = first.index_reduce(0, member, order, "amin").clamp(max=max(places.numel() - 1, 0))
    return bags, member, sizes, ops.where((sizes > 0).unsqueeze(1), indices[first], 0)


def affine_grid_generator(theta: Tensor, size: Any, align_corners: bool) -> Tensor:
    """The sampling grid of affine maps. Source: torch.affine_grid_generator."""
    return fn.affine_grid(theta, size, align_corners)


def _sampler(name: str, rank: int) -> Any:
    def op(input: Tensor, grid: Tensor, interpolation_mode: int, padding_mode: int, align_corners: bool) -> Tensor:
        if rank and check_tensor(input, name)._a.ndim != rank:
            raise RuntimeError(f"{name}(): expected a {rank}-d input, got {list(input.shape)}")
        return fn.grid_sample(input, grid, MODES[interpolation_mode], PADDINGS[padding_mode], align_corners)

    op.__name__ = op.__qualname__ = name
    op.__doc__ = f"grid_sample with numbered modes: {', '.join(MODES)}; {', '.join(PADDINGS)}. Source: torch.{name}."
    return op


grid_sampler, grid_sampler_2d, grid_sampler_3d = (
    _sampler(name, rank) for name, rank in (("grid_sampler", 0), ("grid_sampler_2d", 4), ("grid_sampler_3d", 5))
)


# ---- losses ---------------------------------------------------------------------------------------------------------------
# PyTorch's interface files say that `reduction` is the mean by default; PyTorch itself reduces nothing then.
def binary_cross_entropy_with_logits(
    input: Tensor, target: Tensor, weight: Tensor | None = None, pos_weight: Tensor | None = None, reduction: int = 0
) -> Tensor:
    """Source: torch.binary_cross_entropy_with_logits."""
    return fn.binary_cross_entropy_with_logits(
        input, target, weight, reduction=_named(reduction), pos_weight=pos_weight
    )


def cosine_embedding_loss(
    input1: Tensor, input2: Tensor, target: Tensor, margin: float = 0.0, reduction: int = 0
) -> Tensor:
    """Source: torch.cosine_embedding_loss."""
    return fn.cosine_embedding_loss(input1, input2, target, margin, reduction=_named(reduction))


def ctc_loss(
    log_probs: Tensor, targets: Tensor, input_lengths: Any, target_lengths: Any, blank: int = 0, reduction: int = 0,
    zero_infinity: bool = False,
) -> Tensor:  # fmt: skip
    """Source: torch.ctc_loss."""
    return fn.ctc_loss(log_probs, targets, input_lengths, target_lengths, blank, _named(reduction), zero_infinity)


def hinge_embedding_loss(input: Tensor, target: Tensor, margin: float = 1.0, reduction: int = 0) -> Tensor:
    """Source: torch.hinge_embedding_loss."""
    return fn.hinge_embedding_loss(input, target, margin, reduction=_named(reduction))


def kl_div(input: Tensor, target: Tensor, reduction: int = 0, *, log_target: bool = False) -> Tensor:
    """Kullback-Leibler divergence; the mean is over all elements. Source: torch.kl_div."""
    r = fn.kl_div(input, target, reduction="none", log_target=log_target)
    return {"none": r, "mean": r.mean(), "sum": r.sum()}[_named(reduction)]


def margin_ranking_loss(
    input1: Tensor, input2: Tensor, target: Tensor, margin: float = 0.0, reduction: int = 0
) -> Tensor:
    """Source: torch.margin_ranking_loss."""
    return fn.margin_ranking_loss(input1, input2, target, margin, reduction=_named(reduction))


def poisson_nll_loss(input: Tensor, target: Tensor, log_input: bool, full: bool, eps: float, reduction: int) -> Tensor:
    """Source: torch.poisson_nll_loss."""
    return fn.poisson_nll_loss(input, target, log_input, full, eps=eps, reduction=_named(reduction))


def triplet_margin_loss(
    anchor: Tensor, positive: Tensor, negative: Tensor, margin: float = 1.0, p: float = 2, eps: float = 1e-06,
    swap: bool = False, reduction: int = 0,
) -> Tensor:  # fmt: skip
    """Source: torch.triplet_margin_loss."""
    return fn.triplet_margin_loss(anchor, positive, negative, margin, p, eps, swap, reduction=_named(reduction))


# ---- in-place methods as functions --------------------------------------------------------------------------------------
UNARY_ = (
    "abs acos acosh arccos arccosh arcsin arcsinh arctan arctanh asin asinh atan atanh ceil conj_physical cos cosh deg2rad "
    "detach erf erfc exp2 exp expm1 fix floor frac i0 log10 log1p log2 log neg negative rad2deg reciprocal relu rsqrt "
    "sigmoid sin sinc sinh sqrt square tan tanh trunc zero"
).split()


def _self(x: Any, op: str) -> Any:
    return check_tensor(x, op)


def _of_method(name: str) -> Any:
    def op(input: Tensor) -> Tensor:
        return getattr(_self(input, name), name)()

    op.__name__ = op.__qualname__ = name
    op.__doc__ = f"Tensor.{name}: {name[:-1].replace('_', ' ')} in place. Source: torch.{name}."
    return op


for _name in UNARY_:
    globals()[_name + "_"] = _of_method(_name + "_")
    __all__ += [_name + "_"]  # noqa: PLE0604


def _with_other(name: str) -> Any:
    def op(input: Tensor, other: Any) -> Tensor:
        return getattr(_self(input, name), name)(other)

    op.__name__ = op.__qualname__ = name
    op.__doc__ = f"Tensor.{name}: {name[:-1]} in place. Source: torch.{name}."
    return op


gcd_, lcm_, ldexp_, xlogy_ = (_with_other(name) for name in ("gcd_", "lcm_", "ldexp_", "xlogy_"))


def addmv_(input: Tensor, mat: Tensor, vec: Tensor, *, beta: Any = 1, alpha: Any = 1) -> Tensor:
    """beta * input + alpha * (mat @ vec), in place. Source: torch.addmv_."""
    return _self(input, "addmv_").addmv_(mat, vec, beta=beta, alpha=alpha)


def as_strided_(input: Tensor, size: Any, stride: Any, storage_offset: int | None = None) -> Tensor:
    """Give the tensor another size and other strides. Source: torch.as_strided_."""
    return _self(input, "as_strided_").as_strided_(size, stride, storage_offset)


def clamp_(input: Tensor, min: Any = None, max: Any = None) -> Tensor:
    """Limit to [min, max], in place. Source: torch.clamp_."""
    return _self(input, "clamp_").clamp_(min, max)


def clip_(input: Tensor, min: Any = None, max: Any = None) -> Tensor:
    """clamp_ by another name. Source: torch.clip_."""
    return _self(input, "clip_").clip_(min, max)


def clamp_max_(input: Tensor, max: Any) -> Tensor:
    """Limit from above, in place. Source: torch.clamp_max_."""
    return _self(input, "clamp_max_").clamp_max_(max)


def clamp_min_(input: Tensor, min: Any) -> Tensor:
    """Limit from below, in place. Source: torch.clamp_min_."""
    return _self(input, "clamp_min_").clamp_min_(min)


def detach(input: Tensor) -> Tensor:
    """The same values without history; shares the memory. Source: torch.detach."""
    return _self(input, "detach").detach()


def fill_(input: Tensor, value: Any) -> Tensor:
    """Set every element, in place. Source: torch.fill_."""
    return _self(input, "fill_").fill_(value)


def get_device(input: Tensor) -> int:
    """The index of the tensor's CUDA device, -1 on the CPU. Source: torch.get_device."""
    return _self(input, "get_device").get_device()


def index_put_(input: Tensor, indices: Any, values: Tensor, accumulate: bool = False) -> Tensor:
    """input[indices] = values, or +=. Source: torch.index_put_."""
    return _self(input, "index_put_").index_put_(indices, values, accumulate)


def is_signed(input: Tensor) -> bool:
    """Whether the dtype holds negative numbers. Source: torch.is_signed."""
    return _self(input, "is_signed").is_signed()


def logit_(input: Tensor, eps: float | None = None) -> Tensor:
    """log(x / (1 - x)), in place. Source: torch.logit_."""
    return _self(input, "logit_").logit_(eps)


def nan_to_num_(
    input: Tensor, nan: float | None = None, posinf: float | None = None, neginf: float | None = None
) -> Tensor:
    """Replace NaN and infinities, in place. Source: torch.nan_to_num_."""
    return _self(input, "nan_to_num_").nan_to_num_(nan, posinf, neginf)


def resize_as_(input: Tensor, the_template: Tensor, *, memory_format: Any = None) -> Tensor:
    """Resize to the template's size. Source: torch.resize_as_."""
    return _self(input, "resize_as_").resize_as_(the_template, memory_format=memory_format)


def round_(input: Tensor, *, decimals: int | None = None) -> Tensor:
    """Round to even, in place. Source: torch.round_."""
    return _self(input, "round_").round_(decimals=decimals)
