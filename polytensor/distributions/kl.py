"""kl_divergence(p, q), by formulas that are registered for pairs of classes. Source: torch.distributions.kl."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from typing import Any

import polytensor as torch
from polytensor import Tensor

from .continuous import Beta, Cauchy, Dirichlet, Exponential, Gamma, Laplace, Normal, Uniform
from .discrete import Bernoulli, Binomial, Categorical, ContinuousBernoulli, Geometric, OneHotCategorical, Poisson
from .distribution import Distribution, ExponentialFamily, Independent
from .multivariate import LowRankMultivariateNormal, MultivariateNormal, _batch_lowrank_mahalanobis, _batch_mahalanobis
from .transformed import Gumbel, HalfNormal, Pareto, TransformedDistribution
from .utils import _sum_rightmost
from .utils import euler_constant as _euler_gamma

__all__ = ["kl_divergence", "register_kl"]

_REGISTRY: dict[tuple[type, type], Callable[..., Any]] = {}
_FOUND: dict[tuple[type, type], Any] = {}
_Rule = Callable[[Any, Any], Any]


def register_kl(type_p: type, type_q: type) -> Callable[[_Rule], _Rule]:
    """A decorator: the function gives the divergence of these classes and of subclasses that have none of their own."""
    for t in (type_p, type_q):
        if not (isinstance(t, type) and issubclass(t, Distribution)):
            raise TypeError(f"Expected {'type_p' if t is type_p else 'type_q'} to be a Distribution subclass but got {t}")

    def register(rule: _Rule) -> _Rule:
        _REGISTRY[type_p, type_q] = rule
        _FOUND.clear()
        return rule

    return register


def _find(p: type, q: type) -> Any:
    """The rule for the nearest classes; for p first."""
    places = [(p.__mro__.index(a), q.__mro__.index(b), a, b) for a, b in _REGISTRY if issubclass(p, a) and issubclass(q, b)]
    if not places:
        return NotImplemented
    first, second = min(places, key=lambda x: x[:2]), min(places, key=lambda x: (x[1], x[0]))
    if first != second:
        warnings.warn(f"Ambiguous kl_divergence({p.__name__}, {q.__name__}). Please register_kl({first[2].__name__}, "
                      f"{second[3].__name__})", RuntimeWarning, stacklevel=3)  # fmt: skip
    return _REGISTRY[first[2:]]


def kl_divergence(p: Distribution, q: Distribution) -> Tensor:
    """The mean of log p(x) - log q(x) over x from p, for each of the batch. NotImplementedError for pairs without a formula."""
    key = type(p), type(q)
    if key not in _FOUND:
        _FOUND[key] = _find(*key)
    rule = _FOUND[key]
    if rule is NotImplemented:
        raise NotImplementedError(f"No KL(p || q) is implemented for p type {type(p).__name__} and q type {type(q).__name__}")
    return rule(p, q)  # type: ignore[no-any-return]


def _infinite_like(x: Tensor) -> Tensor:
    return torch.full_like(x, math.inf)


def _x_log_x(x: Tensor) -> Tensor:
    return torch.special.xlogy(x, x)


@register_kl(Bernoulli, Bernoulli)
def _bernoulli_bernoulli(p: Any, q: Any) -> Tensor:
    t1 = p.probs * (torch.nn.functional.softplus(-q.logits) - torch.nn.functional.softplus(-p.logits))
    t1 = torch.where(q.probs == 0, math.inf, t1)
    t1 = torch.where(p.probs == 0, 0.0, t1)
    t2 = (1 - p.probs) * (torch.nn.functional.softplus(q.logits) - torch.nn.functional.softplus(p.logits))
    t2 = torch.where(q.probs == 1, math.inf, t2)
    return t1 + torch.where(p.probs == 1, 0.0, t2)


@register_kl(Beta, Beta)
def _beta_beta(p: Any, q: Any) -> Tensor:
    a, b, c, d = p.concentration1, p.concentration0, q.concentration1, q.concentration0
    norms = c.lgamma() + d.lgamma() + (a + b).lgamma() - ((c + d).lgamma() + a.lgamma() + b.lgamma())
    return norms + (a - c) * a.digamma() + (b - d) * b.digamma() + (c + d - a - b) * (a + b).digamma()  # type: ignore[no-any-return]


@register_kl(Binomial, Binomial)
def _binomial_binomial(p: Any, q: Any) -> Tensor:
    if (p.total_count < q.total_count).any():
        raise NotImplementedError("KL between Binomials where q.total_count > p.total_count is not implemented")
    kl = p.total_count * (p.probs * (p.logits - q.logits) + (-p.probs).log1p() - (-q.probs).log1p())
    kl, more = torch.broadcast_tensors(kl, p.total_count > q.total_count)
    return torch.where(more, math.inf, kl)


@register_kl(Categorical, Categorical)
def _categorical_categorical(p: Any, q: Any) -> Tensor:
    t = p.probs * (p.logits - q.logits)
    t = torch.where((q.probs == 0).expand_as(t), math.inf, t)
    return torch.where((p.probs == 0).expand_as(t), 0.0, t).sum(-1)


@register_kl(OneHotCategorical, OneHotCategorical)
def _one_hot_one_hot(p: Any, q: Any) -> Tensor:
    return _categorical_categorical(p._categorical, q._categorical)


@register_kl(ContinuousBernoulli, ContinuousBernoulli)
def _continuous_bernoulli(p: Any, q: Any) -> Tensor:
    t = p.mean * (p.logits - q.logits) + p._log_norm() + torch.log1p(-p.probs)
    return t - q._log_norm() - torch.log1p(-q.probs)


@register_kl(Dirichlet, Dirichlet)
def _dirichlet_dirichlet(p: Any, q: Any) -> Tensor:
    a, b = p.concentration, q.concentration
    total = a.sum(-1)
    norms = total.lgamma() - b.sum(-1).lgamma() - (a.lgamma() - b.lgamma()).sum(-1)
    return norms + ((a - b) * (a.digamma() - total.digamma().unsqueeze(-1))).sum(-1)  # type: ignore[no-any-return]


@register_kl(Exponential, Exponential)
def _exponential_exponential(p: Any, q: Any) -> Tensor:
    ratio = q.rate / p.rate
    return ratio - ratio.log() - 1  # type: ignore[no-any-return]


@register_kl(ExponentialFamily, ExponentialFamily)
def _family_family(p: Any, q: Any) -> Tensor:
    if type(p) is not type(q):
        raise NotImplementedError("The cross KL-divergence between different exponential families cannot be computed using "
                                  "Bregman divergences")  # fmt: skip
    here = [x.detach().requires_grad_() for x in p._natural_params]
    there = q._natural_params
    with torch.enable_grad():
        norm = p._log_normalizer(*here)
        slopes = torch.autograd.grad(norm.sum(), here, create_graph=True)
    result = q._log_normalizer(*there) - norm
    for x, y, slope in zip(here, there, slopes, strict=True):
        result = result - _sum_rightmost((y - x) * slope, len(q.event_shape))
    return result  # type: ignore[no-any-return]


@register_kl(Gamma, Gamma)
def _gamma_gamma(p: Any, q: Any) -> Tensor:
    a, b = p.concentration, q.concentration
    return (  # type: ignore[no-any-return]
        b * (p.rate / q.rate).log() + torch.lgamma(b) - torch.lgamma(a) + (a - b) * torch.digamma(a)
        + (q.rate - p.rate) * (a / p.rate)
    )  # fmt: skip


@register_kl(Gumbel, Gumbel)
def _gumbel_gumbel(p: Any, q: Any) -> Tensor:
    ratio = p.scale / q.scale
    a, b = q.loc / q.scale, p.loc / q.scale
    t = ratio.log() - b + a
    return -t + ratio * _euler_gamma + torch.exp(a + (1 + ratio).lgamma() - b) - (1 + _euler_gamma)


@register_kl(Geometric, Geometric)
def _geometric_geometric(p: Any, q: Any) -> Tensor:
    return -p.entropy() - torch.log1p(-q.probs) / p.probs - q.logits  # type: ignore[no-any-return]


@register_kl(HalfNormal, HalfNormal)
def _half_normals(p: Any, q: Any) -> Tensor:
    return _normal_normal(p.base_dist, q.base_dist)


@register_kl(Laplace, Laplace)
def _laplace_laplace(p: Any, q: Any) -> Tensor:
    ratio, away = p.scale / q.scale, (p.loc - q.loc).abs()
    return -ratio.log() + away / q.scale + ratio * torch.exp(-away / p.scale) - 1  # type: ignore[no-any-return]


@register_kl(Normal, Normal)
def _normal_normal(p: Any, q: Any) -> Tensor:
    ratio = (p.scale / q.scale).pow(2)
    return 0.5 * (ratio + ((p.loc - q.loc) / q.scale).pow(2) - 1 - ratio.log())  # type: ignore[no-any-return]


def _half_log_det(p: Any) -> Any:
    """Half of the covariance's log det."""
    if isinstance(p, LowRankMultivariateNormal):
        return 0.5 * p._log_det()
    return p._unbroadcasted_scale_tril.diagonal(dim1=-2, dim2=-1).log().sum(-1)


