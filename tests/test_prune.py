"""nn.utils.prune and nn.attention against PyTorch."""

import importlib

import numpy as np
import pytest
from same import same

import polytensor as pt


def net(t):
    """Fixed weights, no two alike in size."""
    layers = t.nn.Sequential(t.nn.Conv2d(2, 4, 3), t.nn.ReLU(), t.nn.Flatten(), t.nn.Linear(16, 3))
    layers.double()
    rng = np.random.default_rng(0)
    for p in layers.parameters():
        p.data.copy_(t.from_numpy(rng.permutation(p.numel()).reshape(tuple(p.shape)) / p.numel() - 0.45))
    return layers


def prune(t):
    return importlib.import_module(f"{t.__name__}.nn.utils.prune")


def state(t, layers):
    x = t.arange(32.0, dtype=t.float64).reshape(1, 2, 4, 4) / 16
    layers.zero_grad()
    out = layers(x)
    out.sum().backward()
    return {
        "names": [n for n, _ in layers.named_parameters()],
        "state": dict(layers.state_dict()),
        "out": out.detach(),
        "grads": [p.grad for p in layers.parameters()],
        "pruned": prune(t).is_pruned(layers),
        "hooks": [[type(h).__name__ for h in m._forward_pre_hooks.values()] for m in layers],
    }


def custom(t):
    return t.tensor([1.0, 0.0, 1.0], dtype=t.float64)


