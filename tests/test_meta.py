"""Tensors without data: what they show, what they refuse, and modules that are made of them, as in PyTorch."""

import copy
import io
import warnings

import numpy as np
import pytest
from same import outcome

import polytensor as pt
import polytensor.nn as nn

LINES = r"""
x
x.is_meta, x.is_cpu, x.device, x.dtype, x.type(), x.nbytes, x.element_size()
torch.device('meta'), torch.device('meta', 0), torch.device('meta:1').index
x + 1, x * x, x.exp(), x > 0, x @ x.T, x.sum(), x.argmax(), x.mean(0), x.softmax(1), x.T.stride()
torch.cat([x, x]), torch.stack([x, x], 1), x.repeat(2, 2), x[0], x[:, 1:], x[[0, 1, 1]], list(x)
x.half(), x.long(), x.to(torch.float64), x.clone(), x.detach(), copy.deepcopy(x), x.reshape(3, 2), x.T.contiguous()
x.T.clone().stride(), torch.empty_like(x.T).stride(), x.T.exp().stride(), x.T.double().stride()
torch.empty(2, device='meta'), torch.zeros(2, 0, device='meta'), torch.ones((), device='meta'), torch.full((2,), 3, device='meta')
torch.rand(2, device='meta'), torch.randint(3, (2,), device='meta'), torch.randperm(3, device='meta')
torch.arange(3, device='meta'), torch.linspace(0, 1, 3, device='meta'), torch.eye(2, device='meta')
torch.tensor([1, 2], device='meta'), torch.tensor(1.0, device='meta', dtype=torch.float64), torch.ones(2).to('meta')
torch.empty_strided((2, 3), (1, 2), device='meta').stride(), torch.empty_like(torch.ones(2), device='meta')
torch.zeros(10**5, 10**4, device='meta').sum(1)
torch.nn.Conv2d(3, 5, 2, device='meta')(torch.rand(2**10, 3, 2**16, 2**16, device='meta')).relu()
torch.nn.Conv1d(3, 6, 3, stride=2, device='meta')(torch.rand(2, 3, 10**9, device='meta'))
torch.nn.Conv3d(1, 2, (1, 2, 3), padding=1, device='meta')(torch.ones(1, 1, 4, 5, 6, device='meta'))
torch.zeros(10**6, 10**6, device='meta').stride(), torch.zeros(10**6, 10**6, device='meta').T.exp().stride()
torch.nn.functional.max_pool2d(torch.rand(2**10, 3, 2**15, 2**15, device='meta'), 3, 2, 1, ceil_mode=True, return_indices=True)
x.normal_(), x.uniform_(0, 1), x.zero_(), x.fill_(3), x.copy_(torch.ones(2, 3)), x.add_(1), x.mul_(x), x.clamp_(0, 1)
x.requires_grad_(), torch.nn.Parameter(x)
(x.requires_grad_() * 2).sum().backward() or x.grad
x.to('meta') is x, torch.empty_like(x, device='cpu').shape
x + torch.tensor(1.0)
torch.nn.init.xavier_uniform_(x), torch.nn.init.trunc_normal_(x), torch.nn.init.orthogonal_(x), torch.nn.init.kaiming_normal_(x)
torch.nn.functional.dropout(x), torch.nn.functional.conv2d(torch.ones(1, 3, 9, 9, device='meta'), torch.ones(8, 3, 3, 3, device='meta')).shape
torch.nn.functional.cross_entropy(torch.ones(3, 4, device='meta'), torch.zeros(3, dtype=torch.long, device='meta'))
torch.multinomial(torch.ones(3, device='meta'), 2), torch.bernoulli(x), torch.normal(x, 1.0)
x.untyped_storage(), x.data_ptr()
x.bfloat16(), x.bfloat16() + x.bfloat16(), x.bfloat16() @ x.bfloat16().T
torch.linalg.qr(x).R.shape, torch.einsum('ij,kj->ik', x, x), x.var(), x.topk(2).values, x.cumsum(0), x.sort().indices
torch.baddbmm(torch.ones(2, 1, 1, device='meta'), torch.ones(2, 3, 4, device='meta'), torch.ones(2, 4, 5, device='meta'))
x[0, 0].item()
x.item()
bool(x[0, 0])
float(x[0, 0])
x.tolist()
x.numpy()
np.asarray(x)
x.cpu()
x.to('cpu')
torch.ones(2, 3).copy_(x)
torch.allclose(x, x)
""".strip().splitlines()
REFUSED = r"""
torch.nonzero(x)
x[x > 0]
torch.equal(x, x)
x.unique()
x + torch.ones(2, 3)
x @ torch.ones(4, 2, device='meta')
x.view(5)
torch.nn.Linear(3, 4)(x)
""".strip().splitlines()


def run(line):
    def fn(torch):
        return repr(eval(line, {"torch": torch, "x": torch.zeros(2, 3, device="meta"), "copy": copy, "np": np}))

    return fn


@pytest.mark.parametrize("line", LINES)
def test_same_as_pytorch(line, oracle):
    assert outcome(run(line), pt) == outcome(run(line), oracle)


