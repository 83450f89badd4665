"""Pictures of tensors: grids, files, boxes. Source: torchvision.utils."""

from __future__ import annotations

import warnings
from typing import Any

import polytensor as torch
from polytensor import Tensor

from .pillow import pillow
from .transforms.functional import convert_image_dtype, pil_to_tensor, to_pil_image
from .transforms.v2.functional import to_dtype

__all__ = [
    "draw_bounding_boxes", "draw_keypoints", "draw_segmentation_masks", "flow_to_image", "make_grid", "save_image",
]  # fmt: skip


def _stretched(img: Tensor, value_range: Any) -> Tensor:
    """The image with value_range (its own range if None) taken to [0, 1]."""
    low, high = (float(img.min()), float(img.max())) if value_range is None else value_range
    return img.clamp(low, high).sub_(low).div_(max(high - low, 1e-5))


@torch.no_grad()
def make_grid(
    tensor: Any,
    nrow: int = 8,
    padding: int = 2,
    normalize: bool = False,
    value_range: tuple[float, float] | None = None,
    scale_each: bool = False,
    pad_value: float = 0.0,
) -> Tensor:
    """Images (N, C, H, W), or a list of (C, H, W), side by side: (3, H', W'), nrow in a row. TypeError for others."""
    if isinstance(tensor, list):
        for t in tensor:
            if not isinstance(t, Tensor):
                raise TypeError(f"tensor or list of tensors expected, got a list containing {type(t)}")
        tensor = torch.stack(tensor)
    elif not isinstance(tensor, Tensor):
        raise TypeError(f"tensor or list of tensors expected, got {type(tensor)}")
    x: Tensor = tensor
    while x.ndim < 4 and x.ndim >= 2:
        x = x.unsqueeze(0)
    if x.ndim == 4 and x.shape[1] == 1:
        x = torch.cat((x, x, x), 1)
    if normalize:
        if value_range is not None and not isinstance(value_range, tuple):
            raise TypeError("value_range has to be a tuple (min, max) if specified. min and max are numbers")
        x = torch.stack([_stretched(t, value_range) for t in x]) if scale_each else _stretched(x, value_range)
    n, channels, height, width = x.shape
    if n == 1:
        return x[0]
    columns = min(nrow, n)
    rows = -(-n // columns)
    height, width = height + padding, width + padding
    grid = x.new_full((channels, height * rows + padding, width * columns + padding), pad_value)
    for k in range(n):
        top, left = k // columns * height + padding, k % columns * width + padding
        grid[:, top : top + height - padding, left : left + width - padding] = x[k]
    return grid


@torch.no_grad()
def save_image(tensor: Any, fp: Any, format: str | None = None, **kwargs: Any) -> None:
    """make_grid(tensor, **kwargs), values in [0, 1], as an image file."""
    grid = make_grid(tensor, **kwargs)
    to_pil_image(grid.mul(255).add_(0.5).clamp_(0, 255).to(torch.uint8)).save(fp, format=format)


def _colors(colors: Any, n: int) -> list[Any]:
    """n colours as (r, g, b): given, one for all, or a palette if None."""
    if colors is None:
        steps = (2**25 - 1, 2**15 - 1, 2**21 - 1)
        colors = [tuple(i * s % 255 for s in steps) for i in range(n)]
    elif isinstance(colors, list):
        if len(colors) < n:
            raise ValueError(
                f"Number of colors must be equal or larger than the number of objects, but got {len(colors)} < {n}."
            )
    elif not isinstance(colors, (tuple, str)):
        raise ValueError(f"colors must be a tuple or a string, or a list thereof, but got {colors}.")
    elif isinstance(colors, tuple) and len(colors) != 3:
        raise ValueError(f"If passed as tuple, colors should be an RGB triplet, but got {colors}.")
    else:
        colors = [colors] * n
    return [pillow("ImageColor").getrgb(c) if isinstance(c, str) else c for c in colors]


def _check_picture(
    image: Any, wanted: str = "The image must be a tensor", channels: tuple[int, ...] = (3,),
    other: str = "Pass an RGB image. Other Image formats are not supported",
) -> None:  # fmt: skip
    """TypeError or ValueError for what is no picture (C, H, W)."""
    if not isinstance(image, Tensor):
        raise TypeError(f"{wanted}, got {type(image)}")
    if image.dtype != torch.uint8 and not image.dtype.is_floating_point:
        raise ValueError(f"The image dtype must be uint8 or float, got {image.dtype}")
    if image.ndim != 3:
        raise ValueError("Pass individual images, not batches")
    if image.shape[0] not in channels:
        raise ValueError(other)


@torch.no_grad()
def draw_bounding_boxes(
    image: Tensor,
    boxes: Tensor,
    labels: Any = None,
    colors: Any = None,
    fill: bool | None = False,
    width: int = 1,
    font: Any = None,
    font_size: int | None = None,
    label_colors: Any = None,
    label_background_colors: Any = None,
    fill_labels: bool = False,
) -> Tensor:
    """A copy of the image (3, H, W) or (1, H, W) with boxes (N, 4) as (xmin, ymin, xmax, ymax), and labels."""
    _check_picture(image, "Tensor expected", (1, 3), "Only grayscale and RGB images are supported")
    if ((boxes[:, 0] > boxes[:, 2]) | (boxes[:, 1] > boxes[:, 3])).any():
        raise ValueError(
            "Boxes need to be in (xmin, ymin, xmax, ymax) format. Use torchvision.ops.box_convert to convert them"
        )
    n = boxes.shape[0]
    if n == 0:
        warnings.warn("boxes doesn't contain any box. No box was drawn", stacklevel=2)
        return image
    if labels is not None and len(labels) != n:
        raise ValueError(
            f"Number of boxes ({n}) and labels ({len(labels)}) mismatch. Please specify labels for each box."
        )
    outline = _colors(colors, n)
    text = _colors(label_colors or "black", n) if label_colors or fill_labels else outline
    behind = _colors(label_background_colors, n) if fill_labels and label_background_colors else outline
    if font is None:
        if font_size is not None:
            warnings.warn("Argument 'font_size' will be ignored since 'font' is not set.", stacklevel=2)
        letters = pillow("ImageFont").load_default()
    else:
        letters = pillow("ImageFont").truetype(font=font, size=font_size or 10)
    dtype = image.dtype
    picture = to_pil_image(convert_image_dtype(image, torch.uint8).expand(3, -1, -1))
    draw = pillow("ImageDraw").Draw(picture, "RGBA" if fill else None)
    for i, box in enumerate(boxes.to(torch.int64).tolist()):
        draw.rectangle(box, width=width, outline=outline[i], fill=(*outline[i], 100) if fill else None)
        if labels is not None and labels[i] is not None:
            corner = (box[0] + width + 1, box[1] + width + 1)
            if fill_labels:
                left, top, right, bottom = draw.textbbox(corner, labels[i], font=letters)
                draw.rectangle((left - 1, top - 1, right + 1, bottom + 1), fill=behind[i])
            draw.text(corner, labels[i], fill=text[i], font=letters)
    return to_dtype(pil_to_tensor(picture), dtype, scale=True)


@torch.no_grad()
def draw_segmentation_masks(image: Tensor, masks: Tensor, alpha: float = 0.8, colors: Any = None) -> Tensor:
    """The image (3, H, W) with masks (N, H, W) or (H, W) of bool laid over it in colours, black where they overlap."""
    _check_picture(image)
    masks = masks[None] if masks.ndim == 2 else masks
    if masks.ndim != 3:
        raise ValueError("masks must be of shape (H, W) or (batch_size, H, W)")
    if masks.dtype != torch.bool:
        raise ValueError(f"The masks must be of dtype bool. Got {masks.dtype}")
    if masks.shape[-2:] != image.shape[-2:]:
        raise ValueError("The image and the masks must have the same height and width")
    if masks.shape[0] == 0:
        warnings.warn("masks doesn't contain any mask. No mask was drawn", stacklevel=2)
        return image
    scale = 255 if image.dtype.is_floating_point else 1
    painted = image.clone()
    for mask, color in zip(masks, _colors(colors, masks.shape[0])):
        value = torch.tensor([c / scale for c in color], device=image.device).to(image.dtype)
        painted = torch.where(mask, value[:, None, None], painted)
    painted = torch.where(masks.sum(0) > 1, torch.zeros_like(painted), painted)
    return (image * (1 - alpha) + painted * alpha).to(image.dtype)


@torch.no_grad()
def draw_keypoints(
    image: Tensor,
    keypoints: Tensor,
    connectivity: Any = None,
    colors: Any = None,
    radius: int = 2,
    width: int = 3,
    visibility: Tensor | None = None,
) -> Tensor:
    """A copy of the image (3, H, W) with points (N, K, 2) as (x, y), and lines between pairs of them.

    connectivity is a list of pairs of numbers below K; visibility (N, K) or (N, K, 1) leaves out what is False.
    """
    _check_picture(image)
    if keypoints.ndim != 3:
        raise ValueError("keypoints must be of shape (num_instances, K, 2)")
    seen = torch.ones(keypoints.shape[:-1], dtype=torch.bool) if visibility is None else visibility
    seen = seen.squeeze(-1) if seen.ndim == 3 else seen
    if seen.ndim != 2:
        raise ValueError(f"visibility must be of shape (num_instances, K). Got ndim={seen.ndim}")
    if seen.shape != keypoints.shape[:-1]:
        raise ValueError(
            "keypoints and visibility must have the same dimensionality for num_instances and K. "
            f"Got {seen.shape} and {keypoints.shape}"
        )
    picture = to_pil_image(to_dtype(image, torch.uint8, scale=True))
    draw = pillow("ImageDraw").Draw(picture)
    for points, shown in zip(keypoints.to(torch.int64).tolist(), seen.bool().tolist()):
        for (x, y), visible in zip(points, shown):
            if visible:
                draw.ellipse([x - radius, y - radius, x + radius, y + radius], fill=colors, outline=None, width=0)
        for a, b in connectivity or []:
            if shown[a] and shown[b]:
                draw.line((tuple(points[a][:2]), tuple(points[b][:2])), width=width)
    return to_dtype(pil_to_tensor(picture), image.dtype, scale=True)


def _wheel() -> Tensor:
    """55 colours (55, 3) around the circle: red, yellow, green, cyan, blue, magenta (Baker et al. 2007)."""
    rows: list[Tensor] = []
    # how many steps, the channel that is full, the one that changes, whether it rises
    for n, full, moving, rises in (
        (15, 0, 1, 1),
        (6, 1, 0, 0),
        (4, 1, 2, 1),
        (11, 2, 1, 0),
        (13, 2, 0, 1),
        (6, 0, 2, 0),
    ):
        part = torch.zeros(n, 3)
        ramp = (255 * torch.arange(n) / n).floor()
        part[:, full], part[:, moving] = 255.0, ramp if rises else 255 - ramp
        rows.append(part)
    return torch.cat(rows)


@torch.no_grad()
def flow_to_image(flow: Tensor) -> Tensor:
    """A flow (2, H, W) or (N, 2, H, W) as colours, uint8 (3, H, W) or (N, 3, H, W): the hue is the direction."""
    if flow.dtype != torch.float32:
        raise ValueError(f"Flow should be of dtype torch.float, got {flow.dtype}.")
    x = flow[None] if flow.ndim == 3 else flow
    if x.ndim != 4 or x.shape[1] != 2:
        raise ValueError(f"Input flow should have shape (2, H, W) or (N, 2, H, W), got {flow.shape}.")
    x = x / (x.pow(2).sum(1).sqrt().max() + torch.finfo(x.dtype).eps)
    length = x.pow(2).sum(1).sqrt()[..., None]
    colors = _wheel().to(x.device)
    place = (torch.atan2(-x[:, 1], -x[:, 0]) / torch.pi + 1) / 2 * (len(colors) - 1)
    first = place.floor().to(torch.int64)
    share = (place - first)[..., None]
    color = (1 - share) * (colors[first] / 255.0) + share * (colors[(first + 1) % len(colors)] / 255.0)
    out = (255 * (1 - length * (1 - color))).floor().to(torch.uint8).permute(0, 3, 1, 2)
    return out[0] if flow.ndim == 3 else out
