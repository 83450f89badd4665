"""Image models with torchvision's parameter names, so that its weights load. Source: torchvision.models."""

from . import alexnet as _alexnet
from . import densenet as _densenet
from . import efficientnet as efficientnet
from . import inception as inception
from . import mobilenet as mobilenet
from . import mobilenetv2 as mobilenetv2
from . import mobilenetv3 as mobilenetv3
from . import resnet as resnet
from . import squeezenet as squeezenet
from . import vgg as vgg
from . import vision_transformer as vision_transformer
from .weights import *  # noqa: F403

for _module in (
    _alexnet,
    _densenet,
    efficientnet,
    inception,
    mobilenetv2,
    mobilenetv3,
    resnet,
    squeezenet,
    vgg,
    vision_transformer,
):
    for _name, _thing in vars(_module).items():
        _builder = _name in list_models()  # noqa: F405
        _class = isinstance(_thing, type) and _thing.__module__ == _module.__name__ and not _name.startswith("_")
        if _builder or _class or _name.endswith("_Weights"):
            globals()[_name] = _thing
