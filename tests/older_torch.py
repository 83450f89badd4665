"""What PyTorch before 2.13 answers otherwise: tests that meet it then go on without the oracle, or are skipped."""

import re
from functools import cache
from importlib.metadata import PackageNotFoundError, version

ORACLE = (2, 13)
REASON = "PyTorch 2.13 is the oracle, and an older one differs here"

# file: what the names of its tests begin with
OTHERWISE = {
    "test_amp": ("test_amp[contexts]",),
    "test_autograd_functional": tuple(f"test_arguments[{case}]" for case in ("no inputs", "dict", "unused"))
    + ("test_profiler_shapes_and_memory[pytorch]",),
    "test_library_names": (
        "test_as_in_pytorch[torch._foreach_clone(xs)]", "test_as_in_pytorch[torch._check(torch.tensor(True))]",
        "test_as_in_pytorch[[(d, d.itemsize, d.is_signed", "test_the_alias_names_the_version_that_is_followed",
    ),
    "test_layers": (  # `bias` of norms
        "test_layer_is_pytorchs[BatchNorm1d.5]", "test_layer_is_pytorchs[InstanceNorm1d.4]", "test_layer_is_pytorchs[GroupNorm.3]",
        "test_attributes_are_pytorchs[BatchNorm1d.5]", "test_attributes_are_pytorchs[InstanceNorm1d.4]",
        "test_attributes_are_pytorchs[GroupNorm.3]", "test_signatures_are_pytorchs[", "test_convert_sync_batchnorm",
        "test_lazy_layers[LazyBatchNorm2d.2]",
        *(f"test_errors_are_pytorchs[nn.{case}" for case in ("Hardtanh(m", "Unflatten('", "LayerNorm(())")),
        "test_errors_of_functions_are_pytorchs[F.interpolate(t.ones(1,1,4,4),scale_factor=2,mode='lanczos')]",
    ),
    "test_loss_modules": (
        "test_every_loss_is_there", "test_loss[LinearCrossEntropyLoss", "test_linear_cross_entropy_options",
        "test_arguments[delta]", "test_adaptive[0-D target]",
    ),
    "test_module": ("test_module[backward_hooks_of_many]",),
    "test_namespaces": ("test_as_in_pytorch",),  # a build for CUDA has other answers too
    "test_reference": ("test_prints_what_pytorch_prints",),
    "test_signatures": tuple(  # names of dimensions
        f"{test}[{home}.{name}]" for test in ("test_arguments", "test_calls") for home in ("torch", "Tensor")
        for name in ("diagonal", "flatten", "unflatten", "transpose")
    ),
    "test_surface": ("test_tensor_adds_no_names",),
    "test_tutorials": ("test_same_output_as_pytorch[gan]",),
    "test_vision_tv_tensors": (  # of the torchvision that belongs to it
        "test_functions[elastic]", "test_formats",
        *(f"test_boxes[{dtype}-{form}-elastic" for dtype in ("float32", "int64") for form in ("XYXY", "XYWH", "CXCYWH")),
    ),
    "test_vision_v2": ("test_reprs",),
}  # fmt: skip
SAMPLES = (
    "Tensor.aminmax", "Tensor.const_data_ptr:", "Tensor.narrow_copy", "Tensor.new_ones", "Tensor.nextafter",
    "Tensor.requires_grad:a", "aminmax.kw.", "avg_pool2d.zero[badrank]", "clamp_.nan", "dtypes.trace", "fn.bartlett_window.f64",
    "fn.blackman_window.f64", "fn.hamming_window.f64", "fn.hann_window.f64", "fn.kaiser_window.f64", "fn.narrow_copy",
    "forms.nextafter_", "interpolate.antialias.lanczos", "interpolate.bytes.lanczos", "interpolate.same.antialias.lanczos",
    "linear_cross_entropy", "logsumexp.none", "nansum.bool", "nansum.int32", "nextafter", "nn.HuberLoss.bad{'delta'", "cumsum.none",
    "trace[float16]", *(f"addmv(2,)(2,3)(3,){form}[mix1]" for form in ("", "ab", "f")),
    *(f"{name}[{case}]" for name in ("det", "linalg.det") for case in ("empty", "bempty", "b0")),
)  # fmt: skip
SAMPLE_PARTS = (
    ".badtype[", ".leaf[", ".recording[", "requires_grad=True", "nn.Parameter(", "names", "size('a')", "'cuda'", ".cuda()",
    "arange(0,2.5,0.5,dtype=torch.int64)",  # a division by zero
)  # fmt: skip


@cache
def older():
    """Whether the PyTorch that is installed is older than the oracle."""
    try:
        found = re.match(r"(\d+)\.(\d+)", version("torch"))
    except PackageNotFoundError:
        return False
    return found is not None and tuple(map(int, found.groups())) < ORACLE


def differs(nodeid):
    """Whether a test is known to meet an answer that is another in an older PyTorch."""
    if not older():
        return False
    file, _, name = nodeid.rpartition("/")[2].partition(".py::")
    name = re.sub(r"\[(numpy|numba|checked|cupy)-", "[", name)
    if file == "test_ops":
        sample = name.partition("[")[2]
        return sample.startswith(SAMPLES) or any(part in sample for part in SAMPLE_PARTS)
    return name.startswith(OTHERWISE.get(file, ()))


def print_alike(ours, theirs):
    """Whether two modules have one repr; an older PyTorch says less of norms and of attention."""
    return older() or repr(ours) == repr(theirs)