def _covariance(p: Any) -> Any:
    if isinstance(p, LowRankMultivariateNormal):
        W = p._unbroadcasted_cov_factor  # noqa: N806
        return W @ W.mT + torch.diag_embed(p._unbroadcasted_cov_diag)
    return p._unbroadcasted_scale_tril @ p._unbroadcasted_scale_tril.mT


@register_kl(MultivariateNormal, MultivariateNormal)
@register_kl(MultivariateNormal, LowRankMultivariateNormal)
@register_kl(LowRankMultivariateNormal, MultivariateNormal)
@register_kl(LowRankMultivariateNormal, LowRankMultivariateNormal)
def _multivariate_normals(p: Any, q: Any) -> Tensor:
    if p.event_shape != q.event_shape:
        raise ValueError("KL-divergence between two Multivariate Normals with different event shapes cannot be computed")
    n = p.event_shape[0]
    away = q.loc - p.loc
    if isinstance(q, LowRankMultivariateNormal):
        W, D = q._unbroadcasted_cov_factor, q._unbroadcasted_cov_diag  # noqa: N806
        distance = _batch_lowrank_mahalanobis(W, D, away, q._capacitance_tril)
        trace = (q.precision_matrix * _covariance(p)).sum((-2, -1))
    else:
        factor = q._unbroadcasted_scale_tril
        distance = _batch_mahalanobis(factor, away)
        if isinstance(p, LowRankMultivariateNormal):
            root = torch.linalg.cholesky(_covariance(p))
        else:
            root = p._unbroadcasted_scale_tril
        batch = torch.broadcast_shapes(factor.shape[:-2], root.shape[:-2])
        solved = torch.linalg.solve_triangular(factor.expand(batch + (n, n)), root.expand(batch + (n, n)), upper=False)
        trace = solved.pow(2).sum((-2, -1))
    return _half_log_det(q) - _half_log_det(p) + 0.5 * (trace + distance - n)  # type: ignore[no-any-return]


