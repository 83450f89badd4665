"""Methods and properties of Tensor: those that are functions too in one pattern, the others one by one."""

import copy
import pickle

from ops_table import BOOL, F32, I64, arr, family

C = {"c": (arr(3, 3, lo=0.1, hi=0.9),), "f32": (arr(3, 3, dtype=F32, lo=0.1, hi=0.9),)}
TWO = {"c": (arr(3, 3, lo=0.1, hi=0.9), arr(3, 3, lo=0.1, hi=0.9)), "broadcast": (arr(2, 3), arr(3, lo=0.1))}
INTS = {"i64": (arr(3, 3, dtype=I64, lo=1), arr(3, dtype=I64))}
MASKS = {"bool": (arr(3, 3, dtype=BOOL),), "i64": (arr(3, 3, dtype=I64),)}

for op in (
    "absolute acos acosh arccos arccosh arcsin arcsinh arctan arctanh asin asinh atan atanh ceil conj_physical cos cosh "
    "deg2rad digamma erf erfc erfinv exp2 fix floor frac i0 isfinite isinf isnan isneginf isposinf isreal lgamma log "
    "logical_not negative rad2deg reciprocal relu rsqrt sgn sigmoid sign signbit sin sinc sinh sqrt square tan tanh tril "
    "triu trunc conj resolve_neg resolve_conj ravel median amax amin aminmax count_nonzero diag positive neg exp log1p "
    "logit round nan_to_num expm1 log10 log2 abs angle logdet det logsumexp_ argmax argmin all any max min mean prod std sum "
    "var nansum nanmean nanmedian nonzero t numel dim ndimension nelement element_size is_floating_point is_complex is_signed "
    "is_contiguous storage_offset is_conj is_neg is_inference is_pinned is_shared is_distributed tolist stride size "
    "dim_order contiguous clone detach flatten squeeze adjoint inverse pinverse trace msort unique cholesky_inverse"
).split():  # fmt: skip
    if op.endswith("_") or op in ("unique",):
        continue
    family(
        f"Tensor.{op}()",
        lambda t, x, op=op: getattr(x, op)(),
        {"c": C["c"]} if op in ("det", "logdet", "inverse", "pinverse") else C,
        host=op in ("get_device", "is_shared", "type"),
    )
for op in ("bitwise_not", "logical_not", "count_nonzero", "any", "all", "tolist", "neg"):
    family(f"Tensor.{op}()", lambda t, x, op=op: getattr(x, op)(), {k: v for k, v in MASKS.items()})
for op in (
    "arctan2 atan2 copysign eq floor_divide fmax fmin heaviside hypot igamma igammac le logaddexp logaddexp2 logical_and "
    "logical_or logical_xor maximum minimum multiply ne nextafter pow subtract xlogy add sub mul div divide true_divide "
    "remainder fmod ge gt lt less less_equal greater greater_equal not_equal float_power clamp_min clamp_max ldexp dist "
    "isclose allclose equal is_same_size view_as reshape_as expand_as type_as"
).split():
    cases = {"c": TWO["c"]} if op in ("reshape_as", "view_as", "igamma", "igammac", "nextafter") else TWO
    family(
        f"Tensor.{op}(y)",
        lambda t, x, y, op=op: getattr(x, op)(y),
        cases,
        grad=op not in ("igamma", "igammac", "floor_divide", "heaviside"),
    )
for op in "gcd lcm bitwise_and bitwise_or bitwise_xor bitwise_left_shift bitwise_right_shift".split():
    family(f"Tensor.{op}(y)", lambda t, x, y, op=op: getattr(x, op)(y.abs()), INTS)

