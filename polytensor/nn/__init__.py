"""Layers, losses and their machinery. Source: torch.nn."""

from importlib import import_module
from typing import Any

from ..absent import lacks
from . import common_types as common_types
from . import functional as functional
from . import grad as grad
from . import init as init
from . import modules as modules
from . import parallel as parallel
from . import parameter as parameter
from . import utils as utils
from .containers import ModuleDict as ModuleDict
from .containers import ModuleList as ModuleList
from .containers import ParameterDict as ParameterDict
from .containers import ParameterList as ParameterList
from .containers import Sequential as Sequential
from .loss import *  # noqa: F403
from .module import Module as Module
from .module import factory_kwargs as factory_kwargs
from .modules import *  # noqa: F403
from .parallel import DataParallel as DataParallel
from .parameter import Buffer as Buffer
from .parameter import Parameter as Parameter
from .parameter import UninitializedBuffer as UninitializedBuffer
from .parameter import UninitializedParameter as UninitializedParameter


def __getattr__(name: str) -> Any:
    if name == "attention":  # few ask for it
        return import_module(f"{__name__}.{name}")
    raise lacks(__name__, name)
