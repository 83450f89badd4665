"""FashionMNIST: download, load in batches, train, test, save, load, predict."""

import torch
from torch import nn
from torch.utils import data
from torchvision import datasets, transforms

sets = {
    part: datasets.FashionMNIST("clothes", train=part == "train", download=True, transform=transforms.ToTensor())
    for part in ("train", "test")
}
for part, pictures in sets.items():
    print(part, pictures, pictures.data.shape, pictures.data.dtype, pictures.targets[:10])
names = sets["train"].classes
picture, label = sets["test"][0]
print(names, picture.shape, picture.dtype, picture.min() >= 0, picture.max() <= 1, type(label))

loaders = {part: data.DataLoader(pictures, batch_size=64) for part, pictures in sets.items()}
pictures, labels = next(iter(loaders["test"]))
print(f"{len(loaders['train'])} batches of {tuple(pictures.shape)}, {labels.shape} {labels.dtype}")
best = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
print("on", best)


class Classifier(nn.Module):
    def __init__(self, *widths):
        super().__init__()
        layers = [nn.Flatten()]
        for wide, narrow in zip(widths, widths[1:]):
            layers += [nn.Linear(wide, narrow), nn.ReLU()]
        self.layers = nn.Sequential(*layers[:-1])

    def forward(self, pictures):
        return self.layers(pictures)


classifier = Classifier(784, 64, 32, 10).to(best)
print(classifier)
with torch.no_grad():  # the same start everywhere
    for k, p in enumerate(classifier.parameters()):
        wave = torch.sin(torch.arange(p.numel(), dtype=torch.float64) ** 2 * (k + 1.7))
        p.copy_(wave.view(p.shape) * p.shape[-1] ** -0.5)
cross_entropy = nn.CrossEntropyLoss()
sgd = torch.optim.SGD(classifier.parameters(), lr=0.1, momentum=0.5)


def one_epoch():
    classifier.train()
    for pictures, labels in loaders["train"]:
        sgd.zero_grad()
        loss = cross_entropy(classifier(pictures.to(best)), labels.to(best))
        loss.backward()
        sgd.step()
        yield loss.item()


@torch.no_grad()
def right_of(model, part):
    """The share of pictures whose class the model finds, and the mean loss."""
    model.eval()
    right = summed = 0
    for pictures, labels in loaders[part]:
        scores = model(pictures.to(best)).cpu()
        summed += cross_entropy(scores, labels).item() * len(labels)
        right += (scores.argmax(1) == labels).type(torch.float).sum().item()
    return right / len(sets[part]), summed / len(sets[part])


for epoch in range(4):
    print(epoch, [f"{loss:.4f}" for loss in one_epoch()], *right_of(classifier, "test"))
assert right_of(classifier, "test")[0] > 0.9

torch.save(classifier.state_dict(), "clothes.pth")
loaded = Classifier(784, 64, 32, 10).to(best)
print(loaded.load_state_dict(torch.load("clothes.pth", weights_only=True)))
assert right_of(loaded, "train") == right_of(classifier, "train")
with torch.no_grad():
    for k in range(5):
        picture, label = sets["test"][k]
        scores = loaded(picture.to(best))
        print(names[scores[0].argmax(0)], "is", names[label])
probabilities = nn.Softmax(dim=1)(loaded(torch.rand(3, 28, 28, device=best)))
print(probabilities.shape, bool((probabilities.sum(1) - 1).abs().max() < 1e-6))
for name, p in loaded.named_parameters():
    print(name, p.size(), p[:2])
