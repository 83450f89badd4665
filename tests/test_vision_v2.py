"""AutoAugment and AugMix, and transforms.v2: samples, MixUp and CutMix, against torchvision with the same draws."""

import itertools
import pickle

import numpy as np
import pytest
import vision_oracle
from test_vision_transforms import FUNCTIONS, IDS, agree, both_modes, compare, flat, picture, pixels

import polytensor as pt
import polytensor.vision.transforms as T
import polytensor.vision.transforms.v2 as v2
from polytensor.vision.transforms import autoaugment, draws
from polytensor.vision.transforms import functional as F
from polytensor.vision.transforms.v2 import mixing


@pytest.fixture(scope="module")
def tv():
    return vision_oracle.load()


@pytest.mark.parametrize("policy", ["IMAGENET", "CIFAR10", "SVHN"])
@pytest.mark.parametrize("kind", ["image", "tensor"])
def test_auto_augment(policy, kind, tv, oracle, monkeypatch):
    """Every pair of every policy, at both signs."""
    ours = T.AutoAugment(T.AutoAugmentPolicy[policy])
    theirs = tv.transforms.AutoAugment(tv.transforms.AutoAugmentPolicy[policy])
    assert ours.policies == theirs.policies and repr(ours) == repr(theirs)
    img = picture() if kind == "image" else pixels()
    for i, sign in itertools.product(range(25), (0, 1)):
        monkeypatch.setattr(T.AutoAugment, "get_params", staticmethod(lambda n: (i, [0.0, 0.25], [sign, 1 - sign])))
        params = (i, oracle.tensor([0.0, 0.25]), oracle.tensor([sign, 1 - sign]))
        monkeypatch.setattr(tv.transforms.AutoAugment, "get_params", staticmethod(lambda n: params))
        if kind == "image":
            agree(ours(img), theirs(img))
        else:
            a, b = flat(ours(pt.from_numpy(img.copy())))[0], flat(theirs(oracle.from_numpy(img.copy())))[0]
            apart = np.abs(a.astype(int) - b.astype(int))
            assert (apart > 0).mean() <= 0.03 and (apart > 1).mean() <= 0.01  # a nearest pixel is a tie here and there


@pytest.mark.parametrize("kind", ["image", "tensor", "batch"])
@pytest.mark.parametrize("all_ops", [True, False])
def test_aug_mix(kind, all_ops, tv, oracle, monkeypatch):
    ours = T.AugMix(severity=4, all_ops=all_ops, fill=3)
    theirs = tv.transforms.AugMix(severity=4, all_ops=all_ops, fill=3)
    assert repr(ours) == repr(theirs) and repr(T.AugMix()) == repr(tv.transforms.AugMix())
    _, h, w = T.functional.get_dimensions(picture())
    for name, (strengths, signed) in theirs._augmentation_space(10, (h, w)).items():
        mine = ours._ops(h, w)[name]
        assert mine[1] == signed and (mine[0] is None) == (strengths.ndim == 0)
        if mine[0] is not None:
            np.testing.assert_allclose(mine[0], strengths.numpy(), rtol=1e-5, atol=1e-5)
    assert list(ours._ops(h, w)) == list(theirs._augmentation_space(10, (h, w)))
    n = 2 if kind == "batch" else 1
    rng = np.random.default_rng(0)
    shares = [rng.dirichlet([1] * k, n) for k in (2, 3)]
    words = rng.integers(0, 1000, 200).tolist()
    takes = [iter(words), iter(words)]
    rows = iter([row.tolist() for table in shares for row in table])
    monkeypatch.setattr(autoaugment, "dirichlet", lambda alphas: next(rows))
    monkeypatch.setattr(autoaugment, "below", lambda high, low=0: low + next(takes[0]) % (high - low))
    tables = iter(oracle.tensor(t, dtype=oracle.float32) for t in shares)
    monkeypatch.setattr(theirs, "_sample_dirichlet", lambda params: next(tables))

    def randint(*args, low=0, high=None, **kwargs):
        high = args[0] if high is None else high
        return oracle.tensor([low + next(takes[1]) % (high - low)])

    monkeypatch.setattr(oracle, "randint", randint)
    if kind == "image":
        return agree(ours(picture()), theirs(picture()), apart=0.02)
    x = np.stack([pixels(seed=1), pixels(seed=2)]) if kind == "batch" else pixels()
    agree(ours(pt.from_numpy(x.copy())), theirs(oracle.from_numpy(x.copy())), apart=0.02)


