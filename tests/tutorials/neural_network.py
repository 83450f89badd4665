"""A convolutional network by hand: layers, gradients, losses, their graph, an optimizer."""

import torch
import torch.nn.functional as F
from torch import nn, optim


class Letters(nn.Module):
    def __init__(self):
        super(Letters, self).__init__()  # noqa: UP008
        self.edges, self.shapes = nn.Conv2d(1, 6, 5), nn.Conv2d(6, 16, 5)
        self.hidden, self.scores = nn.Linear(400, 120), nn.Linear(120, 10)

    def forward(self, picture):
        maps = F.max_pool2d(F.relu(self.edges(picture)), (2, 2))
        maps = F.max_pool2d(F.relu(self.shapes(maps)), 2)
        flat = maps.view(-1, maps.size()[1:].numel())
        return self.scores(F.relu(self.hidden(flat)))


model = Letters()
print(model, len(list(model.parameters())), next(model.parameters()).size())
with torch.no_grad():
    for i, p in enumerate(model.parameters()):
        p.copy_(((torch.arange(p.numel(), dtype=torch.float64) * (i + 3)) % 17 - 8).view(p.shape) / 100)
picture = (torch.arange(1024.0).view(1, 1, 32, 32) % 13) / 13
scores = model(picture)
print(scores)
model.zero_grad()
scores.backward(torch.ones(1, 10))
wanted = torch.arange(10.0).view(1, -1)
squares = nn.MSELoss()
loss = squares(model(picture), wanted)
print(loss)
node = loss.grad_fn
while node.next_functions and node.next_functions[0][0] is not None:
    print(node.name())
    node = node.next_functions[0][0]
model.zero_grad()
print(model.edges.bias.grad)
loss.backward()
print(model.edges.bias.grad)
for p in model.parameters():
    p.data.sub_(p.grad.data * 0.01)
sgd = optim.SGD(model.parameters(), lr=0.01)
for _ in range(3):
    sgd.zero_grad()
    loss = squares(model(picture), wanted)
    loss.backward()
    sgd.step()
    print(loss.item() < 29, f"{loss.item():.3f}")
