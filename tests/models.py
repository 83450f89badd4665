"""Whole models, each written once for PyTorch and PolyTensor.

`build(torch)` returns (model, arrays, loss): arrays(rng) makes a batch as NumPy arrays, loss(model, *batch) returns the
output to compare and the loss to train on. Sizes are small; dropout is 0, so that training can be followed number by number.
There is no bias where a norm takes it away: its gradient is rounding alone, which AdamW makes into steps of full length.
"""

import random

import numpy as np

MODELS = {}


def model(build):
    MODELS[build.__name__] = build
    return build


def images(channels, size, classes, batch=4, dims=2):
    """Arrays of an image classifier: noise and labels."""
    return lambda rng: (
        rng.standard_normal((batch, channels, *[size] * dims)),
        rng.integers(0, classes, batch),
    )


def classify(torch):
    def loss(net, x, y):
        out = net(x)
        return out, torch.nn.functional.cross_entropy(out, y)

    return loss


# tables


@model
def linear_regression(torch):
    net = torch.nn.Linear(3, 2)

    def arrays(rng):
        x = rng.standard_normal((16, 3))
        return x, x @ rng.standard_normal((3, 2)) + 0.1

    def loss(net, x, y):
        out = net(x)
        return out, torch.nn.MSELoss()(out, y)

    return net, arrays, loss


@model
def logistic_regression(torch):
    net = torch.nn.Linear(5, 1)

    def loss(net, x, y):
        out = net(x).squeeze(1)
        return out, torch.nn.BCEWithLogitsLoss(pos_weight=torch.tensor(2.0, dtype=x.dtype))(out, y)

    return net, lambda rng: (rng.standard_normal((16, 5)), rng.integers(0, 2, 16).astype(float)), loss


@model
def mlp(torch):
    nn = torch.nn
    net = nn.Sequential(
        nn.Flatten(), nn.Linear(64, 32, bias=False), nn.BatchNorm1d(32), nn.ReLU(), nn.Dropout(0.0), nn.Linear(32, 32), nn.LayerNorm(32),
        nn.LeakyReLU(0.1), nn.Linear(32, 10), nn.LogSoftmax(dim=1),
    )  # fmt: skip

    def loss(net, x, y):
        out = net(x)
        return out, nn.NLLLoss()(out, y)

    return net, images(1, 8, 10, batch=16), loss


@model
def dynamic_net(torch):
    class DynamicNet(torch.nn.Module):
        """A polynomial; the fifth order is used zero to two times, a new number at each call."""

        def __init__(self):
            super().__init__()
            self.a, self.b, self.c, self.d, self.e = (torch.nn.Parameter(torch.randn(())) for _ in range(5))
            self.random = random.Random(0)

        def forward(self, x):
            y = self.a + self.b * x + self.c * x**2 + self.d * x**3
            for exp in range(4, self.random.randint(4, 6)):
                y = y + self.e * x**exp
            return y

    def loss(net, x):
        out = net(x)
        return out, torch.nn.MSELoss(reduction="sum")(out, torch.sin(x))

    return DynamicNet(), lambda rng: (np.linspace(-2, 2, 50),), loss


@model
def highway(torch):
    nn, F = torch.nn, torch.nn.functional

    class Highway(nn.Module):
        def __init__(self, width, depth):
            super().__init__()
            self.transforms = nn.ModuleList(nn.Linear(width, width) for _ in range(depth))
            self.gates = nn.ModuleList(nn.Linear(width, width) for _ in range(depth))
            self.glu = nn.Sequential(nn.Linear(width, 2 * width), nn.GLU(dim=-1))
            self.acts = nn.ModuleDict({"first": nn.PReLU(), "other": nn.SiLU()})
            self.head = nn.Linear(width, 4)
            for gate in self.gates:
                nn.init.constant_(gate.bias, -1.0)

        def forward(self, x):
            for i, (transform, gate) in enumerate(zip(self.transforms, self.gates, strict=True)):
                g = torch.sigmoid(gate(x))
                x = g * self.acts["first" if i == 0 else "other"](transform(x)) + (1 - g) * x
            return self.head(F.softplus(self.glu(x)))

    return Highway(12, 3), lambda rng: (rng.standard_normal((8, 12)), rng.integers(0, 4, 8)), classify(torch)


