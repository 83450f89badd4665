"""Convolutions and their adjoints in one, two and three dimensions. Source: torch.nn.modules.conv."""

from __future__ import annotations

from math import sqrt
from typing import Any

from ... import ops
from ...tensor import Parameter, Tensor
from .. import functional as F
from .. import init
from ..lazy import LazyModuleMixin
from ..module import Module
from ..parameter import UninitializedParameter
from .utils import _ntuple, _reverse_repeat_tuple, _single, held
from .utils import _pair as _pair
from .utils import _triple as _triple

__all__ = [
    "Conv1d", "Conv2d", "Conv3d", "ConvTranspose1d", "ConvTranspose2d", "ConvTranspose3d", "LazyConv1d", "LazyConv2d",
    "LazyConv3d", "LazyConvTranspose1d", "LazyConvTranspose2d", "LazyConvTranspose3d",
]  # fmt: skip

MODES = ("zeros", "reflect", "replicate", "circular")


class _ConvNd(Module):
    """The parameters of a convolution: weight (out, in / groups, *kernel), or (in, out / groups, *kernel) transposed."""

    def __init__(
        self, in_channels: int, out_channels: int, kernel_size: tuple[int, ...], stride: tuple[int, ...], padding: Any,
        dilation: tuple[int, ...], transposed: bool, output_padding: tuple[int, ...], groups: int, bias: bool,
        padding_mode: str, device: Any = None, dtype: Any = None,
    ) -> None:  # fmt: skip
        super().__init__()
        if groups <= 0:
            raise ValueError("groups must be a positive integer")
        if in_channels % groups:
            raise ValueError("in_channels must be divisible by groups")
        if out_channels % groups:
            raise ValueError("out_channels must be divisible by groups")
        if isinstance(padding, str):
            if padding not in ("same", "valid"):
                raise ValueError(f"Invalid padding string {padding!r}, should be one of {{'valid', 'same'}}")
            if padding == "same" and any(s != 1 for s in stride):
                raise ValueError("padding='same' is not supported for strided convolutions")
        if padding_mode not in MODES:
            raise ValueError(
                f"padding_mode must be one of {{{str(MODES)[1:-1]}}}, but got padding_mode={padding_mode!r}"
            )
        self.in_channels, self.out_channels, self.kernel_size = in_channels, out_channels, kernel_size
        self.stride, self.padding, self.dilation = stride, padding, dilation
        self.transposed, self.output_padding = transposed, output_padding
        self.groups, self.padding_mode = groups, padding_mode
        self._reversed_padding_repeated_twice: Any
        if isinstance(padding, str):  # what 'same' adds, the odd one on the far side
            widths = [0, 0] * len(kernel_size)
            if padding == "same":
                for i, (d, k) in enumerate(zip(reversed(dilation), reversed(kernel_size), strict=False)):
                    total = d * (k - 1)
                    widths[2 * i : 2 * i + 2] = total // 2, total - total // 2
            self._reversed_padding_repeated_twice = widths
        else:
            self._reversed_padding_repeated_twice = _reverse_repeat_tuple(padding, 2)
        ends = (in_channels, out_channels // groups) if transposed else (out_channels, in_channels // groups)
        self.weight = Parameter(ops.empty((*ends, *kernel_size), device=device, dtype=dtype))
        if bias:
            self.bias = Parameter(ops.empty((out_channels,), device=device, dtype=dtype))
        else:
            self.register_parameter("bias", None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Kaiming uniform with a = sqrt(5): both uniform in +-1 / sqrt(fan_in)."""
        init.kaiming_uniform_(self.weight, a=sqrt(5))
        if self.bias is not None:
            fan_in, _ = init._calculate_fan_in_and_fan_out(self.weight)
            if fan_in:
                init.uniform_(self.bias, -1 / sqrt(fan_in), 1 / sqrt(fan_in))

    def extra_repr(self) -> str:
        s = f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}, stride={self.stride}"
        if self.padding != (0,) * len(self.padding):
            s += f", padding={self.padding}"
        if self.dilation != (1,) * len(self.dilation):
            s += f", dilation={self.dilation}"
        if self.output_padding != (0,) * len(self.output_padding):
            s += f", output_padding={self.output_padding}"
        if self.groups != 1:
            s += f", groups={self.groups}"
        if self.bias is None:
            s += ", bias=False"
        return s if self.padding_mode == "zeros" else s + f", padding_mode={self.padding_mode}"


class _Conv(_ConvNd):
    """A cross-correlation over len(kernel_size) dimensions, told by the class."""

    _dims: int
    _function: str  # looked up in nn.functional at each call: autocast replaces what stands there

    def __init__(
        self, in_channels: int, out_channels: int, kernel_size: Any, stride: Any = 1, padding: Any = 0, dilation: Any = 1,
        groups: int = 1, bias: bool = True, padding_mode: str = "zeros", device: Any = None, dtype: Any = None,
    ) -> None:  # fmt: skip
        each = _ntuple(self._dims)
        super().__init__(
            in_channels, out_channels, each(kernel_size), each(stride),
            padding if isinstance(padding, str) else each(padding), each(dilation), False, each(0), groups, bias,
            padding_mode, device, dtype,
        )  # fmt: skip

    def _conv_forward(self, input: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        """The convolution with this weight and bias; what is not padded with zeros is padded first."""
        padding = self.padding
        if self.padding_mode != "zeros":
            input = F.pad(input, self._reversed_padding_repeated_twice, mode=self.padding_mode)
            padding = (0,) * self._dims
        return getattr(F, self._function)(input, weight, bias, self.stride, padding, self.dilation, self.groups)  # type: ignore[no-any-return]

    def forward(self, input: Tensor) -> Tensor:
        return self._conv_forward(input, *held(self))


class Conv1d(_Conv):
    """1-D cross-correlation of (N, C, L) or (C, L); weight (out, in / groups, k). Source: torch.nn.Conv1d."""

    _dims, _function = 1, "conv1d"


class Conv2d(_Conv):
    """2-D cross-correlation of (N, C, H, W) or (C, H, W); weight (out, in / groups, kh, kw). Source: torch.nn.Conv2d."""

    _dims, _function = 2, "conv2d"


class Conv3d(_Conv):
    """3-D cross-correlation of (N, C, D, H, W) or (C, D, H, W); weight (out, in / groups, kd, kh, kw).

    Source: torch.nn.Conv3d.
    """

    _dims, _function = 3, "conv3d"


class _ConvTransposeNd(_ConvNd):
    """The adjoint of a convolution over the class's number of dimensions."""

    _dims: int
    _function: str  # looked up in nn.functional at each call: autocast replaces what stands there

    def __init__(
        self, in_channels: int, out_channels: int, kernel_size: Any, stride: Any = 1, padding: Any = 0,
        output_padding: Any = 0, groups: int = 1, bias: bool = True, dilation: Any = 1, padding_mode: str = "zeros",
        device: Any = None, dtype: Any = None,
    ) -> None:  # fmt: skip
        if padding_mode != "zeros":
            raise ValueError(f'Only "zeros" padding mode is supported for {type(self).__name__}')
        each = _ntuple(self._dims)
        super().__init__(
            in_channels, out_channels, each(kernel_size), each(stride), each(padding), each(dilation), True,
            each(output_padding), groups, bias, padding_mode, device, dtype,
        )  # fmt: skip

    def _output_padding(self, input: Tensor, output_size: Any, n: int) -> tuple[int, ...]:
        """The output padding that gives output_size: (*spatial) or the whole shape. ValueError if none does."""
        if output_size is None:
            return _single(self.output_padding)
        lead = 2 if input.dim() == n + 2 else 1
        size = list(output_size)
        if len(size) == n + lead:
            size = size[lead:]
        if len(size) != n:
            raise ValueError(
                f"ConvTranspose{n}D: for {input.dim()}D input, output_size must have {n} or {n + lead} elements "
                f"(got {len(size)})"
            )
        least = [
            (m - 1) * s - 2 * p + d * (k - 1) + 1
            for m, s, p, d, k in zip(
                input.shape[lead : lead + n], self.stride, self.padding, self.dilation, self.kernel_size, strict=True
            )
        ]
        most = [m + s - 1 for m, s in zip(least, self.stride, strict=True)]
        if any(not a <= m <= b for a, m, b in zip(least, size, most, strict=True)):
            raise ValueError(
                f"requested an output size of {output_size}, but valid sizes range from {least} to {most} (for an input of "
                f"{input.size()[2:]})"
            )
        return tuple([m - a for m, a in zip(size, least, strict=True)])

    def forward(self, input: Tensor, output_size: Any = None) -> Tensor:
        extra = self._output_padding(input, output_size, self._dims)
        weight, bias = held(self)
        return getattr(F, self._function)(
            input, weight, bias, self.stride, self.padding, extra, self.groups, self.dilation
        )  # type: ignore[no-any-return]


_ConvTransposeMixin = _ConvTransposeNd


class ConvTranspose1d(_ConvTransposeNd):
    """The adjoint of Conv1d; weight (in, out / groups, k). Source: torch.nn.ConvTranspose1d."""

    _dims, _function = 1, "conv_transpose1d"


class ConvTranspose2d(_ConvTransposeNd):
    """The adjoint of Conv2d; weight (in, out / groups, kh, kw). Source: torch.nn.ConvTranspose2d."""

    _dims, _function = 2, "conv_transpose2d"


class ConvTranspose3d(_ConvTransposeNd):
    """The adjoint of Conv3d; weight (in, out / groups, kd, kh, kw). Source: torch.nn.ConvTranspose3d."""

    _dims, _function = 3, "conv_transpose3d"


class _LazyConvXdMixin(LazyModuleMixin):
    """A convolution whose in_channels the first input tells."""

    def _start(self, out_channels: int, bias: bool, device: Any, dtype: Any) -> None:
        me: Any = self
        me.weight = UninitializedParameter(device=device, dtype=dtype)
        me.out_channels = out_channels
        if bias:
            me.bias = UninitializedParameter(device=device, dtype=dtype)

    def reset_parameters(self) -> None:
        if not self.has_uninitialized_params() and self.in_channels != 0:  # type: ignore[attr-defined]
            super().reset_parameters()  # type: ignore[misc]

    def initialize_parameters(self, input: Tensor, *args: Any, **kwargs: Any) -> None:
        me: Any = self
        if me.in_channels == 0:
            me.in_channels = self._get_in_channels(input)
        if not self.has_uninitialized_params():  # a state_dict told the shapes
            return
        if me.in_channels % me.groups:
            raise ValueError("in_channels must be divisible by groups")
        ins, outs = me.in_channels, me.out_channels
        ends = (ins, outs // me.groups) if me.transposed else (outs, ins // me.groups)
        me.weight.materialize((*ends, *me.kernel_size))
        if me.bias is not None:
            me.bias.materialize((outs,))
        self.reset_parameters()

    def _get_in_channels(self, input: Tensor) -> int:
        n = self._get_num_spatial_dims()
        if input.dim() not in (n + 1, n + 2):
            raise RuntimeError(
                f"Expected {n + 1}D (unbatched) or {n + 2}D (batched) input to {type(self).__name__}, but got input of size: "
                f"{input.shape}"
            )
        return input.shape[1] if input.dim() == n + 2 else input.shape[0]

    def _get_num_spatial_dims(self) -> int:
        return len(self.kernel_size)  # type: ignore[attr-defined]


class _LazyConv(_LazyConvXdMixin):
    def __init__(
        self, out_channels: int, kernel_size: Any, stride: Any = 1, padding: Any = 0, dilation: Any = 1, groups: int = 1,
        bias: bool = True, padding_mode: str = "zeros", device: Any = None, dtype: Any = None,
    ) -> None:  # fmt: skip
        super().__init__(0, 0, kernel_size, stride, padding, dilation, groups, False, padding_mode, device, dtype)
        self._start(out_channels, bias, device, dtype)


class _LazyConvTranspose(_LazyConvXdMixin):
    def __init__(
        self, out_channels: int, kernel_size: Any, stride: Any = 1, padding: Any = 0, output_padding: Any = 0,
        groups: int = 1, bias: bool = True, dilation: Any = 1, padding_mode: str = "zeros", device: Any = None,
        dtype: Any = None,
    ) -> None:  # fmt: skip
        super().__init__(
            0, 0, kernel_size, stride, padding, output_padding, groups, False, dilation, padding_mode, device, dtype
        )
        self._start(out_channels, bias, device, dtype)


class LazyConv1d(_LazyConv, Conv1d):
    """A Conv1d whose in_channels the first input tells. Source: torch.nn.LazyConv1d."""

    cls_to_become = Conv1d


class LazyConv2d(_LazyConv, Conv2d):
    """A Conv2d whose in_channels the first input tells. Source: torch.nn.LazyConv2d."""

    cls_to_become = Conv2d


class LazyConv3d(_LazyConv, Conv3d):
    """A Conv3d whose in_channels the first input tells. Source: torch.nn.LazyConv3d."""

    cls_to_become = Conv3d


class LazyConvTranspose1d(_LazyConvTranspose, ConvTranspose1d):
    """A ConvTranspose1d whose in_channels the first input tells. Source: torch.nn.LazyConvTranspose1d."""

    cls_to_become = ConvTranspose1d


class LazyConvTranspose2d(_LazyConvTranspose, ConvTranspose2d):
    """A ConvTranspose2d whose in_channels the first input tells. Source: torch.nn.LazyConvTranspose2d."""

    cls_to_become = ConvTranspose2d


class LazyConvTranspose3d(_LazyConvTranspose, ConvTranspose3d):
    """A ConvTranspose3d whose in_channels the first input tells. Source: torch.nn.LazyConvTranspose3d."""

    cls_to_become = ConvTranspose3d