X = {"c": (arr(4, 6, lo=0.1),), "t": (arr(4, 6, lo=0.1, layout="t"),)}
V = {"c": (arr(2, 3, 4),)}
CALLS = {
    "broadcast_to": lambda t, x: x.broadcast_to(2, 4, 6),
    "clip": lambda t, x: x.clip(0.3, 0.9),
    "cumprod": lambda t, x: x.cumprod(1),
    "hardshrink": lambda t, x: x.hardshrink(0.7),
    "hsplit": lambda t, x: x.hsplit(3),
    "log_softmax": lambda t, x: x.log_softmax(1),
    "softmax": lambda t, x: x.softmax(0),
    "moveaxis": lambda t, x: x.moveaxis(0, 1),
    "swapdims": lambda t, x: x.swapdims(0, 1),
    "split_with_sizes": lambda t, x: x.split_with_sizes([1, 2, 3], 1),
    "unsafe_split_with_sizes": lambda t, x: x.unsafe_split_with_sizes([1, 2, 3], 1),
    "split": lambda t, x: x.split(split_size=4, dim=1),
    "norm": lambda t, x: (x.norm(), x.norm(1, 0, True), x.norm(dtype=t.float64)),
    "renorm": lambda t, x: x.renorm(2, 0, 1.5),
    "lerp": lambda t, x: (x.lerp(x * 2, 0.3), x.lerp(x * 2, x)),
    "prelu": lambda t, x: (x - 1).prelu(x[0, :1] * 0.1),
    "where": lambda t, x: x.where(x > 1, -x),
    "masked_scatter": lambda t, x: x.masked_scatter(x > 1, x * 2),
    "index_reduce_": lambda t, x: x.detach().index_reduce_(0, t.tensor([0, 2, 0], device=x.device), x.detach()[:3] + 1, "prod"),
    "mvlgamma_": lambda t, x: (x + 1).mvlgamma_(2),
    "as_strided_scatter": lambda t, x: x.detach().contiguous().as_strided_scatter(t.zeros(2, 2, dtype=x.dtype, device=x.device), (2, 2), (1, 2), 3),
    "sum_to_size": lambda t, x: (x.sum_to_size(1, 6), x.sum_to_size((4, 1)), x.sum_to_size(6), x.sum_to_size(4, 6)),
    "sum_to_size.bad": lambda t, x: x.sum_to_size(2, 6),
    "sum_to_size.longer": lambda t, x: x.sum_to_size(1, 4, 6),
    "histc": lambda t, x: x.detach().histc(4, 0.0, 2.0),
    "aminmax": lambda t, x: x.aminmax(dim=1, keepdim=True),
    "amax": lambda t, x: (x.amax(1), x.amin((0, 1))),
    "count_nonzero": lambda t, x: x.count_nonzero(1),
    "median": lambda t, x: x.median(1),
    "size": lambda t, x: (x.size(), x.size(-1), x.shape[0], x.shape.numel(), x.size(dim=1)),
    "size.bad": lambda t, x: x.size(2),
    "stride": lambda t, x: (x.stride(), x.stride(-1), x[1:, ::2].storage_offset()),
    "stride.bad": lambda t, x: x.stride(3),
    "is_contiguous": lambda t, x: (x.is_contiguous(), x.t().is_contiguous(), x[:, None].is_contiguous(memory_format=t.contiguous_format)),
    "is_set_to": lambda t, x: (x.is_set_to(x), x.is_set_to(x.view_as(x)), x.is_set_to(x[1:])),
    "view": lambda t, x: (x.reshape(3, -1).view(-1), x.detach().contiguous().view(t.int64)),
    "narrow": lambda t, x: (x.narrow(1, 2, 3), x.narrow(1, t.tensor(1), 2)),
    "repeat": lambda t, x: (x.repeat(2, 1), x.repeat((1, 2, 1)), x.tile(2)),
    "as_subclass": lambda t, x: x.as_subclass(t.nn.Parameter).detach(),
    "cholesky": lambda t, x: (x @ x.mT + t.eye(4, dtype=x.dtype, device=x.device)).cholesky(),
    "qr": lambda t, x: [r.abs() for r in x.mT.qr()],
    "svd": lambda t, x: x.svd()[1],
    "geqrf": lambda t, x: [r.abs() for r in x.detach().mT.geqrf()],
    "orgqr": lambda t, x: (lambda a, tau: a.orgqr(tau).abs())(*x.detach().mT.geqrf()),
    "ormqr": lambda t, x: (lambda a, tau: a.ormqr(tau, x.detach().mT).abs())(*x.detach().mT.geqrf()),
    "lu_solve": lambda t, x: x[:, :2].detach().lu_solve(*t.linalg.lu_factor(x[:, :4].detach())),
    "triangular_solve": lambda t, x: x[:, :2].triangular_solve(x[:, :4]),
    "multinomial": lambda t, x: x.detach().abs().multinomial(6).sort(1)[0],
}  # fmt: skip
for name, fn in CALLS.items():
    family(f"Tensor.{name}:", fn, X, grad=name not in ("mvlgamma_.int",))

