"""What is logged, as TensorBoard's Summary messages (bytes): numbers, histograms, pictures, sound, text, tables.

Values may be Tensors, arrays, lists or numbers. Source: torch.utils.tensorboard.summary.
"""

from __future__ import annotations

import io
import math
import wave
from functools import lru_cache
from typing import Any

from ...dtypes import float32, float64, int64, uint8
from ...ops.creation import full, zeros
from ...ops.from_data import as_tensor, frombuffer, tensor
from ...ops.joining import cat, stack
from ...ops.sorting import searchsorted
from ...tensor import Tensor
from .wire import data, doubles, f32, f64, floats, integer, png

__all__ = ["audio", "custom_scalars", "histogram", "histogram_raw", "hparams", "image", "image_boxes", "pr_curve",
           "pr_curve_raw", "scalar", "tensor_proto", "text"]  # fmt: skip

DT_FLOAT, DT_STRING = 1, 7
DTYPES = {"torch.float32": 1, "torch.float64": 2, "torch.int32": 3, "torch.uint8": 4, "torch.int16": 5, "torch.int8": 6,
          "torch.complex64": 8, "torch.int64": 9, "torch.bool": 10, "torch.bfloat16": 14, "torch.uint16": 17,
          "torch.complex128": 18, "torch.float16": 19, "torch.uint32": 22, "torch.uint64": 23}  # fmt: skip


def values_of(x: Any) -> Any:
    """Anything that is logged, as a Tensor on the CPU."""
    if isinstance(x, Tensor):
        return x.detach().cpu()  # type: ignore[attr-defined]
    if x is None or isinstance(x, (str, list, tuple)):
        raise NotImplementedError(f"Got {type(x)}, but numpy array or torch tensor are expected.")
    return as_tensor(x)


def summary(tag: str, *fields: bytes) -> bytes:
    """A Summary of one value."""
    return data(1, data(1, tag) + b"".join(fields))  # value { tag ... }


def metadata(plugin: str, content: bytes = b"") -> bytes:
    """metadata { plugin_data { plugin_name, content } }"""
    return data(9, data(1, data(1, plugin) + (data(2, content) if content else b"")))


def shape_of(shape: Any) -> bytes:
    """tensor_shape { dim { size } }"""
    return data(2, b"".join(data(2, integer(1, n)) for n in shape))


# ---- numbers ----------------------------------------------------------------------------------------------------------
def scalar(
    name: str, tensor: Any, collections: Any = None, new_style: bool = False, double_precision: bool = False
) -> bytes:
    """One number: float32, unless new_style and double_precision."""
    x = as_tensor(float(tensor), dtype=float64) if isinstance(tensor, (int, float, str)) else values_of(tensor)
    if x.numel() != 1:
        raise AssertionError(
            f"Tensor should contain one element (0 dimensions). Was given size: {x.numel()} and {x.dim()} dimensions."
        )
    value = float(x.item())
    if not new_style:
        return summary(name, f32(2, value))  # simple_value
    number = integer(1, 2) + doubles(6, [value]) if double_precision else integer(1, DT_FLOAT) + floats(5, [value])
    return summary(name, data(8, number), metadata("scalars"))


def tensor_proto(tag: str, tensor: Tensor) -> bytes:
    """A whole tensor, of at most three dimensions."""
    if tensor.dim() > 3:
        raise AssertionError("Unsupported tensor dimension: tensor_proto takes at most 3 dimensions")
    if str(tensor.dtype) not in DTYPES:
        raise ValueError(f"Tensor has unsupported type {tensor.dtype}")
    x = tensor.detach().cpu().contiguous()  # type: ignore[attr-defined]
    raw = x.reshape(-1).view(uint8).numpy().tobytes() if x.numel() else b""
    content = integer(1, DTYPES[str(x.dtype)]) + shape_of(x.shape) + data(4, raw)
    return summary(tag, data(8, content), metadata("tensor"))


