"""Distributions of vectors and matrices, and mixtures. Source: torch.distributions."""

from __future__ import annotations

import math
from typing import Any

from .. import dtypes, linalg, ops
from ..autograd.modes import no_grad
from ..nn import functional as F
from ..size import Size
from . import constraints
from .discrete import Categorical
from .distribution import Distribution, ExponentialFamily
from .gamma_family import Beta, Chi2
from .utils import alias, lazy_property, one_of

__all__ = ["LKJCholesky", "LowRankMultivariateNormal", "MixtureSameFamily", "MultivariateNormal", "Wishart"]


def _log_diagonal(triangular: Any) -> Any:
    """log det of triangular matrices."""
    return triangular.diagonal(dim1=-2, dim2=-1).log().sum(-1)


def _times(matrix: Any, vector: Any) -> Any:
    return ops.matmul(matrix, vector.unsqueeze(-1)).squeeze(-1)


def _mahalanobis(triangular: Any, x: Any) -> Any:
    """|L^-1 x|^2 for each vector x; L broadcasts."""
    return linalg.solve_triangular(triangular, x.unsqueeze(-1), upper=False).pow(2).sum((-2, -1))


def _inverse_factor(precision: Any) -> Any:
    """The lower Cholesky factor of the inverse of `precision`."""
    # P = U U^T with U upper triangular (a Cholesky factor read backwards), so P^-1 = (U^-T)(U^-T)^T
    factor = linalg.cholesky(ops.flip(precision, (-2, -1)))
    upper = ops.transpose(ops.flip(factor, (-2, -1)), -2, -1)
    identity = ops.eye(precision.shape[-1], dtype=precision.dtype, device=precision.device)
    return linalg.solve_triangular(upper, identity, upper=False)


class _FromMatrix(Distribution):
    """A positive definite matrix, given as covariance_matrix, precision_matrix or scale_tril."""

    _unbroadcasted_scale_tril: Any

    def _take(self, covariance_matrix: Any, precision_matrix: Any, scale_tril: Any) -> Any:
        given = {"covariance_matrix": covariance_matrix, "precision_matrix": precision_matrix, "scale_tril": scale_tril}
        name = one_of(**given)
        if given[name].dim() < 2:
            raise ValueError(f"{name} must be at least two-dimensional, with optional leading batch dimensions")
        return name, given[name]

    def _factor(self, name: str, matrix: Any) -> Any:
        if name == "scale_tril":
            return matrix
        return linalg.cholesky(matrix) if name == "covariance_matrix" else _inverse_factor(matrix)

    def _whole(self, matrix: Any) -> Any:
        return matrix.expand(self._batch_shape + matrix.shape[-2:])

    @lazy_property
    def scale_tril(self) -> Any:
        return self._whole(self._unbroadcasted_scale_tril)

    @lazy_property
    def covariance_matrix(self) -> Any:
        return self._whole(self._unbroadcasted_scale_tril @ self._unbroadcasted_scale_tril.mT)

    @lazy_property
    def precision_matrix(self) -> Any:
        return self._whole(ops.cholesky_inverse(self._unbroadcasted_scale_tril))


class MultivariateNormal(_FromMatrix):
    """Normal vectors of mean `loc` and a covariance, given in one of three ways."""

    arg_constraints = {
        "loc": constraints.real_vector, "covariance_matrix": constraints.positive_definite,
        "precision_matrix": constraints.positive_definite, "scale_tril": constraints.lower_cholesky,
    }  # fmt: skip
    support = constraints.real_vector
    has_rsample = True
    mean = mode = alias("loc")

    def __init__(
        self, loc: Any, covariance_matrix: Any = None, precision_matrix: Any = None, scale_tril: Any = None,
        validate_args: Any = None,
    ) -> None:  # fmt: skip
        if loc.dim() < 1:
            raise ValueError("loc must be at least one-dimensional.")
        name, matrix = self._take(covariance_matrix, precision_matrix, scale_tril)
        batch = ops.broadcast_shapes(matrix.shape[:-2], loc.shape[:-1])
        setattr(self, name, matrix.expand(tuple(batch) + (-1, -1)))
        self.loc = loc.expand(tuple(batch) + (-1,))
        super().__init__(batch, self.loc.shape[-1:], validate_args=validate_args)
        self._unbroadcasted_scale_tril = self._factor(name, matrix)

    @property
    def variance(self) -> Any:
        return self._unbroadcasted_scale_tril.pow(2).sum(-1).expand(self._batch_shape + self._event_shape)

    def rsample(self, sample_shape: Any = Size()) -> Any:  # noqa: B008
        shape = self._extended_shape(sample_shape)
        eps = ops.randn(shape, dtype=self.loc.dtype, device=self.loc.device)
        return self.loc + _times(self._unbroadcasted_scale_tril, eps)

    def log_prob(self, value: Any) -> Any:
        self._checked(value)
        distance = _mahalanobis(self._unbroadcasted_scale_tril, value - self.loc)
        half_log_det = _log_diagonal(self._unbroadcasted_scale_tril)
        return -0.5 * (self._event_shape[0] * math.log(2 * math.pi) + distance) - half_log_det

    def entropy(self) -> Any:
        h = 0.5 * self._event_shape[0] * (1.0 + math.log(2 * math.pi)) + _log_diagonal(self._unbroadcasted_scale_tril)
        return h.expand(self._batch_shape)


