"""Every function of one or two tensors over all dtypes: result or class of error, one sample per function."""

from ops_table import add, attempt

DTYPES = (
    "bool", "uint8", "int8", "int16", "int32", "int64", "float16", "float32", "float64", "complex64", "complex128",
)  # fmt: skip
HALFLESS = tuple(d for d in DTYPES if d != "float16")  # half a unit in the last place of PyTorch's own
PLAIN = """abs acos acosh all amax amin aminmax angle any arccos arccosh arcsin arcsinh arctan arctanh argmax argmin
argsort argwhere asin asinh atan atanh atleast_1d atleast_2d atleast_3d bitwise_not cartesian_prod ceil conj
conj_physical corrcoef cos cosh count_nonzero cov deg2rad diag diag_embed diagflat diagonal diff digamma erf erfc erfinv
exp exp2 expm1 fix flatten fliplr flipud floor frac frexp i0 imag is_complex is_floating_point is_nonzero
isfinite isinf isnan isneginf isposinf isreal lgamma log log10 log1p log2 logdet logical_not logit max mean median min
mode msort nan_to_num nanmean nanmedian nansum neg negative nonzero norm numel ones_like positive prod
rad2deg ravel real reciprocal relu round rsqrt selu sgn sigmoid sign signbit sin sinc sinh slogdet sort
sqrt square squeeze std std_mean sum t tan tanh trace trapezoid tril triu trunc
unique unique_consecutive var var_mean view_as_real zeros_like""".split()
SPECIAL = """digamma entr gammaln i0e i1 i1e logsumexp ndtr psi""".split()
FFT = "fft fftshift hfft ifft irfft rfft".split()
FUNCTIONAL = """celu elu gelu glu hardshrink hardsigmoid hardswish hardtanh leaky_relu log_softmax logsigmoid mish
normalize relu6 selu silu softmax softmin softplus softshrink softsign tanhshrink""".split()
BINARY = """add arctan2 atan2 bitwise_and bitwise_left_shift bitwise_or bitwise_right_shift bitwise_xor copysign div dot
eq equal float_power floor_divide fmax fmin fmod gcd ge greater gt heaviside hypot inner isclose isin kron lcm le
logaddexp logaddexp2 logical_and logical_or logical_xor lt matmul maximum minimum mul ne nextafter outer pow remainder
rsub sub true_divide vdot xlogy dist allclose""".split()
BY_ZERO = ("floor_divide", "fmod", "remainder")  # an error on the CPU, any value on CUDA
PAIRS = (
    ("uint8", "int8"), ("int32", "int64"), ("bool", "int16"), ("int64", "float16"), ("float16", "float32"),
    ("float32", "float64"), ("int64", "complex64"), ("float64", "complex64"), ("bool", "bool"), ("uint8", "float32"),
)  # fmt: skip
NUMBERS = (2, -1, 0, 1.5, True, 1j)


def sweep(t, call, x, *more, dtypes=DTYPES):
    tensors = [[y.to(getattr(t, name)) for y in (x, *more)] for name in dtypes]
    return tuple(attempt(call, *ys) for ys in tensors)


def values(*shape):
    return lambda rng: rng.uniform(-3, 4, shape)


def find(t, path):
    for part in path.split("."):
        t = getattr(t, part)
    return t


for path in (
    PLAIN + [f"special.{n}" for n in SPECIAL] + [f"fft.{n}" for n in FFT] + [f"nn.functional.{n}" for n in FUNCTIONAL]
):
    extra = (-1,) if path.endswith(("softmax", "softmin", "glu", "logsumexp")) else ()
    add(
        f"dtypes.{path}",
        lambda t, x, z, path=path, extra=extra: [
            sweep(t, lambda y: find(t, path)(y, *extra), y, dtypes=HALFLESS if "soft" in path or path == "special.ndtr" else DTYPES)
            for y in ((x, z) if "fft" in path else (x, z, x[:0]))
        ],
        values(3, 2), values(), grad=False, layout=False,
    )  # fmt: skip
for path in BINARY:
    add(
        f"dtypes.{path}",
        lambda t, x, y, path=path: sweep(t, find(t, path), x, y),
        values(3), values(3), grad=False, layout=False, host=path in BY_ZERO,
    )  # fmt: skip
    add(
        f"dtypes.{path}.mixed",
        lambda t, x, y, path=path: [
            attempt(find(t, path), a.to(getattr(t, d)), b.to(getattr(t, e)))
            for d, e in (*PAIRS, *[(e, d) for d, e in PAIRS])
            for a, b in ((x, y), (x, y[0]), (x[0], y))
        ],
        values(3), values(3), grad=False, layout=False, host=path in BY_ZERO,
    )  # fmt: skip
    add(
        f"dtypes.{path}.number",
        lambda t, x, path=path: [
            sweep(t, lambda y, n=n: find(t, path)(y, n), x, dtypes=[d for d in DTYPES if (d, n) != ("float16", 1j)])
            for n in NUMBERS
        ],
        values(3), grad=False, layout=False, host=path in BY_ZERO,
    )  # fmt: skip
