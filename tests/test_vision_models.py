"""vision.models, utils and io: torchvision's names, its numbers, weights from files and a server; pictures and files."""

import hashlib
import pickle
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from io import BytesIO

import numpy as np
import pytest
import vision_oracle

import polytensor as pt
import polytensor.vision.models as M
from polytensor import nn
from polytensor.vision import io, utils

Image = pytest.importorskip("PIL.Image")


@pytest.fixture(scope="module")
def tv():
    return vision_oracle.load()


@pytest.fixture
def no_init(monkeypatch):
    """Modules with whatever is in memory: fast, and nothing is touched."""
    for name in vars(nn.init):
        if name.endswith("_") and not name.startswith("_"):
            monkeypatch.setattr(nn.init, name, lambda x, *args, **kwargs: x)


def copied(theirs, ours):
    """ours with the tensors of theirs, loaded under the same names."""
    state = {k: pt.from_numpy(v.detach().numpy().copy()) for k, v in theirs.state_dict().items()}
    ours.load_state_dict(state)
    return ours


NAMES = [n for n in M.list_models() if n != "lenet"]


@pytest.mark.filterwarnings("ignore:The default weight initialization of inception_v3")
@pytest.mark.parametrize("name", NAMES)
def test_parameter_names_and_shapes(name, tv, oracle, no_init):
    with oracle.device("meta"):
        theirs = tv.models.get_model(name, num_classes=7)
    ours = M.get_model(name, num_classes=7)
    want = {k: tuple(v.shape) for k, v in theirs.state_dict().items()}
    assert {k: tuple(v.shape) for k, v in ours.state_dict().items()} == want
    assert list(ours.state_dict()) == list(theirs.state_dict())
    assert [k for k, _ in ours.named_parameters()] == [k for k, _ in theirs.named_parameters()]
    assert repr(ours) == repr(theirs)


def test_layers_between(tv, oracle, no_init):
    """IntermediateLayerGetter: which children it keeps, what it gives back, what it refuses."""

    def program(module, models):
        import importlib

        getter = importlib.import_module(models.__name__ + "._utils").IntermediateLayerGetter
        body = module.nn.Sequential(module.nn.ReLU(), module.nn.Sigmoid(), module.nn.Tanh(), module.nn.ELU())
        got = getter(body, {"0": "a", "2": 5})
        out = got(module.tensor([-1.0, 2.0]))
        try:
            getter(body, {"7": "a"})
        except ValueError as error:
            return repr(got), [(k, v.tolist()) for k, v in out.items()], list(got.state_dict()), str(error)

    ours, theirs = program(pt, M), program(oracle, tv.models)
    assert ours[0] == theirs[0] and ours[2:] == theirs[2:]
    assert [k for k, _ in ours[1]] == [k for k, _ in theirs[1]] == ["a", 5]
    for (_, a), (_, b) in zip(ours[1], theirs[1], strict=True):
        assert a == pytest.approx(b)


def inceptions(m):
    """Its blocks, from three channels each."""
    parts = m.inception
    nn = pt.nn if m is M else pytest.importorskip("torch").nn
    blocks = [parts.InceptionA(3, 2), parts.InceptionC(226, 4), parts.InceptionB(768), parts.InceptionD(1248)]
    return nn.Sequential(*blocks, nn.Conv2d(1760, 3, 1), parts.InceptionE(3))


def efficient(m):
    """Three stages with both kinds of blocks."""
    e = m.efficientnet
    fused = e.FusedMBConvConfig(1, 3, 1, 8, 8, 1), e.FusedMBConvConfig(4, 3, 2, 8, 16, 2)
    return [*fused, e.MBConvConfig(6, 5, 2, 16, 24, 2, width_mult=1.1, depth_mult=1.2)]


