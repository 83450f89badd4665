"""torch.utils.data: the package polytensor.data under PyTorch's name, its parts too."""

import sys

from .. import data

# one module under both names: a second import would make a second set of classes
for _name, _module in list(sys.modules.items()):
    if _name == data.__name__ or _name.startswith(data.__name__ + "."):
        sys.modules[f"{__name__}{_name[len(data.__name__) :]}"] = _module
