"""Kullback-Leibler divergences between pairs of distributions. Source: torch.distributions.kl."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from .. import linalg, ops
from ..nn import functional as F
from .continuous import Cauchy, Exponential, Laplace, Normal, Uniform
from .discrete import Bernoulli, Binomial, Categorical, Geometric, OneHotCategorical, Poisson
from .distribution import ExponentialFamily, Independent
from .gamma_family import Beta, Dirichlet, Gamma
from .multivariate import LowRankMultivariateNormal, MultivariateNormal, _log_diagonal, _mahalanobis
from .relaxed import ContinuousBernoulli
from .transformed import Gumbel, HalfNormal, Pareto, TransformedDistribution
from .utils import euler_constant, sum_rightmost

__all__ = ["kl_divergence", "register_kl"]

_rules: dict[tuple[type, type], Callable[[Any, Any], Any]] = {}
_found: dict[tuple[type, type], Callable[[Any, Any], Any] | None] = {}


def register_kl(type_p: Any, type_q: Any) -> Any:
    """A decorator: the function (p, q) gives KL(p || q) for these two classes and what derives from them."""
    for name, kind in (("type_p", type_p), ("type_q", type_q)):
        if not isinstance(kind, type):  # other libraries have bases of their own
            raise TypeError(f"Expected {name} to be a Distribution subclass but got {kind}")

    def decorate(rule: Any) -> Any:
        _rules[type_p, type_q] = rule
        _found.clear()
        return rule

    return decorate


def _find(p: type, q: type) -> Callable[[Any, Any], Any] | None:
    """The rule of the nearest pair of base classes; the left side decides, where two are as near, with a warning."""
    fits = [(a, b) for a, b in _rules if issubclass(p, a) and issubclass(q, b)]
    if not fits:
        return None

    def far(pair: tuple[type, type]) -> tuple[int, int]:
        return p.__mro__.index(pair[0]), q.__mro__.index(pair[1])

    left, right = min(fits, key=far), min(fits, key=lambda pair: far(pair)[::-1])
    if _rules[left] is not _rules[right]:
        import warnings

        names = [tuple(c.__name__ for c in pair) for pair in (left, right)]
        warnings.warn(
            f"Ambiguous kl_divergence({p.__name__}, {q.__name__}). Please register_kl({names[0][0]}, {names[1][1]})",
            RuntimeWarning,
            stacklevel=3,
        )
    return _rules[left]


def kl_divergence(p: Any, q: Any) -> Any:
    """KL(p || q), of shape batch_shape. NotImplementedError for pairs that nobody registered."""
    pair = type(p), type(q)
    if pair not in _found:
        _found[pair] = _find(*pair)
    rule = _found[pair]
    if rule is None:
        raise NotImplementedError(
            f"No KL(p || q) is implemented for p type {pair[0].__name__} and q type {pair[1].__name__}"
        )
    return rule(p, q)


# ---- within a family -------------------------------------------------------------------------------------------------
@register_kl(ExponentialFamily, ExponentialFamily)
def _expfamily(p: Any, q: Any) -> Any:
    """A Bregman divergence of the log normalizer."""
    if type(p) is not type(q):
        raise NotImplementedError(
            "The cross KL-divergence between different exponential families cannot be computed using Bregman divergences"
        )
    natural, normalizer, gradients = p._normalized()
    result = q._log_normalizer(*q._natural_params) - normalizer
    for a, b, g in zip(natural, q._natural_params, gradients, strict=True):
        result = result - sum_rightmost((b - a) * g, len(q.event_shape))
    return result


@register_kl(Bernoulli, Bernoulli)
def _bernoulli(p: Any, q: Any) -> Any:
    yes = p.probs * (F.softplus(-q.logits) - F.softplus(-p.logits))
    yes = ops.where(p.probs == 0, 0, ops.where(q.probs == 0, math.inf, yes))
    no = (1 - p.probs) * (F.softplus(q.logits) - F.softplus(p.logits))
    no = ops.where(p.probs == 1, 0, ops.where(q.probs == 1, math.inf, no))
    return yes + no


@register_kl(Beta, Beta)
def _beta(p: Any, q: Any) -> Any:
    a, b, c, d = p.concentration1, p.concentration0, q.concentration1, q.concentration0
    normalizers = (c.lgamma() + d.lgamma() + (a + b).lgamma()) - (a.lgamma() + b.lgamma() + (c + d).lgamma())
    return normalizers + (a - c) * a.digamma() + (b - d) * b.digamma() + (c + d - a - b) * (a + b).digamma()


@register_kl(Binomial, Binomial)
def _binomial(p: Any, q: Any) -> Any:
    if (p.total_count < q.total_count).any():
        raise NotImplementedError("KL between Binomials where q.total_count > p.total_count is not implemented")
    kl = p.total_count * (p.probs * (p.logits - q.logits) + (-p.probs).log1p() - (-q.probs).log1p())
    return ops.where(p.total_count > q.total_count, math.inf, kl)


@register_kl(Categorical, Categorical)
def _categorical(p: Any, q: Any) -> Any:
    t = p.probs * (p.logits - q.logits)
    t = ops.where((q.probs == 0).expand_as(t), math.inf, t)
    return ops.where((p.probs == 0).expand_as(t), 0, t).sum(-1)


@register_kl(OneHotCategorical, OneHotCategorical)
def _one_hot(p: Any, q: Any) -> Any:
    return _categorical(p._categorical, q._categorical)


@register_kl(ContinuousBernoulli, ContinuousBernoulli)
def _continuous_bernoulli(p: Any, q: Any) -> Any:
    return (
        p.mean * (p.logits - q.logits) + p._cont_bern_log_norm() + ops.log1p(-p.probs)
        - q._cont_bern_log_norm() - ops.log1p(-q.probs)
    )  # fmt: skip


@register_kl(Dirichlet, Dirichlet)
def _dirichlet(p: Any, q: Any) -> Any:
    a, b = p.concentration, q.concentration
    total = a.sum(-1)
    logs = (a.lgamma() - b.lgamma()).sum(-1)
    spread = ((a - b) * (a.digamma() - total.digamma().unsqueeze(-1))).sum(-1)
    return total.lgamma() - b.sum(-1).lgamma() - logs + spread


@register_kl(Exponential, Exponential)
def _exponential(p: Any, q: Any) -> Any:
    ratio = q.rate / p.rate
    return -ratio.log() + ratio - 1


@register_kl(Gamma, Gamma)
def _gamma(p: Any, q: Any) -> Any:
    a, b = p.concentration, q.concentration
    return (
        b * (p.rate / q.rate).log() + b.lgamma() - a.lgamma() + (a - b) * a.digamma() + (q.rate - p.rate) * (a / p.rate)
    )


@register_kl(Geometric, Geometric)
def _geometric(p: Any, q: Any) -> Any:
    return -p.entropy() - (-q.probs).log1p() / p.probs - q.logits


@register_kl(Gumbel, Gumbel)
def _gumbel(p: Any, q: Any) -> Any:
    ratio, shift = p.scale / q.scale, (q.loc - p.loc) / q.scale
    return -ratio.log() - shift + ops.exp(shift + (1 + ratio).lgamma()) - 1 + euler_constant * (ratio - 1)


@register_kl(HalfNormal, HalfNormal)
def _half_normal(p: Any, q: Any) -> Any:
    return _normal(p.base_dist, q.base_dist)


@register_kl(Independent, Independent)
def _independent(p: Any, q: Any) -> Any:
    if p.reinterpreted_batch_ndims != q.reinterpreted_batch_ndims:
        raise NotImplementedError
    return sum_rightmost(kl_divergence(p.base_dist, q.base_dist), p.reinterpreted_batch_ndims)


@register_kl(Laplace, Laplace)
def _laplace(p: Any, q: Any) -> Any:
    ratio, apart = p.scale / q.scale, (p.loc - q.loc).abs()
    return -ratio.log() + apart / q.scale + ratio * ops.exp(-apart / p.scale) - 1


@register_kl(Normal, Normal)
def _normal(p: Any, q: Any) -> Any:
    ratio = (p.scale / q.scale).pow(2)
    return 0.5 * (ratio + ((p.loc - q.loc) / q.scale).pow(2) - 1 - ratio.log())


@register_kl(Pareto, Pareto)
def _pareto(p: Any, q: Any) -> Any:
    ratio, alphas = p.scale / q.scale, q.alpha / p.alpha
    kl = q.alpha * ratio.log() - alphas.log() + alphas - 1
    return ops.where(p.support.lower_bound < q.support.lower_bound, math.inf, kl)


@register_kl(Poisson, Poisson)
def _poisson(p: Any, q: Any) -> Any:
    return p.rate * (p.rate.log() - q.rate.log()) - (p.rate - q.rate)


@register_kl(TransformedDistribution, TransformedDistribution)
def _transformed(p: Any, q: Any) -> Any:
    if p.transforms != q.transforms or p.event_shape != q.event_shape:
        raise NotImplementedError
    return kl_divergence(p.base_dist, q.base_dist)


@register_kl(Uniform, Uniform)
def _uniform(p: Any, q: Any) -> Any:
    kl = ((q.high - q.low) / (p.high - p.low)).log()
    return ops.where((q.low > p.low) | (q.high < p.high), math.inf, kl)


@register_kl(Cauchy, Cauchy)
def _cauchy(p: Any, q: Any) -> Any:
    apart = ((p.scale + q.scale).pow(2) + (p.loc - q.loc).pow(2)).log()
    return apart - (4 * p.scale * q.scale).log()


# ---- normal vectors --------------------------------------------------------------------------------------------------
def _check_events(p: Any, q: Any) -> None:
    if p.event_shape != q.event_shape:
        raise ValueError(
            "KL-divergence between two (Low Rank) Multivariate Normals with different event shapes cannot be computed"
        )


@register_kl(MultivariateNormal, MultivariateNormal)
def _mvn(p: Any, q: Any) -> Any:
    _check_events(p, q)
    lp, lq, n = p._unbroadcasted_scale_tril, q._unbroadcasted_scale_tril, p.event_shape[0]
    shape = ops.broadcast_shapes(lp.shape[:-2], lq.shape[:-2]) + (n, n)
    trace = linalg.solve_triangular(lq.expand(shape), lp.expand(shape), upper=False).pow(2).sum((-2, -1))
    return _log_diagonal(lq) - _log_diagonal(lp) + 0.5 * (trace + _mahalanobis(lq, q.loc - p.loc) - n)


@register_kl(LowRankMultivariateNormal, LowRankMultivariateNormal)
@register_kl(MultivariateNormal, LowRankMultivariateNormal)
def _to_low_rank(p: Any, q: Any) -> Any:
    _check_events(p, q)
    log_det = 2 * _log_diagonal(p._unbroadcasted_scale_tril) if isinstance(p, MultivariateNormal) else p._log_det()
    trace = (q.precision_matrix * p.covariance_matrix).sum((-2, -1))
    return 0.5 * (q._log_det() - log_det + q._distance(q.loc - p.loc) + trace - p.event_shape[0])


@register_kl(LowRankMultivariateNormal, MultivariateNormal)
def _from_low_rank(p: Any, q: Any) -> Any:
    _check_events(p, q)
    lq = q._unbroadcasted_scale_tril
    trace = (q.precision_matrix * p.covariance_matrix).sum((-2, -1))
    return 0.5 * (2 * _log_diagonal(lq) - p._log_det() + _mahalanobis(lq, q.loc - p.loc) + trace - p.event_shape[0])


# ---- between families ------------------------------------------------------------------------------------------------
def _disjoint(left: Any, right: Any, name: str) -> None:
    """p reaches where q has no density."""
    register_kl(left, right)(lambda p, q: ops.full_like(getattr(p, name), math.inf))


_IN_PART = [Beta, ContinuousBernoulli, Pareto, Uniform]
for _p, _name, _narrower in (
    (Beta, "concentration1", [Pareto]), (ContinuousBernoulli, "probs", [Pareto]), (Exponential, "rate", _IN_PART),
    (Gamma, "concentration", _IN_PART), (Gumbel, "loc", [*_IN_PART, Exponential, Gamma]),
    (Laplace, "loc", [*_IN_PART, Exponential, Gamma]), (Normal, "loc", [*_IN_PART, Exponential, Gamma]),
    (Pareto, "scale", [Beta, ContinuousBernoulli, Uniform]), (Poisson, "rate", [Bernoulli, Binomial]),
):  # fmt: skip
    for _q in _narrower:
        _disjoint(_p, _q, _name)


@register_kl(Bernoulli, Poisson)
def _bernoulli_poisson(p: Any, q: Any) -> Any:
    return -p.entropy() - (p.probs * q.rate.log() - q.rate)


@register_kl(Beta, ContinuousBernoulli)
def _to_continuous_bernoulli(p: Any, q: Any) -> Any:
    return -p.entropy() - p.mean * q.logits - ops.log1p(-q.probs) - q._cont_bern_log_norm()


@register_kl(Beta, Exponential)
@register_kl(ContinuousBernoulli, Exponential)
def _to_exponential(p: Any, q: Any) -> Any:
    return -p.entropy() - q.rate.log() + q.rate * p.mean


@register_kl(Beta, Gamma)
def _beta_gamma(p: Any, q: Any) -> Any:
    a = p.concentration1
    total = a + p.concentration0
    rest = (q.concentration - 1) * (a.digamma() - total.digamma()) - q.rate * a / total
    return -p.entropy() + q.concentration.lgamma() - q.concentration * q.rate.log() - rest


def _to_normal(p: Any, q: Any) -> Any:
    """From any distribution with an entropy, mean and variance."""
    spread = (p.variance + (p.mean - q.loc).pow(2)) / (2 * q.scale.pow(2))
    return -p.entropy() + 0.5 * math.log(2 * math.pi) + q.scale.log() + spread


for _p in (Beta, ContinuousBernoulli, Exponential, Gamma, Gumbel, Laplace, Uniform):
    register_kl(_p, Normal)(_to_normal)


@register_kl(Pareto, Normal)
def _pareto_normal(p: Any, q: Any) -> Any:
    return ops.where(p.alpha <= 2, math.inf, _to_normal(p, q))


@register_kl(Beta, Uniform)
@register_kl(ContinuousBernoulli, Uniform)
def _to_uniform(p: Any, q: Any) -> Any:
    """Infinite where q does not cover [0, 1]; in PyTorch, for ContinuousBernoulli, where it does."""
    return ops.where((q.high < 1) | (q.low > 0), math.inf, -p.entropy() + (q.high - q.low).log())


@register_kl(Exponential, Gamma)
def _exponential_gamma(p: Any, q: Any) -> Any:
    ratio = q.rate / p.rate
    return (
        -q.concentration * ops.log(ratio)
        + ratio
        + q.concentration.lgamma()
        + q.concentration * euler_constant
        - (1 + euler_constant)
    )


@register_kl(Gamma, Exponential)
def _gamma_exponential(p: Any, q: Any) -> Any:
    return -p.entropy() - q.rate.log() + q.rate * p.concentration / p.rate


def _exp_minus(p: Any, t: Any) -> Any:
    """E exp(-t x)."""
    if isinstance(p, Exponential):
        return p.rate / (p.rate + t)
    if isinstance(p, Gamma):
        return (1 + t / p.rate).pow(-p.concentration)
    if isinstance(p, Normal):
        return ops.exp(-t * p.loc + 0.5 * (t * p.scale).pow(2))
    return (ops.exp(-t * p.low) - ops.exp(-t * p.high)) / (t * (p.high - p.low))


def _to_gumbel(p: Any, q: Any) -> Any:
    rate = q.scale.reciprocal()
    return -p.entropy() + q.scale.log() + (p.mean - q.loc) * rate + ops.exp(q.loc * rate) * _exp_minus(p, rate)


for _p in (Exponential, Gamma, Normal, Uniform):
    register_kl(_p, Gumbel)(_to_gumbel)


@register_kl(Normal, Laplace)
def _normal_laplace(p: Any, q: Any) -> Any:
    z = (p.loc - q.loc) / p.scale
    apart = math.sqrt(2 / math.pi) * p.scale * ops.exp(-0.5 * z.pow(2)) + (p.loc - q.loc) * ops.erf(z / math.sqrt(2))
    return -p.entropy() + (2 * q.scale).log() + apart / q.scale


@register_kl(Pareto, Exponential)
def _pareto_exponential(p: Any, q: Any) -> Any:
    mean = p.alpha * p.scale / (p.alpha - 1)
    return ops.where(p.alpha <= 1, math.inf, -p.entropy() - q.rate.log() + q.rate * mean)


@register_kl(Pareto, Gamma)
def _pareto_gamma(p: Any, q: Any) -> Any:
    log_mean = p.scale.log() + p.alpha.reciprocal()
    rest = q.rate * p.alpha * p.scale / (p.alpha - 1) - (q.concentration - 1) * log_mean
    kl = -p.entropy() + q.concentration.lgamma() - q.concentration * q.rate.log() + rest
    return ops.where(p.alpha <= 1, math.inf, kl)


def _mean_log(low: Any, high: Any) -> Any:
    """E log x of uniform numbers."""
    return (ops.xlogy(high, high) - ops.xlogy(low, low) - (high - low)) / (high - low)


@register_kl(Uniform, Beta)
def _uniform_beta(p: Any, q: Any) -> Any:
    size = p.high - p.low
    logs = _mean_log(p.low, p.high)
    rest = (ops.xlogy(1 - p.high, 1 - p.high) - ops.xlogy(1 - p.low, 1 - p.low) + size) / size
    a, b = q.concentration1, q.concentration0
    kl = -size.log() - (a - 1) * logs + (b - 1) * rest + a.lgamma() + b.lgamma() - (a + b).lgamma()
    return ops.where((p.high > 1) | (p.low < 0), math.inf, kl)


@register_kl(Uniform, ContinuousBernoulli)
def _uniform_continuous_bernoulli(p: Any, q: Any) -> Any:
    return ops.where((p.high > 1) | (p.low < 0), math.inf, _to_continuous_bernoulli(p, q))


@register_kl(Uniform, Exponential)
def _uniform_exponential(p: Any, q: Any) -> Any:
    kl = q.rate * (p.high + p.low) / 2 - ((p.high - p.low) * q.rate).log()
    return ops.where(p.low < 0, math.inf, kl)


@register_kl(Uniform, Gamma)
def _uniform_gamma(p: Any, q: Any) -> Any:
    size = p.high - p.low
    logs = _mean_log(p.low, p.high)
    a = q.concentration
    kl = -size.log() + a.lgamma() - a * q.rate.log() - (a - 1) * logs + q.rate * (p.high + p.low) / 2
    return ops.where(p.low < 0, math.inf, kl)


@register_kl(Uniform, Pareto)
def _uniform_pareto(p: Any, q: Any) -> Any:
    size = p.high - p.low
    logs = _mean_log(p.low, p.high)
    kl = -size.log() - q.alpha.log() - q.alpha * q.scale.log() + (q.alpha + 1) * logs
    return ops.where(p.low < q.support.lower_bound, math.inf, kl)