# ---- types and copies -------------------------------------------------------------------------------------------------
for name in "half float double bfloat16 byte char short int long bool cfloat cdouble".split():
    kinds = {k: (*C,)[0:0] or v for k, v in {"c": C["c"], "i64": MASKS["i64"], "bool": MASKS["bool"]}.items()}
    if name in ("byte",):
        kinds = {"bool": MASKS["bool"]}
    family(f"Tensor.{name}()", lambda t, x, name=name: getattr(x, name)(), kinds)
    family(
        f"Tensor.{name}(format)",
        lambda t, x, name=name: getattr(x.abs().t(), name)(memory_format=t.contiguous_format),
        {"c": C["c"]},
    )
TO = {
    "dtype": lambda t, x: x.to(t.float32),
    "same": lambda t, x: (x.to(x.dtype) is x, x.to(x.device) is x, x.to(x) is x, x.to(x.device, x.dtype) is x),
    "copy": lambda t, x: (x.to(x.dtype, copy=True) is x, x.to(x.dtype, False, True), x.to(copy=True)),
    "device": lambda t, x: x.to(x.device, t.float32, non_blocking=True),
    "kw": lambda t, x: (x.to(dtype=t.float16).float(), x.to(device=x.device, dtype=t.float32)),
    "other": lambda t, x: x.to(t.zeros(1, dtype=t.float32, device=x.device)),
    "none": lambda t, x: x.to(None, t.float32),
    "format": lambda t, x: x[None, None].to(memory_format=t.channels_last).stride()[2:],
    "python": lambda t, x: x.to(float),
    "bad": lambda t, x: x.to([1]),
    "badname": lambda t, x: x.to("nowhere"),
    "baddtype": lambda t, x: x.to(dtype="float32"),
    "type": lambda t, x: (
        x.type().replace("cuda.", ""),
        x.type(t.float32),
        x.type("torch.DoubleTensor"),
        x.type(t.LongTensor),
    ),
    "type.bad": lambda t, x: x.type("torch.NoTensor"),
    "type_as": lambda t, x: x.type_as(t.zeros(1, dtype=t.float32)),
}
for name, fn in TO.items():
    family(f"Tensor.to.{name}", fn, {"c": C["c"]}, grad=name != "type", host=name == "type")
NEW = {
    "tensor": lambda t, x: (x.new_tensor([1, 2]), x.new_tensor(3, dtype=t.int32), x.new_tensor([1.5], requires_grad=True).requires_grad),
    "zeros": lambda t, x: (x.new_zeros(2, 3), x.new_zeros((2,), dtype=t.int64), x.new_zeros([])),
    "ones": lambda t, x: (x.new_ones(2, 3), x.new_ones((0, 2)), x.new_ones(1, requires_grad=True)),
    "full": lambda t, x: (x.new_full((2, 3), 7), x.new_full((), 1, dtype=t.bool), x.new_full((2,), 1.5)),
    "empty": lambda t, x: (x.new_empty(2, 0), x.new_empty((0,), dtype=t.int8)),
    "empty_strided": lambda t, x: x.new_empty_strided((2, 3), (1, 2)).stride(),
    "bad": lambda t, x: x.new_zeros(-1),
    "badshape": lambda t, x: x.new_full((2.5,), 1),
    "full.bad": lambda t, x: x.new_full((2,), 1j).imag,
}  # fmt: skip
for name, fn in NEW.items():
    family(f"Tensor.new_{name}", fn, {"c": C["c"], "i64": MASKS["i64"], "bool": MASKS["bool"]}, grad=False)


