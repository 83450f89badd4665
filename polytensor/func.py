"""Function transforms: grad, vjp, jvp, Jacobians, vmap, functional_call. Source: torch.func.

A transform differentiates by Tensors of its own, which are joined to the history of the given ones where that is
wanted; what it returns is cut off from its own Tensors, so transforms nest in any order. Forward mode (jvp, jacfwd,
linearize) is made of two backward passes: an op without a derivative of its derivative is an error there. In-place writes
to tensors from outside are done, where PyTorch refuses them; those of batch norm in training are refused here too.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any

from .autograd import engine
from .autograd import grad as _autograd_grad
from .autograd.batching import level
from .autograd.batching import vmap as vmap
from .autograd.forward_ad import writable
from .autograd.modes import enable_grad, mode, pulling
from .autograd.pytree import tree_flatten, tree_map, tree_unflatten
from .ops.creation import zeros_like
from .ops.joining import stack
from .tensor import Tensor

__all__ = [
    "functional_call", "functionalize", "grad", "grad_and_value", "hessian", "jacfwd", "jacrev", "jvp", "linearize",
    "replace_all_batch_norm_modules_", "stack_module_state", "vjp", "vmap",
]  # fmt: skip

Function = Callable[..., Any]
_ABSENT: Any = object()  # no such attribute


# ---- a level: the Tensors that one transform differentiates by -------------------------------------------------------
class _Level:
    """`outer`: whether recording was on around the transform, so that results may join what is there."""

    def __init__(self) -> None:
        self.outer = mode.grad
        self.leaves: dict[int, Tensor] = {}

    def track(self, x: Any) -> Tensor:
        """A Tensor to differentiate by."""
        if not isinstance(x, Tensor):
            raise ValueError(f"Thing passed to transform API must be Tensor, got {type(x)}")
        if self.outer and x._fn is not None:
            return x.view_as(x)  # type: ignore[attr-defined, no-any-return]
        r = (x.clone() if x.is_inference() else x.detach()).requires_grad_()  # type: ignore[attr-defined]
        self.leaves[id(r)] = r
        return r

    def reaches_out(self, *tensors: Any) -> bool:
        """Whether the history of these leads to a leaf that is not of this level."""
        if not self.outer:
            return False
        seen: set[int] = set()
        todo = [t._fn if t._fn.is_node else t for t in tensors if isinstance(t, Tensor) and t._fn is not None]
        while todo:
            e = todo.pop()
            if id(e) in seen:
                continue
            seen.add(id(e))
            if e.is_node:
                todo += [x for x in e.edges if x is not None]
            elif id(e) not in self.leaves:
                return True
        return False

    def leave(self, tree: Any) -> Any:
        """Results: cut off unless they depend on something outside."""
        return tree_map(lambda x: self._left(x), tree)

    def _left(self, x: Any) -> Any:
        if not isinstance(x, Tensor) or x._fn is None or self.reaches_out(x) and id(x) not in self.leaves:
            return x
        return x.detach()


def _grads(outs: Sequence[Any], xs: Sequence[Any], gs: Any, create: bool, retain: bool = True) -> tuple[Any, ...]:
    """Gradients, None where nothing leads; Tensors with a graph if `create`."""
    gs = [None] * len(outs) if gs is None else gs
    pairs = [(y, g) for y, g in zip(outs, gs, strict=True) if y.requires_grad]
    if not pairs:
        return (None,) * len(xs)
    result: tuple[Any, ...] = _autograd_grad(
        [y for y, _ in pairs],
        list(xs),
        [g for _, g in pairs],
        retain_graph=retain,
        create_graph=create,
        allow_unused=True,
    )
    return result


def _sliced(args: tuple[Any, ...], argnums: Any, as_tuple: bool = True) -> Any:
    """The arguments that are differentiated by."""
    n = len(args)

    def check(i: Any) -> None:
        if not isinstance(i, int):
            raise RuntimeError(f"argnums must be int or Tuple[int, ...], got: {type(argnums)}")
        if not -n <= i < n:
            raise RuntimeError(f"Got argnum={i}, but only {n} positional inputs")

    if isinstance(argnums, int):
        check(argnums)
        return (args[argnums],) if as_tuple else args[argnums]
    if not isinstance(argnums, tuple):
        raise RuntimeError(f"argnums must be int or Tuple[int, ...], got: {type(argnums)}")
    if not argnums:
        raise RuntimeError("argnums must be non-empty")
    for i in argnums:
        check(i)
    wrapped = [i % n for i in argnums]
    if len(set(wrapped)) != len(wrapped):
        raise RuntimeError(f"argnums elements must be unique, got {argnums}")
    return tuple(args[i] for i in argnums)


def _placed(args: tuple[Any, ...], new: tuple[Any, ...], argnums: Any) -> tuple[Any, ...]:
    result = list(args)
    for i, x in zip((argnums,) if isinstance(argnums, int) else argnums, new, strict=True):
        result[i] = x
    return tuple(result)


def _split_aux(out: Any, has_aux: bool, api: str) -> tuple[Any, Any]:
    if not has_aux:
        return out, None
    if not (isinstance(out, tuple) and len(out) == 2):
        raise RuntimeError(f"{api}: output of function f should be a tuple: (output, aux) if has_aux is True")
    return out


def _check_outputs(outs: list[Any], api: str) -> None:
    if not outs or (len(outs) == 1 and outs[0] is None):
        raise RuntimeError(f"{api}: Expected f to be a function that has non-empty output (got output = {outs})")
    for y in outs:
        if not isinstance(y, Tensor):
            raise RuntimeError(f"{api}: expected f(*primals) to return only tensors, got unsupported type {type(y)}")


class _transform:
    """Inside a transform: recording is on, and backward() is refused."""

    def __init__(self) -> None:
        self.grad = enable_grad()

    def __enter__(self) -> None:
        mode.levels += 1
        mode.gradients += 1
        engine.ASKING.append("transform")
        self.grad.__enter__()

    def __exit__(self, *exc: object) -> None:
        self.grad.__exit__(*exc)
        engine.ASKING.remove("transform")
        mode.levels -= 1
        mode.gradients -= 1


# ---- reverse mode -----------------------------------------------------------------------------------------------------
def grad_and_value(func: Function, argnums: Any = 0, has_aux: bool = False) -> Function:
    """A function that gives (gradient, value) of `func`, which returns one number; with `has_aux` (gradient, (value, aux)).

    Source: torch.func.grad_and_value.
    """
    api = "grad_and_value(f)(*args)"

    @wraps(func)
    def transformed(*args: Any, **kwargs: Any) -> Any:
        here = _Level()
        with _transform():
            flat, spec = tree_flatten(_sliced(args, argnums))
            xs = [here.track(x) for x in flat]
            out = func(*_placed(args, tree_unflatten(xs, spec), argnums), **kwargs)
            out, aux = _split_aux(out, has_aux, api)
            if not isinstance(out, Tensor):
                raise RuntimeError(f"{api}: Expected f(*args) to return a Tensor, got {type(out)}")
            if out.dim() != 0:
                raise RuntimeError(
                    f"{api}: Expected f(*args) to return a scalar Tensor, got tensor with {out.dim()} dims. Maybe you wanted "
                    "to use the vjp or jacrev APIs instead?"
                )
            outside = here.reaches_out(out)
            keep = outside or (has_aux and any(isinstance(a, Tensor) and a._fn for a in tree_flatten(aux)[0]))
            grads = _grads([out], xs, None, outside, retain=keep)
            grads = tuple(zeros_like(x) if g is None else g for g, x in zip(grads, flat, strict=True))
            result = here.leave(tree_unflatten(grads, spec)) if outside else tree_unflatten(grads, spec)
            value, aux = here.leave(out), here.leave(aux)
        if isinstance(argnums, int):
            result = result[0]
        return (result, (value, aux)) if has_aux else (result, value)

    return transformed


def grad(func: Function, argnums: Any = 0, has_aux: bool = False) -> Function:
    """A function that gives the gradient of `func` by its argument `argnums` (a tuple: by each); with `has_aux`
    (gradient, aux). Source: torch.func.grad.
    """
    both = grad_and_value(func, argnums, has_aux)

    @wraps(func)
    def transformed(*args: Any, **kwargs: Any) -> Any:
        result, value = both(*args, **kwargs)
        return (result, value[1]) if has_aux else result

    return transformed


def _vjp(func: Function, primals: tuple[Any, ...], argnums: Any, has_aux: bool) -> tuple[Any, Function, Any]:
    """Outputs, the function of cotangents, aux."""
    here = _Level()
    api = "vjp(f, *primals)"
    with _transform():
        flat, spec = tree_flatten(primals if argnums is None else _sliced(primals, argnums))
        xs = [here.track(x) for x in flat]
        tracked = tree_unflatten(xs, spec)
        out = func(*(tracked if argnums is None else _placed(primals, tracked, argnums)))
        out, aux = _split_aux(out, has_aux, api)
        outs, out_spec = tree_flatten(out)
        _check_outputs(outs, api)
        for y in outs:
            if y._a.dtype.kind in "biu":
                raise RuntimeError(
                    "vjp(f, ...): All outputs of f must be floating-point or complex Tensors, got Tensor with dtype "
                    f"{y.dtype}"
                )
        outside = here.reaches_out(*outs)
        value, aux = here.leave(out), here.leave(aux)

    def pull(cotangents: Any, retain_graph: bool = True, create_graph: bool | None = None) -> Any:
        gs, given = tree_flatten(cotangents)
        if given != out_spec:
            raise RuntimeError(
                "Expected pytree structure of cotangents to be the same as pytree structure of outputs to the function. "
                f"cotangents: {given.stars()}, primal output: {out_spec.stars()}"
            )
        create = mode.grad if create_graph is None else create_graph
        create = create and (outside or any(isinstance(g, Tensor) and g._fn is not None for g in gs))
        grads = _grads(outs, xs, gs, create, retain_graph)
        grads = tuple(zeros_like(x) if g is None else g for g, x in zip(grads, flat, strict=True))
        if create:
            grads = here.leave(grads)
        else:
            grads = tuple(g.detach() if g._fn is not None else g for g in grads)
        return tree_unflatten(grads, spec)

    return value, pull, aux


def vjp(func: Function, *primals: Any, has_aux: bool = False) -> Any:
    """(func(*primals), function of cotangents that gives a tuple of vector-Jacobian products[, aux]).

    Source: torch.func.vjp.
    """
    value, pull, aux = _vjp(func, primals, None, has_aux)
    return (value, pull, aux) if has_aux else (value, pull)


def _real_only(api: str, args: Any, kind: str) -> None:
    for i, x in enumerate(tree_flatten(args)[0]):
        if isinstance(x, Tensor) and x.is_complex():
            raise RuntimeError(
                f"{api}: Expected all {kind} to be real but received complex tensor at flattened input idx: {i}"
            )


def _basis(tensors: Sequence[Any], at: int, k: int) -> list[Any]:
    """Zeros like `tensors`, with a one at element `k` of number `at`."""
    result = [zeros_like(t).detach() for t in tensors]
    result[at].view(-1)[k] = 1
    return result


def jacrev(
    func: Function, argnums: Any = 0, *, has_aux: bool = False, chunk_size: int | None = None,
    _preallocate_and_copy: bool = False,
) -> Function:  # fmt: skip
    """A function that gives the Jacobian of `func`, output by output: shape output.shape + input.shape.

    `chunk_size` is accepted: one backward pass runs per output element. Source: torch.func.jacrev.
    """
    if chunk_size is not None and chunk_size <= 0:
        raise ValueError("jacrev: `chunk_size` should be greater than 0.")

    @wraps(func)
    def transformed(*args: Any) -> Any:
        _real_only("jacrev", args, "inputs")
        value, pull, aux = _vjp(func, args, argnums, has_aux)
        outs, out_spec = tree_flatten(value)
        _real_only("jacrev", outs, "outputs")
        flat, spec = tree_flatten(_sliced(args, argnums))
        result = []
        for at, y in enumerate(outs):
            rows = [tree_flatten(pull(tree_unflatten(_basis(outs, at, k), out_spec)))[0] for k in range(y.numel())]
            blocks = [
                stack([row[i] for row in rows]).reshape((*y.shape, *x.shape))
                if rows
                else x.new_zeros((*y.shape, *x.shape))
                for i, x in enumerate(flat)
            ]
            block = tree_unflatten(blocks, spec)
            result.append(block[0] if isinstance(argnums, int) else block)
        tree = tree_unflatten(result, out_spec)
        return (tree, aux) if has_aux else tree

    return transformed


# ---- forward mode -----------------------------------------------------------------------------------------------------
JVP = "jvp(f, primals, tangents)"


def _linear(func: Function, primals: tuple[Any, ...], argnums: Any, has_aux: bool) -> tuple[Any, Function, Any]:
    """Outputs, the function from flat tangents to flat output tangents (None: no dependence), aux."""
    here = _Level()
    with _transform():
        flat, spec = tree_flatten(primals if argnums is None else _sliced(primals, argnums))
        xs = [here.track(x) for x in flat]
        tracked = tree_unflatten([writable(x) for x in xs], spec)
        out = func(*(tracked if argnums is None else _placed(primals, tracked, argnums)))
        out, aux = _split_aux(out, has_aux, JVP)
        outs, _ = tree_flatten(out)
        _check_outputs(outs, JVP)
        outside = here.reaches_out(*outs)
        dummies = [zeros_like(y).detach().requires_grad_() if y.requires_grad else None for y in outs]
        for u in dummies:
            if u is not None:
                here.leaves[id(u)] = u
        with pulling():
            pulled = _grads(outs, xs, dummies, True)
        value, aux = here.leave(out), here.leave(aux)
    wanted = [u for u in dummies if u is not None]

    def push(tangents: Sequence[Any]) -> list[Any]:
        pairs = [(g, t) for g, t in zip(pulled, tangents, strict=True) if g is not None and g.requires_grad]
        if not pairs or not wanted:
            return [None] * len(outs)
        create = mode.grad and (outside or any(t._fn is not None for _, t in pairs))
        found = iter(_grads([g for g, _ in pairs], wanted, [t for _, t in pairs], create))
        return [None if u is None else here.leave(next(found)) for u in dummies]

    return value, push, aux


def _only_tensors(xs: list[Any], what: str) -> None:
    if not xs:
        raise RuntimeError(f"{JVP}: Expected {what} to contain at least one Tensor.")
    for x in xs:
        if not isinstance(x, Tensor):
            raise RuntimeError(f"{JVP}: Expected {what} to only contain Tensors, got {type(x)}")


def jvp(func: Function, primals: Any, tangents: Any, *, strict: bool = False, has_aux: bool = False) -> Any:
    """(func(*primals), the Jacobian of `func` times `tangents`[, aux]). Source: torch.func.jvp."""
    if not isinstance(primals, tuple):
        raise RuntimeError(f"{JVP}: Expected primals to be a tuple. E.g. it should be valid to call f(*primals).")
    flat, spec = tree_flatten(primals)
    ts, given = tree_flatten(tangents)
    if spec != given:
        raise RuntimeError(
            f"{JVP}: Expected primals and tangents to have the same python structure. For example, if primals is a tuple of "
            f"3 tensors, tangents also must be. Got primals with structure {spec!r} and tangents with structure {given!r}"
        )
    _only_tensors(flat, "primals")
    _only_tensors(ts, "tangents")
    for x, t in zip(flat, ts, strict=True):
        if x._a.dtype.kind in "biu":
            raise ValueError(f"Expected primal to be floating point or complex, but got: {x.dtype}")
        if x.shape != t.shape:
            raise RuntimeError(
                f"Trying to set a forward gradient that has a different size than that of the original Tensor, this is not "
                f"supported. Tensor is of size {list(x.shape)} while the given forward gradient is of size {list(t.shape)}."
            )
    value, push, aux = _linear(func, primals, None, has_aux)
    outs, out_spec = tree_flatten(value)
    result = []
    for y, t in zip(outs, push(ts), strict=True):
        if t is None and strict:
            raise RuntimeError(
                "jvp(f, primals, tangents, strict=True): The output of f is independent of the inputs. This is not allowed "
                "with strict=True."
            )
        result.append(zeros_like(y).detach() if t is None else t)
    tree = tree_unflatten(result, out_spec)
    return (value, tree, aux) if has_aux else (value, tree)


def linearize(func: Function, *primals: Any) -> tuple[Any, Function]:
    """(func(*primals), the function of tangents that jvp is at this point, without running `func` again).

    Source: torch.func.linearize.
    """
    flat, spec = tree_flatten(primals)
    value, push, _ = _linear(func, primals, None, False)
    outs, out_spec = tree_flatten(value)

    def pushed(*tangents: Any) -> Any:
        ts, given = tree_flatten(tangents)
        if given != spec:
            raise RuntimeError(f"Expected the tangents {given} to have the same argspec as the primals {spec}")
        for i, (x, t) in enumerate(zip(flat, ts, strict=True)):
            if t.shape != x.shape:
                raise RuntimeError(
                    f"tangent:{i} with shape {t.shape} in flattened pytree doesn't match the shape {x.shape} of the "
                    "corresponding primal."
                )
            if t.dtype is not x.dtype:
                raise RuntimeError(
                    f"tangent:{i} with dtype {t.dtype} in flattened pytree doesn't match the dtype {x.dtype} of the "
                    "corresponding primal."
                )
        return tree_unflatten(
            [zeros_like(y).detach() if t is None else t for y, t in zip(outs, push(ts), strict=True)], out_spec
        )

    return value, pushed


def jacfwd(func: Function, argnums: Any = 0, has_aux: bool = False, *, randomness: str = "error") -> Function:
    """A function that gives the Jacobian of `func`, input by input. Source: torch.func.jacfwd."""

    @wraps(func)
    def transformed(*args: Any) -> Any:
        _real_only("jacfwd", args, "inputs")
        flat, spec = tree_flatten(_sliced(args, argnums))
        with level(randomness):
            value, push, aux = _linear(func, args, argnums, has_aux)
        outs, out_spec = tree_flatten(value)
        _real_only("jacfwd", outs, "outputs")
        columns = [[push(_basis(flat, at, k)) for k in range(x.numel())] for at, x in enumerate(flat)]
        result = []
        for j, y in enumerate(outs):
            blocks = []
            for x, pushed in zip(flat, columns, strict=True):
                column = [zeros_like(y).detach() if ts[j] is None else ts[j] for ts in pushed]
                shape = (*y.shape, *x.shape)
                blocks.append(stack(column, -1).reshape(shape) if column else y.new_zeros(shape))
            block = tree_unflatten(blocks, spec)
            result.append(block[0] if isinstance(argnums, int) else block)
        tree = tree_unflatten(result, out_spec)
        return (tree, aux) if has_aux else tree

    return transformed


def hessian(func: Function, argnums: Any = 0) -> Function:
    """A function that gives the second derivatives of `func`: jacfwd of jacrev. Source: torch.func.hessian."""
    return jacfwd(jacrev(func, argnums), argnums)


def functionalize(func: Function, *, remove: str = "mutations") -> Function:
    """`func` itself: what functionalize takes out of a trace (in-place ops and views) need not go, for nothing is traced.

    Source: torch.func.functionalize.
    """
    if remove not in ("mutations", "mutations_and_views"):
        raise RuntimeError(
            f"functionalize(f, remove='mutations'): received invalid argument for remove={remove}. Valid options are "
            "'mutations' and 'mutations_and_views'"
        )

    @wraps(func)
    def transformed(*args: Any, **kwargs: Any) -> Any:
        return func(*args, **kwargs)

    return transformed


# ---- modules ----------------------------------------------------------------------------------------------------------
def functional_call(
    module: Any, parameter_and_buffer_dicts: Any, args: Any = None, kwargs: Any = None, *, tie_weights: bool = True,
    strict: bool = False,
) -> Any:  # fmt: skip
    """module(*args, **kwargs) with these tensors in the place of its parameters and buffers, by their full names.

    Tied parameters follow each other with `tie_weights`; with `strict` each name must be given, and no other.
    Source: torch.func.functional_call.
    """
    given = parameter_and_buffer_dicts
    if not isinstance(given, dict):
        if not isinstance(given, Sequence):
            raise ValueError(
                f"Expected parameter_and_buffer_dicts to be a dict, or a list/tuple of dicts, but got {type(given)}"
            )
        if not all(isinstance(d, dict) for d in given):
            raise ValueError("Expected all elements of parameter_and_buffer_dicts to be dictionaries")
        names = [k for d in given for k in d]
        repeated = [k for k in dict.fromkeys(names) if names.count(k) > 1]
        if repeated:
            raise ValueError(f"{repeated} appeared in multiple dictionaries; behavior of functional call is ambiguous")
        given = {k: v for d in given for k, v in d.items()}
    places = _places(module)
    values = dict(given)
    if tie_weights:
        groups: dict[int, list[str]] = {}
        for name, (table, key) in places.items():
            groups.setdefault(id(table[key]), []).append(name)
        for names in groups.values():
            have = [n for n in names if n in given]
            if len({id(given[n]) for n in have}) > 1:
                raise ValueError(
                    f"functional_call got multiple values for keys {sorted(names)}, which are tied. Consider using "
                    "tie_weights=False"
                )
            if have:
                values.update(dict.fromkeys(names, given[have[0]]))
    unexpected = sorted(k for k in values if k not in places)
    missing = sorted(k for k in places if k not in values)
    if strict and (unexpected or missing):
        said = [
            f"{kind} key(s): {', '.join(map(repr, keys))}."
            for kind, keys in (("Unexpected", unexpected), ("Missing", missing))
            if keys
        ]
        raise RuntimeError(f"Error(s) in reparametrizing for {module._get_name()}:\n\t" + "\n\t".join(said))
    args = () if args is None else args if isinstance(args, tuple) else (args,)
    saved, before = {}, mode.given
    mode.given = before | {id(v) for v in values.values()}
    try:
        for k, v in values.items():
            saved[k] = _swap(module, places.get(k), k, v)
        return module(*args, **({} if kwargs is None else kwargs))
    finally:
        mode.given = before
        for k, v in reversed(saved.items()):
            new = _swap(module, places.get(k), k, v)
            if isinstance(given, dict) and k in given:
                given[k] = new  # a buffer that the call has put anew


def replace_all_batch_norm_modules_(root: Any) -> Any:
    """Let the batch norms of a module use the batch's statistics alone, in place. Source: torch.func."""
    from .nn.modules.batchnorm import _BatchNorm

    for m in root.modules():
        if isinstance(m, _BatchNorm) and m.track_running_stats:
            m.running_mean = m.running_var = m.num_batches_tracked = None
            m.track_running_stats = False
    return root


