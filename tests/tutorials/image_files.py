"""Image files: a CSV of labels and read_image, a folder for each class, workers, splits; a saved grid."""

import csv
import os

import torch
from PIL import Image
from torch.utils.data import DataLoader, Dataset, random_split
from torchvision import datasets, transforms
from torchvision.io import ImageReadMode, read_image
from torchvision.utils import draw_bounding_boxes, make_grid, save_image

names = ["ankle boot", "bag"]
rows = []
for i in range(12):
    label = i % 2
    os.makedirs(f"pictures/{names[label]}", exist_ok=True)
    image = Image.new("RGB", (24 + i, 20), (20 * i, 255 * label, 7))
    image.putpixel((0, 0), (255, 255, 255))
    path = f"{names[label]}/{i}.png"
    image.save(f"pictures/{path}")
    rows.append((path, label))
with open("labels.csv", "w", newline="") as f:
    csv.writer(f).writerows(rows)


class Labelled(Dataset):
    """The pictures that a CSV file names, and their labels."""

    def __init__(self, table, root, change=None, change_label=None):
        with open(table, newline="") as f:
            self.rows = [(os.path.join(root, name), int(label)) for name, label in csv.reader(f)]
        self.changes = change or (lambda picture: picture), change_label or (lambda label: label)

    def __len__(self):
        return len(self.rows)

    def __getitem__(self, k):
        path, label = self.rows[k]
        return self.changes[0](read_image(path)), self.changes[1](label)


plain = Labelled("labels.csv", "pictures")
image, label = plain[3]
assert image.shape == (3, 20, 27) and image.dtype is torch.uint8 and label == 1
assert image[:, 0, 0].tolist() == [255, 255, 255] and image[:, 5, 9].tolist() == [60, 255, 7]
assert read_image("pictures/bag/3.png", ImageReadMode.GRAY).shape == (1, 20, 27)

transform = transforms.Compose([transforms.Resize((16, 16)), transforms.ConvertImageDtype(torch.float32)])
one_hot = transforms.Lambda(lambda y: torch.zeros(2).scatter_(0, torch.tensor(y), value=1))
data = Labelled("labels.csv", "pictures", transform, one_hot)
batches = {workers: list(DataLoader(data, batch_size=5, num_workers=workers)) for workers in (0, 2)}
assert [x.shape for x, _ in batches[2]] == [(5, 3, 16, 16), (5, 3, 16, 16), (2, 3, 16, 16)]
for (x0, y0), (x2, y2) in zip(batches[0], batches[2]):
    assert torch.equal(x0, x2) and torch.equal(y0, y2)
assert torch.cat([y for _, y in batches[0]]).argmax(1).tolist() == [label for _, label in rows]

train, valid = random_split(data, [0.75, 0.25], generator=torch.Generator().manual_seed(1))
assert len(train) == 9 and sorted([*train.indices, *valid.indices]) == list(range(12))
torch.manual_seed(3)
orders = [torch.cat([y for _, y in DataLoader(train, batch_size=4, shuffle=True, num_workers=n)]) for n in (0, 0)]
assert orders[0].shape == orders[1].shape == (9, 2) and torch.equal(orders[0].sum(0), orders[1].sum(0))

folder = datasets.ImageFolder("pictures", transforms.Compose([transforms.Resize((8, 8)), transforms.ToTensor()]))
assert folder.classes == names and folder.class_to_idx == {"ankle boot": 0, "bag": 1} and len(folder) == 12
x, y = next(iter(DataLoader(folder, batch_size=12, num_workers=2)))
assert x.shape == (12, 3, 8, 8) and y.tolist() == [0] * 6 + [1] * 6
assert torch.equal(x[6:, 1].mean((1, 2)) > 0.9, torch.ones(6, dtype=torch.bool))

grid = make_grid(x, nrow=4)
assert grid.shape == (3, 32, 42)
save_image(x, "grid.png", nrow=4)
assert torch.equal(read_image("grid.png"), grid.mul(255).add(0.5).clamp(0, 255).to(torch.uint8))
boxed = draw_bounding_boxes(plain[0][0], torch.tensor([[2, 2, 10, 12]]), colors="red")
assert boxed[:, 2, 5].tolist() == [255, 0, 0] and torch.equal(boxed[:, 15:], plain[0][0][:, 15:])
print("all right")