# ---- memory -----------------------------------------------------------------------------------------------------------
def _set(t, x, *args, **kwargs):
    y = t.zeros(3, dtype=x.dtype, device=x.device)
    r = y.set_(*(a(x) if callable(a) else a for a in args), **kwargs)
    return r, r is y, y.stride(), y._version, y.storage_offset()


MEMORY = {
    "set_": lambda t, x: _set(t, x),
    "set_.tensor": lambda t, x: _set(t, x, lambda x: x.t()),
    "set_.storage": lambda t, x: _set(t, x, lambda x: x.untyped_storage()),
    "set_.window": lambda t, x: _set(t, x, lambda x: x.untyped_storage(), 1, (2, 2), (3, 1)),
    "set_.window2": lambda t, x: _set(t, x, lambda x: x, 2, (2, 2)),
    "set_.shares": lambda t, x: (t.zeros(1, dtype=x.dtype, device=x.device).set_(x).add_(1), x),
    "set_.dtype": lambda t, x: _set(t, x, lambda x: x.to(t.int32)),
    "set_.bad": lambda t, x: _set(t, x, 3),
    "set_.lengths": lambda t, x: _set(t, x, lambda x: x, 0, (2, 2), (1,)),
    "set_.offset": lambda t, x: _set(t, x, lambda x: x, -1, (1,), (1,)),
    "resize_": lambda t, x: (x.clone().resize_(2, 2), x.clone().resize_((3, 3)), x.clone().t().resize_(9), x.resize_(3, 2)._version),
    "resize_.grows": lambda t, x: x.clone().resize_(20)[:9],
    "resize_.bad": lambda t, x: x.resize_(-1, 2),
    "resize_as_": lambda t, x: (x.clone().resize_as_(x[:2]), x.clone().resize_as_(x[0])),
    "data_ptr": lambda t, x: (x.data_ptr() == x.view(-1).data_ptr(), x[1:].data_ptr() - x.data_ptr(), x[:0].data_ptr()),
    "const_data_ptr": lambda t, x: x.const_data_ptr() == x.data_ptr(),
    "storage": lambda t, x: (x.untyped_storage().nbytes(), x[1:].untyped_storage().data_ptr() == x.data_ptr(), x.nbytes, x.itemsize),
    "share_memory_": lambda t, x: x.share_memory_(),
    "data": lambda t, x: (x.data.mul_(2), x, x._version),
    "data.set": lambda t, x: (setattr(x, "data", x[0] * 2), x)[1],
}  # fmt: skip
for name, fn in MEMORY.items():
    family(f"Tensor.{name}:", fn, {"c": C["c"], "i64": MASKS["i64"]}, grad=False)


# ---- writes -----------------------------------------------------------------------------------------------------------
def _write(fn):
    def run(t, x, *rest):
        y = x.clone()
        r = fn(t, y, *rest)
        return r, r is y, y._version

    return run


