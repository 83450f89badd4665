"""One piece of code on PolyTensor and on PyTorch: results, or errors, must be the same."""

import math
import warnings

import polytensor


def outcome(fn, module):
    """What fn(module) gives, in plain Python values; for an error its class and message."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return plain(fn(module))
    except Exception as error:
        kind = next(c.__name__ for c in type(error).__mro__ if c.__module__ == "builtins")
        return kind, str(error)


def plain(x):
    if hasattr(x, "requires_grad"):
        return str(x.dtype), tuple(x.shape), x.requires_grad, x.detach().tolist()
    if isinstance(x, dict):
        return {k: plain(v) for k, v in x.items()}
    if isinstance(x, (tuple, list)):
        return [plain(v) for v in x]
    return x


def close(a, b):
    if isinstance(a, float) and isinstance(b, float):
        return math.isclose(a, b, rel_tol=1e-6, abs_tol=1e-9) or (math.isnan(a) and math.isnan(b))
    if isinstance(a, (tuple, list)) and isinstance(b, (tuple, list)):
        return len(a) == len(b) and all(close(x, y) for x, y in zip(a, b, strict=True))
    if isinstance(a, dict) and isinstance(b, dict):
        return list(a) == list(b) and all(close(a[k], b[k]) for k in a)
    return a == b


def same(fn, oracle, message=True):
    """Assert that fn gives the same with both modules; `message`: the text of an error counts too, not its class only."""
    ours, theirs = outcome(fn, polytensor), outcome(fn, oracle)
    if not message and isinstance(theirs, tuple) and len(theirs) == 2 and isinstance(theirs[1], str):
        ours, theirs = ours[:1], theirs[:1]
    assert close(ours, theirs), f"\nPolyTensor: {ours}\nPyTorch:    {theirs}"
