"""What PyTorch's tutorials do, as scripts: run under PyTorch and under `python -m polytensor run`, same output."""

import os
import subprocess
import sys

import pytest

NEURAL_NETWORK = """
import torch
import torch.nn as nn
import torch.nn.functional as F
import torch.optim as optim


class Net(nn.Module):
    def __init__(self):
        super(Net, self).__init__()
        self.conv1 = nn.Conv2d(1, 6, 5)
        self.conv2 = nn.Conv2d(6, 16, 5)
        self.fc1 = nn.Linear(16 * 5 * 5, 120)
        self.fc2 = nn.Linear(120, 10)

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.conv1(x)), (2, 2))
        x = F.max_pool2d(F.relu(self.conv2(x)), 2)
        x = x.view(-1, x.size()[1:].numel())
        return self.fc2(F.relu(self.fc1(x)))


net = Net()
print(net)
with torch.no_grad():
    for i, p in enumerate(net.parameters()):
        p.copy_(((torch.arange(p.numel(), dtype=torch.float64) * (i + 3)) % 17 - 8).view(p.shape) / 100)
params = list(net.parameters())
print(len(params), params[0].size())
image = (torch.arange(1024.0).view(1, 1, 32, 32) % 13) / 13
out = net(image)
print(out)
net.zero_grad()
out.backward(torch.ones(1, 10))
target = torch.arange(10.0).view(1, -1)
criterion = nn.MSELoss()
loss = criterion(net(image), target)
print(loss)
fn = loss.grad_fn
print(fn.name(), fn.next_functions[0][0].name(), fn.next_functions[0][0].next_functions[0][0].name())
net.zero_grad()
print(net.conv1.bias.grad)
loss.backward()
print(net.conv1.bias.grad)
for f in net.parameters():
    f.data.sub_(f.grad.data * 0.01)
optimizer = optim.SGD(net.parameters(), lr=0.01)
for _ in range(3):
    optimizer.zero_grad()
    loss = criterion(net(image), target)
    loss.backward()
    optimizer.step()
    print(loss.item() < 29, f"{loss.item():.3f}")
"""

TENSORS = """
import numpy as np
import torch

print(torch.tensor(10), torch.tensor([[10., 20, 30], [40, 50, 60]]), torch.IntTensor([2.5, 3.3]), torch.Tensor([10, 20]))
print(torch.arange(0, 10, 2), torch.linspace(0, 9, 10), torch.full([2, 3], 10), torch.full_like(torch.ones(2), 7))
data = torch.full([2, 3], 10)
print(data.dtype, data.type(torch.DoubleTensor).dtype, data.half().dtype, data.short().dtype, torch.FloatTensor().dtype)
t = torch.tensor([2, 3, 4])
n = t.numpy()
n[0] = 100
print(t, n, type(n))
a = np.array([2, 3, 4])
s = torch.from_numpy(a)
s[0] = 100
print(s, a)
d = torch.tensor([[1., 2, 3], [4, 5, 6]], dtype=torch.float64)
print(d.mean(), d.mean(dim=0), d.sum(dim=1), torch.pow(d, 2), d.sqrt(), d.exp(), d.log(), d.log2(), d.log10())
i = torch.arange(20).reshape(4, 5)
print(i[0], i[:, 0], i[[0, 1], [1, 2]], i[[[0], [1]], [1, 2]], i[:3, :2], i[i[:, 2] > 5], i[:, i[1] > 5])
print(i.transpose(0, 1).is_contiguous(), i.T.contiguous().view(2, 10), i.permute([1, 0]).shape, i.unsqueeze(-1).squeeze().shape)
print(torch.cat([i, i], dim=1).shape, torch.stack([i, i], dim=2).shape, i @ i.T, torch.max(i, 1), i.argmax(1))
y = torch.empty(4, 4, dtype=torch.int64)
torch.matmul(i, i.T, out=y)
y.add_(5)
print(y, y.sum().item(), np.add(np.ones(2), 1))
x = torch.tensor(10, requires_grad=True, dtype=torch.float32)
for k in range(50):
    f = x ** 2 + 20
    if x.grad is not None:
        x.grad.zero_()
    f.sum().backward()
    x.data = x.data - 0.01 * x.grad
print("%.4f %.4f" % (x, f), x.grad)
v = torch.tensor([0.5, -1.0, 2.0], requires_grad=True)
w = v * 2
while w.data.norm() < 1000:
    w = w * 2
print(w)
w.backward(torch.tensor([0.1, 1.0, 0.0001], dtype=torch.float))
print(v.grad, v.requires_grad, (v ** 2).requires_grad)
with torch.no_grad():
    print((v ** 2).requires_grad)
try:
    v.numpy()
except RuntimeError as error:
    print(error)
"""


@pytest.mark.parametrize("name", ["NEURAL_NETWORK", "TENSORS"])
@pytest.mark.parametrize("backend", ["numpy", "numba"])
def test_same_output_as_pytorch(oracle, tmp_path, name, backend):
    if backend == "numba":
        pytest.importorskip("numba")
    script = tmp_path / f"{name.lower()}.py"
    script.write_text(globals()[name])
    outputs = []
    for command in ([], ["-m", "polytensor", "run"]):
        done = subprocess.run(
            [sys.executable, *command, str(script)],
            capture_output=True,
            text=True,
            timeout=300,
            env={**os.environ, "POLYTENSOR_BACKEND": backend, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
        )
        assert done.returncode == 0, done.stderr
        outputs.append(done.stdout)
    assert outputs[0] == outputs[1]
