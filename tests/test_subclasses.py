"""Subclasses of Tensor and Parameter are made as in PyTorch; what ops give for them is in test_overrides.py."""

import copy
import pickle

import pytest


def test_without_a_constructor(both):
    t = both.module

    class Plain(t.Tensor):
        pass

    x = Plain([1, 2])
    assert type(x) is Plain and isinstance(x, t.Tensor) and x.dtype is t.float32 and x.tolist() == [1, 2]
    assert type(Plain(2, 3)) is Plain and Plain(2, 3).shape == (2, 3)
    assert type(t.ones(2).as_subclass(Plain)) is Plain and type(Plain(t.ones(2))) is Plain
    assert issubclass(Plain, t.Tensor) and type(t.Tensor([1])) is t.Tensor


def test_with_constructors(both):
    t = both.module

    class Named(t.Tensor):
        @staticmethod
        def __new__(cls, data, name=None, *args, **kwargs):
            return super().__new__(cls, data, *args, **kwargs)

        def __init__(self, data, name=None):
            self.name_of_it = name

    class Further(Named):
        def __init__(self, data, name):
            super().__init__(data, name)
            self.further = True

    x, y = Named([1.0, 2.0], "x"), Further([3.0], name="y")
    assert type(x) is Named and x.name_of_it == "x" and x.tolist() == [1, 2]
    assert type(y) is Further and y.further and y.name_of_it == "y" and (y + 1).item() == 4
    y.requires_grad_()
    (y * y).sum().backward()
    assert y.grad.tolist() == [6]


def test_make_subclass(both):
    t = both.module

    class Tagged(t.Tensor):
        @staticmethod
        def __new__(cls, data, tag):
            made = t.Tensor._make_subclass(cls, t.as_tensor(data), True)
            made.tag = tag
            return made

        def __init__(self, data, tag):
            pass

    source = t.ones(2)
    x = Tagged(source, 3)
    assert type(x) is Tagged and x.tag == 3 and x.requires_grad and x.is_leaf
    assert x.data_ptr() == source.data_ptr() and not source.requires_grad


def test_parameters(both):
    t = both.module

    class Named(t.nn.Parameter):
        def __new__(cls, data=None, requires_grad=True, name=None):
            made = super().__new__(cls, data, requires_grad)
            made.name_of_it = name
            return made

    m = t.nn.Module()
    m.p = Named(t.ones(2), name="p")
    assert [*m.parameters()] == [m.p] and m.p.name_of_it == "p" and type(m.p) is Named and m.p.requires_grad
    with pytest.raises(TypeError):
        t.nn.Parameter(t.ones(2), name="p")


def test_copies_of_plain_ones(both):
    t = both.module
    for x in (t.ones(2), t.nn.Parameter(t.ones(2))):
        for y in (copy.deepcopy(x), pickle.loads(pickle.dumps(x))):
            assert type(y) is type(x) and y.tolist() == [1, 1] and y.requires_grad == x.requires_grad