def hparams(hparam_dict: Any = None, metric_dict: Any = None, hparam_domain_discrete: Any = None) -> tuple[bytes, ...]:
    """The Summaries of an experiment, a session's start and its end."""
    for name, value in (("hparam_dict", hparam_dict), ("metric_dict", metric_dict)):
        if not isinstance(value, dict):
            raise TypeError(f"parameter: {name} should be a dictionary, nothing logged.")
    domains = hparam_domain_discrete or {}
    if not isinstance(domains, dict):
        raise TypeError("parameter: hparam_domain_discrete should be a dictionary, nothing logged.")
    for k, v in domains.items():
        if k not in hparam_dict or not isinstance(v, list) or not all(isinstance(d, type(hparam_dict[k])) for d in v):
            raise TypeError(
                f"parameter: hparam_domain_discrete[{k}] should be a list of same type as hparam_dict[{k}]."
            )
    infos, start = b"", b""
    for k, v in hparam_dict.items():
        if v is None:
            continue
        if isinstance(v, Tensor):
            v = v.item()  # type: ignore[attr-defined]
        if isinstance(v, (int, float)):
            kind, make = 3, lambda d: f64(2, float(d))  # number_value
        elif isinstance(v, str):
            kind, make = 1, lambda d: data(3, d)  # string_value
        else:
            raise ValueError("value should be one of int, float, str, bool, or torch.Tensor")
        start += data(1, data(1, k) + data(2, make(v)))  # hparams
        domain = data(5, b"".join(data(1, make(d)) for d in domains[k])) if k in domains else b""
        infos += data(4, data(1, k) + integer(4, kind) + domain)  # hparam_infos
    metrics = b"".join(data(5, data(1, data(2, k))) for k in metric_dict)  # metric_infos
    return (
        summary("_hparams_/experiment", metadata("hparams", data(2, infos + metrics))),
        summary("_hparams_/session_start_info", metadata("hparams", data(3, start))),
        summary("_hparams_/session_end_info", metadata("hparams", data(4, integer(1, 1)))),
    )


# ---- distributions ----------------------------------------------------------------------------------------------------
@lru_cache
def _growing() -> Any:
    """TensorBoard's own limits of bins: each ten per cent further from zero."""
    positive, v = [], 1e-12
    while v < 1e20:
        positive.append(v)
        v *= 1.1
    return tensor([-v for v in reversed(positive)] + [0.0] + positive, dtype=float64)


def _limits(values: Any, bins: Any) -> Any:
    if bins == "tensorflow":
        return _growing()
    if not isinstance(bins, (str, int)):
        return as_tensor(bins, dtype=float64)
    low, high, n = values.min().item(), values.max().item(), values.numel()
    if isinstance(bins, str):
        spread = (values.quantile(0.75) - values.quantile(0.25)).item()
        widths = {
            "sqrt": (high - low) / math.sqrt(n),
            "sturges": (high - low) / (math.log2(n) + 1),
            "rice": (high - low) / (2 * n ** (1 / 3)),
            "scott": (24 * math.sqrt(math.pi) / n) ** (1 / 3) * values.std(correction=0).item(),
            "fd": 2 * spread / n ** (1 / 3),
        }
        widths["auto"] = min(widths["fd"], widths["sturges"]) if widths["fd"] else widths["sturges"]
        if bins not in widths:
            raise ValueError(f"{bins!r} is not a valid estimator for `bins`")
        bins = math.ceil((high - low) / widths[bins]) if widths[bins] else 1
    if low == high:
        low, high = low - 0.5, high + 0.5
    step = (high - low) / bins
    return tensor([low + k * step for k in range(bins)] + [high], dtype=float64)


def histogram(name: str, values: Any, bins: Any, max_bins: int | None = None) -> bytes:
    """The distribution of `values` over `bins`: 'tensorflow', a number, limits, or a rule ('auto', 'fd', ...)."""
    x = values_of(values).reshape(-1).to(float64)
    if x.numel() == 0:
        raise ValueError("The input has no element.")
    limits = _limits(x, bins)
    count = limits.numel() - 1
    at = _below(limits, x)
    at[x == limits[-1]] = count - 1
    counts = at[(at >= 0) & (at < count)].bincount(minlength=count)
    if max_bins is not None and count > max_bins:  # neighbours are joined
        step = count // max_bins
        counts = cat((counts, zeros(-count % step, dtype=counts.dtype))).reshape(-1, step).sum(1)  # type: ignore[attr-defined]
        limits = cat((limits[:-1:step], limits[-1:]))
    if not counts.any():
        raise ValueError("The histogram is empty, please file a bug report.")
    used = counts.nonzero().reshape(-1)
    first, last = int(used[0].item()), int(used[-1].item())
    shown = counts[first - 1 : last + 1].tolist() if first else [0, *counts[: last + 1].tolist()]
    stats = (x.min().item(), x.max().item(), x.numel(), x.sum().item(), (x @ x).item())
    return _histogram(name, stats, limits[first : last + 2].tolist(), shown)


def _below(limits: Any, x: Any) -> Any:
    """The index of the last limit that is not above each value; past the end for NaN."""
    return (searchsorted(limits, x, right=True) - 1).masked_fill(x.isnan(), limits.numel())


def _histogram(name: str, stats: Any, limits: list[float], counts: list[float]) -> bytes:
    low, high, number, total, squares = (f64(i + 1, float(v)) for i, v in enumerate(stats))
    body = low + high + number + total + squares + doubles(6, limits) + doubles(7, [float(c) for c in counts])
    return summary(name, data(5, body))  # histo


