"""CIFAR10: two worker processes, a convolutional network, image grids, accuracy of each class."""

import collections

import torch
import torchvision
from matplotlib import pyplot
from torch import nn
from torchvision import transforms as T

to_tensor = T.Compose([T.ToTensor(), T.Normalize(mean=(0.5, 0.4, 0.3), std=(0.5, 0.6, 0.7))])
train = torchvision.datasets.CIFAR10("./photos", True, to_tensor, download=True)
test = torchvision.datasets.CIFAR10("./photos", False, to_tensor, download=True)
print(train, len(test), train.classes, train.class_to_idx["frog"], train.data.shape, train.targets[:8])
batches, test_batches = (
    torch.utils.data.DataLoader(photos, batch_size=4, num_workers=2, persistent_workers=True)
    for photos in (train, test)
)

photos, labels = next(iter(batches))
print(photos.shape, photos.dtype, labels, [train.classes[label] for label in labels])
grid = torchvision.utils.make_grid(photos)
print(grid.shape, torchvision.utils.make_grid(photos, nrow=2, padding=1, normalize=True).shape, grid.sum())
pyplot.imshow(torchvision.utils.make_grid(photos, normalize=True).permute(1, 2, 0).numpy())
pyplot.savefig("grid.png")
pyplot.close()


def network():
    return nn.Sequential(
        collections.OrderedDict(
            first=nn.Conv2d(3, 6, 5),
            first_pool=nn.Sequential(nn.ReLU(), nn.MaxPool2d(2, 2)),
            second=nn.Conv2d(6, 16, 5),
            second_pool=nn.Sequential(nn.ReLU(), nn.MaxPool2d(2, 2), nn.Flatten()),
            hidden=nn.Linear(400, 40),
            act=nn.ReLU(),
            scores=nn.Linear(40, 10),
        )
    )


net = network()
print(net)
with torch.no_grad():
    for k, p in enumerate(net.parameters()):
        wave = torch.sin(torch.arange(p.numel(), dtype=torch.float64) * (k + 1.3))
        p.copy_(wave.view(p.shape) * p[0].numel() ** -0.5)
sgd = torch.optim.SGD(net.parameters(), lr=0.01, momentum=0.9)
for epoch in range(12):
    losses = []
    for photos, labels in batches:
        loss = nn.functional.cross_entropy(net(photos), labels)
        sgd.zero_grad()
        loss.backward()
        sgd.step()
        losses.append(loss.item())
    if epoch < 2:
        print(epoch, [f"{loss:.4f}" for loss in losses])

torch.save(net.state_dict(), "photos.pth")
net = network()
net.load_state_dict(torch.load("photos.pth", weights_only=True))
net.eval()
right, seen = collections.Counter(), collections.Counter()
with torch.no_grad():
    for photos, labels in test_batches:
        values, found = torch.max(net(photos), 1)
        assert values.shape == found.shape == labels.shape and found.dtype == torch.int64
        for label, guess in zip(labels, found):
            seen[test.classes[label]] += 1
            right[test.classes[label]] += int(label == guess)
print(dict(seen))
assert sum(right.values()) / len(test) > 0.6, right
for name in test.classes:
    share = 100 * right[name] / seen[name]
    assert 0 <= share <= 100 and f"{name:>10}: {share:2.0f} %"
print(torch.device("cuda:0" if torch.cuda.is_available() else "cpu"))