class LowRankMultivariateNormal(Distribution):
    """Normal vectors of covariance W W^T + D, W being cov_factor (n, k) and D the diagonal cov_diag (n,)."""

    arg_constraints = {
        "loc": constraints.real_vector, "cov_factor": constraints.independent(constraints.real, 2),
        "cov_diag": constraints.independent(constraints.positive, 1),
    }  # fmt: skip
    support = constraints.real_vector
    has_rsample = True
    mean = mode = alias("loc")

    def __init__(self, loc: Any, cov_factor: Any, cov_diag: Any, validate_args: Any = None) -> None:
        if loc.dim() < 1:
            raise ValueError("loc must be at least one-dimensional.")
        n = loc.shape[-1:]
        if cov_factor.dim() < 2:
            raise ValueError("cov_factor must be at least two-dimensional, with optional leading batch dimensions")
        if cov_factor.shape[-2:-1] != n:
            raise ValueError(f"cov_factor must be a batch of matrices with shape {n[0]} x m")
        if cov_diag.shape[-1:] != n:
            raise ValueError(f"cov_diag must be a batch of vectors with shape {n}")
        try:
            batch = ops.broadcast_shapes(loc.shape[:-1], cov_factor.shape[:-2], cov_diag.shape[:-1])
        except RuntimeError as error:
            shapes = f"loc {loc.shape}, cov_factor {cov_factor.shape}, cov_diag {cov_diag.shape}"
            raise ValueError(f"Incompatible batch shapes: {shapes}") from error
        self._unbroadcasted_cov_factor, self._unbroadcasted_cov_diag = cov_factor, cov_diag
        self.loc = loc.expand(tuple(batch) + (-1,))
        self.cov_factor = cov_factor.expand(tuple(batch) + (-1, -1))
        self.cov_diag = cov_diag.expand(tuple(batch) + (-1,))
        weighted = cov_factor.mT / cov_diag.unsqueeze(-2)
        inner = weighted @ cov_factor  # the "capacitance" I + W^T D^-1 W of k x k
        identity = ops.eye(inner.shape[-1], dtype=inner.dtype, device=inner.device)
        self._capacitance_tril = linalg.cholesky(inner + identity)
        super().__init__(batch, n, validate_args=validate_args)

    @lazy_property
    def variance(self) -> Any:
        v = self._unbroadcasted_cov_factor.pow(2).sum(-1) + self._unbroadcasted_cov_diag
        return v.expand(self._batch_shape + self._event_shape)

    def _whole(self, matrix: Any) -> Any:
        return matrix.expand(self._batch_shape + self._event_shape + self._event_shape)

    @lazy_property
    def scale_tril(self) -> Any:
        return linalg.cholesky(self.covariance_matrix)

    @lazy_property
    def covariance_matrix(self) -> Any:
        w = self._unbroadcasted_cov_factor
        return self._whole(w @ w.mT + ops.diag_embed(self._unbroadcasted_cov_diag))

    @lazy_property
    def precision_matrix(self) -> Any:
        d = self._unbroadcasted_cov_diag
        weighted = self._unbroadcasted_cov_factor.mT / d.unsqueeze(-2)
        a = linalg.solve_triangular(self._capacitance_tril, weighted, upper=False)
        return self._whole(ops.diag_embed(d.reciprocal()) - a.mT @ a)

    def rsample(self, sample_shape: Any = Size()) -> Any:  # noqa: B008
        shape = self._extended_shape(sample_shape)
        options = {"dtype": self.loc.dtype, "device": self.loc.device}
        low = ops.randn(shape[:-1] + self.cov_factor.shape[-1:], **options)
        own = ops.randn(shape, **options)
        return self.loc + _times(self._unbroadcasted_cov_factor, low) + self._unbroadcasted_cov_diag.sqrt() * own

    def _distance(self, diff: Any) -> Any:
        d = self._unbroadcasted_cov_diag
        weighted = self._unbroadcasted_cov_factor.mT / d.unsqueeze(-2)
        return (diff.pow(2) / d).sum(-1) - _mahalanobis(self._capacitance_tril, _times(weighted, diff))

    def _log_det(self) -> Any:
        return 2 * _log_diagonal(self._capacitance_tril) + self._unbroadcasted_cov_diag.log().sum(-1)

    def log_prob(self, value: Any) -> Any:
        self._checked(value)
        constant = self._event_shape[0] * math.log(2 * math.pi)
        return -0.5 * (constant + self._log_det() + self._distance(value - self.loc))

    def entropy(self) -> Any:
        h = 0.5 * (self._event_shape[0] * (1.0 + math.log(2 * math.pi)) + self._log_det())
        return h.expand(self._batch_shape)


