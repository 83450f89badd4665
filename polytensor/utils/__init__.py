"""torch.utils: data, checkpoint."""

import sys

from .. import data as data
from ..data import dataloader, dataset, sampler
from . import _pytree as _pytree
from . import checkpoint as checkpoint
from . import deterministic as deterministic
from . import dlpack as dlpack
from . import hooks as hooks
from . import model_zoo as model_zoo
from . import snapshots as snapshots

# one module under both names, its parts too: a second import would make a second set of classes
for _name, _module in (("", data), (".dataloader", dataloader), (".dataset", dataset), (".sampler", sampler)):
    sys.modules[f"{__name__}.data{_name}"] = _module
