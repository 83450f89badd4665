"""What courses on PyTorch show of tensors, autograd and small networks: both libraries must print the same.

Random numbers cannot be equal by design, so DRIVER puts one sequence in the place of both generators.
Blocks that such courses print and that PyTorch 2.13 itself cannot run need names or files that they do not define
(data sets, torchvision, a CUDA device), or are not Python (a full-width comma in an argument list).
"""

import os
import subprocess
import sys

import pytest

DRIVER = """
import sys, traceback
import numpy as np
import torch
from torch import nn

state = [0]


def sequence(shape):
    n = int(np.prod(shape))
    k = np.arange(state[0], state[0] + n, dtype=np.int64)
    state[0] += n
    return ((k * 7919 + 12345) % 10007 / 10007).reshape(shape)


def size_of(size):
    return tuple(size[0]) if len(size) == 1 and not isinstance(size[0], int) else tuple(size)


def filled(t, values):
    with torch.no_grad():
        return t.copy_(torch.from_numpy(np.asarray(values)).to(t.dtype))


def maker(low, high):
    def make(*size, requires_grad=False, **kw):
        t = torch.empty(size_of(size), **kw)
        return filled(t, low + (high - low) * sequence(tuple(t.shape))).requires_grad_(requires_grad)

    def like(x, **kw):
        t = torch.empty_like(x, **kw)
        return filled(t, low + (high - low) * sequence(tuple(t.shape)))

    return make, like


def randint(low, high, size, **kw):
    return filled(torch.empty(tuple(size), **{"dtype": torch.int64, **kw}), low + np.floor((high - low) * sequence(tuple(size))))


torch.rand, torch.rand_like = maker(0, 1)
torch.randn, torch.randn_like = maker(-2, 2)
torch.randint = randint
torch.Tensor.uniform_ = lambda t, a=0, b=1, generator=None: filled(t, a + (b - a) * sequence(tuple(t.shape)))
torch.Tensor.normal_ = lambda t, m=0, s=1, generator=None: filled(t, m + s * (4 * sequence(tuple(t.shape)) - 2))
for name, text in PROGRAMS.items():
    state[0] = 0
    print("=====" + name)
    try:
        exec(compile(text, name, "exec"), {"torch": torch, "np": np, "nn": nn, "__name__": "__main__"})
    except Exception:
        traceback.print_exc()
"""

