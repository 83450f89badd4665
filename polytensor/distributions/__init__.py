"""Probability distributions over Tensors: draws, densities, moments, divergences and maps. Source: torch.distributions.

The gradient of gamma, beta, Dirichlet, Student's t and Wishart draws is of first order.
"""

import sys as _sys

from . import constraint_registry, constraints, continuous, discrete, distribution, kl, multivariate, transformed, transforms, utils
from .constraint_registry import biject_to, transform_to
from .continuous import (
    Beta, Cauchy, Chi2, Dirichlet, Exponential, FisherSnedecor, Gamma, GeneralizedPareto, Laplace, Normal, StudentT, Uniform,
    VonMises,
)  # fmt: skip
from .discrete import (
    Bernoulli, Binomial, Categorical, ContinuousBernoulli, Geometric, Multinomial, NegativeBinomial, OneHotCategorical,
    OneHotCategoricalStraightThrough, Poisson,
)  # fmt: skip
from .distribution import Distribution, ExponentialFamily, Independent
from .kl import kl_divergence, register_kl
from .multivariate import LKJCholesky, LowRankMultivariateNormal, MixtureSameFamily, MultivariateNormal, Wishart
from .transformed import (
    Gumbel, HalfCauchy, HalfNormal, InverseGamma, Kumaraswamy, LogisticNormal, LogNormal, Pareto, RelaxedBernoulli,
    RelaxedOneHotCategorical, TransformedDistribution, Weibull,
)  # fmt: skip
from .transforms import *  # noqa: F403

__all__ = [
    "Bernoulli", "Beta", "Binomial", "Categorical", "Cauchy", "Chi2", "ContinuousBernoulli", "Dirichlet", "Distribution",
    "Exponential", "ExponentialFamily", "FisherSnedecor", "Gamma", "GeneralizedPareto", "Geometric", "Gumbel", "HalfCauchy",
    "HalfNormal", "Independent", "InverseGamma", "Kumaraswamy", "LKJCholesky", "Laplace", "LogNormal", "LogisticNormal",
    "LowRankMultivariateNormal", "MixtureSameFamily", "Multinomial", "MultivariateNormal", "NegativeBinomial", "Normal",
    "OneHotCategorical", "OneHotCategoricalStraightThrough", "Pareto", "Poisson", "RelaxedBernoulli",
    "RelaxedOneHotCategorical", "StudentT", "TransformedDistribution", "Uniform", "VonMises", "Weibull", "Wishart",
    "biject_to", "kl_divergence", "register_kl", "transform_to", *transforms.__all__,
]  # fmt: skip

# the modules that PyTorch keeps each of them in
_PLACES = {
    continuous: "beta cauchy chi2 dirichlet exponential fishersnedecor gamma generalized_pareto laplace normal studentT uniform von_mises",
    discrete: "bernoulli binomial categorical continuous_bernoulli geometric multinomial negative_binomial one_hot_categorical poisson",
    distribution: "exp_family independent",
    multivariate: "lkj_cholesky lowrank_multivariate_normal mixture_same_family multivariate_normal wishart",
    transformed: "gumbel half_cauchy half_normal inverse_gamma kumaraswamy log_normal logistic_normal pareto relaxed_bernoulli "
                 "relaxed_categorical transformed_distribution weibull",
}  # fmt: skip
for _module, _names in _PLACES.items():
    for _name in _names.split():
        globals()[_name] = _sys.modules[f"{__name__}.{_name}"] = _module