WRITES = {
    "copy_": lambda t, y: y.copy_(y.t().clone()),
    "copy_.broadcast": lambda t, y: y.copy_(y[0].clone()),
    "copy_.cast": lambda t, y: y.copy_(t.arange(3, device=y.device)),
    "copy_.bad": lambda t, y: y.copy_(t.ones(2, device=y.device)),
    "copy_.number": lambda t, y: y.copy_(2),
    "fill_": lambda t, y: y.fill_(2),
    "fill_.tensor": lambda t, y: y.fill_(y[0, 0].clone()),
    "zero_": lambda t, y: y.zero_(),
    "iadd": lambda t, y: y.__iadd__(2),
    "isub": lambda t, y: y.__isub__(2),
    "imul": lambda t, y: y.__imul__(y.clone()),
    "itruediv": lambda t, y: y.__itruediv__(2.0),
    "ifloordiv": lambda t, y: y.__ifloordiv__(0.4),
    "imod": lambda t, y: y.__imod__(0.4),
    "ipow": lambda t, y: y.__ipow__(2),
    "transpose_": lambda t, y: y.transpose_(0, 1),
    "t_": lambda t, y: y.t_(),
    "swapaxes_": lambda t, y: y.swapaxes_(0, 1),
    "swapdims_": lambda t, y: y.swapdims_(0, 1),
    "squeeze_": lambda t, y: y.unsqueeze_(1).squeeze_(),
    "unsqueeze_": lambda t, y: y.unsqueeze_(1),
    "as_strided_": lambda t, y: y.as_strided_((2, 2), (1, 2)),
    "addcmul_": lambda t, y: y.addcmul_(y.clone(), y.clone(), value=2),
    "addcdiv_": lambda t, y: y.addcdiv_(y.clone(), y.clone() + 9, value=2),
    "lerp_": lambda t, y: y.lerp_(y.clone() * 2, 0.25),
    "masked_fill_": lambda t, y: y.masked_fill_(y > 0.5, 3),
    "masked_scatter_": lambda t, y: y.masked_scatter_(y > 0.5, y.clone() * 2),
    "index_fill_": lambda t, y: y.index_fill_(0, t.tensor([0, 2], device=y.device), 3),
    "index_copy_": lambda t, y: y.index_copy_(0, t.tensor([0, 2], device=y.device), y[:2].clone()),
    "index_add_": lambda t, y: y.index_add_(0, t.tensor([0, 2], device=y.device), y[:2].clone(), alpha=2),
    "index_put_": lambda t, y: y.index_put_((t.tensor([0, 2], device=y.device),), y[0].clone(), accumulate=True),
    "scatter_": lambda t, y: y.scatter_(1, t.tensor([[0], [1], [2]], device=y.device), 3),
    "scatter_add_": lambda t, y: y.scatter_add_(1, t.tensor([[0], [1], [2]], device=y.device), y[:, :1].clone()),
    "put_": lambda t, y: y.put_(t.tensor([0, 5], device=y.device), y[0, :2].clone()),
    "fill_diagonal_": lambda t, y: y.fill_diagonal_(5),
    "clamp_": lambda t, y: y.clamp_(0.2, 0.6),
    "round_": lambda t, y: y.round_(decimals=1),
    "cumsum_": lambda t, y: y.cumsum_(1),
    "cumprod_": lambda t, y: y.cumprod_(0),
    "renorm_": lambda t, y: y.renorm_(2, 0, 0.5),
    "addmm_": lambda t, y: y.addmm_(y.clone(), y.clone()),
    "addmv_": lambda t, y: y[0].clone().addmv_(y.clone(), y[1].clone()),
    "detach_": lambda t, y: y.detach_(),
    "requires_grad_": lambda t, y: y.detach().requires_grad_().detach(),
}
for name, fn in WRITES.items():
    family(f"Tensor.{name}:w", _write(fn), {"c": C["c"]})


# ---- predicates and properties ----------------------------------------------------------------------------------------
PROPERTIES = {
    "flags": lambda t, x: (
        x.is_cuda != x.is_cpu, x.get_device() < 0 or x.is_cuda, x.is_mps, x.is_meta, x.is_sparse, x.is_quantized,
        x.is_nested, x.is_mkldnn, x.is_leaf, x.retains_grad, x.requires_grad,
    ),
    "numbers": lambda t, x: (x.ndim, x.itemsize, x.nbytes, x.output_nr, x._version, x.name),
    "strings": lambda t, x: (str(x.dtype), str(x.grad_dtype), str(x.layout), str(x.grad), str(x.grad_fn)),
    "shape": lambda t, x: (x.shape, x.size(), list(x.shape), x.shape == x.size()),
    "T": lambda t, x: (x.T, x.mT, x.H, x.mH),
    "real": lambda t, x: x.real,
    "imag": lambda t, x: x.imag,
    "predicates": lambda t, x: (
        x.is_signed(), x.is_complex(), x.is_floating_point(), x.is_same_size(x), x.is_inference(), x.is_conj(), x.is_neg(), x.is_pinned(),
    ),
    "name": lambda t, x: x.name,
    "is_nonzero": lambda t, x: x[0, 0].is_nonzero(),
    "is_nonzero.bad": lambda t, x: x.is_nonzero(),
}  # fmt: skip
for name, fn in PROPERTIES.items():
    kinds = {**C, **MASKS}
    family(
        f"Tensor.{name}.p",
        fn,
        {k: v for k, v in kinds.items() if not (name == "flags")} | {"f32": C["f32"]},
        grad=False,
        host=name == "flags",
    )


