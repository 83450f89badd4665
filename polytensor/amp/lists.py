"""What autocast does to which function: PyTorch's op lists for the CPU and for CUDA.

LOWER runs in the autocast dtype, FLOAT32 in float32, WIDEST in the widest dtype among the inputs. PLAIN only turns
autocast off inside: PyTorch has one op there, and here it is composed of listed ones. A name with a dot is in that
namespace; others are functions of torch and of nn.functional, and methods.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

LOWER, FLOAT32, WIDEST, PLAIN = "lower", "float32", "widest", "plain"


def _contracts(equation: Any = None, *operands: Any, **kwargs: Any) -> bool:
    """einsum: whether two operands share an index that the result lacks."""
    if not isinstance(equation, str):
        return True
    inputs, arrow, out = equation.replace(" ", "").partition("->")
    terms = [set(term) for term in inputs.split(",")]
    if not arrow:
        out = "".join(c for c in set(inputs) if inputs.count(c) == 1)
    return any(c not in out for i, a in enumerate(terms) for b in terms[i + 1 :] for c in a & b)


def _mode_pads(input: Any, pad: Any = (), mode: str = "constant", value: Any = None) -> bool:
    """pad: reflection in one and two dimensions, replication."""
    return mode == "replicate" or (mode == "reflect" and len(pad) < 6)


CONDITIONS: dict[str, Callable[..., bool]] = {
    "einsum": _contracts,
    "pad": _mode_pads,
    "inner": lambda a, b, **k: not a.dim() == b.dim() == 1,
    "chain_matmul": lambda *ms, **k: len(ms) > 1,
    "matrix_power": lambda a, n, **k: n > 1,
    "linalg.matrix_power": lambda a, n, **k: n > 1,
}

_MATMULS = """conv1d conv2d conv3d conv_transpose1d conv_transpose2d conv_transpose3d conv_tbc bmm mm matmul __matmul__
__rmatmul__ baddbmm addmm addbmm linear prelu linalg.matmul linalg.multi_dot chain_matmul einsum tensordot inner
matrix_power linalg.matrix_power scaled_dot_product_attention cov corrcoef linalg.vecdot"""
_LOSSES = """cosine_embedding_loss nll_loss hinge_embedding_loss poisson_nll_loss smooth_l1_loss l1_loss huber_loss
soft_margin_loss margin_ranking_loss triplet_margin_loss multi_margin_loss kl_div multilabel_margin_loss mse_loss
binary_cross_entropy_with_logits"""
_CPU = {
    LOWER: _MATMULS + " lstm rnn_tanh rnn_relu rnn_tanh_cell rnn_relu_cell",
    FLOAT32: _LOSSES + """ cross_entropy ctc_loss binary_cross_entropy cdist avg_pool3d grid_sample grid_sampler polar prod
        quantile nanquantile stft trace view_as_complex cholesky cholesky_inverse cholesky_solve inverse pinverse
        max_pool3d max_pool3d_with_indices adaptive_avg_pool3d adaptive_max_pool3d adaptive_max_pool3d_with_indices
        fractional_max_pool2d fractional_max_pool3d fractional_max_pool2d_with_indices fractional_max_pool3d_with_indices
        pad max_unpool1d max_unpool2d max_unpool3d geqrf qr svd triangular_solve lu lu_solve ormqr orgqr linalg.cholesky
        linalg.cond linalg.matrix_rank linalg.solve linalg.svdvals linalg.eigvals linalg.eigvalsh linalg.inv
        linalg.householder_product linalg.tensorinv linalg.tensorsolve linalg.qr linalg.svd linalg.eig linalg.eigh
        linalg.lstsq linalg.inv_ex linalg.cholesky_ex gru lstm_cell gru_cell fft.*""",
    WIDEST: "index_copy",
    PLAIN: """bilinear kron matrix_exp linalg.matrix_exp outer ger addmv mv addr dot vdot pdist det slogdet linalg.det
        linalg.slogdet logdet linalg.lu linalg.lu_factor linalg.lu_solve linalg.solve_triangular linalg.pinv
        cosine_similarity""",
}  # fmt: skip
_CUDA = {
    LOWER: _MATMULS + """ addmv addr mv lstm gru rnn_tanh rnn_relu lstm_cell gru_cell rnn_tanh_cell rnn_relu_cell""",
    FLOAT32: _LOSSES + """ __pow__ __rpow__ __rtruediv__ acos asin cosh erfinv exp expm1 log log10 log2 log1p reciprocal rsqrt
        sinh tan pow softplus layer_norm group_norm cosine_similarity cross_entropy dist pdist cdist renorm logsumexp
        prod softmax log_softmax cumprod cumsum sum norm linalg.vector_norm linalg.matrix_norm linalg.norm nuclear_norm
        frobenius_norm interpolate upsample""",
    WIDEST: "addcdiv addcmul atan2 bilinear cross dot vdot grid_sample index_put scatter_add index_copy",
    PLAIN: "kron matrix_exp outer ger det slogdet linalg.pinv",
}  # fmt: skip
POLICY = {
    device: {name: policy for policy, names in table.items() for name in names.split()}
    for device, table in (("cpu", _CPU), ("cuda", _CUDA))
}
NAMES = tuple(dict.fromkeys(name for table in POLICY.values() for name in table))
FFT_KEPT = {"fftshift", "ifftshift", "fftfreq", "rfftfreq"}  # these are not transforms