@model
def mlp_mixer(torch):
    nn = torch.nn

    class Mixer(nn.Module):
        def __init__(self, patches, width):
            super().__init__()
            self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
            self.tokens = nn.Sequential(nn.Linear(patches, 8), nn.GELU(), nn.Linear(8, patches))
            self.channels = nn.Sequential(nn.Linear(width, 24), nn.GELU(), nn.Linear(24, width))

        def forward(self, x):
            x = x + self.tokens(self.norm1(x).transpose(1, 2)).transpose(1, 2)
            return x + self.channels(self.norm2(x))

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.stem = nn.Conv2d(3, 12, 4, stride=4)
            self.blocks = nn.Sequential(Mixer(9, 12), Mixer(9, 12))
            self.head = nn.Linear(12, 5)

        def forward(self, x):
            return self.head(self.blocks(self.stem(x).flatten(2).transpose(1, 2)).mean(1))

    return Net(), images(3, 12, 5), classify(torch)


@model
def matrix_factorization(torch):
    nn = torch.nn

    class Factors(nn.Module):
        def __init__(self, users, items, width):
            super().__init__()
            self.user, self.item = nn.Embedding(users, width), nn.Embedding(items, width)
            self.user_bias, self.item_bias = nn.Embedding(users, 1), nn.Embedding(items, 1, padding_idx=0)

        def forward(self, u, i):
            both = (self.user(u) * self.item(i)).sum(1)
            return both + self.user_bias(u).squeeze(1) + self.item_bias(i).squeeze(1)

    def arrays(rng):
        return rng.integers(0, 9, 24), rng.integers(0, 7, 24), rng.uniform(1, 5, 24)

    def loss(net, u, i, y):
        out = net(u, i)
        return out, nn.SmoothL1Loss()(out, y)

    return Factors(9, 7, 4), arrays, loss


# images


@model
def lenet(torch):
    nn, F = torch.nn, torch.nn.functional

    class LeNet(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv1 = nn.Conv2d(1, 6, 5)
            self.conv2 = nn.Conv2d(6, 16, 5)
            self.fc1 = nn.Linear(16 * 4 * 4, 40)
            self.fc2 = nn.Linear(40, 20)
            self.fc3 = nn.Linear(20, 10)

        def forward(self, x):
            x = F.max_pool2d(F.relu(self.conv1(x)), (2, 2))
            x = F.max_pool2d(F.relu(self.conv2(x)), 2)
            x = torch.flatten(x, 1)
            return self.fc3(F.relu(self.fc2(torch.tanh(self.fc1(x)))))

    return LeNet(), images(1, 28, 10), classify(torch)


@model
def alexnet(torch):
    nn = torch.nn
    net = nn.Sequential(
        nn.Conv2d(3, 8, 5, stride=2, padding=2), nn.ReLU(inplace=True), nn.LocalResponseNorm(5), nn.MaxPool2d(3, 2),
        nn.Conv2d(8, 12, 3, padding=1, groups=2), nn.ReLU(inplace=True), nn.MaxPool2d(3, stride=1, padding=1),
        nn.AdaptiveAvgPool2d((3, 2)), nn.Flatten(), nn.Dropout(0.0), nn.Linear(72, 20), nn.ReLU(inplace=True), nn.Linear(20, 6),
    )  # fmt: skip
    return net, images(3, 20, 6), classify(torch)


@model
def vgg(torch):
    nn = torch.nn
    layers, channels = [], 3
    for width in (6, "M", 8, 8, "M"):
        if width == "M":
            layers.append(nn.MaxPool2d(kernel_size=2, stride=2))
        else:
            layers += [nn.Conv2d(channels, width, 3, padding=1, bias=False), nn.BatchNorm2d(width), nn.ReLU(True)]
            channels = width
    net = nn.Sequential(*layers, nn.AdaptiveMaxPool2d(2), nn.Flatten(), nn.Linear(32, 5))
    for m in net.modules():
        if isinstance(m, nn.Conv2d):
            nn.init.kaiming_normal_(m.weight, mode="fan_out", nonlinearity="relu")
        elif isinstance(m, nn.Linear):
            nn.init.normal_(m.weight, 0, 0.1)
            nn.init.zeros_(m.bias)
    return net, images(3, 12, 5), classify(torch)


@model
def resnet(torch):
    nn, F = torch.nn, torch.nn.functional

    class Block(nn.Module):
        def __init__(self, inside, outside, stride=1):
            super().__init__()
            self.conv1 = nn.Conv2d(inside, outside, 3, stride, 1, bias=False)
            self.bn1 = nn.BatchNorm2d(outside)
            self.conv2 = nn.Conv2d(outside, outside, 3, padding=1, bias=False)
            self.bn2 = nn.BatchNorm2d(outside)
            self.shortcut = nn.Identity()
            if stride != 1 or inside != outside:
                self.shortcut = nn.Sequential(
                    nn.Conv2d(inside, outside, 1, stride, bias=False), nn.BatchNorm2d(outside)
                )

        def forward(self, x):
            out = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
            out += self.shortcut(x)
            return F.relu(out)

    net = nn.Sequential(
        nn.Conv2d(3, 6, 3, padding=1, bias=False), nn.BatchNorm2d(6), nn.ReLU(), Block(6, 6), Block(6, 8, 2),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 5),
    )  # fmt: skip
    return net, images(3, 10, 5), classify(torch)


