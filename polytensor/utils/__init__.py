"""torch.utils: data, checkpoint."""

import sys

from .. import data as data
from ..data import dataloader, dataset, sampler
from . import checkpoint as checkpoint

# one module under both names, its parts too: a second import would make a second set of classes
for _name, _module in (("", data), (".dataloader", dataloader), (".dataset", dataset), (".sampler", sampler)):
    sys.modules[f"{__name__}.data{_name}"] = _module