SMALL = {
    "resnet18": (lambda m: m.resnet18(num_classes=5), 48),
    "bottleneck": (lambda m: m.resnet.ResNet(m.resnet.Bottleneck, [1, 1, 1, 1], 5), 48),
    "dilated": (lambda m: m.resnet.ResNet(m.resnet.Bottleneck, [1, 1, 1, 1], 5, True, 2, 32, [False, True, True]), 48),
    "mobilenet": (lambda m: m.MobileNetV2(5, width_mult=0.5), 64),
    "densenet": (lambda m: m.DenseNet(8, (2, 3, 2), 16, num_classes=5), 64),
    "vit": (lambda m: m.VisionTransformer(32, 8, 2, 4, 32, 64, num_classes=5, representation_size=16), 32),
    "vgg": (lambda m: m.vgg.make_layers(m.vgg.cfgs["A"], True), 32),
    "alexnet": (lambda m: m.AlexNet(5).features, 64),
    "squeezenet": (lambda m: m.squeezenet1_1(num_classes=5), 36),
    "mobilenet3": (lambda m: m.mobilenet_v3_small(num_classes=5, width_mult=0.25, reduced_tail=True, dilated=True), 48),
    "efficientnet": (lambda m: m.EfficientNet(efficient(m), 0.1, num_classes=3, last_channel=32), 48),
    "inception": (inceptions, 11),
}  # fmt: skip


LEARN = ("bottleneck", "densenet", "vit", "vgg", "mobilenet")


@pytest.mark.parametrize(("name", "training"), [(n, False) for n in SMALL] + [(n, True) for n in LEARN])
def test_outputs_and_gradients_like_torchvision(name, training, tv, oracle, no_init):
    make, size = SMALL[name]
    oracle.manual_seed(0)
    theirs = make(tv.models)
    ours = copied(theirs, make(M))
    mode = training and name != "mobilenet"  # its dropout draws other numbers
    ours.train(mode)
    theirs.train(mode)
    x = np.random.default_rng(0).normal(size=(3, 3, size, size)).astype(np.float32)
    if training:  # in float32 a value near 0 may fall on the other side of a ReLU
        ours, theirs, x = ours.double(), theirs.double(), x.astype(np.float64)
    with pt.set_grad_enabled(training), oracle.set_grad_enabled(training):
        a, b = ours(pt.from_numpy(x)), theirs(oracle.from_numpy(x))
    np.testing.assert_allclose(a.detach().numpy(), b.detach().numpy(), *((1e-9, 1e-10) if training else (2e-4, 2e-5)))
    if training:
        a.square().mean().backward()
        b.square().mean().backward()
        for (key, p), q in zip(ours.named_parameters(), theirs.parameters(), strict=True):
            scale = float(q.grad.abs().max())
            assert np.abs(p.grad.numpy() - q.grad.numpy()).max() <= 1e-6 * scale + 1e-9, key


def test_inception_as_a_whole(tv, oracle):
    """Two classifiers in training, without the first where weights are loaded for one; with light blocks."""

    def light(t, m, **options):
        def conv(i, o, stride=1, **_):
            return t.nn.Conv2d(i, o, 1, stride, groups=1 if i == 3 else 16)

        blocks = [
            conv,
            lambda i, pool_features: conv(i, 224 + pool_features),
            lambda i: conv(i, i + 480, 2),
            conv,
            lambda i: conv(i, i + 512, 2),
        ]
        blocks[3] = lambda i, channels_7x7: conv(i, i)
        head = lambda i, n: t.nn.Sequential(t.nn.AdaptiveAvgPool2d(1), t.nn.Flatten(), t.nn.Linear(i, n))  # noqa: E731
        return m.Inception3(3, True, True, [*blocks, lambda i: conv(i, 2048), head], False, 0.0, **options)

    theirs = light(oracle, tv.models)
    ours = copied(theirs, light(pt, M))
    x = np.random.default_rng(0).normal(size=(2, 3, 75, 75)).astype(np.float32)
    a, b = ours(pt.from_numpy(x)), theirs(oracle.from_numpy(x))
    assert type(a).__name__ == type(b).__name__ == "InceptionOutputs" and a._fields == b._fields
    for p, q in zip((*a, ours.eval()(pt.from_numpy(x))), (*b, theirs.eval()(oracle.from_numpy(x))), strict=True):
        np.testing.assert_allclose(p.detach().numpy(), q.detach().numpy(), 1e-4, 1e-5)
    for m in (M, tv.models):
        with pytest.raises(ValueError, match="length of inception_blocks should be 7 instead of 1"):
            m.Inception3(inception_blocks=[None], init_weights=False)
        with pytest.warns(FutureWarning, match="set init_weights=True"), pytest.raises(ValueError):
            m.Inception3(inception_blocks=[None])