def _places(module: Any) -> dict[str, tuple[dict[str, Any], str]]:
    """Full name of each parameter and buffer: the table that holds it, and its key there."""
    result = {}
    for prefix, m in module.named_modules(remove_duplicate=False):
        for table in (m._parameters, m._buffers):
            for key, value in table.items():
                if value is not None:
                    result[f"{prefix}.{key}" if prefix else key] = (table, key)
    return result


def _swap(module: Any, place: tuple[dict[str, Any], str] | None, name: str, value: Any) -> Any:
    """Put a tensor in its place (else in an attribute's: a parametrized tensor, say); gives what was there."""
    if value is not _ABSENT and value is not None and not isinstance(value, Tensor):
        raise TypeError(f"{value} is not an instance of torch.Tensor")
    if place is None:
        *path, key = name.split(".")
        if not key:
            raise KeyError('tensor name can\'t be empty string ""')
        for part in path:
            if not hasattr(module, part):
                raise AttributeError(f"{module._get_name()} has no attribute `{part}`")
            module = getattr(module, part)
        table = next((t for t in (module._parameters, module._buffers) if key in t), None)
        if table is None:
            old = getattr(module, key, _ABSENT)
            if old is not _ABSENT and old is not None and not isinstance(old, Tensor):
                raise TypeError(f"attribute `{key}`: {old} is not an instance of torch.Tensor")
            if value is _ABSENT:
                delattr(module, key)
            else:
                setattr(module, key, value)
            return old
    else:
        table, key = place
    old, table[key] = table[key], value
    return old


def stack_module_state(models: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """(parameters, buffers) of several models of one class, each stacked along a new first dimension: for vmap.

    Source: torch.func.stack_module_state.
    """
    if len(models) == 0:
        raise RuntimeError("stack_module_state: Expected at least one model, got 0.")
    if not (all(m.training for m in models) or all(not m.training for m in models)):
        raise RuntimeError("stack_module_state: Expected all models to have the same training/eval mode.")
    if not all(type(m) is type(models[0]) for m in models):
        raise RuntimeError("stack_module_state: Expected all models to be of the same class.")

    def stacked(tables: list[dict[str, Any]]) -> dict[str, Any]:
        result = {}
        for k in tables[0]:
            ts = [t[k] for t in tables]
            if len({t.requires_grad for t in ts}) > 1:
                raise RuntimeError(f"Expected {k} from each model to have the same .requires_grad")
            r = stack(ts)
            result[k] = r.detach().requires_grad_() if ts[0].requires_grad else r
        return result

    return stacked([dict(m.named_parameters()) for m in models]), stacked([dict(m.named_buffers()) for m in models])