class Wishart(_FromMatrix, ExponentialFamily):
    """Sums of `df` (more than n - 1) outer products of normal vectors, by Bartlett's factor."""

    arg_constraints = {
        "covariance_matrix": constraints.positive_definite, "precision_matrix": constraints.positive_definite,
        "scale_tril": constraints.lower_cholesky, "df": constraints.greater_than(0),
    }  # fmt: skip
    support = constraints.positive_definite
    has_rsample = True
    _mean_carrier_measure = 0

    def __init__(
        self, df: Any, covariance_matrix: Any = None, precision_matrix: Any = None, scale_tril: Any = None,
        validate_args: Any = None,
    ) -> None:  # fmt: skip
        name, matrix = self._take(covariance_matrix, precision_matrix, scale_tril)
        if not hasattr(df, "dim"):
            df = ops.tensor(df, dtype=matrix.dtype, device=matrix.device)
        batch, n = ops.broadcast_shapes(matrix.shape[:-2], df.shape), matrix.shape[-2:]
        self.df = df.expand(batch)
        if self.df.le(n[-1] - 1).any():
            raise ValueError(f"Value of df={df} expected to be greater than ndim - 1 = {n[-1] - 1}.")
        setattr(self, name, matrix.expand(tuple(batch) + (-1, -1)))
        self.arg_constraints = {**type(self).arg_constraints, "df": constraints.greater_than(n[-1] - 1)}
        if self.df.lt(n[-1]).any():
            import warnings

            warnings.warn("Low df values detected. Singular samples are highly likely to occur for ndim - 1 < df < ndim.",
                          stacklevel=2)  # fmt: skip
        super().__init__(batch, n, validate_args=validate_args)
        self._unbroadcasted_scale_tril = self._factor(name, matrix)
        steps = ops.arange(n[-1], dtype=matrix.dtype, device=matrix.device)
        self._dist_chi2 = Chi2(df=self.df.unsqueeze(-1) - steps.expand(tuple(batch) + (-1,)))

    def expand(self, batch_shape: Any, _instance: Any = None) -> Any:
        new = super().expand(batch_shape, _instance)
        new._dist_chi2 = self._dist_chi2.expand(tuple(new._batch_shape) + (self._event_shape[-1],))
        return new

    def _expanded(self) -> dict[str, Any]:
        return {**type(self).arg_constraints}

    @property
    def mean(self) -> Any:
        return self.df.view(self._batch_shape + (1, 1)) * self.covariance_matrix

    @property
    def mode(self) -> Any:
        factor = self.df - self.covariance_matrix.shape[-1] - 1
        factor = ops.where(factor <= 0, math.nan, factor)
        return factor.view(self._batch_shape + (1, 1)) * self.covariance_matrix

    @property
    def variance(self) -> Any:
        v = self.covariance_matrix
        diagonal = v.diagonal(dim1=-2, dim2=-1)
        return self.df.view(self._batch_shape + (1, 1)) * (v.pow(2) + diagonal.unsqueeze(-1) * diagonal.unsqueeze(-2))

    def rsample(self, sample_shape: Any = Size(), max_try_correction: Any = None) -> Any:  # noqa: B008
        """max_try_correction is taken and not needed: singular samples are clamped, not drawn again."""
        shape, n = self._extended_shape(sample_shape), self._event_shape[-1]
        noise = self._dist_chi2.rsample(sample_shape).sqrt().diag_embed()
        below = ops.randn(shape, dtype=noise.dtype, device=noise.device).tril(-1)
        chol = self._unbroadcasted_scale_tril @ (noise + below)
        return (chol @ chol.mT).view(shape[: len(shape) - 2] + (n, n))

    def log_prob(self, value: Any) -> Any:
        self._checked(value)
        nu, p = self.df, self._event_shape[-1]
        scaled = ops.cholesky_solve(value, self._unbroadcasted_scale_tril)
        return (
            -nu * (p * math.log(2.0) / 2.0 + _log_diagonal(self._unbroadcasted_scale_tril))
            - ops.mvlgamma(nu / 2.0, p=p)
            + (nu - p - 1) / 2.0 * linalg.slogdet(value).logabsdet
            - scaled.diagonal(dim1=-2, dim2=-1).sum(dim=-1) / 2.0
        )

    def _digammas(self) -> Any:
        nu, p = self.df, self._event_shape[-1]
        steps = ops.arange(p, dtype=nu.dtype, device=nu.device).div(2)
        return ops.digamma(nu.unsqueeze(-1) / 2 - steps).sum(-1)

    def entropy(self) -> Any:
        nu, p = self.df, self._event_shape[-1]
        return (
            (p + 1) * (p * math.log(2.0) / 2.0 + _log_diagonal(self._unbroadcasted_scale_tril))
            + ops.mvlgamma(nu / 2.0, p=p)
            - (nu - p - 1) / 2.0 * self._digammas()
            + nu * p / 2.0
        )

    @property
    def _natural_params(self) -> tuple[Any, ...]:
        return -self.precision_matrix / 2, (self.df - self._event_shape[-1] - 1) / 2

    def _log_normalizer(self, x: Any, y: Any) -> Any:
        p = self._event_shape[-1]
        y = y + (p + 1) / 2
        return y * (-linalg.slogdet(-2 * x).logabsdet + math.log(2.0) * p) + ops.mvlgamma(y, p=p)