@model
def densenet(torch):
    nn, F = torch.nn, torch.nn.functional

    class Dense(nn.Module):
        def __init__(self, channels, growth, depth):
            super().__init__()
            self.norms = nn.ModuleList(nn.BatchNorm2d(channels + i * growth) for i in range(depth))
            self.convs = nn.ModuleList(
                nn.Conv2d(channels + i * growth, growth, 3, padding="same", bias=False) for i in range(depth)
            )

        def forward(self, x):
            for norm, conv in zip(self.norms, self.convs, strict=True):
                x = torch.cat([x, conv(F.relu(norm(x)))], 1)
            return x

    net = nn.Sequential(
        nn.Conv2d(3, 6, 3, padding=1), Dense(6, 3, 2), nn.Conv2d(12, 6, 1, bias=False), nn.AvgPool2d(2), Dense(6, 3, 2),
        nn.ELU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(12, 5),
    )  # fmt: skip
    return net, images(3, 8, 5), classify(torch)


@model
def mobilenet(torch):
    nn = torch.nn

    class Inverted(nn.Module):
        def __init__(self, inside, outside, stride, expand):
            super().__init__()
            hidden = inside * expand
            self.residual = stride == 1 and inside == outside
            self.conv = nn.Sequential(
                nn.Conv2d(inside, hidden, 1, bias=False), nn.BatchNorm2d(hidden), nn.ReLU6(inplace=True),
                nn.Conv2d(hidden, hidden, 3, stride, 1, groups=hidden, bias=False), nn.BatchNorm2d(hidden), nn.Hardswish(),
                nn.Conv2d(hidden, outside, 1, bias=False), nn.BatchNorm2d(outside, momentum=None),
            )  # fmt: skip

        def forward(self, x):
            return x + self.conv(x) if self.residual else self.conv(x)

    net = nn.Sequential(
        nn.ReflectionPad2d(1), nn.Conv2d(3, 4, 3, 2, bias=False), Inverted(4, 4, 1, 2), nn.Hardswish(), Inverted(4, 6, 2, 2),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(6, 5),
    )  # fmt: skip
    return net, images(3, 12, 5), classify(torch)


