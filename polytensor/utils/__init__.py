"""torch.utils: data."""

import sys

from .. import data as data

sys.modules[__name__ + ".data"] = data  # one module under both names
