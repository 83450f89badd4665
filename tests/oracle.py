"""Shared by tests that run on PolyTensor and on PyTorch: a module seen from one device, and messages."""

LEAF = "a leaf Variable that requires grad is being used in an in-place operation"
VIEW = "a view of a leaf Variable that requires grad is being used in an in-place operation"
MODIFIED = "one of the variables needed for gradient computation has been modified by an inplace operation"
TWICE = "Trying to backward through the graph a second time"
SCALAR = "grad can be implicitly created only for scalar outputs"
NO_GRAD = "element 0 of tensors does not require grad and does not have a grad_fn"


class Here:
    """A module as seen from one device: `leaf` makes a float64 leaf there."""

    def __init__(self, module, device=None):
        self.module, self.device = module, device

    def __getattr__(self, name):
        return getattr(self.module, name)

    def leaf(self, values, grad=True):
        return self.module.tensor(values, dtype=self.module.float64, device=self.device, requires_grad=grad)


def short(fn):
    """A node's name; PyTorch's own nodes are called torch::autograd::AccumulateGrad, and so on."""
    return fn.name().split("::")[-1]
