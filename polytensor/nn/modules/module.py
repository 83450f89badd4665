"""Module and the hooks of all modules, under PyTorch's path. Source: torch.nn.modules.module."""

from ..hooks import *  # noqa: F403
from ..module import Module as Module
from ..module import _addindent as _addindent
from ..module import _IncompatibleKeys as _IncompatibleKeys

_EXTRA_STATE_KEY_SUFFIX = "_extra_state"