def test_initial_weights(tv, oracle):
    """The same distributions: mean and spread of each tensor agree with torchvision's."""
    for make in (lambda m: m.resnet18(), lambda m: m.MobileNetV2(), SMALL["densenet"][0], SMALL["vit"][0]):
        pt.manual_seed(0)
        oracle.manual_seed(0)
        ours, theirs = make(M), make(tv.models)
        for (key, p), q in zip(ours.named_parameters(), theirs.parameters(), strict=True):
            assert (
                abs(p.std().item() - q.std().item()) <= 0.02 * q.std().item() + 5 * q.std().item() / q.numel() ** 0.5
            ), key
            assert abs(p.mean().item() - q.mean().item()) <= 8 * q.std().item() / q.numel() ** 0.5 + 1e-7, key


def test_lenet_learns_shapes():
    net = M.lenet(num_classes=4, in_channels=3)
    assert net(pt.zeros(2, 3, 32, 32)).shape == net(pt.zeros(2, 3, 28, 28)).shape == (2, 4)
    out = M.LeNet()(pt.rand(5, 1, 28, 28))
    nn.functional.cross_entropy(out, pt.arange(5)).backward()


def test_weights_from_a_file(tmp_path, oracle, tv):
    theirs = tv.models.resnet18(num_classes=3)
    oracle.save(theirs.state_dict(), tmp_path / "plain.pt")
    oracle.save({"state_dict": theirs.state_dict(), "epoch": 3}, tmp_path / "checkpoint.pt")
    oracle.save(theirs.state_dict(), tmp_path / "legacy.pt", _use_new_zipfile_serialization=False)
    x = np.random.default_rng(0).normal(size=(2, 3, 64, 64)).astype(np.float32)
    want = theirs.eval()(oracle.from_numpy(x)).detach().numpy()
    for name in ("plain.pt", "checkpoint.pt", "legacy.pt"):
        ours = M.resnet18(weights=tmp_path / name, num_classes=3).eval()
        np.testing.assert_allclose(ours(pt.from_numpy(x)).detach().numpy(), want, rtol=2e-4, atol=2e-5)
    with pytest.raises(RuntimeError, match="size mismatch for fc.weight"):
        M.resnet18(weights=str(tmp_path / "plain.pt"))
    with pytest.raises(FileNotFoundError, match="no such file"):
        M.resnet18(weights=str(tmp_path / "none.pt"))
    (tmp_path / "bad.pt").write_bytes(b"no zip")
    with pytest.raises((RuntimeError, pickle.UnpicklingError)):
        M.resnet18(weights=str(tmp_path / "bad.pt"))


@pytest.fixture
def server(tmp_path, monkeypatch):
    files = {}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            data = files.get(self.path[1:])
            if data is None:
                return self.send_error(404)
            self.send_response(200)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)
            self.server.count += 1

        def log_message(self, *args):
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    server.files, server.count, server.at = files, 0, f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def test_weights_from_a_url(server, tmp_path):
    net = M.LeNet()
    pt.save(net.state_dict(), tmp_path / "w.pt")
    data = (tmp_path / "w.pt").read_bytes()
    sha = hashlib.sha256(data).hexdigest()
    server.files[f"lenet-{sha[:8]}.pth"] = server.files["lenet.pth"] = data
    server.files["lenet-0123abcd.pth"] = data
    for url in (f"{server.at}/lenet-{sha[:8]}.pth", f"{server.at}/lenet.pth#sha256={sha}"):
        before = server.count
        for _ in range(2):  # the second comes from the cache
            assert M.lenet(weights=url).fc3.weight.equal(net.fc3.weight)
        assert server.count == before + 1
    cached = tmp_path / "home" / "hub" / "checkpoints"
    (cached / f"lenet-{sha[:8]}.pth").write_bytes(b"damaged")
    assert M.lenet(weights=f"{server.at}/lenet-{sha[:8]}.pth").fc3.weight.equal(net.fc3.weight)
    with pytest.raises(RuntimeError, match="has the SHA-256"):
        M.lenet(weights=f"{server.at}/lenet-0123abcd.pth")
    assert sorted(p.name for p in cached.iterdir()) == sorted([f"lenet-{sha[:8]}.pth", "lenet.pth"])


