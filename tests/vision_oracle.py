"""torchvision as the oracle, also where its binary does not fit the PyTorch at hand: only its Python is used."""

import pytest


def load():
    """torchvision; the test is skipped where it cannot be imported."""
    torch = pytest.importorskip("torch")
    real = torch.library.register_fake

    def register(op, func=None, /, **kwargs):
        if isinstance(op, str) and op.startswith("torchvision::"):  # an operator of the missing binary
            return func if func is not None else lambda f: f
        return real(op, func, **kwargs)

    torch.library.register_fake = register
    try:
        import torchvision
        import torchvision.transforms.v2  # noqa: F401
    except (ImportError, RuntimeError, OSError, AttributeError) as error:
        pytest.skip(f"torchvision cannot be imported: {error}")
    finally:
        torch.library.register_fake = real
    return torchvision
