"""Probability distributions: samples, densities, divergences. Source: torch.distributions.

Samples come from the one random stream, so a seed gives other numbers than in PyTorch. rsample of Gamma, Beta and
Dirichlet has gradients by implicit differentiation; those of Beta and Dirichlet are of gamma numbers divided by their
sum, so that a single sample's gradient is not PyTorch's, while its expectation is.
"""

from . import constraints as constraints
from . import kl as kl
from . import transforms as transforms
from . import utils as utils
from .constraint_registry import biject_to as biject_to
from .constraint_registry import transform_to as transform_to
from .continuous import *  # noqa: F403
from .continuous import __all__ as _continuous
from .discrete import *  # noqa: F403
from .discrete import __all__ as _discrete
from .distribution import *  # noqa: F403
from .distribution import __all__ as _base
from .gamma_family import *  # noqa: F403
from .gamma_family import __all__ as _gamma_family
from .kl import kl_divergence as kl_divergence
from .kl import register_kl as register_kl
from .multivariate import *  # noqa: F403
from .multivariate import __all__ as _multivariate
from .relaxed import *  # noqa: F403
from .relaxed import __all__ as _relaxed
from .transformed import *  # noqa: F403
from .transformed import __all__ as _transformed
from .transforms import *  # noqa: F403
from .transforms import __all__ as _transforms

_classes = [*_base, *_continuous, *_discrete, *_gamma_family, *_relaxed, *_transformed, *_multivariate]

__all__ = [*_classes, *_transforms, "biject_to", "kl_divergence", "register_kl", "transform_to"]

_MODULES = {
    "ExponentialFamily": "exp_family", "FisherSnedecor": "fishersnedecor", "LKJCholesky": "lkj_cholesky",
    "LowRankMultivariateNormal": "lowrank_multivariate_normal", "RelaxedOneHotCategorical": "relaxed_categorical",
    "StudentT": "studentT",
}  # fmt: skip


def _submodules() -> None:
    """PyTorch has a module for each class, and programs import from it: torch.distributions.normal.Normal."""
    import re
    import sys
    from types import ModuleType

    for name in _classes:
        module = _MODULES.get(name) or re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()
        if module == "distribution":
            continue
        made = ModuleType(f"{__name__}.{module}", f"{name}, under PyTorch's name for its module.")
        source = vars(sys.modules[globals()[name].__module__])
        vars(made).update({k: v for k, v in source.items() if not k.startswith("__")}, __all__=[name])
        made.Distribution = Distribution  # noqa: F405
        globals()[module] = sys.modules[made.__name__] = made


_submodules()