@model
def squeeze_excite(torch):
    nn = torch.nn

    class Excite(nn.Module):
        def __init__(self, channels, reduced):
            super().__init__()
            self.pool = nn.AdaptiveAvgPool2d((1, 1))
            self.fc = nn.Sequential(
                nn.Conv2d(channels, reduced, 1), nn.Mish(), nn.Conv2d(reduced, channels, 1), nn.Sigmoid()
            )

        def forward(self, x):
            return x * self.fc(self.pool(x))

    net = nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1, padding_mode="circular"), nn.CELU(0.5), Excite(8, 3), nn.LPPool2d(2, 2),
        nn.Conv2d(8, 8, 3, dilation=2, padding=2), nn.SELU(), Excite(8, 2), nn.Flatten(1), nn.Linear(128, 5),
    )  # fmt: skip
    return net, images(3, 8, 5), classify(torch)


@model
def group_and_instance_norm(torch):
    nn = torch.nn
    net = nn.Sequential(
        nn.Conv2d(3, 8, 3, stride=2), nn.GroupNorm(4, 8), nn.ReLU(), nn.Conv2d(8, 6, 3, bias=False), nn.InstanceNorm2d(6, affine=True),
        nn.Softsign(), nn.Conv2d(6, 6, 1, bias=False), nn.InstanceNorm2d(6, track_running_stats=True), nn.Tanhshrink(), nn.Flatten(2),
        nn.RMSNorm(9), nn.Unflatten(2, (3, 3)), nn.Flatten(), nn.Linear(54, 5),
    )  # fmt: skip
    return net, images(3, 12, 5), classify(torch)


@model
def unet(torch):
    nn, F = torch.nn, torch.nn.functional

    def pair(inside, outside):
        return nn.Sequential(
            nn.Conv2d(inside, outside, 3, padding=1, bias=False), nn.BatchNorm2d(outside), nn.ReLU(inplace=True),
            nn.Conv2d(outside, outside, 3, padding=1), nn.ReLU(inplace=True),
        )  # fmt: skip

    class UNet(nn.Module):
        def __init__(self):
            super().__init__()
            self.down1, self.down2, self.bottom = pair(1, 4), pair(4, 6), pair(6, 8)
            self.pool = nn.MaxPool2d(2)
            self.up2 = nn.ConvTranspose2d(8, 6, 2, stride=2)
            self.join2 = pair(12, 6)
            self.up1 = nn.Upsample(scale_factor=2, mode="bilinear", align_corners=True)
            self.join1 = pair(10, 4)
            self.head = nn.Conv2d(4, 3, 1)

        def forward(self, x):
            one = self.down1(x)
            two = self.down2(self.pool(one))
            x = self.up2(self.bottom(self.pool(two)))
            x = self.join2(torch.cat([x, two], dim=1))
            return self.head(self.join1(torch.cat([self.up1(x), one], dim=1)))

    def loss(net, x, y):
        out = net(x)
        weight = torch.tensor([1.0, 2.0, 0.5], dtype=x.dtype)
        return out, F.cross_entropy(out, y, weight=weight, label_smoothing=0.1)

    return UNet(), lambda rng: (rng.standard_normal((2, 1, 8, 8)), rng.integers(0, 3, (2, 8, 8))), loss


@model
def super_resolution(torch):
    nn = torch.nn
    net = nn.Sequential(
        nn.Conv2d(1, 8, 5, padding=2, padding_mode="replicate"), nn.Tanh(), nn.Conv2d(8, 8, 3, padding=1), nn.PixelShuffle(2),
        nn.Upsample(scale_factor=1.5, mode="bicubic"), nn.ZeroPad2d((0, 1, 1, 0)), nn.Conv2d(2, 1, 2),
    )  # fmt: skip

    def loss(net, x, y):
        out = net(x)
        return out, nn.L1Loss()(out, y)

    return net, lambda rng: (rng.standard_normal((2, 1, 6, 6)), rng.standard_normal((2, 1, 18, 18))), loss


