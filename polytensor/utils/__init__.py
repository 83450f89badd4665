"""torch.utils: data, checkpoint."""

import sys

from .. import data as data
from . import _pytree as _pytree
from . import checkpoint as checkpoint
from . import deterministic as deterministic
from . import dlpack as dlpack
from . import hooks as hooks
from . import model_zoo as model_zoo
from . import snapshots as snapshots

# one module under both names, its parts too: a second import would make a second set of classes
for _name, _module in list(sys.modules.items()):
    if _name == data.__name__ or _name.startswith(data.__name__ + "."):
        sys.modules[f"{__name__}.data{_name[len(data.__name__) :]}"] = _module