def test_named_weights(tv, server, monkeypatch, no_init):
    for name in NAMES:
        ours, theirs = M.get_model_weights(name), tv.models.get_model_weights(name)
        assert ours.__name__ == theirs.__name__ and str(ours.DEFAULT) == str(theirs.DEFAULT)
        assert getattr(M, ours.__name__) is ours
        for member in ours:
            assert member.url == theirs[member.name].url
            assert repr(member.transforms()) == repr(theirs[member.name].transforms())
    kept = {"VGG16_Weights.IMAGENET1K_FEATURES"}  # a file that no VGG's classifier fits
    assert {str(w) for n in NAMES for w in tv.models.get_model_weights(n)} - kept == {
        str(w) for n in NAMES for w in M.get_model_weights(n)
    }
    with pytest.raises(ValueError, match="The parameter 'num_classes' expected value 1000 but got 10 instead."):
        M.resnet18(weights="IMAGENET1K_V1", num_classes=10)
    with pytest.raises(TypeError, match="expected ResNet18_Weights but received ResNet50_Weights"):
        M.resnet18(weights=M.ResNet50_Weights.DEFAULT)
    with pytest.warns(UserWarning) as seen:
        M.resnet18(pretrained=False)
    assert "The parameter 'pretrained' is deprecated since 0.13" in str(seen[0].message)
    assert "equivalent to passing `weights=None`" in str(seen[1].message)
    asked = []
    monkeypatch.setattr(
        M.weights, "read_weights", lambda url, check=True: asked.append(url) or M.resnet18().state_dict()
    )
    with pytest.warns(UserWarning) as seen:
        M.resnet18(pretrained=True)
    assert "equivalent to passing `weights=ResNet18_Weights.IMAGENET1K_V1`" in str(seen[1].message)
    M.resnet18(weights="DEFAULT")
    assert asked == ["https://download.pytorch.org/models/resnet18-f37072fd.pth"] * 2
    asked.clear()
    monkeypatch.setattr(M.weights, "read_weights", lambda url, check=True: asked.append(url) or {})
    for old in ({"pretrained": True}, {"weights": True}):  # as they were when there was no newer file
        with pytest.warns(UserWarning) as seen, pytest.raises(RuntimeError, match="Missing key"):
            M.resnet50(**old)
        assert "You can also use `weights=ResNet50_Weights.DEFAULT` to get the most up-to-date" in str(seen[-1].message)
    assert asked == ["https://download.pytorch.org/models/resnet50-0676ba61.pth"] * 2
    with pytest.warns(UserWarning), pytest.raises(ValueError, match="No weights available for model vit_h_14"):
        M.vit_h_14(pretrained=True)
    assert M.get_weight("ResNet18_Weights.DEFAULT") is M.ResNet18_Weights.IMAGENET1K_V1
    assert M.list_models(include="vgg1*", exclude=["*_bn"]) == ["vgg11", "vgg13", "vgg16", "vgg19"]
    with pytest.raises(ValueError, match="Unknown model nope"):
        M.get_model("nope")


def test_old_names_in_files(no_init):
    dense, vit = SMALL["densenet"][0](M), SMALL["vit"][0](M)
    for net, new, old in (
        (dense, ".norm1.", ".norm.1."),
        (dense, ".conv2.", ".conv.2."),
        (vit, ".mlp.3.", ".mlp.linear_2."),
    ):
        state = {k.replace(new, old): pt.ones_like(v) for k, v in net.state_dict().items()}
        assert any(old in k for k in state)
        outer = nn.Sequential(net)
        net.load_state_dict(state)
        outer.load_state_dict({f"0.{k}": v for k, v in state.items()})
        assert all((v == 1).all() for v in net.state_dict().values())


def test_transfer_learning():
    net = M.resnet18(num_classes=8)
    for p in net.parameters():
        p.requires_grad = False
    net.fc = nn.Linear(net.fc.in_features, 2)
    before = net.fc.weight.detach().clone()
    optimizer = pt.optim.SGD(net.fc.parameters(), lr=0.1)
    nn.functional.cross_entropy(net(pt.rand(2, 3, 64, 64)), pt.tensor([0, 1])).backward()
    optimizer.step()
    assert net.conv1.weight.grad is None and not net.fc.weight.equal(before)