@pytest.mark.parametrize("alpha", [0.2, 1.0, 4.5])
def test_dirichlet_draws(alpha):
    """Mean and variance of the beta distribution."""
    pt.manual_seed(0)
    x = np.array([draws.dirichlet([alpha, alpha])[0] for _ in range(1500)])
    assert abs(x.mean() - 0.5) < 0.04 and abs(x.var() / (0.25 / (2 * alpha + 1)) - 1) < 0.15
    assert abs(sum(draws.dirichlet([alpha] * 5)) - 1) < 1e-9


@pytest.mark.parametrize("labels", ["indices", "probabilities", "in a dict"])
@pytest.mark.parametrize("name", ["MixUp", "CutMix"])
def test_mixing(name, labels, tv, oracle, monkeypatch):
    x = np.random.default_rng(0).random((4, 3, 12, 10), dtype=np.float32)
    y = np.array([0, 3, 1, 3]) if labels != "probabilities" else np.eye(5, dtype=np.float32)[[1, 0, 2, 4]]
    monkeypatch.setattr(mixing, "dirichlet", lambda alphas: [0.3, 0.7])
    monkeypatch.setattr(mixing, "below", lambda high, low=0: {10: 7, 12: 2}[high])
    theirs = getattr(tv.transforms.v2, name)(num_classes=5)
    monkeypatch.setattr(theirs, "_dist", type("D", (), {"sample": lambda self, shape: 0.3})())
    monkeypatch.setattr(oracle, "randint", lambda high, size: oracle.tensor([{10: 7, 12: 2}[high]]))

    def sample(t):
        a, b = t.from_numpy(x.copy()), t.from_numpy(y.copy())
        return ({"pictures": a, "the_label": b, "name": "x"},) if labels == "in a dict" else (a, b)

    ours = getattr(v2, name)(num_classes=5)
    got, want = ours(*sample(pt)), theirs(*sample(oracle))
    if labels == "in a dict":
        assert got.pop("name") == want.pop("name") == "x"
        got, want = tuple(got.values()), tuple(want.values())
    agree(got, want, rtol=1e-6, atol=1e-6)
    assert type(got) is tuple and got[1].shape == (4, 5) and repr(ours) == repr(theirs)