@pytest.mark.parametrize("line", REFUSED)
def test_refused_as_in_pytorch(line, oracle):
    """The class of the error; the texts are our own."""
    ours, theirs = outcome(run(line), pt), outcome(run(line), oracle)
    assert isinstance(theirs, tuple) and ours[0] == theirs[0]


MODULES = r"""
with torch.device("meta"):
    print(torch.empty(2), torch.ones(2).device, torch.tensor([1]))
    model = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Embedding(10, 4), nn.LSTM(3, 4))
    with torch.device("cpu"):
        print(torch.ones(1))
print(torch.ones(1), model[0].weight, model[0](torch.ones(2, 3, device="meta")))
print(sum(p.numel() for p in model.parameters()), all(p.is_meta for p in model.state_dict().values()))
for wrong in (lambda: model.to("cpu"), lambda: model.cpu()):
    try:
        wrong()
    except NotImplementedError as error:
        print(error)
print(model.half()[0].weight, copy.deepcopy(model)[0].bias, nn.Linear(3, 4).to("meta").weight)
model.float().to_empty(device="cpu")
print(model[0].weight.shape, {str(p.device) for p in model.parameters()})
print(nn.Linear(2, 3, device="meta").bias, list(nn.LSTM(2, 3, device="meta").state_dict().items())[0])

source = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4))
with torch.device("meta"):
    model = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4))
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    print(model.load_state_dict(source.state_dict()))
print([str(w.message) for w in caught], model[0].weight.is_meta)
model[0].weight.requires_grad_(False)
print(model.load_state_dict(source.state_dict(), assign=True))
for p in (model[0].weight, model[0].bias, model[1].running_mean):
    print(type(p), p.device, p.requires_grad)
x = torch.ones(2, 3)
print(torch.equal(model(x), source(x)), model[0].weight.data_ptr() == source[0].weight.data_ptr())

torch.set_default_device("meta")
print(torch.ones(2), torch.get_default_device())
torch.set_default_device(None)

models = [nn.Linear(2, 2) for _ in range(3)]
params, buffers = torch.func.stack_module_state(models)
base = copy.deepcopy(models[0]).to("meta")
x = torch.ones(3, 2)
one = lambda p, b, x: torch.func.functional_call(base, (p, b), (x,))
print(torch.allclose(torch.vmap(one)(params, buffers, x), torch.stack([m(v) for m, v in zip(models, x)])))
optimizer = torch.optim.Adam(nn.Linear(2, 2, device="meta").parameters())
"""


def test_modules(oracle, capsys):
    texts = []
    for module in (pt, oracle):
        exec(MODULES, {"torch": module, "nn": module.nn, "copy": copy, "warnings": warnings, "print": print})
        texts.append(capsys.readouterr().out)
    assert texts[0] == texts[1]


@pytest.mark.parametrize("legacy", [False, True])
def test_files(legacy, oracle):
    """Written here and by PyTorch, read in both; map_location='meta' reads no data."""
    made = {"a": 0, "w": 1}
    for module in (pt, oracle):
        x = module.zeros(3, 2, device="meta").T
        made = {"a": x, "w": module.nn.Parameter(module.zeros(4, dtype=module.float16, device="meta"))}
        file = io.BytesIO()
        module.save(made, file, _use_new_zipfile_serialization=not legacy)
        for reader in (pt, oracle):
            file.seek(0)
            back = reader.load(file)
            assert repr(back) == repr(made) and back["a"].stride() == (1, 2)
    file = io.BytesIO()
    pt.save(nn.Linear(2, 3).state_dict(), file)
    file.seek(0)
    state = pt.load(file, map_location="meta")
    assert state["weight"].is_meta and state["weight"].shape == (3, 2)


@pytest.mark.parametrize(
    "size, stride", [((2**40, 2**40), (1, 1)), ((2**61,), (0,)), ((2,), ()), ((-1,), (1,)), ("a", (1,))]
)
def test_wrong_files(size, stride):
    from polytensor.files.reading import Builder

    with pytest.raises(Exception, match="cannot load"):
        Builder("f", None, {}).meta_tensor(pt.float32, size, stride, False)


def test_large_models_take_no_memory():
    """8 GB of parameters, with their random initialisation and a copy."""
    import resource

    with pt.device("meta"):
        model = nn.Sequential(*(nn.Linear(16384, 16384) for _ in range(8)))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    again = copy.deepcopy(model).half()
    y = again(pt.ones(64, 16384, dtype=pt.half, device="meta"))
    assert y.shape == (64, 16384) and sum(p.nbytes for p in model.parameters()) > 8 * 2**30
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200_000  # kB


def test_not_a_backend():
    assert "meta" not in pt.backends.available_backends() if hasattr(pt.backends, "available_backends") else True
    with pytest.raises(RuntimeError, match="unknown PolyTensor backend"):
        pt.devices.get_backend("meta")
    with pt.device("meta"), pt.devices.use_backend("numpy"):
        assert pt.ones(1).device.type == "cpu"
