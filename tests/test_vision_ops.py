"""vision.ops against torchvision: boxes, losses with their gradients, blocks; nms against one box after the other."""

import numpy as np
import pytest
import vision_oracle
from older_torch import print_alike

import polytensor as pt
from polytensor.vision import ops

FORMATS = ("xyxy", "xywh", "cxcywh")


@pytest.fixture(scope="module")
def tv():
    return vision_oracle.load().ops


def boxes(n, seed=0, kind=np.float32):
    rng = np.random.default_rng(seed)
    low, sides = rng.random((n, 2)) * 60, rng.random((n, 2)) * 30 + 1
    return np.concatenate([low, low + sides], 1).astype(kind)


def equal(a, b, rtol=1e-5, atol=1e-6):
    assert str(a.dtype) == str(b.dtype) and tuple(a.shape) == tuple(b.shape)
    np.testing.assert_allclose(a.detach().numpy(), b.detach().numpy(), rtol=rtol, atol=atol)


def failure(fn):
    try:
        return fn()
    except Exception as error:
        return type(error)


CALLS = {
    **{f"convert {a} {b}": lambda o, x, y, a=a, b=b: o.box_convert(x, a, b) for a in FORMATS for b in FORMATS},
    **{f"area {f}": lambda o, x, y, f=f: o.box_area(x, f) for f in FORMATS},
    **{f"iou {f}": lambda o, x, y, f=f: o.box_iou(x, y, f) for f in FORMATS},
    "generalized": lambda o, x, y: o.generalized_box_iou(x, y),
    "distance": lambda o, x, y: o.distance_box_iou(x, y),
    "complete": lambda o, x, y: o.complete_box_iou(x, y),
    "small": lambda o, x, y: o.remove_small_boxes(x, 12.0),
    "clip": lambda o, x, y: o.clip_boxes_to_image(x, (40, 50)),
    "wrong format": lambda o, x, y: o.box_convert(x, "xyxy", "nope"),
    "wrong area": lambda o, x, y: o.box_area(x, "nope"),
    "wrong iou": lambda o, x, y: o.box_iou(x, y, "nope"),
}


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize("kind", ["float32", "float64", "int64", "float16", "empty"])
def test_boxes(name, kind, tv, oracle):
    x, y = (boxes(0 if kind == "empty" else n, n, "float32" if kind == "empty" else kind) for n in (7, 5))
    theirs = failure(lambda: CALLS[name](tv, oracle.from_numpy(x), oracle.from_numpy(y)))
    ours = failure(lambda: CALLS[name](ops, pt.from_numpy(x), pt.from_numpy(y)))
    if isinstance(theirs, type):
        assert ours is theirs
    else:
        equal(ours, theirs, *((2e-2, 2e-2) if kind == "float16" else (1e-5, 1e-5)))


@pytest.mark.parametrize("name", ["generalized_box_iou_loss", "distance_box_iou_loss", "complete_box_iou_loss"])
@pytest.mark.parametrize("reduction", ["none", "mean", "sum", "nope"])
def test_box_losses(name, reduction, tv, oracle):
    x, y = boxes(9, 1, np.float64), boxes(9, 2, np.float64)
    y[:4] = x[:4] + 3
    a, b = pt.from_numpy(x).requires_grad_(), oracle.from_numpy(x).requires_grad_()
    theirs = failure(lambda: getattr(tv, name)(b, oracle.from_numpy(y), reduction))
    ours = failure(lambda: getattr(ops, name)(a, pt.from_numpy(y), reduction))
    if isinstance(theirs, type):
        assert ours is theirs
        return
    equal(ours, theirs)
    ours.sum().backward()
    theirs.sum().backward()
    equal(a.grad, b.grad)


@pytest.mark.parametrize("alpha", [0.25, -1, 0.7, 3])
def test_focal_loss(alpha, tv, oracle):
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(4, 5)).astype(np.float32), (rng.random((4, 5)) > 0.5).astype(np.float32)
    theirs = failure(lambda: tv.sigmoid_focal_loss(oracle.from_numpy(x), oracle.from_numpy(y), alpha, 1.5, "mean"))
    ours = failure(lambda: ops.sigmoid_focal_loss(pt.from_numpy(x), pt.from_numpy(y), alpha, 1.5, "mean"))
    assert ours is theirs if isinstance(theirs, type) else equal(ours, theirs) is None