WRONG = {
    "no classes": lambda v, t: v.MixUp()(t.zeros(2, 3, 4, 4), t.zeros(2, dtype=t.int64)),
    "classes": lambda v, t: v.MixUp(num_classes=4)(t.zeros(2, 3, 4, 4), t.zeros(2, 5)),
    "3-d labels": lambda v, t: v.CutMix(num_classes=4)(t.zeros(2, 3, 4, 4), t.zeros(2, 5, 1)),
    "labels": lambda v, t: v.CutMix(num_classes=4)(t.zeros(2, 3, 4, 4), 5),
    "no labels": lambda v, t: v.CutMix(num_classes=4)({"a": t.zeros(2, 3, 4, 4)}),
    "batch": lambda v, t: v.CutMix(num_classes=4)(t.zeros(2, 3, 4, 4), t.zeros(3, dtype=t.int64)),
    "one image": lambda v, t: v.MixUp(num_classes=4)(t.zeros(3, 4, 4), t.zeros(3, dtype=t.int64)),
    "getter": lambda v, t: v.MixUp(labels_getter="x"),
    "alpha": lambda v, t: v.MixUp(alpha=0.0),
    "no transforms": lambda v, t: v.Compose([]),
    "one transform": lambda v, t: v.Compose(v.Identity()),
    "p": lambda v, t: v.RandomApply([v.Identity()], p=2),
    "weights": lambda v, t: v.RandomChoice([v.Identity()], p=[1, 2]),
    "noise": lambda v, t: v.GaussianNoise()(t.zeros(3, 4, 4, dtype=t.int64)),
    "sigma": lambda v, t: v.functional.gaussian_noise(t.zeros(3, 4, 4), sigma=-1),
    "channels": lambda v, t: v.functional.permute_channels(t.zeros(3, 4, 4), [0, 1]),
    "quality": lambda v, t: v.JPEG(101),
    "side": lambda v, t: v.RandomZoomOut(side_range=(0.5, 2)),
    "AugMix": lambda v, t: v.AugMix(severity=11),
    "policy": lambda v, t: v.AutoAugment("imagenet"),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_input(name, tv, oracle):
    oracle.distributions.Distribution.set_default_validate_args(True)  # torch.compile turns it off for the process
    with pytest.raises((TypeError, ValueError)) as theirs:
        WRONG[name](tv.transforms.v2, oracle)
    with pytest.raises(type(theirs.value)):
        WRONG[name](v2, pt)


@pytest.mark.parametrize("fn", [
    lambda v, img, t: v.CenterCrop(5)(img, 3),
    lambda v, img, t: v.CenterCrop(5)((img, {"label": t.zeros(2), "image": img})),
    lambda v, img, t: v.Compose([v.Resize(9), v.ToImage(), v.ToDtype(t.float32, scale=True)])(img, "x", None),
    lambda v, img, t: v.Compose([v.ToImage(), v.RandomHorizontalFlip(1.0)])(img),
    lambda v, img, t: v.Compose([v.PILToTensor(), v.RandomApply([v.CenterCrop(4)], p=1.0)])([img, t.zeros(3, 8, 8)]),
    lambda v, img, t: v.Lambda(lambda x: x + 1, int)(img, 4, 1.5),
    lambda v, img, t: v.RandomChoice([v.Pad(2), v.CenterCrop(4)], p=[0.0, 1.0])(img, t.ones(1)),
    lambda v, img, t: v.Normalize([0.5], [0.5])(t.ones(3, 4, 4), t.ones(2)),
    lambda v, img, t: v.ToDtype(t.float32)(img, t.ones(2, dtype=t.int64)),
    lambda v, img, t: v.ToPILImage()(v.functional.pil_to_tensor(img), 1),
    lambda v, img, t: v.ToImage()(np.array(img), 2),
    lambda v, img, t: v.RGB()(img.convert("L"), 2),
    lambda v, img, t: v.ConvertImageDtype(t.float32)(v.functional.pil_to_tensor(img), 3),
    lambda v, img, t: v.functional.grayscale_to_rgb(v.functional.pil_to_tensor(img)[:1]),
    lambda v, img, t: v.functional.permute_channels(v.functional.pil_to_tensor(img), [2, 0, 1]),
    lambda v, img, t: v.functional.permute_channels(img, [2, 0, 1]),
    lambda v, img, t: v.JPEG(60)(img, 3),
    lambda v, img, t: (v.functional.get_size(img), v.functional.get_num_channels(img)),
    lambda v, img, t: v.GaussianNoise(0.3, 0.0)(v.functional.pil_to_tensor(img), 3),
], ids=[str(i) for i in range(19)])  # fmt: skip
def test_samples(fn, tv, oracle):
    """Images are changed, all else passes, in the nesting that it came in."""
    img = picture()

    def kinds(x):
        if isinstance(x, (list, tuple)):
            return [kinds(y) for y in x]
        return (
            {k: kinds(y) for k, y in x.items()} if isinstance(x, dict) else type(x).__name__.replace("Image", "Tensor")
        )

    def leaves(x):
        values = x.values() if isinstance(x, dict) else x if isinstance(x, (list, tuple)) else None
        return [x] if values is None else [leaf for y in values for leaf in leaves(y)]

    ours, theirs = fn(v2, img, pt), fn(tv.transforms.v2, img, oracle)
    assert kinds(ours) == kinds(theirs)
    agree([x for x in leaves(ours) if not isinstance(x, (str, type(None)))],
          [x for x in leaves(theirs) if not isinstance(x, (str, type(None)))], apart=0.01)  # fmt: skip


def test_images_of_a_sample_get_the_same_draws():
    img = picture()
    for transform in (v2.RandomCrop(9), v2.ColorJitter(0.5, 0.5, 0.5, 0.2), v2.RandomRotation(40), v2.AutoAugment()):
        pt.manual_seed(3)
        a, b, label = transform(img, [img], 4)
        after = pt.get_rng_state()
        pt.manual_seed(3)
        agree(transform(img), a)
        agree(a, b[0])
        assert label == 4 and pt.get_rng_state().equal(after)


RANDOM = [
    v2.RandomChannelPermutation(), v2.RandomPhotometricDistort(), v2.RandomResize(5, 20), v2.RandomShortestSize([5, 9, 12], 20),
    v2.ScaleJitter((20, 20)), v2.RandomZoomOut(), v2.JPEG((5, 95)), v2.AutoAugment(), v2.AugMix(), v2.RandAugment(),
    v2.RandomResizedCrop(9), v2.RandomOrder([v2.CenterCrop(9), v2.Pad(1)]), v2.RandomApply([v2.CenterCrop(9)]),
]  # fmt: skip


@pytest.mark.parametrize("transform", RANDOM, ids=lambda t: type(t).__name__)
@pytest.mark.parametrize("kind", ["image", "tensor"])
def test_random_ones_are_seeded(transform, kind):
    img = picture() if kind == "image" else pt.from_numpy(pixels())

    def run(seed):
        pt.manual_seed(seed)
        return [flat(transform(img))[0] for _ in range(8)]

    one, again, other = run(3), run(3), run(4)
    assert all(np.array_equal(a, b) for a, b in zip(one, again))
    assert any(a.shape != b.shape or not np.array_equal(a, b) for a, b in zip(one, other))
    pt.manual_seed(0)
    copy = pickle.loads(pickle.dumps(transform))
    first = flat(transform(img))[0]
    pt.manual_seed(0)
    assert np.array_equal(first, flat(copy(img))[0])


REPRS = [
    "v2.Compose([v2.ToImage(), v2.CenterCrop(3)])", "v2.Identity()", "v2.ToPureTensor()", "v2.RandomHorizontalFlip(p=0.3)",
    "v2.GaussianNoise()", "v2.MixUp(num_classes=3)", "v2.RandomZoomOut()", "v2.RandomChannelPermutation()",
    "v2.RGB()", "v2.RandomOrder([v2.ToImage(), v2.RandomVerticalFlip()])", "v2.JPEG(5)",
    "v2.ToPILImage('L')", "v2.RandomSolarize(9)", "v2.RandomPosterize(3)", "v2.RandomInvert()", "v2.RandomGrayscale()",
    "v2.Resize(5)", "v2.Resize([5, 6], antialias=False)", "v2.RandomResizedCrop(5)", "v2.RandomAffine(9, (0.1, 0.1), (0.5, 1), 3)",
    "v2.RandomChoice([v2.Identity()])", "v2.AugMix()", "v2.AutoAugment()", "v2.RandAugment()", "v2.RandomShortestSize(3)",
    "v2.ScaleJitter((3, 4))", "v2.RandomPerspective()", "v2.RandomRotation(9, 'bilinear')",
    "v2.RandomApply([v2.CenterCrop(3)], p=0.3)", "v2.ColorJitter(0.3)", "v2.Pad(2, padding_mode='edge')",
    "v2.Grayscale()", "v2.Normalize([0.5], [0.2])", "v2.RandomEqualize()", "v2.Lambda(abs)",
]  # fmt: skip


@pytest.mark.parametrize("text", REPRS)
def test_reprs(text, tv):
    assert repr(eval(text)) == repr(eval(text, {"v2": tv.transforms.v2}))


ROUNDED = ("resize", "resized_crop", "adjust_sharpness")  # torchvision's v2 rounds in another place than its v1


@pytest.mark.parametrize("mode", ["nearest", "nearest-exact", "bilinear", "bicubic"])
def test_modes_by_name(mode):
    x = pt.from_numpy(pixels())
    named = F.InterpolationMode(mode)
    assert v2.Resize((9, 8), mode)(x).equal(T.Resize((9, 8), named)(x))
    assert v2.functional.resize(x, [9, 8], interpolation=mode).equal(F.resize(x, [9, 8], named))
    assert v2.RandomResize(5, 6, mode)(x).equal(F.resize(x, 5, named))
    with pytest.raises(TypeError):
        T.Resize(5, mode)


OTHER = ("get_image_size", "get_image_num_channels")  # of the first version alone


@pytest.mark.parametrize(("name", "args", "kwargs"), FUNCTIONS, ids=IDS)
@pytest.mark.parametrize("kind", ["uint8", "float32", "image"])
def test_functions_of_v2(name, args, kwargs, kind, tv, oracle):
    if name in OTHER:
        return
    theirs, ours = getattr(tv.transforms.v2.functional, name), getattr(v2.functional, name)
    x = picture() if kind == "image" else pixels(dtype=np.float32 if kind == "float32" else np.uint8)
    args = (0.4,) if name == "solarize" and kind == "float32" else args
    compare(
        lambda: ours(x if kind == "image" else pt.from_numpy(x.copy()), *args, **kwargs),
        lambda: theirs(x if kind == "image" else oracle.from_numpy(x.copy()), *args, **both_modes(kwargs, tv)),
        apart=0.2 if name in ROUNDED and kind == "uint8" else 0.02, rtol=1e-4, atol=1e-4,
    )  # fmt: skip