PROGRAMS = {
    "creation": """
print(torch.tensor(10), torch.tensor([5.5, 3]), torch.tensor([[1, 2], [3, 4]]), torch.tensor([True, False]))
print(torch.tensor(np.array([[1.5, 2], [3, 4]])), torch.from_numpy(np.ones(3, dtype=np.float32)))
x = torch.tensor([[1, 2], [3, 4]])
print(f"Ones: \\n {torch.ones_like(x)} \\n", torch.rand_like(x, dtype=torch.float))
print(torch.rand((2, 3)), torch.randn(2, 3), torch.ones((2, 3)), torch.zeros(2, 3), torch.zeros(5, 3, dtype=torch.long))
print(torch.Tensor([10]), torch.IntTensor([2.5, 3.3]), torch.Tensor(2, 3).shape, torch.IntTensor(2, 3).dtype)
print(torch.ShortTensor().dtype, torch.LongTensor().dtype, torch.FloatTensor(), torch.DoubleTensor())
print(torch.arange(0, 10, 2), torch.linspace(0, 9, 10), torch.logspace(0, 3, 4), torch.arange(1, 2.5, 0.5))
print(torch.full([2, 3], 10), torch.full_like(torch.ones(2), 7), torch.eye(3), torch.empty(5, 3).shape)
y = torch.ones(2).new_ones(5, 3, dtype=torch.double)
print(y, torch.randn_like(y, dtype=torch.float), y.size(), type(y.size()))
torch.manual_seed(100)
print(torch.initial_seed(), torch.randint(0, 10, [2, 3]), torch.randint(0, 10, [2, 3], dtype=torch.float64))
""",
    "attributes": """
t = torch.rand(3, 4)
print(f"Shape of tensor: {t.shape}\\nDatatype of tensor: {t.dtype}\\nDevice tensor is stored on: {t.device}")
print(t.ndim, t.dim(), t.numel(), t.size(0), t.size(-1), len(t), t.is_contiguous(), t.requires_grad, t.is_leaf)
print(t.type(), type(t), t.layout, t.stride(), t.element_size(), t.T.shape, t.shape[0], t.shape[1:])
device = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
print(f"Using {device} device", torch.device("cuda:0" if torch.cuda.is_available() else "cpu"))
""",
    "conversion": """
d = torch.full([2, 3], 10)
print(d.dtype, d.type(torch.DoubleTensor).dtype, d.type(dtype=torch.float16).dtype, d.type(torch.ShortTensor))
print(d.half(), d.float(), d.double(), d.short(), d.int(), d.long(), d.bool(), d.to(torch.bfloat16))
t = torch.tensor([2, 3, 4])
n = t.numpy()
print(type(t), type(n))
n[0] = 100
print(t, n)
m = t.numpy().copy()
m[0] = 7
print(t, m)
a = np.array([2, 3, 4])
s, c = torch.from_numpy(a), torch.tensor(a)
s[0], c[1] = 100, 5
print(a, s, c)
v = np.ones(5)
u = torch.from_numpy(v)
np.add(v, 1, out=v)
print(f"t: {u}", f"n: {v}")
o = torch.ones(5)
k = o.numpy()
o.add_(1)
print(f"t: {o}", f"n: {k}")
print(torch.tensor([30]).item(), torch.tensor(30).item(), torch.tensor(2.5).item(), o.sum().item(), type(o.sum().item()))
print([v.item() for v in torch.tensor([1, 2])], o.tolist(), int(torch.tensor(3.7)), float(torch.tensor(2)))
""",
    "arithmetic": """
d = torch.randint(0, 10, [2, 3])
print(d, d.add(10), d + 10, d.sub(100), d.mul(100), d.div(100), d.neg(), d // 3, d % 3, d ** 2, d / 2)
d.add_(10)
d -= 1
print(d)
a, b = torch.tensor([[1, 2], [3, 4]]), torch.tensor([[5, 6], [7, 8]])
print(a * b, torch.mul(a, b), a @ b, torch.matmul(a, b), a.matmul(b), a.mm(b))
print(torch.tensor([[1, 2], [3, 4], [5, 6]]) @ b)
x, y = torch.rand(5, 3), torch.rand(5, 3)
r = torch.empty(5, 3)
torch.add(x, y, out=r)
print(x + y, r, y.add_(x))
t = torch.ones(4, 4)
t[:, 1] = 0
y3 = torch.rand_like(t)
torch.matmul(t, t.T, out=y3)
print(y3, t @ t.T == y3, t.sum(), t * t)
print(f"{t} \\n")
t.add_(5)
print(t)
""",
    "functions": """
d = torch.randint(1, 10, [2, 3], dtype=torch.float64)
print(d, d.mean(), d.mean(dim=0), d.mean(dim=1), d.sum(), d.sum(dim=0), d.sum(dim=1, keepdim=True))
print(torch.pow(d, 2), d.sqrt(), d.exp(), d.log(), d.log2(), d.log10(), d.max(), d.min(dim=0), d.max(1), d.argmax(1))
print(d.std(), d.var(0), d.median(), d.cumsum(0), d.prod(1), d.clamp(2, 5), d.sort(1), d.topk(2), d.unique(), d.norm())
print(torch.tensor([1, 2, 3]).float().mean(), torch.abs(torch.tensor([-1.5, 2])), torch.round(torch.tensor([0.5, 1.5])))
try:
    torch.tensor([1, 2]).mean()
except RuntimeError as error:
    print(error)
""",
    "indexing": """
d = torch.randint(0, 10, [4, 5])
print(d, d[0], d[:, 0], d[..., -1], d[[0, 1], [1, 2]], d[[[0], [1]], [1, 2]], d[:3, :2], d[2:, :2])
print(d[d[:, 2] > 5], d[:, d[1] > 5], d[1:3, ::2], d[-1], d[0, 0], d[None].shape, d[0, 0].item())
d = torch.randint(0, 10, [3, 4, 5])
print(d, d[0, :, :], d[:, 0, :], d[:, :, 0], d[..., 1:2].shape)
t = torch.ones(4, 4)
print(f"First row: {t[0]}\\nFirst column: {t[:, 0]}\\nLast column: {t[..., -1]}")
t[:, 1] = 0
t[t == 0] = 7
t[2] += 1
print(t, torch.where(t > 1, t, torch.zeros(())), t.nonzero()[:3], (t > 1).sum())
""",
    "shapes": """
d = torch.tensor([[10, 20, 30], [40, 50, 60]])
print(d.shape, d.shape[0], d.size(), d.size(1), d.reshape(1, 6), d.reshape(-1, 2).shape, d.view(3, 2), d.flatten())
x = torch.tensor([1, 2, 3, 4, 5])
print(x.unsqueeze(dim=0), x.unsqueeze(1), x.unsqueeze(-1).shape, x.unsqueeze(-1).squeeze(), x[None, :, None].shape)
d3 = torch.tensor(np.arange(60).reshape(3, 4, 5))
print(d3.dtype, torch.transpose(d3, 1, 2).shape, torch.permute(d3, [1, 2, 0]).shape, d3.permute([1, 2, 0])[0], d3.mT.shape)
u = torch.transpose(d, 0, 1)
print(d.is_contiguous(), u, u.shape, u.is_contiguous(), u.contiguous().is_contiguous(), u.contiguous().view(2, 3), u.stride())
try:
    u.view(6)
except RuntimeError as error:
    print(error)
r = torch.randn(4, 4)
print(r.size(), r.view(16).size(), r.view(-1, 8).size(), r.view(16)[0] == r[0, 0])
try:
    d.reshape(4, 2)
except RuntimeError as error:
    print(error)
""",
    "joining": """
a, b = torch.randint(0, 10, [1, 2, 3]), torch.randint(0, 10, [1, 2, 3])
for dim in range(3):
    print(torch.cat([a, b], dim=dim), torch.concat([a, b], dim=dim).shape, torch.stack([a, b], dim=dim).shape)
t = torch.ones(2, 2)
print(torch.cat([t, t, t], dim=1), torch.stack([t, t]), t.repeat(2, 1), torch.split(torch.arange(5), 2), torch.arange(6).chunk(3))
try:
    torch.cat([torch.ones(2, 3), torch.ones(2, 2)], 0)
except RuntimeError as error:
    print(str(error).partition(" (shapes")[0])
""",
    "graph": """
x = torch.ones(2, 2, requires_grad=True)
y = x + 2
z = y * y * 3
out = z.mean()
print(x, y, type(y.grad_fn).__name__, z, out)
out.backward()
print(x.grad)
a = torch.randn(2, 2)
a = (a * 3) / (a - 1)
print(a.requires_grad)
a.requires_grad_(True)
b = (a * a).sum()
print(a.requires_grad, b, b.grad_fn.name())
x = torch.randn(4, 5)
print(x.requires_grad, x.requires_grad_(True).requires_grad)
(x ** 2).sum().backward()
print(x.grad)
x = torch.randn(3, requires_grad=True)
y = x * 2
while y.data.norm() < 1000:
    y = y * 2
print(y)
y.backward(torch.tensor([0.1, 1.0, 0.0001], dtype=torch.float))
print(x.grad, x.requires_grad, (x ** 2).requires_grad)
with torch.no_grad():
    print((x ** 2).requires_grad)
x, y = torch.ones(5), torch.zeros(3)
w, b = torch.randn(5, 3, requires_grad=True), torch.randn(3, requires_grad=True)
z = torch.matmul(x, w) + b
loss = torch.nn.functional.binary_cross_entropy_with_logits(z, y)
print(z.grad_fn.name(), loss.grad_fn.name(), loss)
loss.backward()
print(w.grad, b.grad, z.detach().requires_grad)
try:
    loss.backward()
except RuntimeError as error:
    print(error)
e = torch.eye(4, 5, requires_grad=True)
o = (e + 1).pow(2).t()
o.backward(torch.ones_like(o), retain_graph=True)
o.backward(torch.ones_like(o), retain_graph=True)
print(e.grad)
e.grad.zero_()
o.backward(torch.ones_like(o))
print(e.grad)
""",
    "gradients": """
w = torch.tensor(10, requires_grad=True, dtype=torch.float32)
loss = 2 * w ** 2
print(type(loss.grad_fn).__name__, loss.sum())
loss.sum().backward()
print(w.grad, w.data, w)
w = torch.tensor([10., 20.], requires_grad=True, dtype=torch.float64)
loss = (w ** 2 + 20).mean()
for i in range(1, 4):
    if w.grad is not None:
        w.grad.zero_()
    loss = (w ** 2 + 20).mean()
    loss.backward()
    w.data = w.data - 0.1 * w.grad
    print(f"step {i}: w {w.data}, grad {w.grad}, loss {loss.item():.5f}", "%.3f" % loss)
x2 = w.detach()
print(w.requires_grad, x2.requires_grad, w.data, x2.data, x2.numpy(), x2.data_ptr() == w.data_ptr())
for bad in (lambda: w.numpy(), lambda: (w * 2).backward(), lambda: torch.tensor([1, 2], requires_grad=True), lambda: w.add_(1)):
    try:
        bad()
    except RuntimeError as error:
        print(error)
v = torch.tensor(5.0, requires_grad=True)
print(torch.autograd.grad(v ** 3, v, create_graph=True), torch.autograd.functional.jacobian(lambda t: t * t, torch.ones(2)))
""",
    "layers": """
class NeuralNetwork(nn.Module):
    def __init__(self):
        super().__init__()
        self.flatten = nn.Flatten()
        self.linear_relu_stack = nn.Sequential(nn.Linear(28 * 28, 32), nn.ReLU(), nn.Linear(32, 10))

    def forward(self, x):
        return self.linear_relu_stack(self.flatten(x))


model = NeuralNetwork().to("cpu")
print(model)
X = torch.rand(1, 28, 28, device="cpu")
p = nn.Softmax(dim=1)(model(X))
print(f"Predicted class: {p.argmax(1)}", p.sum())
image = torch.rand(3, 28, 28)
flat = nn.Flatten()(image)
hidden = nn.Linear(in_features=28 * 28, out_features=20)(flat)
print(image.size(), flat.size(), hidden.size(), f"Before ReLU: {hidden.data.round(decimals=2)}, {hidden.grad_fn.name()}")
print(f"After ReLU: {nn.ReLU()(hidden / 4).data.round(decimals=2)}")
for name, param in model.named_parameters():
    print(f"Layer: {name} | Size: {param.size()} | Values : {param[:2]} \\n")
print([tuple(p.shape) for p in model.parameters()], list(model.state_dict()), model.training, model.eval().training)
print(sum(p.numel() for p in model.parameters()), model.linear_relu_stack[0].bias)
""",
    "convolutions": """
import torch.nn.functional as F


class Net(nn.Module):
    def __init__(self):
        super(Net, self).__init__()
        self.conv1 = nn.Conv2d(1, 6, 5)
        self.pool = nn.MaxPool2d(2, 2)
        self.conv2 = nn.Conv2d(6, 16, 5)
        self.fc1 = nn.Linear(16 * 5 * 5, 20)
        self.fc2 = nn.Linear(20, 10)

    def forward(self, x):
        x = self.pool(F.relu(self.conv1(x)))
        x = F.max_pool2d(F.relu(self.conv2(x)), (2, 2))
        x = x.view(-1, self.count(x))
        return self.fc2(F.relu(self.fc1(x)))

    def count(self, x):
        n = 1
        for s in x.size()[1:]:
            n *= s
        return n


net = Net()
print(net, len(list(net.parameters())), list(net.parameters())[0].size())
input = torch.randn(1, 1, 32, 32)
out = net(input)
print(out.shape, out.grad_fn.name())
net.zero_grad()
out.backward(torch.randn(1, 10))
loss = nn.MSELoss()(net(input), torch.randn(10).view(1, -1))
fn = loss.grad_fn
print(type(fn).__name__, fn.next_functions[0][0].name(), fn.next_functions[0][0].next_functions[0][0].name(), loss.shape)
net.zero_grad()
print(net.conv1.bias.grad)
loss.backward()
print(net.conv1.bias.grad.shape, "%.2f" % loss)
optimizer = torch.optim.SGD(net.parameters(), lr=0.01, momentum=0.9)
print(optimizer)
before = net.fc2.bias.detach().clone()
optimizer.step()
print(torch.allclose(net.fc2.bias.detach(), before - 0.01 * net.fc2.bias.grad))
optimizer.zero_grad()
print(net.fc2.bias.grad)
for bad in (lambda: net(torch.ones(1, 3, 32, 32)), lambda: nn.Linear(3, 2)(torch.ones(2, 4))):
    try:
        bad()
    except RuntimeError as error:
        print(str(error).partition(" (linear:")[0])
""",
    "training": """
from torch.utils.data import DataLoader, Dataset, TensorDataset

x = torch.linspace(-1, 1, 40, dtype=torch.float64).unsqueeze(1)
y = 3 * x + 1
loader = DataLoader(TensorDataset(x, y), batch_size=16)
print(len(loader), [a.shape for a, _ in loader], loader.dataset[0])
model = nn.Linear(in_features=1, out_features=1)
print("w and b", list(model.parameters()), model.weight, model.bias)
optimizer, criterion = torch.optim.SGD(params=model.parameters(), lr=0.1), nn.MSELoss()
for epoch in range(20):
    for a, b in loader:
        loss = criterion(model(a.type(torch.float32)), b.reshape(-1, 1).type(torch.float32))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    if epoch % 5 == 0:
        print(f"epoch {epoch} loss: {loss.item():>7.4f}")
torch.set_printoptions(precision=3)
print(model.weight, model.bias)
torch.set_printoptions(profile="default")


class Squares(Dataset):
    def __len__(self):
        return 5

    def __getitem__(self, i):
        return torch.tensor(float(i * i)), i


print([(a.tolist(), b) for a, b in DataLoader(Squares(), batch_size=2)], next(iter(DataLoader(Squares(), 5))))
N, D_in, H, D_out = 8, 20, 10, 3
x, y = torch.randn(N, D_in), torch.randn(N, D_out)
model = nn.Sequential(nn.Linear(D_in, H), nn.ReLU(), nn.Linear(H, D_out))
loss_fn = nn.MSELoss(reduction="sum")
optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
for t in range(20):
    loss = loss_fn(model(x), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
print(t, f"{loss.item():.2f}")


class DynamicNet(nn.Module):
    def __init__(self, D_in, H, D_out):
        super(DynamicNet, self).__init__()
        self.first, self.middle, self.last = nn.Linear(D_in, H), nn.Linear(H, H), nn.Linear(H, D_out)

    def forward(self, x, times):
        h = self.first(x).clamp(min=0)
        for _ in range(times):
            h = self.middle(h).clamp(min=0)
        return self.last(h)


model = DynamicNet(D_in, H, D_out)
optimizer = torch.optim.SGD(model.parameters(), lr=1e-3, momentum=0.9)
for t in range(12):
    loss = nn.MSELoss(reduction="sum")(model(x, t % 4), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
print(model, f"{loss.item():.2f}")
""",
    "namespaces": """
import torch.functional
import torch.multiprocessing as mp
import torch.profiler
import torch.utils.dlpack
from torch.autograd import Variable
from torch.utils import _pytree
from torch.utils.hooks import RemovableHandle

v = Variable(torch.ones(2), requires_grad=True)
print(v, Variable(v), isinstance(torch.ones(1), Variable), Variable)
print(_pytree.tree_map(lambda a: a + 1, {"a": [1, (2,)]}), _pytree.tree_structure((1, [2, {"b": 3}])))
print(torch.utils.dlpack.from_dlpack(torch.utils.dlpack.to_dlpack(torch.arange(3))), mp.get_sharing_strategy())
print(isinstance(v.register_hook(print), RemovableHandle), torch.compiler.is_compiling(), torch.functional.einsum("i,i", v, v))
flag = torch.backends.cuda.matmul
for precision in ("high", "medium", "highest"):
    torch.set_float32_matmul_precision(precision)
    print(torch.get_float32_matmul_precision(), flag.allow_tf32)
flag.allow_tf32 = True
print(torch.get_float32_matmul_precision())
flag.allow_tf32 = False
print(torch.get_float32_matmul_precision())
plan = torch.profiler.schedule(wait=1, warmup=1, active=2, repeat=2, skip_first=1)
print([plan(i).name for i in range(11)])
ready = []
with torch.profiler.profile(
    activities=[torch.profiler.ProfilerActivity.CPU],
    schedule=torch.profiler.schedule(wait=1, warmup=1, active=2, repeat=1),
    on_trace_ready=lambda prof: ready.append(prof.step_num),
) as prof:
    for _ in range(6):
        torch.ones(3).exp()
        prof.step()
print(ready, any("exp" in event.key for event in prof.key_averages()))
""",
    "compiler": """
import torch._dynamo
import torch._dynamo.config as config
import torch._inductor.config
import torch._logging

torch.compiler.set_stance("force_eager")
torch.compiler.set_stance()


@torch.compiler.set_stance("force_eager")
def double(x):
    return x * 2


with torch.compiler.set_stance("force_eager"):
    print(double(torch.ones(2)))
try:
    torch.compiler.set_stance("force_eager", force_backend="eager")
except RuntimeError as error:
    print(error)
config.suppress_errors = True
torch._dynamo.config.cache_size_limit = 64
with torch._dynamo.config.patch(suppress_errors=False), config.patch("cache_size_limit", 3):
    print(config.suppress_errors, config.cache_size_limit)
print(config.suppress_errors, config.cache_size_limit, config.patch(suppress_errors=False)(lambda: config.suppress_errors)())
torch._inductor.config.coordinate_descent_tuning = True
torch._logging.set_logs(graph_breaks=True)
torch._logging.set_logs()
torch._dynamo.mark_dynamic(torch.ones(2), 0)
torch._dynamo.reset()
print(torch._dynamo.utils.counters["frames"]["ok"], torch._dynamo.disable(double)(torch.ones(1)))
""",
    "foreach_map": """
from torch._higher_order_ops.foreach_map import foreach_map

xs, ys = [torch.ones(2), torch.arange(3.0)], (torch.full((2,), 2.0), torch.ones(3))
print(foreach_map(torch.add, xs, ys), foreach_map(torch.mul, xs, 3.0), foreach_map(lambda x: (x, x + 1), xs))
print(foreach_map(torch.add, xs, ys[:1]), foreach_map(torch.add, torch.ones(2), 1), foreach_map(torch.lerp, xs, ys, 0.5))
""",
    "functorch": """
import functorch
from functorch import grad, vmap

print(functorch.jvp(lambda x: x**2, (torch.ones(2),), (torch.full((2,), 3.0),)), vmap(grad(lambda x: x**3))(torch.arange(3.0)))
model = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3))
x = torch.arange(8.0).reshape(4, 2)
function, params, buffers = functorch.make_functional_with_buffers(model)
print([p.requires_grad for p in params], len(buffers), params[0] is model[0].weight, type(function).__name__)
print(torch.allclose(function(params, buffers, x), model(x)))
print([p.requires_grad for p in functorch.make_functional_with_buffers(model, disable_autograd_tracking=True)[1]])
linear = nn.Linear(2, 3)
function, params = functorch.make_functional(linear)
print(torch.allclose(function(params, x), linear(x)), type(function).__name__)
print(grad(lambda p: function(p, x).sum())(params))
models = [nn.Linear(2, 3) for _ in range(4)]
function, params, buffers = functorch.combine_state_for_ensemble(models)
print([(p.shape, p.requires_grad) for p in params], buffers)
print(torch.allclose(vmap(function, in_dims=(0, 0, None))(params, buffers, x), torch.stack([m(x) for m in models]), atol=1e-6))
for wrong in (lambda: functorch.make_functional(model), lambda: functorch.combine_state_for_ensemble([])):
    try:
        wrong()
    except RuntimeError as error:
        print(error)
""",
    "swap_tensors": """
import weakref

one, two = torch.nn.Parameter(torch.ones(2)), torch.arange(6).view(2, 3).T
one.grad, two.tag = torch.ones(2), "second"
rows = two[:1]
torch.utils.swap_tensors(one, two)
print(one, type(one), one.stride(), one.grad, one.tag)
print(two, type(two), two.grad, hasattr(two, "tag"), rows, rows._base is one)
(two * 3).sum().backward()
print(two.grad)
reference = weakref.ref(two)
try:
    torch.utils.swap_tensors(one, two)
except RuntimeError as error:
    print(error)
""",
    "modes": """
w = torch.ones(3, requires_grad=True)
with torch.inference_mode():
    a, b = torch.ones(3), w * 2
    print(a.is_inference(), b.is_inference(), b.requires_grad, w.view(3).is_inference(), a[1:].is_inference())
    a.add_(1)
    with torch.enable_grad():
        print((w * 2).requires_grad)
    with torch.inference_mode(False):
        print((w * 2).requires_grad, (w * 2).is_inference())
print(a, a.clone().is_inference(), a.detach().is_inference(), (w + a).requires_grad, torch.inference_mode()(lambda: 1)())
index = torch.tensor([0, 1])
rows = w[index]
index.add_(1)
target = torch.tensor([0, 2])
loss = nn.functional.cross_entropy(w.expand(2, 3), target)
target.zero_()
for bad in (
    lambda: a.add_(1), lambda: a.mul_(a), lambda: w * a, lambda: a.requires_grad_(), lambda: a._version, lambda: a[0].zero_(),
    lambda: rows.sum().backward(), lambda: loss.backward(), lambda: w.unbind()[1].add_(1), lambda: (w * 1).split(2)[1].zero_(),
    lambda: torch.tensor([1], requires_grad=True), lambda: setattr(w, "grad", torch.ones(2)), lambda: (w * 1)[1:].detach_(),
):
    try:
        print(bad())
    except RuntimeError as error:
        print(error)
y = w.exp()
y.add_(1)
try:
    y.sum().backward()
except RuntimeError as error:
    print(error)


class Same(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, factor=1):
        print(ctx.needs_input_grad)
        return x

    @staticmethod
    def backward(ctx, g):
        return g, None


same = Same.apply(w, factor=2)
print(same, same._is_view())
try:
    same.add_(1)
except RuntimeError as error:
    print(error)
""",
    "saving": """
import os
import tempfile

model = nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 1))
path = os.path.join(tempfile.mkdtemp(), "model.pth")
torch.save(model.state_dict(), path)
other = nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 1))
print(other.load_state_dict(torch.load(path)), torch.equal(other[0].weight, model[0].weight))
for name in other.state_dict():
    print(name, "\\t", other.state_dict()[name].size())
optimizer = torch.optim.SGD(model.parameters(), lr=0.001, momentum=0.9)
for key in optimizer.state_dict():
    print(key, "\\t", optimizer.state_dict()[key])
torch.save({"epoch": 3, "model": model.state_dict(), "optimizer": optimizer.state_dict()}, path)
checkpoint = torch.load(path)
print(checkpoint["epoch"], optimizer.load_state_dict(checkpoint["optimizer"]), checkpoint["model"]["1.bias"])
try:
    nn.Linear(2, 2).load_state_dict(model.state_dict())
except RuntimeError as error:
    print(error)
try:
    torch.load(os.path.join(os.path.dirname(path), "nothing.pth"))
except FileNotFoundError as error:
    print(error.errno)
""",
}


@pytest.fixture(scope="module")
def printed(tmp_path_factory):
    """What each program prints under PyTorch and under `python -m polytensor run`."""
    pytest.importorskip("torch")
    script = tmp_path_factory.mktemp("reference") / "programs.py"
    script.write_text(f"PROGRAMS = {PROGRAMS!r}\n{DRIVER}")
    sides = []
    for command in ([], ["-m", "polytensor", "run"]):
        done = subprocess.run(
            [sys.executable, *command, str(script)], capture_output=True, text=True, timeout=300, env=dict(os.environ)
        )
        assert done.returncode == 0, done.stderr
        assert "Traceback" not in done.stderr, done.stderr
        parts = [part.split("\n", 1) for part in done.stdout.split("=====")[1:]]
        sides.append({name: text for name, text in parts})
    return sides


@pytest.mark.parametrize("name", PROGRAMS)
def test_prints_what_pytorch_prints(printed, name):
    theirs, ours = printed
    assert ours[name] == theirs[name]