# ---- autograd through methods -----------------------------------------------------------------------------------------
def _backward(t, x):
    x.requires_grad_()
    y = (x * x).sum()
    y.backward(retain_graph=True)
    first = x.grad.clone()
    y.backward(t.tensor(2.0, dtype=x.dtype, device=x.device), create_graph=False)
    return first, x.grad, x.is_leaf, y.is_leaf


def _inputs(t, x):
    a, b = x.clone().requires_grad_(), x.clone().requires_grad_()
    (a * b).sum().backward(inputs=[a])
    return a.grad, b.grad is None


def _retain(t, x):
    x.requires_grad_()
    y = x * 3
    before = y.retains_grad
    y.retain_grad()
    (y * y).sum().backward()
    return before, y.retains_grad, y.grad, x.grad


def _hooks(t, x):
    seen = []
    x.requires_grad_()
    handle = x.register_hook(lambda g: g * 2)
    x.register_post_accumulate_grad_hook(lambda p: seen.append(p.grad.sum().item() > 0))
    y = x * x
    y.register_hook(lambda g: seen.append(tuple(g.shape)))
    y.sum().backward()
    first = x.grad.clone()
    handle.remove()
    (x * x).sum().backward()
    return first, x.grad, seen


AUTOGRAD = {
    "backward": _backward,
    "backward.inputs": _inputs,
    "backward.vector": lambda t, x: ((x.requires_grad_() * 2).backward(x.detach()), x.grad)[1],
    "backward.shape": lambda t, x: (x.requires_grad_() * 2).backward(x.detach()[0]),
    "backward.scalar": lambda t, x: (x.requires_grad_() * 2).backward(),
    "backward.constant": lambda t, x: x.sum().backward(),
    "retain_grad": _retain,
    "retain_grad.bad": lambda t, x: x.retain_grad(),
    "register_hook": _hooks,
    "register_hook.bad": lambda t, x: x.register_hook(print),
    "post_hook.bad": lambda t, x: (x.requires_grad_() * 1).register_post_accumulate_grad_hook(print),
    "detach_": lambda t, x: ((x.requires_grad_() * 2).detach_().requires_grad, (x * 2).detach_().is_leaf),
    "detach_.view": lambda t, x: (x.requires_grad_() * 2)[0].detach_(),
    "grad.set": lambda t, x: (setattr(x, "grad", x * 2), x.grad)[1],
    "grad.badshape": lambda t, x: setattr(x, "grad", x[0]),
    "grad.badtype": lambda t, x: setattr(x, "grad", x.float().half()),
    "grad.badclass": lambda t, x: setattr(x, "grad", 3),
    "grad.itself": lambda t, x: setattr(x, "grad", x),
    "requires_grad": lambda t, x: (setattr(x, "requires_grad", True), x * 2)[1],
    "requires_grad_.bad": lambda t, x: (x.requires_grad_() * 2).requires_grad_(False),
    "requires_grad_.int": lambda t, x: x.long().requires_grad_(),
    "requires_grad.int": lambda t, x: setattr(x.long(), "requires_grad", True),
    "data.bad": lambda t, x: setattr(x, "data", 3),
}
for name, fn in AUTOGRAD.items():
    family(f"Tensor.{name}:a", fn, {"c": C["c"]}, grad=False)