@register_kl(Pareto, Pareto)
def _pareto_pareto(p: Any, q: Any) -> Tensor:
    ratio = q.alpha / p.alpha
    kl = q.alpha * (p.scale / q.scale).log() - ratio.log() + ratio - 1
    return torch.where(p.support.lower_bound < q.support.lower_bound, math.inf, kl)


@register_kl(Poisson, Poisson)
def _poisson_poisson(p: Any, q: Any) -> Tensor:
    return p.rate * (p.rate.log() - q.rate.log()) - (p.rate - q.rate)  # type: ignore[no-any-return]


@register_kl(TransformedDistribution, TransformedDistribution)
def _transformed_transformed(p: Any, q: Any) -> Tensor:
    if p.transforms != q.transforms or p.event_shape != q.event_shape:
        raise NotImplementedError
    return kl_divergence(p.base_dist, q.base_dist)


@register_kl(Uniform, Uniform)
def _uniform_uniform(p: Any, q: Any) -> Tensor:
    kl = ((q.high - q.low) / (p.high - p.low)).log()
    return torch.where((q.low > p.low) | (q.high < p.high), math.inf, kl)


@register_kl(Independent, Independent)
def _independent_independent(p: Any, q: Any) -> Tensor:
    if p.reinterpreted_batch_ndims != q.reinterpreted_batch_ndims:
        raise NotImplementedError
    return _sum_rightmost(kl_divergence(p.base_dist, q.base_dist), p.reinterpreted_batch_ndims)


@register_kl(Cauchy, Cauchy)
def _cauchy_cauchy(p: Any, q: Any) -> Tensor:
    apart = (p.scale + q.scale).pow(2) + (p.loc - q.loc).pow(2)
    return apart.log() - (4 * p.scale * q.scale).log()  # type: ignore[no-any-return]


# ---- two different classes ---------------------------------------------------------------------------------------------
@register_kl(Bernoulli, Poisson)
def _bernoulli_poisson(p: Any, q: Any) -> Tensor:
    return -p.entropy() - (p.probs * q.rate.log() - q.rate)  # type: ignore[no-any-return]