@pytest.mark.parametrize("threshold", [0.0, 0.3, 0.7, 1.0])
def test_nms(threshold):
    x, scores = boxes(40, 3), np.random.default_rng(1).random(40).astype(np.float32)
    x[10:20] = x[:10] + 1
    scores[5] = scores[6]

    def keep(index):
        kept = []
        for i in sorted(index, key=lambda i: -scores[i]):
            overlaps = [ops.box_iou(pt.from_numpy(x[i : i + 1]), pt.from_numpy(x[j : j + 1])).item() for j in kept]
            if all(v <= threshold for v in overlaps):
                kept.append(i)
        return kept

    a, s = pt.from_numpy(x), pt.from_numpy(scores)
    assert ops.nms(a, s, threshold).tolist() == keep(range(40))
    groups = pt.arange(40) % 3
    want = sorted((i for g in range(3) for i in keep(range(g, 40, 3))), key=lambda i: (-scores[i], i))
    assert ops.batched_nms(a - 30, s, groups, threshold).tolist() == want
    assert ops.nms(a[:0], s[:0], 0.5).shape == ops.batched_nms(a[:0], s[:0], groups[:0], 0.5).shape == (0,)
    for bad in ((a[0], s), (a[:, :3], s), (a, s[:3]), (a, s[None])):
        with pytest.raises(RuntimeError):
            ops.nms(*bad, 0.5)


def test_masks_to_boxes(tv, oracle):
    masks = np.zeros((3, 9, 7), bool)
    masks[0, 2:5, 1:6] = True
    masks[2, 8, 6] = True
    equal(ops.masks_to_boxes(pt.from_numpy(masks)), tv.masks_to_boxes(oracle.from_numpy(masks)))
    assert ops.masks_to_boxes(pt.zeros(0, 3, 4)).shape == (0, 4)


BLOCKS = [
    "Conv2dNormActivation(3, 4)", "Conv2dNormActivation(3, 4, (3, 5), 2, groups=1, dilation=2, activation_layer=None)",
    "Conv2dNormActivation(3, 4, 1, norm_layer=None, inplace=None)", "Conv3dNormActivation(3, 4, 5, bias=True)",
    "SqueezeExcitation(4, 2)", "MLP(5, [4, 3], inplace=True, dropout=0.1)", "MLP(5, [4], bias=False)", "Permute([1, 0])",
    "FrozenBatchNorm2d(3)", "StochasticDepth(0.3, 'row')",
]  # fmt: skip


@pytest.mark.parametrize("text", BLOCKS)
def test_blocks(text, tv, oracle):
    ours, theirs = eval(f"ops.{text}"), eval(f"ops.{text}", {"ops": tv})
    assert print_alike(ours, theirs) and list(ours.state_dict()) == list(theirs.state_dict())
    ours.load_state_dict({k: pt.from_numpy(v.numpy().copy()) for k, v in theirs.state_dict().items()})
    channels = {"Conv": 3, "Froz": 3, "Sque": 4}.get(text[:4])
    shape = (2, channels, 7, 7, 7) if "3d" in text else (2, channels, 7, 9) if channels else (2, 5)
    x = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    ours.eval(), theirs.eval()
    equal(ours(pt.from_numpy(x)), theirs(oracle.from_numpy(x)), 1e-4, 1e-5)


def test_frozen_batch_norm_and_stochastic_depth():
    norm = pt.nn.BatchNorm2d(3)
    norm(pt.randn(4, 3, 5, 5))
    frozen = ops.FrozenBatchNorm2d(3)
    frozen.load_state_dict(norm.eval().state_dict())
    x = pt.randn(2, 3, 4, 4)
    pt.testing.assert_close(frozen(x), norm(x).detach(), rtol=1e-4, atol=1e-5)
    pt.manual_seed(0)
    rows = ops.stochastic_depth(pt.ones(200, 3), 0.25, "row")
    assert set(rows.flatten().tolist()) == {0.0, pt.tensor(1 / 0.75).item()} and (rows[:, :1] == rows).all()
    assert 0.6 < (rows[:, 0] > 0).float().mean().item() < 0.9
    assert ops.stochastic_depth(pt.ones(3, 2), 1.0, "batch").sum() == 0
    for args in ((2.0, "row"), (0.5, "nope")):
        with pytest.raises(ValueError):
            ops.stochastic_depth(pt.ones(2), *args)