def histogram_raw(
    name: str, min: Any, max: Any, num: Any, sum: Any, sum_squares: Any, bucket_limits: Any, bucket_counts: Any
) -> bytes:
    """A distribution that was counted elsewhere."""
    limits, counts = ([float(v) for v in vs] for vs in (bucket_limits, bucket_counts))
    return _histogram(name, (min, max, num, sum, sum_squares), limits, counts)


def _pr(tag: str, rows: Any, num_thresholds: int) -> bytes:
    flat = rows.to(float32)
    body = integer(1, DT_FLOAT) + shape_of(flat.shape) + floats(5, flat.reshape(-1).tolist())
    return summary(tag, data(8, body), metadata("pr_curves", integer(2, num_thresholds)))


def pr_curve(tag: str, labels: Any, predictions: Any, num_thresholds: int = 127, weights: Any = None) -> bytes:
    """Precision and recall of predictions in [0, 1] for labels 0 and 1, at thresholds evenly spread."""
    count = min(num_thresholds, 127)
    labels, p = values_of(labels).to(float64).reshape(-1), values_of(predictions).to(float64).reshape(-1)
    w = full((p.numel(),), 1.0, dtype=float64) if weights is None else values_of(weights).to(float64).expand(p.numel())
    at = (p * (count - 1)).floor().to(int64)
    known = (at >= 0) & (at < count)

    def at_least(weight: Any) -> Any:
        return at[known].bincount(weight[known], minlength=count).flip(0).cumsum(0).flip(0)

    tp, fp = at_least(labels * w), at_least((1 - labels) * w)
    tn, fn = fp[0] - fp, tp[0] - tp
    precision, recall = (tp / (tp + other).clamp(min=1e-7) for other in (fp, fn))
    return _pr(tag, stack((tp, fp, tn, fn, precision, recall)), count)


def pr_curve_raw(
    tag: str, tp: Any, fp: Any, tn: Any, fn: Any, precision: Any, recall: Any, num_thresholds: int = 127,
    weights: Any = None,
) -> bytes:  # fmt: skip
    """A precision-recall curve that was computed elsewhere."""
    rows = stack([as_tensor(v).detach().to(device="cpu", dtype=float64) for v in (tp, fp, tn, fn, precision, recall)])
    return _pr(tag, rows, min(num_thresholds, 127))


def custom_scalars(layout: dict[str, Any]) -> bytes:
    """Which scalars share a chart: {category: {chart: ["Multiline" or "Margin", tags]}}."""
    categories = b""
    for category, charts in layout.items():
        body = data(1, category)
        for title, (kind, tags) in charts.items():
            if kind == "Margin":
                if len(tags) != 3:
                    raise AssertionError(f"Expected 3 tags, got {len(tags)}.")
                content = data(3, data(1, b"".join(data(i + 1, t) for i, t in enumerate(tags))))
            else:
                content = data(2, b"".join(data(1, t) for t in tags))
            body += data(2, data(1, title) + content)
        categories += data(2, body)
    proto = integer(1, DT_STRING) + data(2, b"") + data(8, categories)
    return summary("custom_scalars__config__", data(8, proto), metadata("custom_scalars"))