def _against_normal(p: Any, q: Any) -> Any:
    """-E log q(x) for x from p."""
    return 0.5 * math.log(2 * math.pi) + q.scale.log() + (p.variance + (p.mean - q.loc).pow(2)) / (2 * q.scale.pow(2))


@register_kl(Beta, Normal)
@register_kl(Exponential, Normal)
@register_kl(Gamma, Normal)
@register_kl(Gumbel, Normal)
@register_kl(Laplace, Normal)
@register_kl(Uniform, Normal)
def _any_normal(p: Any, q: Any) -> Tensor:
    return _against_normal(p, q) - p.entropy()  # type: ignore[no-any-return]


@register_kl(Pareto, Normal)
def _pareto_normal(p: Any, q: Any) -> Tensor:
    return torch.where(p.alpha <= 2, math.inf, _against_normal(p, q) - p.entropy())


@register_kl(ContinuousBernoulli, Normal)
def _continuous_bernoulli_normal(p: Any, q: Any) -> Tensor:
    return _against_normal(p, q) - p.entropy()  # type: ignore[no-any-return]


@register_kl(Beta, Exponential)
@register_kl(ContinuousBernoulli, Exponential)
@register_kl(Gamma, Exponential)
def _any_exponential(p: Any, q: Any) -> Tensor:
    return -p.entropy() - q.rate.log() + q.rate * p.mean  # type: ignore[no-any-return]


@register_kl(Uniform, Exponential)
def _uniform_exponential(p: Any, q: Any) -> Tensor:
    return torch.where(p.low < 0, math.inf, _any_exponential(p, q))


@register_kl(Pareto, Exponential)
def _pareto_exponential(p: Any, q: Any) -> Tensor:
    return torch.where(p.alpha <= 1, math.inf, _any_exponential(p, q))


def _against_gamma(p: Any, q: Any, mean_log: Any) -> Any:
    norm = q.concentration.lgamma() - q.concentration * q.rate.log()
    return norm - (q.concentration - 1) * mean_log + q.rate * p.mean


@register_kl(Beta, Gamma)
def _beta_gamma(p: Any, q: Any) -> Tensor:
    mean_log = p.concentration1.digamma() - (p.concentration1 + p.concentration0).digamma()
    return _against_gamma(p, q, mean_log) - p.entropy()  # type: ignore[no-any-return]


@register_kl(Exponential, Gamma)
def _exponential_gamma(p: Any, q: Any) -> Tensor:
    return _against_gamma(p, q, -_euler_gamma - p.rate.log()) - p.entropy()  # type: ignore[no-any-return]


@register_kl(Pareto, Gamma)
def _pareto_gamma(p: Any, q: Any) -> Tensor:
    kl = _against_gamma(p, q, p.scale.log() + p.alpha.reciprocal()) - p.entropy()
    return torch.where(p.alpha <= 1, math.inf, kl)


@register_kl(Uniform, Gamma)
def _uniform_gamma(p: Any, q: Any) -> Tensor:
    mean_log = (_x_log_x(p.high) - _x_log_x(p.low)) / (p.high - p.low) - 1
    return torch.where(p.low < 0, math.inf, _against_gamma(p, q, mean_log) - p.entropy())


def _against_gumbel(p: Any, q: Any, mean_exp: Any) -> Any:
    """mean_exp: the mean of exp(-x / scale)."""
    return q.scale.log() + (p.mean - q.loc) / q.scale + torch.exp(q.loc / q.scale) * mean_exp


@register_kl(Exponential, Gumbel)
def _exponential_gumbel(p: Any, q: Any) -> Tensor:
    rate = p.rate * q.scale
    return _against_gumbel(p, q, rate / (rate + 1)) - p.entropy()  # type: ignore[no-any-return]


@register_kl(Gamma, Gumbel)
def _gamma_gumbel(p: Any, q: Any) -> Tensor:
    rate = p.rate * q.scale
    return _against_gumbel(p, q, (1 + rate.reciprocal()).pow(-p.concentration)) - p.entropy()  # type: ignore[no-any-return]


@register_kl(Normal, Gumbel)
def _normal_gumbel(p: Any, q: Any) -> Tensor:
    mean_exp = torch.exp(0.5 * (p.scale / q.scale).pow(2) - p.loc / q.scale)
    return _against_gumbel(p, q, mean_exp) - p.entropy()  # type: ignore[no-any-return]


