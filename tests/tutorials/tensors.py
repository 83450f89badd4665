"""Tensors: making, indexing, reshaping, NumPy, gradients."""

import numpy as np
import torch

print(
    torch.tensor(10), torch.tensor([[10.0, 20, 30], [40, 50, 60]]), torch.IntTensor([2.5, 3.3]), torch.Tensor([10, 20])
)
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
d = torch.tensor([[1.0, 2, 3], [4, 5, 6]], dtype=torch.float64)
print(d.mean(), d.mean(dim=0), d.sum(dim=1), torch.pow(d, 2), d.sqrt(), d.exp(), d.log(), d.log2(), d.log10())
i = torch.arange(20).reshape(4, 5)
print(i[0], i[:, 0], i[[0, 1], [1, 2]], i[[[0], [1]], [1, 2]], i[:3, :2], i[i[:, 2] > 5], i[:, i[1] > 5])
print(
    i.transpose(0, 1).is_contiguous(),
    i.T.contiguous().view(2, 10),
    i.permute([1, 0]).shape,
    i.unsqueeze(-1).squeeze().shape,
)
print(torch.cat([i, i], dim=1).shape, torch.stack([i, i], dim=2).shape, i @ i.T, torch.max(i, 1), i.argmax(1))
y = torch.empty(4, 4, dtype=torch.int64)
torch.matmul(i, i.T, out=y)
y.add_(5)
print(y, y.sum().item(), np.add(np.ones(2), 1))
x = torch.tensor(10, requires_grad=True, dtype=torch.float32)
for _ in range(50):
    f = x**2 + 20
    if x.grad is not None:
        x.grad.zero_()
    f.sum().backward()
    x.data = x.data - 0.01 * x.grad
print(f"{x:.4f} {f:.4f}", "%.3f" % x, x.grad)  # noqa: UP031
v = torch.tensor([0.5, -1.0, 2.0], requires_grad=True)
w = v * 2
while w.data.norm() < 1000:
    w = w * 2
print(w)
w.backward(torch.tensor([0.1, 1.0, 0.0001], dtype=torch.float))
print(v.grad, v.requires_grad, (v**2).requires_grad)
with torch.no_grad():
    print((v**2).requires_grad)
try:
    v.numpy()
except RuntimeError as error:
    print(error)
