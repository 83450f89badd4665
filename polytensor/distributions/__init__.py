"""Probability distributions: samples, densities, divergences. Source: torch.distributions.

Samples come from the one random stream, so a seed gives other numbers than in PyTorch. rsample of Gamma, Beta and
Dirichlet has gradients by implicit differentiation; those of Beta and Dirichlet are of gamma numbers divided by their
sum, so that a single sample's gradient is not PyTorch's, while its expectation is.
"""

from . import constraints as constraints
from . import kl as kl
from . import transforms as transforms
from .continuous import *  # noqa: F403
from .continuous import __all__ as _continuous
from .discrete import *  # noqa: F403
from .discrete import __all__ as _discrete
from .distribution import *  # noqa: F403
from .distribution import __all__ as _base
from .kl import kl_divergence as kl_divergence
from .kl import register_kl as register_kl
from .multivariate import *  # noqa: F403
from .multivariate import __all__ as _multivariate
from .registry import biject_to as biject_to
from .registry import transform_to as transform_to
from .transformed import *  # noqa: F403
from .transformed import __all__ as _transformed
from .transforms import *  # noqa: F403
from .transforms import __all__ as _transforms

__all__ = [
    *_base, *_continuous, *_discrete, *_transformed, *_multivariate, *_transforms, "biject_to", "kl_divergence",
    "register_kl", "transform_to",
]  # fmt: skip

_MODULES = {
    "exp_family": "ExponentialFamily", "fishersnedecor": "FisherSnedecor", "lkj_cholesky": "LKJCholesky",
    "lowrank_multivariate_normal": "LowRankMultivariateNormal", "relaxed_categorical": "RelaxedOneHotCategorical",
    "studentT": "StudentT",
}  # fmt: skip


def _submodules() -> None:
    """PyTorch has a module for each class, and programs import from it: torch.distributions.normal.Normal."""
    import re
    import sys
    from types import ModuleType

    from . import distribution, registry

    names = {
        n: _MODULES_BACK.get(n) or re.sub(r"(?<=[a-z])(?=[A-Z])", "_", n).lower() for n in __all__ if n[0].isupper()
    }
    for name, module in names.items():
        if name in _transforms or module == "distribution":
            continue
        made = ModuleType(f"{__name__}.{module}", f"{name}, under PyTorch's name for its module.")
        vars(made).update({name: globals()[name], "Distribution": distribution.Distribution, "__all__": [name]})
        globals()[module] = sys.modules[made.__name__] = made
    one_hot = globals()["one_hot_categorical"]
    one_hot.OneHotCategoricalStraightThrough = globals()["OneHotCategoricalStraightThrough"]
    for module, source in (("utils", distribution), ("constraint_registry", registry)):
        globals()[module] = sys.modules[f"{__name__}.{module}"] = source


_MODULES_BACK = {name: module for module, name in _MODULES.items()}
_submodules()
