"""The public names: what PolyTensor shares with PyTorch is of the same kind, and it adds next to nothing."""

import inspect
import types

import pytest

import polytensor

OWN = {
    "available_backends": "the choice of backends", "backend_status": "the choice of backends",
    "current_backend": "the choice of backends", "register_backend": "the choice of backends",
    "set_backend": "the choice of backends", "use_backend": "the choice of backends",
}  # fmt: skip
TENSOR = {"is_node": "edges of the graph are nodes or leaf tensors, and the engine asks which"}
SPACES = ("", "linalg", "fft", "special", "nn", "nn.functional", "nn.init", "optim", "optim.lr_scheduler")


def public(home):
    return {n for n in dir(home) if not n.startswith("_") and n.isidentifier()}


def kind(value):
    if inspect.isclass(value):
        return "class"
    if inspect.ismodule(value):
        return "module"
    return "function" if callable(value) else type(value).__name__


def member(cls, name):
    value = inspect.getattr_static(cls, name)
    if isinstance(value, (property, types.GetSetDescriptorType, types.MemberDescriptorType)):
        return "property"
    return "method" if callable(value) or isinstance(value, (staticmethod, classmethod)) else type(value).__name__


def home(module, space):
    for part in space.split(".") if space else ():
        module = getattr(module, part)
    return module


@pytest.mark.parametrize("space", SPACES)
def test_shared_names_are_of_one_kind(oracle, space):
    ours, theirs = home(polytensor, space), home(oracle, space)
    shared = public(ours) & public(theirs)
    kinds = {n: (kind(getattr(ours, n)), kind(getattr(theirs, n))) for n in shared}
    assert {n: k for n, k in kinds.items() if k[0] != k[1]} == {}


def test_members_of_tensor_are_of_one_kind(oracle):
    theirs = oracle.Tensor
    names = [n for n in dir(polytensor.Tensor) if n in dir(theirs) and n not in ("__doc__", "__new__")]
    kinds = {n: (member(polytensor.Tensor, n), member(theirs, n)) for n in names}
    assert {n: k for n, k in kinds.items() if k[0] != k[1]} == {}


def test_torch_adds_no_names(oracle):
    # a file of the package shows in it once it is imported
    files = {n for n in public(polytensor) if getattr(getattr(polytensor, n), "__name__", "") == f"polytensor.{n}"}
    assert public(polytensor) - public(oracle) - set(OWN) - files == set()


def test_tensor_adds_no_names(oracle):
    assert public(polytensor.Tensor) - public(oracle.Tensor) == set(TENSOR)


@pytest.mark.parametrize("space", [s for s in SPACES if s])
def test_namespaces_export_no_names(oracle, space):
    ours, theirs = home(polytensor, space), home(oracle, space)
    assert set(getattr(ours, "__all__", ())) - public(theirs) == set()


def test_methods_in_place_exist_in_pytorch(oracle):
    """Names such as torch.digamma_ that the pattern of in-place names would give, and PyTorch has not."""
    for ours, theirs in ((polytensor, oracle), (polytensor.Tensor, oracle.Tensor)):
        assert [n for n in public(ours) if n.endswith("_") and not hasattr(theirs, n)] == []


def test_parameters_bear_the_same_names(oracle):
    """A method that both can describe takes its arguments by the same names."""
    differing = []
    for name in public(polytensor.Tensor) & public(oracle.Tensor):
        try:
            a, b = (list(inspect.signature(getattr(m.Tensor, name)).parameters) for m in (polytensor, oracle))
        except (TypeError, ValueError):  # PyTorch's built-in methods have no signature
            continue
        if "args" not in b and "kwargs" not in b and a[1:] != b[1:]:
            differing.append((name, a, b))
    assert differing == []