# ---- pictures, sound, text --------------------------------------------------------------------------------------------
def grid(x: Any, columns: int = 8) -> Any:
    """Pictures (N, 1 or 3, H, W) side by side: (3, H, W)."""
    if x.shape[1] == 1:
        x = x.expand(-1, 3, -1, -1)
    if x.dim() != 4 or x.shape[1] != 3:
        raise AssertionError("Input should be a 4D numpy array with 3 channels")
    n, _, h, w = x.shape
    columns = min(n, columns)
    rows = -(-n // columns)
    canvas = zeros((rows * columns, 3, h, w), dtype=x.dtype)
    canvas[:n] = x  # type: ignore[index]
    shaped = canvas.reshape(rows, columns, 3, h, w).permute(2, 0, 3, 1, 4)  # type: ignore[attr-defined]
    return shaped.reshape(3, rows * h, columns * w)


def _hwc(x: Any, dataformats: str) -> Any:
    """A picture, or several, as (H, W, channels)."""
    order = dataformats.upper()
    if len(set(order)) != len(order):
        raise AssertionError(f"You can not use the same dimension shorthand twice.         input_format: {dataformats}")
    if x.dim() != len(order):
        raise AssertionError(
            "size of input tensor and input format are different.         "
            f"tensor shape: {tuple(x.shape)}, input_format: {dataformats}"
        )
    if len(order) == 4:
        return grid(x.permute([order.find(c) for c in "NCHW"])).permute(1, 2, 0)
    if len(order) == 2:
        return x.permute([order.find(c) for c in "HW"]).unsqueeze(2).expand(-1, -1, 3)
    x = x.permute([order.find(c) for c in "HWC"])
    return x.expand(-1, -1, 3) if x.shape[2] == 1 else x


def _bytes_of(x: Any, dataformats: str) -> Any:
    """Pixels: uint8 as they are, others from [0, 1]; out of range they are clipped."""
    x = _hwc(values_of(x), dataformats)
    return x if x.dtype is uint8 else (x.to(float32) * 255).clamp(0, 255).to(uint8)


def encoded(pixels: Any) -> bytes:
    """(H, W, channels) of uint8 as PNG."""
    h, w, c = pixels.shape
    rows = cat((zeros((h, 1), dtype=uint8), pixels.reshape(h, w * c)), 1)
    return png(w, h, c, [rows.numpy().tobytes()])  # type: ignore[attr-defined]


def _image(tag: str, pixels: Any) -> bytes:
    h, w, c = pixels.shape
    return summary(tag, data(4, integer(1, h) + integer(2, w) + integer(3, c) + data(4, encoded(pixels))))


def image(tag: str, tensor: Any, rescale: float = 1, dataformats: str = "NCHW") -> bytes:
    """One picture, or a grid of several: uint8, or floats in [0, 1]."""
    pixels = _bytes_of(tensor, dataformats)
    if rescale != 1:
        from ...nn.functional import interpolate

        size = (int(pixels.shape[0] * rescale), int(pixels.shape[1] * rescale))
        pixels = interpolate(pixels.permute(2, 0, 1)[None], size, mode="bilinear", antialias=True)[0].permute(1, 2, 0)
    return _image(tag, pixels)


def image_boxes(
    tag: str, tensor_image: Any, tensor_boxes: Any, rescale: float = 1, dataformats: str = "CHW", labels: Any = None
) -> bytes:
    """A picture with boxes (xmin, ymin, xmax, ymax), by vision.utils.draw_bounding_boxes (needs Pillow)."""
    from ...vision.utils import draw_bounding_boxes

    pixels = _bytes_of(tensor_image, dataformats).permute(2, 0, 1)
    boxes = values_of(tensor_boxes).reshape(-1, 4)
    drawn = draw_bounding_boxes(pixels, boxes, labels=list(labels) if labels else None, colors="red")
    return image(tag, drawn, rescale=rescale, dataformats="CHW")


def figure_pixels(figures: Any, close: bool = True) -> Any:
    """matplotlib's figures as pixels: (3, H, W), or (N, 3, H, W) for a list."""
    import matplotlib.pyplot as plt
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    def drawn(figure: Any) -> Any:
        canvas = FigureCanvasAgg(figure)
        canvas.draw()
        pixels: Any = frombuffer(bytearray(canvas.buffer_rgba()), dtype=uint8)
        w, h = canvas.get_width_height()
        if close:
            plt.close(figure)
        return pixels.reshape(h, w, 4)[:, :, :3].permute(2, 0, 1)

    return stack([drawn(f) for f in figures]) if isinstance(figures, list) else drawn(figures)


def audio(tag: str, tensor: Any, sample_rate: int = 44100) -> bytes:
    """Sound of one channel, values in [-1, 1]."""
    x = values_of(tensor).squeeze().to(float32)
    if x.abs().max().item() > 1:
        print("warning: audio amplitude out of range, auto clipped.")
        x = x.clamp(-1, 1)
    if x.dim() != 1:
        raise AssertionError("input tensor should be 1 dimensional.")
    out = io.BytesIO()
    with wave.open(out, "wb") as f:
        f.setnchannels(1)
        f.setsampwidth(2)
        f.setframerate(sample_rate)
        f.writeframes((x * 32767).short().numpy().astype("<i2").tobytes())
    head = f32(1, sample_rate) + integer(2, 1) + integer(3, x.numel())
    return summary(tag, data(6, head + data(4, out.getvalue()) + data(5, "audio/wav")))


def text(tag: str, text: str) -> bytes:
    """A text, as Markdown."""
    proto = integer(1, DT_STRING) + shape_of((1,)) + data(8, text)
    return summary(tag + "/text_summary", data(8, proto), metadata("text"))


def sprite(images: Any, side: int) -> bytes:
    """Pictures for the projector: a square PNG, `side` pictures wide."""
    tiles = grid(images, side)
    h, w = tiles.shape[1:]
    square: Any = zeros((w, w, 3), dtype=uint8)
    square[:h] = (tiles.permute(1, 2, 0).to(float32) * 255).clamp(0, 255).to(uint8)
    return encoded(square)