@model
def spatial_transformer(torch):
    nn, F = torch.nn, torch.nn.functional

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.locate = nn.Sequential(nn.Conv2d(1, 4, 3), nn.AvgPool2d(2), nn.Tanh(), nn.Flatten(), nn.Linear(64, 6))
            nn.init.normal_(self.locate[-1].weight, std=0.01)
            self.locate[-1].bias.data.copy_(torch.tensor([0.9, 0.1, 0.05, -0.1, 1.1, 0.02]))
            self.classify = nn.Sequential(nn.Conv2d(1, 4, 3), nn.Sigmoid(), nn.Flatten(), nn.Linear(256, 4))

        def forward(self, x):
            grid = F.affine_grid(self.locate(x).view(-1, 2, 3), list(x.shape), align_corners=False)
            return self.classify(F.grid_sample(x, grid, align_corners=False))

    def arrays(rng):  # smooth, since sampling has kinks at the pixels
        i = np.arange(10)
        waves = rng.uniform(0.1, 0.5, (2, 4, 1)) * i + rng.uniform(0, 6, (2, 4, 1))
        return np.sin(waves[0, :, None, :, None] + waves[1, :, None, None, :]), rng.integers(0, 4, 4)

    return Net(), arrays, classify(torch)


@model
def conv3d(torch):
    nn = torch.nn
    net = nn.Sequential(
        nn.Conv3d(1, 4, 3, padding=1, bias=False), nn.BatchNorm3d(4), nn.ReLU(), nn.MaxPool3d(2), nn.Conv3d(4, 6, (1, 2, 3)),
        nn.Softplus(), nn.AvgPool3d((1, 2, 1)), nn.ConvTranspose3d(6, 3, 2), nn.AdaptiveAvgPool3d((2, 1, 1)), nn.Flatten(),
        nn.Linear(6, 3),
    )  # fmt: skip
    return net, images(1, 8, 3, batch=2, dims=3), classify(torch)


@model
def vision_transformer(torch):
    nn = torch.nn

    class ViT(nn.Module):
        def __init__(self, width=16):
            super().__init__()
            self.patches = nn.Conv2d(3, width, kernel_size=4, stride=4)
            self.cls = nn.Parameter(torch.zeros(1, 1, width))
            self.place = nn.Parameter(torch.empty(1, 10, width))
            nn.init.trunc_normal_(self.place, std=0.02)
            layer = nn.TransformerEncoderLayer(
                width, 4, 32, dropout=0.0, activation="gelu", batch_first=True, norm_first=True
            )
            self.encoder = nn.TransformerEncoder(layer, 2, norm=nn.LayerNorm(width), enable_nested_tensor=False)
            self.head = nn.Linear(width, 5)

        def forward(self, x):
            x = self.patches(x).flatten(2).transpose(1, 2)
            x = torch.cat([self.cls.expand(len(x), -1, -1), x], 1) + self.place
            return self.head(self.encoder(x)[:, 0])

    return ViT(), images(3, 12, 5), classify(torch)


# generation and comparison


@model
def autoencoder(torch):
    nn = torch.nn
    net = nn.Sequential()
    net.add_module("encoder", nn.Sequential(nn.Linear(30, 16), nn.Hardtanh(), nn.Linear(16, 4), nn.Softshrink(0.1)))
    net.add_module("decoder", nn.Sequential(nn.Linear(4, 16), nn.LogSigmoid(), nn.Linear(16, 30), nn.Sigmoid()))

    def loss(net, x):
        out = net(x)
        return out, nn.BCELoss()(out, x) + 0.1 * nn.HuberLoss(delta=0.3)(out, x)

    return net, lambda rng: (rng.uniform(0, 1, (8, 30)),), loss


@model
def variational_autoencoder(torch):
    nn, F = torch.nn, torch.nn.functional

    class VAE(nn.Module):
        def __init__(self):
            super().__init__()
            self.fc1 = nn.Linear(30, 16)
            self.fc21, self.fc22 = nn.Linear(16, 3), nn.Linear(16, 3)
            self.fc3, self.fc4 = nn.Linear(3, 16), nn.Linear(16, 30)

        def forward(self, x, noise):
            h = F.relu(self.fc1(x.view(-1, 30)))
            mu, logvar = self.fc21(h), self.fc22(h)
            z = mu + noise * torch.exp(0.5 * logvar)
            return torch.sigmoid(self.fc4(F.relu(self.fc3(z)))), mu, logvar

    def loss(net, x, noise):
        out, mu, logvar = net(x, noise)
        bce = F.binary_cross_entropy(out, x.view(-1, 30), reduction="sum")
        return (out, mu, logvar), bce - 0.5 * torch.sum(1 + logvar - mu.pow(2) - logvar.exp())

    return VAE(), lambda rng: (rng.uniform(0, 1, (8, 5, 6)), rng.standard_normal((8, 3))), loss


