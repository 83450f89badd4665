"""A small GAN of transposed convolutions: batch norm, weights by apply(), two optimizers, a grid of what it draws."""

import torch
from torch import nn
from torch.utils.data import DataLoader
from torchvision import datasets, transforms, utils


def up(inputs, outputs, *where):
    return nn.ConvTranspose2d(inputs, outputs, 4, *where, bias=False)


def down(inputs, outputs, *where):
    return nn.Conv2d(inputs, outputs, 4, *where, bias=False)


class Painter(nn.Module):
    def __init__(self, seeds, width):
        super().__init__()
        self.to_8 = nn.Sequential(
            up(seeds, width * 2, 1, 0), nn.BatchNorm2d(width * 2), nn.ReLU(True),
            up(width * 2, width, 2, 1), nn.BatchNorm2d(width), nn.ReLU(inplace=True),
        )  # fmt: skip
        self.to_16 = nn.Sequential(up(width, 1, 2, 1), nn.Tanh())

    def forward(self, seeds):
        return self.to_16(self.to_8(seeds[:, :, None, None]))


judge = nn.Sequential(
    down(1, 4, 2, 1), nn.LeakyReLU(0.2, inplace=True),
    down(4, 8, 2, 1), nn.BatchNorm2d(8), nn.LeakyReLU(0.2, True),
    down(8, 1), nn.Flatten(0), nn.Sigmoid(),
)  # fmt: skip
painter = Painter(6, 4)


def start(module):
    if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)):
        wave = torch.sin(torch.arange(module.weight.numel(), dtype=torch.float64) * 1.9 + module.weight.shape[0])
        module.weight.data.copy_(wave.view(module.weight.shape) * 0.2)
    elif type(module).__name__.startswith("BatchNorm"):
        nn.init.constant_(module.weight, 1.1)
        nn.init.zeros_(module.bias)


print(painter.apply(start), judge.apply(start))
change = transforms.Compose([transforms.CenterCrop(16), transforms.ToTensor(), transforms.Normalize((0.5,), (0.5,))])
photos = DataLoader(datasets.FashionMNIST("clothes", download=True, transform=change), batch_size=16)
adams = [torch.optim.Adam(m.parameters(), lr=2e-3, betas=(0.5, 0.999)) for m in (judge, painter)]
entropy = nn.BCELoss()
for step, (real, _) in zip(range(9), photos):
    ones = torch.full((len(real),), 1.0)
    drawn = painter(torch.sin(torch.arange(6.0 * len(real)) * (step + 0.7)).view(-1, 6))
    adams[0].zero_grad()
    on_real, on_drawn = judge(real), judge(drawn.detach())
    loss = entropy(on_real, ones) + entropy(on_drawn, torch.zeros_like(ones))
    loss.backward()
    adams[0].step()
    adams[1].zero_grad()
    fooled = entropy(judge(drawn), ones)
    fooled.backward()
    adams[1].step()
    print(step, loss.item(), fooled.item(), on_real.mean(), on_drawn.mean())
painter.eval()
with torch.inference_mode():
    drawn = painter(torch.cos(torch.arange(48) * 1.1).view(8, 6))
grid = utils.make_grid(drawn, nrow=4, padding=2, normalize=True, value_range=(-1, 1))
print(drawn.shape, grid.shape, drawn.abs().mean(), grid.mean())
for name, buffer in judge.named_buffers():
    print(name, buffer)