# ---- Python's protocols -----------------------------------------------------------------------------------------------
def _raised(fn):
    try:
        return fn()
    except Exception as error:  # noqa: BLE001 the class is the result
        return type(error).__name__


PYTHON = {
    "len": lambda t, x: (len(x), len(x[:0]), _raised(lambda: len(x[0, 0]))),
    "iter": lambda t, x: ([r * 2 for r in x], list(x[0]), _raised(lambda: list(x[0, 0]))),
    "reversed": lambda t, x: (reversed(x), reversed(x[0, 0])),
    "contains": lambda t, x: (x[0, 0] in x, 100 in x, x[0, 0].item() in x, _raised(lambda: "a" in x), True in x),
    "bool": lambda t, x: (bool(x[0, 0]), _raised(lambda: bool(x)), _raised(lambda: bool(x[:0])), bool(x[:1, :1])),
    "int": lambda t, x: (int(x[0, 0]), float(x[0, 0]), complex(x[0, 0]), int(x[:1, :1]), _raised(lambda: int(x)), _raised(lambda: float(x))),
    "index": lambda t, x: ([10, 20, 30, 40, 50][x[0, 0].abs().long()], _raised(lambda: [1, 2][x[0, 0].double()]), _raised(lambda: [1][x])),
    "item": lambda t, x: (x[0, 0].item(), x[:1, :1].item(), _raised(lambda: x.item()), _raised(lambda: x[:0].item())),
    "tolist": lambda t, x: (x.tolist(), x[0, 0].tolist(), x[:0].tolist()),
    "hash": lambda t, x: (hash(x) == hash(x), x in {x: 1}, x.clone() in {x: 1}),
    "format": lambda t, x: (f"{x[0, 0].double():.3f}", format(x[0, 0].long(), "d"), _raised(lambda: f"{x:.2f}")),
    "format.plain": lambda t, x: f"{x[0, 0]}" == format(x[0, 0].item(), ""),
    "operators": lambda t, x: (x + 1, 1 - x, x * 2, 2 / (x * x + 1), x // 2, 3 // (x * x + 1), x % 2, 3 % (x * x + 1)),
    "operators2": lambda t, x: (x @ x, -x, +x, abs(x), 2 ** x.abs()),
    "comparisons": lambda t, x: (x > 0, 0 < x, x >= x, x == x, x != 0, x < 1, 1 <= x),
    "strings": lambda t, x: (_raised(lambda: x + "a"), x == "a", x != None, _raised(lambda: x < "a"), _raised(lambda: x * None)),  # noqa: E711
    "copy": lambda t, x: (copy.copy(x), copy.deepcopy(x), copy.deepcopy(x).data_ptr() == x.data_ptr(), copy.deepcopy([x, x[0]])),
    "deepcopy.graph": lambda t, x: copy.deepcopy(x.float().requires_grad_() * 2),
    "deepcopy.leaf": lambda t, x: copy.deepcopy(x.float().requires_grad_()).requires_grad,
    "pickle": lambda t, x: (pickle.loads(pickle.dumps(x)), pickle.loads(pickle.dumps(x.t())), pickle.loads(pickle.dumps(x[0, 0]))),
    "getitem": lambda t, x: (x[0], x[-1, 1:], x[..., None], x[x > 0], x[[0, 1]], x[0, 0], x[None]),
    "getitem.bad": lambda t, x: (_raised(lambda: x[5]), _raised(lambda: x["a"]), _raised(lambda: x[0, 0, 0]), _raised(lambda: x[1.5])),
    "delitem": lambda t, x: _raised(lambda: x.__delitem__(0)),
    "setattr": lambda t, x: (setattr(x, "tag", 5), x.tag, _raised(lambda: setattr(x, "shape", (3,))), _raised(lambda: x.nothing))[1:],
}  # fmt: skip
for name, fn in PYTHON.items():
    family(f"Tensor.{name}.py", fn, {"c": C["c"], "f32": (arr(3, 3, dtype=F32),), "i64": MASKS["i64"]}, grad=False)