# utils


@pytest.mark.parametrize("shape", [(5, 3, 6, 7), (9, 1, 4, 4), (3, 6, 7), (1, 6, 7), (6, 7), (1, 3, 5, 5)])
@pytest.mark.parametrize(
    "kwargs",
    [{}, {"nrow": 3, "padding": 1}, {"normalize": True}, {"normalize": True, "scale_each": True, "pad_value": 0.5},
     {"normalize": True, "value_range": (0, 0.5)}],
)  # fmt: skip
def test_make_grid(shape, kwargs, tv, oracle):
    x = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    a = utils.make_grid(pt.from_numpy(x.copy()), **kwargs)
    b = tv.utils.make_grid(oracle.from_numpy(x.copy()), **kwargs)
    assert a.shape == b.shape
    np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=1e-5, atol=1e-6)
    assert utils.make_grid([pt.from_numpy(x)], **kwargs).shape[0] == 3 if len(shape) == 3 else True


def test_make_grid_errors():
    with pytest.raises(TypeError, match="tensor or list of tensors expected, got <class 'int'>"):
        utils.make_grid(3)
    with pytest.raises(TypeError, match="got a list containing <class 'int'>"):
        utils.make_grid([3])


def test_save_image(tmp_path):
    x = pt.rand(4, 3, 5, 6)
    utils.save_image(x, tmp_path / "a.png", nrow=2, padding=0)
    want = (utils.make_grid(x, 2, 0).numpy() * np.float32(255) + np.float32(0.5)).clip(0, 255).astype(np.uint8)
    assert np.array_equal(np.asarray(Image.open(tmp_path / "a.png")), want.transpose(1, 2, 0))


BOXES = [[2, 3, 12, 15], [0, 0, 30, 20], [7, 7, 7, 9]]


@pytest.mark.parametrize(
    "kwargs",
    [{}, {"colors": "red"}, {"colors": ["red", (1, 2, 3), "#00ff00"], "width": 2}, {"fill": True, "colors": "blue"},
     {"labels": ["a", "b", None]}, {"labels": ["a", "b", "c"], "fill_labels": True, "label_colors": "white"}],
)  # fmt: skip
@pytest.mark.parametrize("kind", ["uint8", "grey", "float"])
def test_draw_bounding_boxes(kwargs, kind, tv, oracle):
    x = np.random.default_rng(0).integers(0, 256, (1 if kind == "grey" else 3, 24, 32), dtype=np.uint8)
    x = (x / 255).astype(np.float32) if kind == "float" else x
    a = utils.draw_bounding_boxes(pt.from_numpy(x), pt.tensor(BOXES), **kwargs)
    b = tv.utils.draw_bounding_boxes(oracle.from_numpy(x), oracle.tensor(BOXES), **kwargs)
    assert np.array_equal(a.numpy(), b.numpy()) and a.dtype == (pt.float32 if kind == "float" else pt.uint8)


def test_draw_errors_and_masks(tv, oracle):
    x = pt.zeros(3, 8, 8, dtype=pt.uint8)
    with pytest.raises(ValueError, match="Boxes need to be in"):
        utils.draw_bounding_boxes(x, pt.tensor([[5, 0, 1, 1]]))
    with pytest.raises(ValueError, match="Pass individual images"):
        utils.draw_bounding_boxes(x[None], pt.tensor(BOXES))
    with pytest.raises(ValueError, match="mismatch"):
        utils.draw_bounding_boxes(x, pt.tensor(BOXES), labels=["a"])
    with pytest.warns(UserWarning, match="No box was drawn"):
        utils.draw_bounding_boxes(x, pt.zeros(0, 4))
    img = np.random.default_rng(0).integers(0, 256, (3, 8, 8), dtype=np.uint8)
    masks = np.random.default_rng(1).random((2, 8, 8)) > 0.5
    a = utils.draw_segmentation_masks(pt.from_numpy(img), pt.from_numpy(masks), 0.6, ["red", "blue"])
    b = tv.utils.draw_segmentation_masks(oracle.from_numpy(img), oracle.from_numpy(masks), 0.6, ["red", "blue"])
    assert np.array_equal(a.numpy(), b.numpy())