class LKJCholesky(Distribution):
    """Cholesky factors of correlation matrices of `dim` rows, by the onion method."""

    arg_constraints = {"concentration": constraints.positive}
    support = constraints.corr_cholesky

    def __init__(self, dim: int, concentration: Any = 1.0, validate_args: Any = None) -> None:
        if dim < 2:
            raise ValueError(f"Expected dim to be an integer greater than or equal to 2. Found dim={dim}.")
        self.dim = dim
        self.concentration = ops.as_tensor(concentration)
        if not self.concentration.is_floating_point():
            self.concentration = self.concentration.to(dtypes.get_default_dtype())
        shape = self.concentration.size()
        marginal = self.concentration + 0.5 * (dim - 2)
        rows = ops.arange(dim - 1, dtype=self.concentration.dtype, device=self.concentration.device)
        rows = ops.cat([rows.new_zeros((1,)), rows])
        self._beta = Beta(rows + 0.5, marginal.unsqueeze(-1) - 0.5 * rows)
        super().__init__(shape, Size((dim, dim)), validate_args)

    def expand(self, batch_shape: Any, _instance: Any = None) -> Any:
        new = super().expand(batch_shape, _instance)
        new._beta = self._beta.expand(tuple(new._batch_shape) + (self.dim,))
        return new

    def sample(self, sample_shape: Any = Size()) -> Any:  # noqa: B008
        with no_grad():
            y = self._beta.sample(sample_shape).unsqueeze(-1)
            u = ops.randn(self._extended_shape(sample_shape), dtype=y.dtype, device=y.device).tril(-1)
            u = u / u.norm(dim=-1, keepdim=True)
            u[..., 0, :].fill_(0.0)
            w = ops.sqrt(y) * u
            rest = ops.clamp(1 - ops.sum(w**2, dim=-1), min=dtypes.finfo(w.dtype).tiny).sqrt()
            return w + ops.diag_embed(rest)

    def log_prob(self, value: Any) -> Any:
        self._checked(value)
        order = ops.arange(2, self.dim + 1, device=self.concentration.device)
        order = 2 * (self.concentration - 1).unsqueeze(-1) + self.dim - order
        log_density = (order * value.diagonal(dim1=-1, dim2=-2)[..., 1:].log()).sum(-1)
        less = self.dim - 1
        alpha = self.concentration + 0.5 * less
        top = ops.mvlgamma(alpha - 0.5, less)
        return log_density - (0.5 * less * math.log(math.pi) + top - ops.lgamma(alpha) * less)


