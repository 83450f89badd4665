"""CIFAR10: two worker processes, a convolutional network, image grids, accuracy of each class."""

import matplotlib.pyplot as plt
import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
import torch.optim as optim
import torchvision
import torchvision.transforms as transforms

transform = transforms.Compose([transforms.ToTensor(), transforms.Normalize((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))])
trainset = torchvision.datasets.CIFAR10(root="./data", train=True, download=True, transform=transform)
trainloader = torch.utils.data.DataLoader(trainset, batch_size=4, shuffle=False, num_workers=2)
testset = torchvision.datasets.CIFAR10(root="./data", train=False, download=True, transform=transform)
testloader = torch.utils.data.DataLoader(testset, batch_size=4, shuffle=False, num_workers=2)
classes = testset.classes
print(trainset, len(testset), classes, trainset.class_to_idx["frog"], trainset.data.shape, trainset.targets[:8])

images, labels = next(iter(trainloader))
print(images.shape, images.dtype, labels, " ".join(f"{classes[labels[j]]:5s}" for j in range(4)))
grid = torchvision.utils.make_grid(images)
print(grid.shape, torchvision.utils.make_grid(images, nrow=2, padding=1, normalize=True).shape, grid.sum())
picture = np.transpose((grid / 2 + 0.5).numpy(), (1, 2, 0))
assert 0 <= picture.min() and picture.max() <= 1
plt.imshow(picture)
plt.savefig("grid.png")
plt.close()


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 6, 5)
        self.pool = nn.MaxPool2d(2, 2)
        self.conv2 = nn.Conv2d(6, 16, 5)
        self.fc1 = nn.Linear(16 * 5 * 5, 40)
        self.fc2 = nn.Linear(40, 10)

    def forward(self, x):
        x = self.pool(F.relu(self.conv1(x)))
        x = self.pool(F.relu(self.conv2(x)))
        x = torch.flatten(x, 1)
        return self.fc2(F.relu(self.fc1(x)))


net = Net()
with torch.no_grad():
    for i, p in enumerate(net.parameters()):
        bound = p[0].numel() ** -0.5
        p.copy_(torch.sin(torch.arange(p.numel(), dtype=torch.float64) * (i + 1.3)).view(p.shape) * bound)
criterion = nn.CrossEntropyLoss()
optimizer = optim.SGD(net.parameters(), lr=0.01, momentum=0.9)
for epoch in range(12):
    running_loss = 0.0
    for i, data in enumerate(trainloader, 0):
        inputs, labels = data
        optimizer.zero_grad()
        outputs = net(inputs)
        loss = criterion(outputs, labels)
        loss.backward()
        optimizer.step()
        running_loss += loss.item()
        if epoch < 2 and i % 5 == 4:
            print(f"[{epoch + 1}, {i + 1:5d}] loss: {running_loss / 5:.3f}")
            running_loss = 0.0
print("Finished Training")

torch.save(net.state_dict(), "cifar_net.pth")
net = Net()
net.load_state_dict(torch.load("cifar_net.pth", weights_only=True))
correct, total = 0, 0
correct_pred = {classname: 0 for classname in classes}
total_pred = {classname: 0 for classname in classes}
with torch.no_grad():
    for images, labels in testloader:
        _, predictions = torch.max(net(images), 1)
        total += labels.size(0)
        correct += (predictions == labels).sum().item()
        for label, prediction in zip(labels, predictions):
            if label == prediction:
                correct_pred[classes[label]] += 1
            total_pred[classes[label]] += 1
print(total, total_pred)
assert correct / total > 0.6, correct / total
assert sum(correct_pred.values()) == correct
for classname, correct_count in correct_pred.items():
    assert 0 <= correct_count <= total_pred[classname], f"{classname:5s}"
print(torch.device("cuda:0" if torch.cuda.is_available() else "cpu"))
