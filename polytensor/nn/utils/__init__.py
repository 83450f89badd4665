"""Helpers of training and of sequences, each imported at its first use. Source: torch.nn.utils."""

from importlib import import_module
from typing import Any

# functions that bear their module's name: a later import of the module would take their place
from ...absent import lacks
from .spectral_norm import remove_spectral_norm, spectral_norm
from .weight_norm import remove_weight_norm, weight_norm

_MODULES = ("init", "memory_format", "parametrizations", "parametrize", "prune", "rnn", "stateless")
_FUNCTIONS = {
    "clip_grad": ("clip_grad_norm", "clip_grad_norm_", "clip_grad_value_", "clip_grads_with_norm_", "get_total_norm"),
    "convert_parameters": ("parameters_to_vector", "vector_to_parameters"),
    "fusion": (
        "fuse_conv_bn_eval", "fuse_conv_bn_weights", "fuse_linear_bn_eval", "fuse_linear_bn_weights",
    ),
    "init": ("skip_init",),
    "memory_format": ("convert_conv2d_weight_memory_format", "convert_conv3d_weight_memory_format"),
}  # fmt: skip
_HOME = {name: module for module, names in _FUNCTIONS.items() for name in names}

__all__ = [*_MODULES, *_HOME, "remove_spectral_norm", "remove_weight_norm", "spectral_norm", "weight_norm"]  # noqa: PLE0604


def __getattr__(name: str) -> Any:
    if name in _HOME:
        found = getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    elif name in _MODULES or name in _FUNCTIONS:
        found = import_module(f"{__name__}.{name}")
    else:
        raise lacks(__name__, name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, *_FUNCTIONS})
