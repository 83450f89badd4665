"""Where PyTorch keeps the parts of its loader: collate, worker, pin_memory. Source: torch.utils.data._utils."""

import sys

from .. import collate as collate
from .. import placement
from .. import worker as worker

pin_memory = placement
for _name, _module in (("collate", collate), ("pin_memory", placement), ("worker", worker)):
    sys.modules[f"{__name__}.{_name}"] = _module
