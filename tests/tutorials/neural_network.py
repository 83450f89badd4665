"""A convolutional network by hand: layers, gradients, losses, an optimizer."""

import torch
import torch.nn as nn
import torch.nn.functional as F
import torch.optim as optim


class Net(nn.Module):
    def __init__(self):
        super().__init__()
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
