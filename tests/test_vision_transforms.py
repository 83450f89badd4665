"""vision.transforms: against torchvision on images and tensors, against Pillow and NumPy, and seeded."""

import random
import subprocess
import sys

import numpy as np
import pytest
import vision_oracle

import polytensor as pt
import polytensor.vision.transforms as T
from polytensor.vision.transforms import functional as F

Image = pytest.importorskip("PIL.Image")


@pytest.fixture(scope="module")
def tv():
    return vision_oracle.load()


def pixels(h=23, w=31, c=3, seed=0, dtype=np.uint8):
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (c, h // 4 + 1, w // 4 + 1))
    x = np.kron(coarse, np.ones((1, 4, 4)))[:, :h, :w] * 0.8 + rng.integers(0, 52, (c, h, w))
    return x.astype(np.uint8) if dtype == np.uint8 else (x / 255).astype(dtype)


def picture(mode="RGB", **kwargs):
    channels = {"L": 1, "RGB": 3, "RGBA": 4, "1": 1, "P": 3, "LA": 2}.get(mode, 1)
    x = pixels(c=channels, **kwargs).transpose(1, 2, 0)
    if mode in ("I", "F", "I;16"):
        return Image.fromarray(x[:, :, 0].astype({"I": np.int32, "F": np.float32, "I;16": np.uint16}[mode]) * 100)
    base = Image.fromarray(x[:, :, 0] if channels == 1 else x)
    return base if base.mode == mode else base.convert(mode)


def flat(x):
    """A result as arrays, whatever it is."""
    if isinstance(x, (tuple, list)):
        return [y for z in x for y in flat(z)]
    if isinstance(x, Image.Image):
        return [np.asarray(x)]
    return [x.detach().numpy()] if hasattr(x, "detach") else [np.asarray(x)]


def agree(ours, theirs, rtol=1e-5, atol=1e-5, apart=0.0):
    """Equal shapes, dtypes and values; for 8-bit results a share `apart` may differ by one step."""
    for a, b in zip(flat(ours), flat(theirs), strict=True):
        assert a.shape == b.shape and a.dtype == b.dtype
        if a.dtype == np.uint8:
            d = np.abs(a.astype(int) - b.astype(int))
            assert d.max(initial=0) <= (1 if apart else 0) and (d > 0).mean() <= apart
        else:
            np.testing.assert_allclose(a, b, rtol=rtol, atol=atol)


N, B, C = (F.InterpolationMode.NEAREST, F.InterpolationMode.BILINEAR, F.InterpolationMode.BICUBIC)
CORNERS = ([[0, 0], [30, 0], [30, 22], [0, 22]], [[3, 2], [28, 1], [25, 20], [1, 19]])
FUNCTIONS = [
    ("resize", (12,), {}), ("resize", ([40, 17],), {}), ("resize", (20,), {"max_size": 24}),
    ("resize", ([9, 14],), {"interpolation": N}), ("resize", ([9, 14],), {"interpolation": C}),
    ("resize", ([23, 31],), {}), ("center_crop", (10,), {}), ("center_crop", ([40, 11],), {}),
    ("center_crop", ([40, 50],), {}), ("crop", (2, 3, 10, 12), {}), ("crop", (-4, 20, 15, 20), {}),
    ("crop", (20, -6, 9, 9), {}), ("resized_crop", (2, 3, 10, 12, [6, 7]), {}), ("hflip", (), {}), ("vflip", (), {}),
    ("pad", (3,), {}), ("pad", ([1, 2],), {"fill": 7}), ("pad", ([1, 2, 3, 4],), {"padding_mode": "edge"}),
    ("pad", (4,), {"padding_mode": "reflect"}), ("pad", ([5, 6, 3, 2],), {"padding_mode": "symmetric"}),
    ("five_crop", (8,), {}), ("ten_crop", ([8, 9],), {"vertical_flip": True}),
    ("adjust_brightness", (0.6,), {}), ("adjust_brightness", (1.7,), {}), ("adjust_contrast", (0.4,), {}),
    ("adjust_contrast", (1.9,), {}), ("adjust_saturation", (0.3,), {}), ("adjust_saturation", (1.8,), {}),
    ("adjust_hue", (0.2,), {}), ("adjust_hue", (-0.45,), {}), ("adjust_gamma", (0.7,), {}), ("adjust_gamma", (2.0, 0.9), {}),
    ("adjust_sharpness", (0.2,), {}), ("adjust_sharpness", (1.9,), {}),
    ("rotate", (33.0,), {}), ("rotate", (-70.0,), {"expand": True}), ("rotate", (90.0,), {"expand": True}),
    ("rotate", (20.0,), {"interpolation": B, "fill": [40, 50, 60]}), ("rotate", (15.0,), {"center": [4, 5]}),
    ("affine", (12.0, [3, -2], 1.2, [5.0, -4.0]), {}), ("affine", (0.0, [0, 4], 0.7, 10.0), {"interpolation": B}),
    ("affine", (-40.0, [1, 1], 1.0, [0.0, 8.0]), {"fill": 9, "center": [0, 0]}),
    ("perspective", CORNERS, {"interpolation": N}), ("perspective", CORNERS, {"fill": 5}),
    ("rgb_to_grayscale", (), {}), ("rgb_to_grayscale", (3,), {}), ("gaussian_blur", (5,), {}),
    ("gaussian_blur", ([3, 7], [0.8, 1.5]), {}), ("invert", (), {}), ("posterize", (3,), {}), ("posterize", (8,), {}),
    ("solarize", (100,), {}), ("autocontrast", (), {}), ("equalize", (), {}), ("get_dimensions", (), {}),
    ("get_image_size", (), {}), ("get_image_num_channels", (), {}),
]  # fmt: skip
IDS = [f"{name}{i}" for i, (name, _, _) in enumerate(FUNCTIONS)]
COMPUTED = ("adjust_", "resize", "gaussian", "rgb_to", "perspective", "affine", "rotate", "autocontrast")


def both_modes(kwargs, tv):
    """The same keyword arguments for torchvision."""
    modes = tv.transforms.InterpolationMode
    return {k: modes(v.value) if isinstance(v, F.InterpolationMode) else v for k, v in kwargs.items()}


def outcome(fn):
    try:
        return fn()
    except (TypeError, ValueError, RuntimeError) as error:
        return type(error)


def compare(ours, theirs, **kwargs):
    ours, theirs = outcome(ours), outcome(theirs)
    if isinstance(theirs, type):
        assert ours is theirs
    else:
        assert not isinstance(ours, type), ours
        agree(ours, theirs, **kwargs)


@pytest.mark.parametrize(("name", "args", "kwargs"), FUNCTIONS, ids=IDS)
@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_on_images_like_torchvision(name, args, kwargs, mode, tv):
    img = picture(mode)
    theirs = getattr(tv.transforms.functional, name)
    compare(
        lambda: getattr(F, name)(img, *args, **kwargs),
        lambda: theirs(img, *args, **both_modes(kwargs, tv)),
        apart=0.02 if name == "gaussian_blur" else 0.0,  # a sum that rounds at .5
    )


@pytest.mark.parametrize(("name", "args", "kwargs"), FUNCTIONS, ids=IDS)
@pytest.mark.parametrize("kind", ["uint8", "float32", "grey", "batch"])
def test_on_tensors_like_torchvision(name, args, kwargs, kind, tv, oracle):
    if kind == "batch":
        x = np.stack([pixels(seed=1), pixels(seed=2)])
    else:
        x = pixels(c=1 if kind == "grey" else 3, dtype=np.float32 if kind == "float32" else np.uint8)
    if name == "solarize" and kind == "float32":
        args = (0.4,)
    theirs = getattr(tv.transforms.functional, name)
    apart = 0.02 if name.startswith(COMPUTED) else 0.0
    compare(
        lambda: getattr(F, name)(pt.from_numpy(x.copy()), *args, **kwargs),
        lambda: theirs(oracle.from_numpy(x.copy()), *args, **both_modes(kwargs, tv)),
        apart=apart, rtol=2e-5, atol=2e-5,
    )  # fmt: skip


@pytest.mark.parametrize("mode", ["RGB", "L", "RGBA", "LA", "1", "P", "I", "F", "I;16"])
def test_kinds_of_images_like_torchvision(mode, tv):
    """Every mode of interpolation, fill and padding on every kind of image: equal results, or the same class of error."""
    img, theirs = picture(mode), tv.transforms.functional
    n = len(img.getbands())
    calls = [("resize", ([9, 13],), {"interpolation": m}) for m in F.InterpolationMode]
    calls += [("rotate", (33.3,), {"interpolation": m, "expand": True, "fill": 7}) for m in F.InterpolationMode]
    for fill in (None, 2.5, [9], [9] * n, (1, 2), "x"):
        calls += [("affine", (12.0, [3, -2], 1.2, [5.0, -4.0]), {"interpolation": B, "fill": fill})]
        calls += [("perspective", CORNERS, {"fill": fill}), ("rotate", (20.0,), {"fill": fill})]
        calls += [("pad", (2,), {"fill": fill})]
    for padding in ((3,), [1, 2], [-2, 0, 1, -1], [1, 2, 3], 0):
        calls += [("pad", (padding,), {"padding_mode": p}) for p in ("constant", "edge", "reflect", "symmetric", "x")]
    for name, args, kwargs in calls:
        compare(
            lambda: getattr(F, name)(img, *args, **kwargs),
            lambda: getattr(theirs, name)(img, *args, **both_modes(kwargs, tv)),
        )
    with pytest.raises(TypeError):
        F.pad(img, 2.5)


@pytest.mark.parametrize("mode", ["RGB", "L", "RGBA", "LA", "1", "P", "I", "F", "I;16"])
def test_images_to_tensors_and_back(mode, tv):
    img = picture(mode)
    theirs = tv.transforms.functional
    compare(lambda: F.pil_to_tensor(img), lambda: theirs.pil_to_tensor(img))
    if mode != "I;16":
        compare(lambda: F.to_tensor(img), lambda: theirs.to_tensor(img))
    if mode not in ("1", "P", "I;16"):
        back = F.to_pil_image(F.pil_to_tensor(img), mode if mode != "L" else None)
        assert back.mode == mode and np.array_equal(np.asarray(back), np.asarray(img))


def test_to_tensor_by_hand():
    x = pixels()
    out = T.ToTensor()(Image.fromarray(x.transpose(1, 2, 0)))
    assert out.dtype is pt.float32 and out.is_contiguous()
    np.testing.assert_array_equal(out.numpy(), x.astype(np.float32) / np.float32(255))
    np.testing.assert_array_equal(T.ToTensor()(x.transpose(1, 2, 0)).numpy(), out.numpy())
    assert T.ToTensor()(np.ones((4, 5))).shape == (1, 4, 5) and T.ToTensor()(np.ones((4, 5))).dtype is pt.float64
    with pytest.raises(TypeError, match="pic should be PIL Image or ndarray. Got <class 'list'>"):
        T.ToTensor()([1])
    with pytest.raises(ValueError, match="pic should be 2/3 dimensional. Got 1 dimensions."):
        T.ToTensor()(np.ones(3))


def test_to_pil_image_by_hand():
    x = pixels()
    assert np.array_equal(np.asarray(F.to_pil_image(pt.from_numpy(x))), x.transpose(1, 2, 0))
    f = pt.from_numpy(x).float() / 255
    assert np.array_equal(
        np.asarray(T.ToPILImage()(f)), (f.numpy() * np.float32(255)).astype(np.uint8).transpose(1, 2, 0)
    )
    assert F.to_pil_image(pt.zeros(5, 6, dtype=pt.int32)).mode == "I" and F.to_pil_image(
        np.zeros((3, 4), np.uint8)
    ).size == (4, 3)
    assert F.to_pil_image(pt.zeros(4, 5, 6), "CMYK").mode == "CMYK"
    with pytest.raises(ValueError, match="should not have > 4 channels. Got 5"):
        F.to_pil_image(pt.zeros(5, 6, 6))
    with pytest.raises(ValueError, match="Only modes"):
        F.to_pil_image(pt.zeros(3, 6, 6), "L")
    with pytest.raises(TypeError):
        F.to_pil_image(pt.zeros(1, 6, 6, dtype=pt.int64))


@pytest.mark.parametrize("have", ["uint8", "int16", "int32", "float32", "float64"])
@pytest.mark.parametrize("want", ["uint8", "int16", "int32", "int64", "float32", "float64"])
def test_convert_image_dtype(have, want, tv, oracle):
    x = pixels()
    x = (x / 255).astype(have) if have.startswith("f") else x.astype(have)
    compare(
        lambda: F.convert_image_dtype(pt.from_numpy(x), getattr(pt, want)),
        lambda: tv.transforms.functional.convert_image_dtype(oracle.from_numpy(x), getattr(oracle, want)),
    )


def test_normalize_and_erase():
    x = pixels(dtype=np.float32)
    mean, std = (0.4, 0.5, 0.6), (0.2, 0.3, 0.1)
    want = (x - np.reshape(mean, (3, 1, 1))) / np.reshape(std, (3, 1, 1))
    t = pt.from_numpy(x.copy())
    np.testing.assert_allclose(T.Normalize(mean, std)(t).numpy(), want, rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(t.numpy(), x)
    again = t.clone()
    assert F.normalize(again, mean, std, inplace=True) is again and np.allclose(again.numpy(), want, 1e-5, 1e-6)
    np.testing.assert_allclose(F.normalize(t.double(), pt.tensor(0.5), [0.2]).numpy(), (t.double().numpy() - 0.5) / 0.2)
    with pt.inference_mode():
        F.normalize(t.double(), (0.1,), (0.3,))
    needs = t.double().requires_grad_()
    F.normalize(needs, (0.1,), (0.3,)).square().sum().backward()  # what inference mode made does not stay
    assert needs.grad is not None
    with pytest.raises(ValueError, match="std evaluated to zero after conversion to torch.float32"):
        F.normalize(t, [0.0], [0.0])
    with pytest.raises(TypeError, match="Input tensor should be a float tensor. Got torch.uint8."):
        F.normalize(pt.zeros(3, 2, 2, dtype=pt.uint8), [0.0], [1.0])
    with pytest.raises(TypeError, match="img should be Tensor Image"):
        F.normalize(x, mean, std)
    out = F.erase(t, 2, 3, 4, 5, 9.0)
    assert (out[:, 2:6, 3:8] == 9).all() and (out == 9).sum() == 60 and not (t == 9).any()


REPRS = [
    "T.Compose([T.ToTensor(), T.Resize(3)])", "T.Resize((3, 4))", "T.CenterCrop(3)", "T.RandomCrop(3, padding=4)",
    "T.RandomResizedCrop(24)", "T.RandomHorizontalFlip()", "T.RandomVerticalFlip(0.2)", "T.RandomRotation(10)",
    "T.RandomRotation((1, 2), center=(1, 2))", "T.RandomAffine(5)", "T.RandomAffine((1, 2), (0.1, 0.2), (0.5, 2), 3, fill=4)",
    "T.ColorJitter(0.3, hue=0.1)", "T.Grayscale()", "T.RandomGrayscale()", "T.RandomErasing()", "T.Pad(2)",
    "T.GaussianBlur(3)", "T.GaussianBlur((3, 5), 1.0)", "T.RandAugment()", "T.TrivialAugmentWide()",
    "T.ConvertImageDtype(None)", "T.RandomApply([T.ToTensor()], 0.3)", "T.RandomChoice([T.ToTensor()])",
    "T.RandomOrder([T.ToTensor(), T.PILToTensor()])", "T.FiveCrop(3)", "T.TenCrop(3)", "T.Lambda(abs)",
    "T.Normalize((0.5,), (0.5,))", "T.ToPILImage()", "T.ToPILImage('L')", "T.RandomPerspective()", "T.RandomInvert()",
    "T.RandomPosterize(2)", "T.RandomSolarize(9)", "T.RandomAdjustSharpness(2)", "T.RandomAutocontrast()",
    "T.RandomEqualize()", "T.ElasticTransform()", "T.InterpolationMode.BILINEAR",
]  # fmt: skip


@pytest.mark.parametrize("text", REPRS)
def test_reprs(text, tv):
    assert repr(eval(text)) == repr(eval(text, {"T": tv.transforms}))


WRONG = [
    "T.Resize(1.5)", "T.Resize((1, 2, 3))", "T.CenterCrop((1, 2, 3))", "T.Pad((1, 2, 3))", "T.Pad(1, padding_mode='x')",
    "T.Lambda(3)", "T.RandomRotation(-1)", "T.RandomRotation((1, 2, 3))", "T.RandomAffine(1, (2, 3))",
    "T.RandomAffine(1, scale=(0, 1))", "T.ColorJitter(-1)", "T.ColorJitter(hue=0.7)", "T.ColorJitter('a')",
    "T.RandomErasing(2)", "T.RandomErasing(value='x')", "T.RandomErasing(scale=3)", "T.GaussianBlur(2)",
    "T.GaussianBlur(3, -1)", "T.RandomChoice(3)", "T.RandomResizedCrop(3, scale=1)",
]  # fmt: skip


@pytest.mark.parametrize("text", WRONG)
def test_wrong_arguments(text, tv):
    with pytest.raises((TypeError, ValueError)) as ours:
        eval(text)
    with pytest.raises((TypeError, ValueError)) as theirs:
        eval(text, {"T": tv.transforms})
    assert type(ours.value) is type(theirs.value) and str(ours.value) == str(theirs.value)


RANDOM = [
    T.RandomCrop(10, padding=2), T.RandomCrop((40, 20), pad_if_needed=True), T.RandomResizedCrop(12),
    T.RandomHorizontalFlip(), T.RandomVerticalFlip(), T.RandomRotation(30), T.RandomRotation(30, expand=True),
    T.RandomAffine(20, (0.1, 0.1), (0.8, 1.2), 5), T.ColorJitter(0.4, 0.4, 0.4, 0.1), T.RandomGrayscale(0.5),
    T.GaussianBlur(3), T.RandAugment(), T.TrivialAugmentWide(), T.RandomPerspective(), T.RandomInvert(),
    T.RandomApply([T.RandomCrop(9)]), T.RandomChoice([T.CenterCrop(9), T.Pad(1)], p=[1, 2]),
    T.RandomChoice([T.CenterCrop(9), T.Pad(1)]), T.RandomOrder([T.CenterCrop(9), T.Pad(1)]), T.RandomPosterize(3),
    T.RandomSolarize(90), T.RandomAdjustSharpness(2), T.RandomAutocontrast(), T.RandomEqualize(), T.ElasticTransform(),
]  # fmt: skip


@pytest.mark.parametrize("transform", RANDOM, ids=lambda t: type(t).__name__)
@pytest.mark.parametrize("kind", ["image", "tensor"])
def test_random_ones_are_seeded(transform, kind):
    img = picture() if kind == "image" else pt.from_numpy(pixels())
    state, numpy_state = random.getstate(), np.random.get_state()[1].tolist()

    def run(seed):
        pt.manual_seed(seed)
        return [flat(transform(img))[0] for _ in range(12)]

    one, again, other = run(3), run(3), run(4)
    assert all(np.array_equal(a, b) for a, b in zip(one, again))
    assert any(a.shape != b.shape or not np.array_equal(a, b) for a, b in zip(one, other))
    assert random.getstate() == state and np.random.get_state()[1].tolist() == numpy_state


def test_random_parameters_stay_in_their_ranges():
    img = pt.zeros(3, 20, 30)
    pt.manual_seed(0)
    for _ in range(200):
        i, j, h, w = T.RandomCrop.get_params(img, (7, 8))
        assert 0 <= i <= 13 and 0 <= j <= 22 and (h, w) == (7, 8)
        i, j, h, w = T.RandomResizedCrop.get_params(img, (0.2, 0.5), (0.75, 1.3))
        assert 0 <= i and i + h <= 20 and 0 <= j and j + w <= 30 and 0.15 < h * w / 600 < 0.55
        angle, move, scale, shear = T.RandomAffine.get_params((-5, 9), (0.1, 0.2), (0.5, 2), (-3, 3), (30, 20))
        assert -5 <= angle <= 9 and abs(move[0]) <= 3 and abs(move[1]) <= 4 and 0.5 <= scale <= 2 and shear[1] == 0
        order, b, c, s, h = T.ColorJitter.get_params((0.5, 1.5), None, (1, 2), (-0.1, 0.1))
        assert (
            sorted(order.tolist()) == [0, 1, 2, 3] and 0.5 <= b <= 1.5 and c is None and 1 <= s <= 2 and abs(h) <= 0.1
        )
    assert {i for i, *_ in (T.RandomCrop.get_params(img, (18, 30)) for _ in range(60))} == {0, 1, 2}
    with pytest.raises(ValueError, match=r"Required crop size \(21, 5\) is larger than input image size \(20, 30\)"):
        T.RandomCrop((21, 5))(img)


def test_random_erasing():
    img = pt.ones(3, 32, 32)
    pt.manual_seed(1)
    shares = []
    for _ in range(40):
        out = T.RandomErasing(p=1.0)(img)
        gone = (out == 0).all(0)
        rows, cols = gone.any(1).sum().item(), gone.any(0).sum().item()
        assert gone.sum().item() == rows * cols > 0
        shares.append(rows * cols / 1024)
    assert min(shares) < 0.1 and max(shares) > 0.2 and (img == 1).all()
    assert T.RandomErasing(p=1.0, value="random")(img).std() > 0
    assert (T.RandomErasing(p=1.0, value=(1, 2, 3))(img)[2] == 3).any()
    assert T.RandomErasing(p=0.0)(img) is img
    with pytest.raises(ValueError, match="either a single value or 3"):
        T.RandomErasing(p=1.0, value=(1, 2))(img)
    assert T.RandomErasing(p=1.0, inplace=True)(img) is img


def test_augmentations_do_what_their_names_say(tv):
    """Each operation of RandAugment and TrivialAugmentWide, one by one, as torchvision applies it."""
    from torchvision.transforms import autoaugment as theirs

    from polytensor.vision.transforms import autoaugment as ours

    img = picture()
    r, s = T.RandAugment(), tv.transforms.RandAugment()
    wide, their_wide = T.TrivialAugmentWide(), tv.transforms.TrivialAugmentWide()
    spaces = [
        (
            ours._space(31, 0.3, (150.0 / 331.0 * 31, 150.0 / 331.0 * 23), 30.0, 0.9, 4),
            s._augmentation_space(31, (23, 31)),
        ),
        (ours._space(31, 0.99, (32.0, 32.0), 135.0, 0.99, 6), their_wide._augmentation_space(31)),
    ]
    for mine, other in spaces:
        assert list(mine) == list(other)
        for name, (strengths, signed) in mine.items():
            assert signed == other[name][1]
            if strengths is not None:
                np.testing.assert_allclose(strengths, other[name][0].numpy(), rtol=1e-5, atol=1e-5)
            found = 0.0 if strengths is None else float(strengths[9])
            for strength in [found, -found] if signed else [found]:
                a = ours._apply(img, name, strength, N, None)
                b = theirs._apply_op(img, name, strength, tv.transforms.InterpolationMode.NEAREST, None)
                agree(a, b)
    assert r(img).size == img.size == wide(img).size


def test_v2_names():
    import polytensor.vision.transforms.v2 as v2

    x = v2.Compose([v2.ToImage(), v2.ToDtype(pt.float32, scale=True)])(picture())
    np.testing.assert_allclose(x.numpy(), T.ToTensor()(picture()).numpy(), rtol=1e-6)
    assert v2.functional.horizontal_flip(x).shape == x.shape and v2.RGB()(picture("L")).mode == "RGB"
    assert v2.GaussianNoise()(x).max() <= 1 and v2.Identity()(x) is x


def test_without_pillow():
    code = (
        "import sys; sys.modules['PIL'] = None\n"
        "import polytensor as t, polytensor.vision.transforms as T\n"
        "print(T.Resize(4)(t.zeros(3, 8, 8)).shape)\n"
        "T.ToPILImage()(t.zeros(3, 8, 8))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert (
        "[3, 4, 4]" in done.stdout
        and "ImportError: Images need Pillow" in done.stderr
        and "polytensor[vision]" in done.stderr
    )
