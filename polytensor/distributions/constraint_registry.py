"""biject_to and transform_to: maps from all numbers to a set. Source: torch.distributions.constraint_registry."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from . import constraints, transforms

__all__ = ["ConstraintRegistry", "biject_to", "transform_to"]


class ConstraintRegistry:
    """From classes of sets to functions that make maps for them."""

    def __init__(self) -> None:
        self._registry: dict[type, Callable[[Any], Any]] = {}

    def register(self, constraint: Any, factory: Any = None) -> Any:
        """Use factory(constraint) for this class of sets; without it, a decorator."""
        if factory is None:
            return lambda made: self.register(constraint, made)
        kind = type(constraint) if isinstance(constraint, constraints.Constraint) else constraint
        if not isinstance(kind, type) or not issubclass(kind, constraints.Constraint):
            raise TypeError(f"Expected constraint to be either a Constraint subclass or instance, but got {constraint}")
        self._registry[kind] = factory
        return factory

    def __call__(self, constraint: Any) -> Any:
        """The map. NotImplementedError for a class that has none."""
        try:
            factory = self._registry[type(constraint)]
        except KeyError:
            raise NotImplementedError(
                f"Cannot transform {type(constraint).__name__} constraints"
            ) from None
        return factory(constraint)


biject_to, transform_to = ConstraintRegistry(), ConstraintRegistry()
C, T = constraints, transforms


def _both(*sets: Any) -> Callable[[Any], Any]:
    def register(factory: Any) -> Any:
        for s in sets:
            biject_to.register(s, factory)
            transform_to.register(s, factory)
        return factory

    return register


@_both(C.real)
def _to_real(constraint: Any) -> Any:
    return T.identity_transform


@biject_to.register(C.independent)
def _biject_to_independent(constraint: Any) -> Any:
    return T.IndependentTransform(biject_to(constraint.base_constraint), constraint.reinterpreted_batch_ndims)


@transform_to.register(C.independent)
def _transform_to_independent(constraint: Any) -> Any:
    return T.IndependentTransform(transform_to(constraint.base_constraint), constraint.reinterpreted_batch_ndims)


@_both(C.greater_than, C.greater_than_eq)
def _to_greater(constraint: Any) -> Any:
    return T.ComposeTransform([T.ExpTransform(), T.AffineTransform(constraint.lower_bound, 1)])


@_both(C.less_than)
def _to_less(constraint: Any) -> Any:
    return T.ComposeTransform([T.ExpTransform(), T.AffineTransform(constraint.upper_bound, -1)])


@_both(C.interval, C.half_open_interval)
def _to_interval(constraint: Any) -> Any:
    low, high = constraint.lower_bound, constraint.upper_bound
    if isinstance(low, (int, float)) and low == 0 and isinstance(high, (int, float)) and high == 1:
        return T.SigmoidTransform()
    return T.ComposeTransform([T.SigmoidTransform(), T.AffineTransform(low, high - low)])


@biject_to.register(C.simplex)
def _biject_to_simplex(constraint: Any) -> Any:
    return T.StickBreakingTransform()


@transform_to.register(C.simplex)
def _transform_to_simplex(constraint: Any) -> Any:
    return T.SoftmaxTransform()


@_both(C.lower_cholesky)
def _to_lower_cholesky(constraint: Any) -> Any:
    return T.LowerCholeskyTransform()


@_both(C.positive_definite, C.positive_semidefinite)
def _to_positive_definite(constraint: Any) -> Any:
    return T.PositiveDefiniteTransform()


@_both(C.corr_cholesky)
def _to_corr_cholesky(constraint: Any) -> Any:
    return T.CorrCholeskyTransform()


@biject_to.register(C.cat)
def _biject_to_cat(constraint: Any) -> Any:
    return T.CatTransform([biject_to(c) for c in constraint.cseq], constraint.dim, constraint.lengths)


@transform_to.register(C.cat)
def _transform_to_cat(constraint: Any) -> Any:
    return T.CatTransform([transform_to(c) for c in constraint.cseq], constraint.dim, constraint.lengths)


@biject_to.register(C.stack)
def _biject_to_stack(constraint: Any) -> Any:
    return T.StackTransform([biject_to(c) for c in constraint.cseq], constraint.dim)


@transform_to.register(C.stack)
def _transform_to_stack(constraint: Any) -> Any:
    return T.StackTransform([transform_to(c) for c in constraint.cseq], constraint.dim)
