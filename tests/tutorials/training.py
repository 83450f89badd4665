"""Training in PyTorch's ways: by hand, by optimizers, own functions, schedulers, checkpoints, several models in a file."""

import math

import torch
from torch.optim.lr_scheduler import CosineAnnealingLR, StepLR

x = torch.linspace(-math.pi, math.pi, 200)
y = torch.sin(x)
a, b, c, d = (torch.full((), v, requires_grad=True) for v in (0.1, -0.2, 0.3, -0.4))
for t in range(200):
    y_pred = a + b * x + c * x**2 + d * x**3
    loss = (y_pred - y).pow(2).sum()
    if t % 100 == 99:
        print(t, loss.item())
    loss.backward()
    with torch.no_grad():
        for p in (a, b, c, d):
            p -= 1e-5 * p.grad
            p.grad = None
print(f"Result: y = {a.item():.3f} + {b.item():.3f} x + {c.item():.3f} x^2 + {d.item():.3f} x^3")


class LegendrePolynomial3(torch.autograd.Function):
    @staticmethod
    def forward(ctx, input):
        ctx.save_for_backward(input)
        return 0.5 * (5 * input**3 - 3 * input)

    @staticmethod
    def backward(ctx, grad_output):
        (input,) = ctx.saved_tensors
        return grad_output * 1.5 * (5 * input**2 - 1)


v = torch.tensor([0.3, -0.7], dtype=torch.float64, requires_grad=True)
print(torch.autograd.gradcheck(LegendrePolynomial3.apply, v), LegendrePolynomial3.apply(v))
inp = torch.eye(4, 5, requires_grad=True)
out = (inp + 1).pow(2).t()
out.backward(torch.ones_like(out), retain_graph=True)
print(inp.grad)
out.backward(torch.ones_like(out), retain_graph=True)
print(inp.grad, inp.grad.zero_().sum())
try:
    (out * 1).backward()
except RuntimeError as error:
    print(error)
z = torch.matmul(torch.ones(5), torch.ones(5, 3, requires_grad=True)) + 1
print(z.requires_grad, z.detach().requires_grad, z.grad_fn.name())
with torch.no_grad():
    print((z * 2).requires_grad)


class Polynomial3(torch.nn.Module):
    def __init__(self, start):
        super().__init__()
        self.a = torch.nn.Parameter(torch.tensor(start))
        self.b = torch.nn.Parameter(torch.tensor(start * 2))

    def forward(self, x):
        return self.a * x + self.b * x**3

    def string(self):
        return f"y = {self.a.item():.3f} x + {self.b.item():.3f} x^3"


def make(start):
    model = Polynomial3(start)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.05)
    return model, optimizer, StepLR(optimizer, step_size=10, gamma=0.5)


def train(model, optimizer, scheduler, steps):
    for _ in range(steps):
        optimizer.zero_grad()
        loss = torch.nn.functional.mse_loss(model(x), y)
        loss.backward()
        optimizer.step()
        scheduler.step()
    return loss.item()


one, optimizer_one, scheduler_one = make(0.2)
two, optimizer_two, scheduler_two = make(-0.1)
print(train(one, optimizer_one, scheduler_one, 15), train(two, optimizer_two, scheduler_two, 15), one.string())
torch.save(
    {
        "epoch": 15,
        "one": one.state_dict(),
        "two": two.state_dict(),
        "optimizer_one": optimizer_one.state_dict(),
        "optimizer_two": optimizer_two.state_dict(),
        "scheduler_one": scheduler_one.state_dict(),
    },
    "checkpoint.tar",
)
straight_on = train(one, optimizer_one, scheduler_one, 15), one.string(), scheduler_one.get_last_lr()
checkpoint = torch.load("checkpoint.tar", weights_only=True)
one, optimizer_one, scheduler_one = make(9.0)
print(one.load_state_dict(checkpoint["one"]), checkpoint["epoch"], sorted(checkpoint["optimizer_one"]))
optimizer_one.load_state_dict(checkpoint["optimizer_one"])
scheduler_one.load_state_dict(checkpoint["scheduler_one"])
resumed = train(one, optimizer_one, scheduler_one, 15), one.string(), scheduler_one.get_last_lr()
assert resumed == straight_on
print(*resumed)
model = torch.nn.Sequential(torch.nn.Linear(3, 1), torch.nn.Flatten(0, 1))
with torch.no_grad():
    for p in model.parameters():
        p.fill_(0.1)
xx = x.unsqueeze(-1).pow(torch.tensor([1, 2, 3]))
optimizer = torch.optim.RMSprop(model.parameters(), lr=1e-3)
scheduler = CosineAnnealingLR(optimizer, T_max=40)
loss_fn = torch.nn.MSELoss(reduction="sum")
for _ in range(50):
    loss = loss_fn(model(xx), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    scheduler.step()
print(xx.shape, loss.item(), model[0].weight, model[0].bias, scheduler.get_last_lr())
