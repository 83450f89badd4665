"""Transforms of pictures and labels, on PIL images and on tensors."""

import torch
import torchvision.transforms.functional as TF
from torchvision import datasets, transforms
from torchvision.transforms import Lambda, ToTensor

ds = datasets.FashionMNIST(
    root="data",
    train=True,
    download=True,
    transform=ToTensor(),
    target_transform=Lambda(lambda y: torch.zeros(10, dtype=torch.float).scatter_(0, torch.tensor(y), value=1)),
)
for i in range(4):
    x, y = ds[i]
    print(x.shape, x.dtype, x.mean(), y, y.argmax().item() == ds.targets[i])
image, _ = datasets.FashionMNIST("data", train=False, transform=None)[0]
print(image.mode, image.size)
cifar, _ = datasets.CIFAR10("cifar", train=False, download=True)[3]
tensor = TF.to_tensor(cifar)
for name, transform in {
    "normalize": transforms.Compose([ToTensor(), transforms.Normalize([0.4, 0.5, 0.6], [0.2, 0.3, 0.4])]),
    "crop": transforms.Compose([transforms.CenterCrop(20), ToTensor()]),
    "pad": transforms.Compose([transforms.Pad((1, 2), fill=7), ToTensor()]),
    "gray": transforms.Compose([transforms.Grayscale(3), ToTensor()]),
    "flips": transforms.Compose([transforms.RandomHorizontalFlip(1), transforms.RandomVerticalFlip(1), ToTensor()]),
    "resize": transforms.Compose([transforms.Resize(48), ToTensor()]),
    "bytes": transforms.PILToTensor(),
    "back": transforms.Compose([ToTensor(), transforms.ToPILImage(), transforms.PILToTensor()]),
}.items():
    out = transform(cifar)
    weights = torch.cos(torch.arange(out.numel()).view(out.shape) * 0.37)
    print(name, out.shape, out.dtype, (out * weights).double().sum() / 100)
print(transforms.Compose([transforms.Resize(256), transforms.RandomCrop(224, padding=4), ToTensor()]))
for name, out in {
    "flip": TF.hflip(tensor),
    "crop": TF.crop(tensor, 3, 4, 10, 12),
    "brightness": TF.adjust_brightness(tensor, 1.3),
    "contrast": TF.adjust_contrast(tensor, 0.7),
    "saturation": TF.adjust_saturation(tensor, 0.4),
    "blur": TF.gaussian_blur(tensor, [3, 5], [0.8, 1.1]),
    "rotate": TF.rotate(tensor, 90.0),
    "resize": TF.resize(tensor, [20, 40], antialias=True),
    "erase": TF.erase(tensor, 2, 3, 8, 9, torch.tensor(0.5)),
}.items():
    weights = torch.cos(torch.arange(out.numel()).view(out.shape) * 0.37)
    print(name, out.shape, out.dtype, (out * weights).double().sum())
torch.manual_seed(0)
augment = transforms.Compose(
    [
        transforms.RandomResizedCrop(24),
        transforms.RandomHorizontalFlip(),
        transforms.ColorJitter(0.2, 0.2, 0.2, 0.05),
        transforms.RandomRotation(10),
        ToTensor(),
        transforms.RandomErasing(p=1.0),
    ]
)
print(augment)
first = [augment(cifar) for _ in range(3)]
torch.manual_seed(0)
again = [augment(cifar) for _ in range(3)]
assert all(torch.equal(a, b) for a, b in zip(first, again)) and not torch.equal(first[0], first[1])
print([x.shape for x in first])
