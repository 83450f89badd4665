"""Training in PyTorch's ways: by hand, by optimizers, own functions, schedulers, checkpoints, several models in a file."""

import torch
from torch.optim.lr_scheduler import CosineAnnealingLR, StepLR

x = torch.linspace(-2, 2, 100)
y = torch.tanh(2 * x)
weights = [torch.full((), value, requires_grad=True) for value in (0.4, -0.3, 0.2)]
for step in range(100):
    fit = sum(w * x**k for k, w in enumerate(weights))
    error = (fit - y).square().mean()
    error.backward()
    if step % 25 == 0:
        print(step, error.item(), [w.grad.item() for w in weights])
    with torch.no_grad():
        for w in weights:
            w -= 0.05 * w.grad
            w.grad = None
print("fitted", *weights)


class Cube(torch.autograd.Function):
    """x ** 3, with a derivative of its own."""

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x * x * x

    @staticmethod
    def backward(ctx, grad):
        (x,) = ctx.saved_tensors
        return 3 * x * x * grad


v = torch.tensor([0.3, -0.7], dtype=torch.float64, requires_grad=True)
print(torch.autograd.gradcheck(Cube.apply, v), torch.autograd.gradgradcheck(Cube.apply, v), Cube.apply(v))
(first,) = torch.autograd.grad(Cube.apply(v).sum(), v, create_graph=True)
print(first, *torch.autograd.grad(first.sum(), v))
square = torch.eye(3, 4, requires_grad=True)
product = (square * 2 + 1).pow(3).t()
for _ in range(2):  # gradients add up
    product.backward(torch.full_like(product, 0.5), retain_graph=True)
    print(square.grad)
print(square.grad.zero_().sum())
try:
    (product * 1).backward()
except RuntimeError as error:
    print(error)
z = torch.matmul(torch.ones(5), torch.ones(5, 3, requires_grad=True)) + 1
print(z.requires_grad, z.detach().requires_grad, z.grad_fn.name())
with torch.no_grad():
    print((z * 2).requires_grad)


class Odd(torch.nn.Module):
    def __init__(self, start):
        super().__init__()
        self.a = torch.nn.Parameter(torch.tensor(start))
        self.b = torch.nn.Parameter(torch.tensor(start * 2))

    def forward(self, x):
        return self.a * x + self.b * x**3

    def __str__(self):
        return f"{self.a.item():.3f} x + {self.b.item():.3f} x^3"


def make(start):
    model = Odd(start)
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
print(train(one, optimizer_one, scheduler_one, 15), train(two, optimizer_two, scheduler_two, 15), str(one))
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
straight_on = train(one, optimizer_one, scheduler_one, 15), str(one), scheduler_one.get_last_lr()
checkpoint = torch.load("checkpoint.tar", weights_only=True)
one, optimizer_one, scheduler_one = make(9.0)
print(one.load_state_dict(checkpoint["one"]), checkpoint["epoch"], sorted(checkpoint["optimizer_one"]))
optimizer_one.load_state_dict(checkpoint["optimizer_one"])
scheduler_one.load_state_dict(checkpoint["scheduler_one"])
resumed = train(one, optimizer_one, scheduler_one, 15), str(one), scheduler_one.get_last_lr()
assert resumed == straight_on
print(*resumed)
cubic = torch.nn.Sequential(torch.nn.Linear(3, 1), torch.nn.Flatten(0, 1))
for p in cubic.parameters():
    torch.nn.init.constant_(p, 0.1)
powers = x[:, None] ** torch.arange(1, 4)
rms = torch.optim.RMSprop(cubic.parameters(), lr=1e-3)
schedule = CosineAnnealingLR(rms, T_max=40)
for _ in range(50):
    rms.zero_grad()
    error = torch.nn.MSELoss(reduction="sum")(cubic(powers), y)
    error.backward()
    rms.step()
    schedule.step()
print(powers.shape, error.item(), cubic[0].weight, cubic[0].bias, schedule.get_last_lr())