@register_kl(Uniform, Gumbel)
def _uniform_gumbel(p: Any, q: Any) -> Tensor:
    width = (p.high - p.low) / q.scale
    mean_exp = (torch.exp(-p.low / q.scale) - torch.exp(-p.high / q.scale)) / width
    return _against_gumbel(p, q, mean_exp) - p.entropy()  # type: ignore[no-any-return]


@register_kl(Normal, Laplace)
def _normal_laplace(p: Any, q: Any) -> Tensor:
    z = (p.loc - q.loc) / p.scale
    distance = math.sqrt(2 / math.pi) * p.scale * torch.exp(-0.5 * z.pow(2)) + p.scale * z * torch.erf(math.sqrt(0.5) * z)
    return (2 * q.scale).log() + distance / q.scale - p.entropy()  # type: ignore[no-any-return]


@register_kl(Beta, ContinuousBernoulli)
def _beta_continuous_bernoulli(p: Any, q: Any) -> Tensor:
    return -p.entropy() - p.mean * q.logits - torch.log1p(-q.probs) - q._log_norm()  # type: ignore[no-any-return]


@register_kl(Uniform, ContinuousBernoulli)
def _uniform_continuous_bernoulli(p: Any, q: Any) -> Tensor:
    kl = _beta_continuous_bernoulli(p, q)
    return torch.where((p.high > 1) | (p.low < 0), math.inf, kl)


@register_kl(Beta, Uniform)
def _beta_uniform(p: Any, q: Any) -> Tensor:
    kl = -p.entropy() + (q.high - q.low).log()
    return torch.where((q.low > 0) | (q.high < 1), math.inf, kl)


@register_kl(ContinuousBernoulli, Uniform)
def _continuous_bernoulli_uniform(p: Any, q: Any) -> Tensor:
    return _beta_uniform(p, q)


@register_kl(Uniform, Beta)
def _uniform_beta(p: Any, q: Any) -> Tensor:
    width = p.high - p.low
    a, b = q.concentration1, q.concentration0
    logs = (a - 1) * ((_x_log_x(p.high) - _x_log_x(p.low)) / width - 1)
    rest = (b - 1) * ((_x_log_x(1 - p.high) - _x_log_x(1 - p.low)) / width + 1)
    kl = -width.log() + a.lgamma() + b.lgamma() - (a + b).lgamma() - logs + rest
    return torch.where((p.high > 1) | (p.low < 0), math.inf, kl)


@register_kl(Uniform, Pareto)
def _uniform_pareto(p: Any, q: Any) -> Tensor:
    width = p.high - p.low
    mean_log = (_x_log_x(p.high) - _x_log_x(p.low) - width) / width
    kl = mean_log * (q.alpha + 1) - (q.alpha * q.scale.pow(q.alpha) * width).log()
    return torch.where(p.low < q.support.lower_bound, math.inf, kl)


@register_kl(Exponential, Pareto)
@register_kl(Gamma, Pareto)
@register_kl(Normal, Pareto)
@register_kl(Laplace, Pareto)
@register_kl(Gumbel, Pareto)
@register_kl(Beta, Pareto)
@register_kl(ContinuousBernoulli, Pareto)
@register_kl(Exponential, Uniform)
@register_kl(Exponential, Beta)
@register_kl(Exponential, ContinuousBernoulli)
@register_kl(Gamma, Uniform)
@register_kl(Gamma, Beta)
@register_kl(Gamma, ContinuousBernoulli)
@register_kl(Gumbel, Uniform)
@register_kl(Gumbel, Beta)
@register_kl(Gumbel, ContinuousBernoulli)
@register_kl(Gumbel, Exponential)
@register_kl(Gumbel, Gamma)
@register_kl(Laplace, Uniform)
@register_kl(Laplace, Beta)
@register_kl(Laplace, ContinuousBernoulli)
@register_kl(Laplace, Exponential)
@register_kl(Laplace, Gamma)
@register_kl(Normal, Uniform)
@register_kl(Normal, Beta)
@register_kl(Normal, ContinuousBernoulli)
@register_kl(Normal, Exponential)
@register_kl(Normal, Gamma)
@register_kl(Pareto, Uniform)
@register_kl(Pareto, Beta)
@register_kl(Pareto, ContinuousBernoulli)
@register_kl(Poisson, Bernoulli)
@register_kl(Poisson, Binomial)
def _outside(p: Any, q: Any) -> Tensor:
    """p has values where q has none."""
    return _infinite_like(p.mean)