# io


@pytest.mark.parametrize("mode", ["RGB", "L", "RGBA", "P", "LA", "1"])
def test_read_image(mode, tmp_path):
    x = np.random.default_rng(0).integers(0, 256, (7, 9, 3), dtype=np.uint8)
    img = Image.fromarray(x).convert(mode)
    img.save(tmp_path / "a.png")
    out = io.read_image(str(tmp_path / "a.png"))
    want = np.asarray(img.convert({"P": "RGB", "1": "L"}.get(mode, mode)))
    assert (
        np.array_equal(out.numpy(), want[None] if want.ndim == 2 else want.transpose(2, 0, 1)) and out.is_contiguous()
    )
    for wanted, pil in (("RGB", "RGB"), ("GRAY", "L"), ("RGB_ALPHA", "RGBA"), ("GRAY_ALPHA", "LA")):
        out = io.decode_image(io.read_file(tmp_path / "a.png"), io.ImageReadMode[wanted])
        assert np.array_equal(out.permute(1, 2, 0).squeeze(-1).numpy(), np.asarray(img.convert(pil)))


def test_read_16_bits(tmp_path):
    gray = np.arange(0, 65536, 4369, dtype=np.uint16).reshape(2, 8)
    Image.fromarray(gray).save(tmp_path / "a.png")
    full = np.full_like(gray, 65535)
    for mode, channels in {
        "UNCHANGED": [gray], "GRAY": [gray], "GRAY_ALPHA": [gray, full], "RGB": [gray] * 3, "RGBA": [*[gray] * 3, full],
    }.items():  # fmt: skip
        found = io.read_image(tmp_path / "a.png", mode)
        assert found.dtype == pt.uint16 and found.tolist() == np.stack(channels).tolist(), mode
    (tmp_path / "b.png").write_bytes(b"text")
    with pytest.raises(RuntimeError, match="The image '.*b.png' cannot be decoded: 4 bytes of no known format"):
        io.read_image(tmp_path / "b.png")


def test_write_images(tmp_path):
    x = pt.from_numpy(np.random.default_rng(0).integers(0, 256, (3, 9, 8), dtype=np.uint8))
    io.write_png(x, str(tmp_path / "a.png"))
    assert io.read_image(tmp_path / "a.png").equal(x) and io.decode_png(io.encode_png(x[:1])).equal(x[:1])
    smooth = pt.arange(72).view(1, 9, 8).to(pt.uint8).expand(3, 9, 8)
    io.write_jpeg(smooth, tmp_path / "a.jpg", quality=95)
    assert (io.read_image(tmp_path / "a.jpg").int() - smooth.int()).abs().max() < 8
    assert io.decode_jpeg([io.encode_jpeg(smooth)], mode="RGB")[0].shape == (3, 9, 8)
    with pytest.raises(RuntimeError, match="uint8"):
        io.write_png(x.float(), tmp_path / "b.png")
    with pytest.raises(RuntimeError, match="The number of channels should be 1 or 3, got: 2"):
        io.encode_jpeg(x[:2])
    with pytest.raises(ValueError, match="between 1 and 100"):
        io.encode_jpeg(x, 0)
    with pytest.raises(RuntimeError, match="cannot be decoded"):
        io.decode_image(pt.zeros(20, dtype=pt.uint8))
    with pytest.raises(FileNotFoundError):
        io.read_image(tmp_path / "none.png")


def test_exif_orientation(tmp_path):
    img = Image.fromarray(np.arange(60, dtype=np.uint8).reshape(6, 10))
    exif = img.getexif()
    exif[0x0112] = 6
    img.save(tmp_path / "a.png", exif=exif)
    assert io.read_image(tmp_path / "a.png").shape == (1, 6, 10)
    assert io.read_image(tmp_path / "a.png", apply_exif_orientation=True).shape == (1, 10, 6)