@model
def transposed_decoder(torch):
    nn = torch.nn
    net = nn.Sequential(
        nn.Linear(5, 24), nn.Unflatten(1, (6, 2, 2)), nn.ConvTranspose2d(6, 8, 4, 2, 1, bias=False), nn.BatchNorm2d(8),
        nn.ReLU(True), nn.ConvTranspose2d(8, 4, 3, stride=2, padding=1, output_padding=1, groups=2), nn.LeakyReLU(0.2, inplace=True),
        nn.ConvTranspose2d(4, 1, 3, dilation=2), nn.Tanh(),
    )  # fmt: skip

    def loss(net, z, x):
        out = net(z)
        return out, nn.functional.mse_loss(out, x)

    return net, lambda rng: (rng.standard_normal((3, 5)), rng.uniform(-1, 1, (3, 1, 12, 12))), loss


@model
def gan(torch):
    nn = torch.nn

    class Pair(nn.Module):
        def __init__(self):
            super().__init__()
            self.generator = nn.Sequential(
                nn.Linear(4, 16, bias=False), nn.BatchNorm1d(16), nn.ReLU(), nn.Linear(16, 12), nn.Tanh()
            )
            self.critic = nn.Sequential(nn.Linear(12, 16), nn.LeakyReLU(0.2), nn.Linear(16, 1), nn.Sigmoid())

    def loss(net, real, noise):
        bce, one, zero = nn.BCELoss(), real.new_ones(len(real), 1), real.new_zeros(len(real), 1)
        fake = net.generator(noise)
        for_critic = bce(net.critic(real), one) + bce(net.critic(fake.detach()), zero)
        net.critic.requires_grad_(False)
        judged = net.critic(fake)
        net.critic.requires_grad_(True)
        return (fake, judged), for_critic + bce(judged, one)

    return Pair(), lambda rng: (rng.standard_normal((8, 12)), rng.standard_normal((8, 4))), loss


@model
def siamese(torch):
    nn, F = torch.nn, torch.nn.functional
    net = nn.Sequential(
        nn.Conv2d(1, 4, 3), nn.RReLU(0.2, 0.2), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(36, 8), nn.Hardshrink(0.01)
    )

    def loss(net, a, b, c):
        a, b, c = (F.normalize(net(x), dim=1) for x in (a, b, c))
        far = nn.CosineSimilarity()(a, c).clamp(min=0).mean() + nn.PairwiseDistance()(b, c).neg().exp().mean()
        return (a, b, c), nn.TripletMarginLoss(margin=1.0, p=2)(a, b, c) + 0.1 * far

    return net, lambda rng: tuple(rng.standard_normal((3, 4, 1, 8, 8))), loss


@model
def bilinear_pairs(torch):
    nn = torch.nn

    class Pairs(nn.Module):
        def __init__(self):
            super().__init__()
            self.left, self.right = nn.Linear(6, 5), nn.Linear(7, 4)
            self.both = nn.Bilinear(5, 4, 3)
            self.scales = nn.ParameterList([nn.Parameter(torch.ones(3)) for _ in range(2)])
            self.shifts = nn.ParameterDict({"one": nn.Parameter(torch.zeros(3))})

        def forward(self, x, y):
            z = self.both(torch.relu(self.left(x)), torch.tanh(self.right(y)))
            return z * self.scales[0] * self.scales[1] + self.shifts["one"]

    def loss(net, x, y, classes):
        out = net(x, y)
        return out, nn.MultiMarginLoss()(out, classes) + nn.functional.gelu(out, approximate="tanh").mean()

    def arrays(rng):
        return rng.standard_normal((8, 6)), rng.standard_normal((8, 7)), rng.integers(0, 3, 8)

    return Pairs(), arrays, loss