class MixtureSameFamily(Distribution):
    """A mixture of the last batch dimension of component_distribution, by the Categorical mixture_distribution."""

    arg_constraints: dict[str, Any] = {}
    has_rsample = False
    mixture_distribution = alias("_mixture_distribution")
    component_distribution = alias("_component_distribution")

    def __init__(self, mixture_distribution: Any, component_distribution: Any, validate_args: Any = None) -> None:
        self._mixture_distribution, self._component_distribution = mixture_distribution, component_distribution
        if not isinstance(mixture_distribution, Categorical):
            raise ValueError(" The Mixture distribution needs to be an  instance of torch.distributions.Categorical")
        if not isinstance(component_distribution, Distribution):
            raise ValueError("The Component distribution need to be an instance of torch.distributions.Distribution")
        own, parts = mixture_distribution.batch_shape, component_distribution.batch_shape[:-1]
        for a, b in zip(reversed(own), reversed(parts), strict=False):
            if a != 1 and b != 1 and a != b:
                raise ValueError(
                    f"`mixture_distribution.batch_shape` ({own}) is not compatible with "
                    f"`component_distribution.batch_shape`({parts})"
                )
        km, kc = mixture_distribution.logits.shape[-1], component_distribution.batch_shape[-1]
        if km != kc:
            raise ValueError(
                f"`mixture_distribution component` ({km}) does not equal `component_distribution.batch_shape[-1]` ({kc})"
            )
        self._num_component = km
        events = component_distribution.event_shape
        self._event_ndims = len(events)
        super().__init__(parts, events, validate_args=validate_args)

    def expand(self, batch_shape: Any, _instance: Any = None) -> Any:
        new = super().expand(batch_shape, _instance)
        batch_shape = Size(batch_shape)
        new._component_distribution = self._component_distribution.expand(batch_shape + (self._num_component,))
        new._mixture_distribution = self._mixture_distribution.expand(batch_shape)
        return new

    @constraints.dependent_property
    def support(self) -> Any:
        return constraints.MixtureSameFamilyConstraint(self._component_distribution.support)

    def _weights(self) -> Any:
        probs = self.mixture_distribution.probs
        return probs.reshape(probs.shape + (1,) * self._event_ndims)

    def _over_parts(self, x: Any) -> Any:
        return (self._weights() * x).sum(dim=-1 - self._event_ndims)

    @property
    def mean(self) -> Any:
        return self._over_parts(self.component_distribution.mean)

    @property
    def variance(self) -> Any:
        between = (self.component_distribution.mean - self.mean.unsqueeze(-1 - self._event_ndims)).pow(2.0)
        return self._over_parts(self.component_distribution.variance) + self._over_parts(between)

    def cdf(self, x: Any) -> Any:
        return (self.component_distribution.cdf(self._pad(x)) * self.mixture_distribution.probs).sum(-1)

    def log_prob(self, x: Any) -> Any:
        self._checked(x)
        log_prob = self.component_distribution.log_prob(self._pad(x))
        weights = F.log_softmax(self.mixture_distribution.logits, dim=-1)
        return ops.logsumexp(log_prob + weights, dim=-1)

    def sample(self, sample_shape: Any = Size()) -> Any:  # noqa: B008
        sample_shape = Size(sample_shape)
        with no_grad():
            which, axis = self.mixture_distribution.sample(sample_shape), len(sample_shape) + len(self.batch_shape)
            samples = self.component_distribution.sample(sample_shape)
            which = which.reshape(which.shape + (1,) * (self._event_ndims + 1))
            which = which.expand(samples.shape[:axis] + (1,) + samples.shape[axis + 1 :])
            return ops.gather(samples, axis, which).squeeze(axis)

    def _pad(self, x: Any) -> Any:
        return x.unsqueeze(-1 - self._event_ndims)

    def __repr__(self) -> str:
        return f"MixtureSameFamily(\n  {self.mixture_distribution},\n  {self.component_distribution})"