@pytest.mark.parametrize("kind", ["uint8", "float32"])
@pytest.mark.parametrize(
    "kwargs",
    [{}, {"colors": "red", "radius": 4}, {"connectivity": [(0, 1), (1, 2)], "colors": (1, 200, 3), "width": 1}, "seen"],
    ids=str,
)
def test_draw_keypoints(kind, kwargs, tv, oracle):
    x = np.random.default_rng(0).integers(0, 256, (3, 24, 32), dtype=np.uint8)
    x = x if kind == "uint8" else (x / 255).astype(np.float32)
    points = np.array([[[3.7, 4.0], [20, 10], [31, 23]], [[9, 9], [2, 20], [-3, 5]]], np.float32)
    made = []
    for t, u in ((pt, utils), (oracle, tv.utils)):
        options = kwargs
        if kwargs == "seen":
            visible = t.tensor([[True, False, True], [True, True, True]])[:, :, None]
            options = {"visibility": visible, "connectivity": [(0, 1), (0, 2)]}
        made.append(u.draw_keypoints(t.from_numpy(x.copy()), t.from_numpy(points), **options).numpy())
    assert made[0].dtype == made[1].dtype and np.abs(made[0] - made[1]).max() < 1e-6
    for bad in (pt.zeros(3, 2), pt.zeros(1, 3, 2)):
        with pytest.raises(ValueError):
            utils.draw_keypoints(pt.from_numpy(x), bad, visibility=pt.ones(2, 3))
    with pytest.raises(ValueError, match="Pass an RGB image"):
        utils.draw_keypoints(pt.zeros(1, 4, 4), pt.from_numpy(points))


@pytest.mark.parametrize("shape", [(2, 9, 11), (3, 2, 6, 5)])
def test_flow_to_image(shape, tv, oracle):
    x = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    a, b = utils.flow_to_image(pt.from_numpy(x)), tv.utils.flow_to_image(oracle.from_numpy(x))
    assert a.shape == b.shape and np.abs(a.numpy().astype(int) - b.numpy().astype(int)).max() <= 1
    with pytest.raises(ValueError, match="Flow should be of dtype"):
        utils.flow_to_image(pt.from_numpy(x).double())
    with pytest.raises(ValueError, match="should have shape"):
        utils.flow_to_image(pt.zeros(3, 4, 4))


@pytest.mark.filterwarnings("ignore")  # Pillow's, about parts that it skips
@pytest.mark.parametrize("format", ["PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP"])
def test_damaged_images(format):
    """A RuntimeError or an image, also for sizes that no memory holds."""
    rng, buffer = np.random.default_rng(0), BytesIO()
    Image.fromarray(rng.integers(0, 256, (12, 17, 3), dtype=np.uint8)).save(buffer, format)
    good, failed = np.frombuffer(buffer.getvalue(), np.uint8), 0
    for _ in range(150):
        bad = good.copy()
        at = rng.integers(0, min(len(bad), 60 if rng.random() < 0.7 else len(bad)))
        bad[at : at + rng.integers(1, 5)] = rng.choice([0, 127, 255, rng.integers(0, 256)])
        bad = bad[:at] if rng.random() < 0.2 and at else bad
        try:
            io.decode_image(pt.from_numpy(bad), apply_exif_orientation=True)
        except RuntimeError as error:
            failed += 1
            assert "cannot be decoded" in str(error)
    assert failed > 10
    if format == "GIF":
        huge = good.copy()
        huge[6:10] = huge[-50:-46] = 255
        for decode in (io.decode_image, io.decode_gif):
            with pytest.raises(RuntimeError, match="cannot be decoded"):
                decode(pt.from_numpy(huge))


def test_moving_and_web_images():
    x = np.random.default_rng(0).integers(0, 2, (3, 8, 9, 3), dtype=np.uint8) * 255
    frames, buffer = [Image.fromarray(f) for f in x], BytesIO()
    frames[0].save(buffer, "GIF", save_all=True, append_images=frames[1:])
    out = io.decode_gif(pt.tensor(list(buffer.getvalue()), dtype=pt.uint8))
    assert np.array_equal(out.numpy(), x.transpose(0, 3, 1, 2))
    for save, decode in (("GIF", io.decode_gif), ("WEBP", io.decode_webp)):
        buffer = BytesIO()
        frames[1].save(buffer, save, **({"lossless": True} if save == "WEBP" else {}))
        out = decode(pt.tensor(list(buffer.getvalue()), dtype=pt.uint8))
        assert np.array_equal(out.numpy(), x[1].transpose(2, 0, 1))
