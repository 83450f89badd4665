"""torch.nn.modules: each class under PyTorch's file, so that `torch.nn.modules.conv.Conv2d` and isinstance checks work."""

from __future__ import annotations

import sys
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

from . import hooks as _hooks
from . import module as _module

_FILES = {
    "activation": (
        "Threshold ReLU RReLU Hardtanh ReLU6 Sigmoid Hardsigmoid Tanh SiLU Mish Hardswish ELU CELU SELU GLU GELU "
        "Hardshrink LeakyReLU LogSigmoid Softplus Softshrink MultiheadAttention PReLU Softsign Tanhshrink Softmin "
        "Softmax Softmax2d LogSoftmax "
    ),
    "adaptive": ("_ASMoutput AdaptiveLogSoftmaxWithLoss "),
    "batchnorm": (
        "_NormBase _BatchNorm _LazyNormBase BatchNorm1d LazyBatchNorm1d BatchNorm2d LazyBatchNorm2d BatchNorm3d "
        "LazyBatchNorm3d SyncBatchNorm "
    ),
    "channelshuffle": ("ChannelShuffle "),
    "container": ("Sequential ModuleList ModuleDict ParameterList ParameterDict "),
    "conv": (
        "_ConvNd Conv1d Conv2d Conv3d _ConvTransposeNd ConvTranspose1d ConvTranspose2d ConvTranspose3d "
        "_ConvTransposeMixin _LazyConvXdMixin LazyConv1d LazyConv2d LazyConv3d LazyConvTranspose1d "
        "LazyConvTranspose2d LazyConvTranspose3d "
    ),
    "distance": ("PairwiseDistance CosineSimilarity "),
    "dropout": ("_DropoutNd Dropout Dropout1d Dropout2d Dropout3d AlphaDropout FeatureAlphaDropout "),
    "flatten": ("Flatten Unflatten "),
    "fold": ("Fold Unfold "),
    "instancenorm": (
        "_InstanceNorm InstanceNorm1d LazyInstanceNorm1d InstanceNorm2d LazyInstanceNorm2d InstanceNorm3d "
        "LazyInstanceNorm3d "
    ),
    "lazy": ("LazyModuleMixin "),
    "linear": ("Identity Linear Bilinear LazyLinear "),
    "linear_cross_entropy": ("_ChunkViews _ChunkContext "),
    "loss": (
        "_Loss _WeightedLoss L1Loss NLLLoss NLLLoss2d PoissonNLLLoss GaussianNLLLoss KLDivLoss MSELoss BCELoss "
        "BCEWithLogitsLoss HingeEmbeddingLoss MultiLabelMarginLoss SmoothL1Loss HuberLoss SoftMarginLoss "
        "CrossEntropyLoss LinearCrossEntropyLoss MultiLabelSoftMarginLoss CosineEmbeddingLoss MarginRankingLoss "
        "MultiMarginLoss TripletMarginLoss TripletMarginWithDistanceLoss CTCLoss "
    ),
    "normalization": ("LocalResponseNorm CrossMapLRN2d LayerNorm GroupNorm RMSNorm "),
    "padding": (
        "_CircularPadNd CircularPad1d CircularPad2d CircularPad3d _ConstantPadNd ConstantPad1d ConstantPad2d "
        "ConstantPad3d _ReflectionPadNd ReflectionPad1d ReflectionPad2d ReflectionPad3d _ReplicationPadNd "
        "ReplicationPad1d ReplicationPad2d ReplicationPad3d ZeroPad1d ZeroPad2d ZeroPad3d "
    ),
    "pixelshuffle": ("PixelShuffle PixelUnshuffle "),
    "pooling": (
        "_MaxPoolNd MaxPool1d MaxPool2d MaxPool3d _MaxUnpoolNd MaxUnpool1d MaxUnpool2d MaxUnpool3d _AvgPoolNd "
        "AvgPool1d AvgPool2d AvgPool3d FractionalMaxPool2d FractionalMaxPool3d _LPPoolNd LPPool1d LPPool2d LPPool3d "
        "_AdaptiveMaxPoolNd AdaptiveMaxPool1d AdaptiveMaxPool2d AdaptiveMaxPool3d _AdaptiveAvgPoolNd "
        "AdaptiveAvgPool1d AdaptiveAvgPool2d AdaptiveAvgPool3d "
    ),
    "rnn": ("RNNBase RNN LSTM GRU RNNCellBase RNNCell LSTMCell GRUCell "),
    "sparse": ("Embedding EmbeddingBag "),
    "transformer": (
        "Transformer TransformerEncoder TransformerDecoder TransformerEncoderLayer TransformerDecoderLayer "
    ),
    "upsampling": ("Upsample UpsamplingNearest2d UpsamplingBilinear2d "),
}
HOME = {name: file for file, names in _FILES.items() for name in names.split()}
HOME["Module"] = "module"
__path__: list[str] = []


def _lookup(name: str) -> Any:
    """A class by its name in PyTorch: from torch.nn, or from a file here."""
    from importlib import import_module

    nn: Any = sys.modules[__package__]
    if hasattr(nn, name):
        return getattr(nn, name)
    for file in ("layers", "loss", "lazy", "norms", "convolution", "recurrent", "pooling"):
        try:
            found = getattr(import_module(f"{__package__}.{file}"), name, None)
        except ModuleNotFoundError:
            continue
        if found is not None:
            return found
    raise AttributeError(f"module 'torch.nn.modules' has no attribute {name!r}: PolyTensor does not have it")


class _File(ModuleType):
    """One of PyTorch's files: looks its classes up when they are asked for."""

    def __getattr__(self, name: str) -> Any:
        file = self.__name__.rpartition(".")[2]
        if HOME.get(name) != file and name.startswith("__"):
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")
        if file == "module":
            for source in (_module, _hooks):
                if hasattr(source, name):
                    return getattr(source, name)
        return _lookup(name)

    def __dir__(self) -> list[str]:
        return sorted(n for n in HOME if f"{__name__}.{HOME[n]}" == self.__name__)


def __getattr__(name: str) -> Any:
    if name.startswith("__"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return _lookup(name)


for _file in (*_FILES, "module"):
    _made = _File(f"{__name__}.{_file}")
    _made.__spec__ = ModuleSpec(_made.__name__, None)
    sys.modules[_made.__name__] = globals()[_file] = _made
