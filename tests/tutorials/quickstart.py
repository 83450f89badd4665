"""FashionMNIST: download, load in batches, train, test, save, load, predict."""

import torch
from torch import nn
from torch.utils.data import DataLoader
from torchvision import datasets
from torchvision.transforms import ToTensor

training_data = datasets.FashionMNIST(root="data", train=True, download=True, transform=ToTensor())
test_data = datasets.FashionMNIST(root="data", train=False, download=True, transform=ToTensor())
print(training_data, test_data, training_data.classes, sep="\n")
print(training_data.data.shape, training_data.data.dtype, training_data.targets[:10])
x, y = test_data[0]
print(x.shape, x.dtype, x.min() >= 0, x.max() <= 1, type(y))

batch_size = 64
train_dataloader = DataLoader(training_data, batch_size=batch_size)
test_dataloader = DataLoader(test_data, batch_size=batch_size)
for X, y in test_dataloader:
    print(f"Shape of X [N, C, H, W]: {X.shape}")
    print(f"Shape of y: {y.shape} {y.dtype}")
    break
print(len(train_dataloader), len(test_dataloader.dataset))

device = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
print(f"Using {device} device")


class NeuralNetwork(nn.Module):
    def __init__(self):
        super().__init__()
        self.flatten = nn.Flatten()
        self.stack = nn.Sequential(nn.Linear(28 * 28, 64), nn.ReLU(), nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10))

    def forward(self, x):
        return self.stack(self.flatten(x))


model = NeuralNetwork().to(device)
print(model)
with torch.no_grad():  # the same start everywhere
    for i, p in enumerate(model.parameters()):
        bound = p.shape[-1] ** -0.5
        p.copy_(torch.sin(torch.arange(p.numel(), dtype=torch.float64) ** 2 * (i + 1.7)).view(p.shape) * bound)

loss_fn = nn.CrossEntropyLoss()
optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.5)


def train(dataloader, model, loss_fn, optimizer):
    size = len(dataloader.dataset)
    model.train()
    for batch, (X, y) in enumerate(dataloader):
        X, y = X.to(device), y.to(device)
        loss = loss_fn(model(X), y)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        if batch % 2 == 0:
            loss, current = loss.item(), (batch + 1) * len(X)
            print(f"loss: {loss:>7f}  [{current:>5d}/{size:>5d}]")


def test(dataloader, model, loss_fn):
    size = len(dataloader.dataset)
    num_batches = len(dataloader)
    model.eval()
    test_loss, correct = 0, 0
    with torch.no_grad():
        for X, y in dataloader:
            X, y = X.to(device), y.to(device)
            pred = model(X)
            test_loss += loss_fn(pred, y).item()
            correct += (pred.argmax(1) == y).type(torch.float).sum().item()
    test_loss /= num_batches
    correct /= size
    print(f"Test Error: \n Accuracy: {100 * correct:>0.1f}%, Avg loss: {test_loss:>8f} \n")
    return correct


for t in range(4):
    print(f"Epoch {t + 1}\n-------------------------------")
    train(train_dataloader, model, loss_fn, optimizer)
    accuracy = test(test_dataloader, model, loss_fn)
assert accuracy > 0.9

torch.save(model.state_dict(), "model.pth")
again = NeuralNetwork().to(device)
print(again.load_state_dict(torch.load("model.pth", weights_only=True)))
again.eval()
with torch.no_grad():
    for i in range(5):
        x, y = test_data[i]
        pred = again(x.to(device))
        assert torch.equal(pred, model(x))
        predicted, actual = test_data.classes[pred[0].argmax(0)], test_data.classes[y]
        print(f'Predicted: "{predicted}", Actual: "{actual}"')
X = torch.rand(3, 28, 28, device=device)
probabilities = nn.Softmax(dim=1)(again(X))
print(probabilities.shape, bool((probabilities.sum(1) - 1).abs().max() < 1e-6))
for name, param in again.named_parameters():
    print(f"Layer: {name} | Size: {param.size()} | Values : {param[:2]} \n")