CASES = {
    "identity": lambda t, p, m: p.identity(m[0], "weight"),
    "share": lambda t, p, m: p.l1_unstructured(m[0], "weight", amount=0.3),
    "count": lambda t, p, m: p.l1_unstructured(m[3], name="weight", amount=7),
    "none": lambda t, p, m: p.l1_unstructured(m[3], "weight", 0),
    "scores": lambda t, p, m: p.l1_unstructured(m[3], "bias", 2, importance_scores=t.tensor([3.0, -4.0, 1.0])),
    "channels": lambda t, p, m: p.ln_structured(m[0], "weight", amount=0.5, n=2, dim=0),
    "inputs": lambda t, p, m: p.ln_structured(m[3], "weight", amount=3, n=1, dim=-1),
    "greatest": lambda t, p, m: p.ln_structured(m[3], "weight", 1, float("inf"), 0),
    "mask": lambda t, p, m: p.custom_from_mask(m[3], "bias", custom(t)),
    "all at random": lambda t, p, m: p.random_unstructured(m[0], "weight", 1.0),
    "no channels": lambda t, p, m: p.random_structured(m[0], "weight", 0, dim=1),
    "all channels": lambda t, p, m: p.random_structured(m[0], "weight", 2, dim=1),
    "twice": lambda t, p, m: [p.l1_unstructured(m[0], "weight", 0.25) for _ in range(2)],
    "three kinds": lambda t, p, m: (
        p.ln_structured(m[0], "weight", 1, 2, 0), p.l1_unstructured(m[0], "weight", 0.2), p.ln_structured(m[0], "weight", 1, 1, 1),
        p.custom_from_mask(m[0], "weight", t.ones(4, 2, 3, 3).triu()),
    ),
    "over all": lambda t, p, m: p.global_unstructured(
        [(m[0], "weight"), (m[3], "weight"), (m[3], "bias")], pruning_method=p.L1Unstructured, amount=0.4
    ),
    "over all again": lambda t, p, m: [
        p.global_unstructured([(m[0], "weight"), (m[3], "weight")], p.L1Unstructured, amount=a) for a in (0.2, 30)
    ],
    "over all by scores": lambda t, p, m: p.global_unstructured(
        [(m[0], "weight"), (m[3], "bias")], p.L1Unstructured, {(m[3], "bias"): t.zeros(3)}, amount=4
    ),
    "removed": lambda t, p, m: (p.l1_unstructured(m[0], "weight", 0.3), p.remove(m[0], "weight")) and None,
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_prunes_as_pytorch(oracle, device, case):
    def run(t):
        layers = net(t)
        CASES[case](t, prune(t), layers)
        return state(t, layers)

    same(run, oracle)


WRONG = {
    "negative": lambda t, p, m: p.l1_unstructured(m[0], "weight", -1),
    "over one": lambda t, p, m: p.l1_unstructured(m[0], "weight", 1.5),
    "text": lambda t, p, m: p.random_unstructured(m[0], "weight", "a"),
    "too many": lambda t, p, m: p.l1_unstructured(m[3], "bias", 4),
    "flat": lambda t, p, m: p.ln_structured(m[3], "bias", 1, 2, 0),
    "no such dim": lambda t, p, m: p.random_structured(m[3], "weight", 1, 2),
    "not pruned": lambda t, p, m: p.remove(m[3], "weight"),
    "scores": lambda t, p, m: p.l1_unstructured(m[3], "bias", 1, importance_scores=t.ones(2)),
    "mask": lambda t, p, m: p.custom_from_mask(m[3], "bias", t.ones(2)),
    "not iterable": lambda t, p, m: p.global_unstructured(3, p.L1Unstructured, amount=1),
    "structured": lambda t, p, m: p.global_unstructured([(m[3], "weight")], p.LnStructured, amount=1, n=2),
    "other name": lambda t, p, m: p.PruningContainer(p.identity(m[3], "bias")._forward_pre_hooks[0]),
    "scores of a tensor": lambda t, p, m: p.L1Unstructured(1).prune(t.ones(3), importance_scores=t.ones(2)),
    "unnamed": lambda t, p, m: p.PruningContainer(p.Identity()),
    "a list": lambda t, p, m: p.PruningContainer([p.Identity()]),
    "no method": lambda t, p, m: p.PruningContainer().add_pruning_method(3),
}


@pytest.mark.parametrize("case", WRONG)
def test_refuses_as_pytorch(oracle, case):
    same(
        lambda t: WRONG[case](t, prune(t), net(t)), oracle, message=case != "structured"
    )  # this one has the class's home


def test_random_choices(device):
    pt.manual_seed(0)
    p, layers = prune(pt), net(pt)
    p.random_unstructured(layers[3], "weight", 11)
    assert (layers[3].weight == 0).sum().item() == 11 == (layers[3].weight_mask == 0).sum().item()
    p.random_structured(layers[0], "weight", 0.5, dim=0)
    gone = (layers[0].weight == 0).flatten(1).all(1)
    assert gone.sum().item() == 2 and (layers[0].weight != 0)[~gone].float().mean().item() > 0.9


def test_methods_by_themselves(oracle):
    def run(t):
        p = prune(t)
        methods = [p.L1Unstructured(2), p.LnStructured(1, 2, 0)]
        container = p.PruningContainer()
        container._tensor_name = "w"
        for method in methods:
            method._tensor_name = "w"
            container.add_pruning_method(method)
        x = t.tensor([[3.0, -1.0, 2.0], [0.5, 4.0, -6.0]])
        pruned = [methods[0].prune(x), methods[0].prune(x, t.ones(2, 3).tril()), container.prune(x)]
        alone = list(p.PruningContainer(methods[0])) == methods[:1]
        mask = container.compute_mask(x, t.ones(2, 3).tril().long())  # of x's dtype
        return len(container), [type(m).__name__ for m in container], container[1] is methods[1], pruned, alone, mask

    same(run, oracle)


@pytest.mark.parametrize("backends", ["MATH", ["FLASH_ATTENTION", "MATH"], 3, None])
def test_choice_of_attention_kernels(oracle, device, backends):
    def run(t):
        a = importlib.import_module(f"{t.__name__}.nn.attention")
        named = [a.SDPBackend.__members__[b] for b in backends] if isinstance(backends, list) else backends
        with a.sdpa_kernel(a.SDPBackend.__members__[named] if isinstance(named, str) else named):
            q = t.arange(12.0).reshape(1, 1, 3, 4) / 10
            return (
                t.nn.functional.scaled_dot_product_attention(q, q, q),
                str(a.SDPBackend.MATH),
                repr(a.SDPBackend.MATH),
            )

    same(run, oracle)
