"""A backend made outside the package: NumPy arrays, and every kernel call checked against the contract.

`empty` is full of NaN, so that a kernel which forgets elements shows; arrays of one call must have one dtype,
since promotion is the front's work; and no kernel writes into its inputs, except where that is its job.
"""

from functools import wraps

import numpy as np

from polytensor.backends.numpy import NumpyBackend

CONTRACT = {
    "availability", "empty", "asarray", "to_numpy", "from_numpy", "copy", "synchronize", "memory_info",
    "random_words", "scalar", "name", "device_type", "xp", "scalar_types", "cast",
}  # fmt: skip
# kernels that take masks or indices beside values, or parameters of which each has a dtype of its own
MIXED = (
    "where", "keep", "index", "gather", "scatter", "cross_entropy", "ctc_loss", "max_pool2d_", "check_index", "write", "view_scatter",
    "histogram", "bincount", "counts", "take_along", "add_along",
    "permute_rows", "masked_scale", "attend", "linalg_ldl_solve", "ldexp", "embedding", "bag", "nll",
    "sgd_step", "adam_step", "rule_many",
)  # fmt: skip
WRITES = {
    "write",
    "index_put",
    "scatter",
    "scatter_add",
    "sgd_step",
    "adam_step",
    "iadd",
    "assign",
    "relu_within",
    "move_average",
}


def _arrays(args):
    for x in args:
        if isinstance(x, np.ndarray):
            yield x
        elif isinstance(x, (list, tuple)):
            yield from _arrays(x)


def checked(name, kernel):
    """`kernel` with its inputs checked before and after."""

    @wraps(kernel)
    def call(*args, **kwargs):
        inputs = list(_arrays(args))
        dtypes = {x.dtype for x in inputs}
        if len(dtypes) > 1 and not name.startswith(MIXED):
            raise TypeError(f"{name}: dtypes reach a backend unresolved: {', '.join(map(str, dtypes))}")
        out = kwargs.get("out")
        written = [x for x in (out if isinstance(out, tuple) else (out,)) if x is not None]
        before = None if name in WRITES else [(x, x.tobytes()) for x in inputs]
        with np.errstate(all="ignore"):
            result = kernel(*args, **kwargs)
        for x, old in before or ():
            if x.tobytes() != old and not any(np.may_share_memory(x, w) for w in written):
                raise RuntimeError(f"{name}: a kernel wrote into its input of shape {x.shape}")
        return result

    return call


class CheckedBackend(NumpyBackend):
    """See the module's text."""

    name = "checked"

    def __init__(self):
        super().__init__()
        for name in dir(self):
            kernel = getattr(self, name)
            if callable(kernel) and not name.startswith("_") and name not in CONTRACT:
                setattr(self, name, checked(name, kernel))

    def empty(self, shape, dtype):
        out = np.empty(shape, dtype)
        out.fill(np.nan if out.dtype.kind in "fcV" else True if out.dtype.kind == "b" else np.iinfo(dtype).max)
        return out
