"""The emulator runs kernels as a GPU would, and tells of what a GPU would not."""

import cuda_emulator
import numpy as np
import pytest
from cuda_emulator import Kernel, LaunchError

from polytensor.backends.cupy import launch

pytestmark = pytest.mark.skipif(cuda_emulator.COMPILER is None, reason="there is no g++ to run CUDA kernels on the CPU")


class Array(np.ndarray):
    """Stands for memory of a GPU."""


def on_gpu(*arrays):
    return [np.array(a).view(Array) for a in arrays]


def made(body, parameters="float* x, i64 n", types=(), more=""):
    template = f"template <{', '.join(f'typename T{i}' for i in range(len(types)))}>" if types else ""
    name = f"test<{', '.join(types)}>" if types else "test"
    return Kernel("test", f"{launch.PRELUDE}\n{more}\n{template} __global__ void test({parameters}) {{{body}}}", name)


STRIDE = "for (i64 i = blockIdx.x * (i64)blockDim.x + threadIdx.x; i < n; i += (i64)gridDim.x * blockDim.x)"


def test_a_loop_over_the_grid():
    (x,) = on_gpu(np.arange(1000, dtype=np.float32))
    made(f"{STRIDE} x[i] = 2 * x[i];")((4,), (64,), (x, np.int64(1000)))
    np.testing.assert_array_equal(x, 2 * np.arange(1000, dtype=np.float32))


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16", "bfloat16", "complex64", "int64"])
@pytest.mark.parametrize("threads", [32, 96, 256])
def test_block_sum(dtype, threads):
    import ml_dtypes

    kind = np.dtype(ml_dtypes.bfloat16) if dtype == "bfloat16" else np.dtype(dtype)
    x, y = on_gpu((np.random.default_rng(0).standard_normal((3, 300)) * 4).astype(kind), np.zeros(3, kind))
    body = """
        acc_t<T0> s = {};
        for (i64 i = threadIdx.x; i < n; i += blockDim.x) s = s + load(x + blockIdx.x * n + i);
        s = block_sum(s);
        s = block_sum(threadIdx.x == 7 ? s : acc_t<T0>{});
        if (threadIdx.x == blockDim.x - 1) store(y + blockIdx.x, s);"""
    kernel = made(body, "const T0* x, T0* y, i64 n", (launch.CTYPES[dtype],))
    kernel((3,), (threads,), (x, y, np.int64(300)))
    wide = np.complex128 if kind.kind == "c" else np.float64
    step, near = {"f": (1e-5, 1e-3), "F": (1e-5, 1e-3), "d": (1e-12, 1e-12)}.get(kind.char, (0, 0))
    if kind.itemsize == 2:
        step, near = 2.0**-8, 1e-3
    np.testing.assert_allclose(y.astype(wide), x.view(np.ndarray).astype(wide).sum(1), rtol=step, atol=near)


def test_block_max_keeps_nan():
    x, y = on_gpu(np.arange(64, dtype=np.float32), np.zeros(2, np.float32))
    kernel = made("float m = block_max(x[threadIdx.x]), l = block_min(x[threadIdx.x]); y[0] = m; y[1] = l;",
                  "const float* x, float* y")  # fmt: skip
    kernel((1,), (64,), (x, y))
    assert list(y) == [63, 0]
    x[40] = np.nan
    kernel((1,), (64,), (x, y))
    assert np.isnan(y).all()


def test_warps():
    (x,) = on_gpu(np.zeros((5, 64), np.int32))
    kernel = made("""
        int i = threadIdx.x;
        x[i] = __shfl_sync(0xffffffffu, i, 3);
        x[64 + i] = __shfl_up_sync(0xffffffffu, i, 1);
        x[128 + i] = __shfl_down_sync(0xffffffffu, i, 1, 8);
        x[192 + i] = __ballot_sync(0xffffffffu, i % 3 == 0);
        if (i % 2) x[256 + i] = __any_sync(0xaaaaaaaau, i == 33) + 2 * __all_sync(0xaaaaaaaau, i > 32);
    """, "int* x")  # fmt: skip
    kernel((1,), (64,), (x,))
    i = np.arange(64)
    np.testing.assert_array_equal(x[0], i // 32 * 32 + 3)
    np.testing.assert_array_equal(x[1], np.where(i % 32, i - 1, i))
    np.testing.assert_array_equal(x[2], np.where(i % 8 == 7, i, i + 1))
    bits = [sum(1 << j for j in range(32) if (32 * w + j) % 3 == 0) for w in range(2)]
    np.testing.assert_array_equal(x[3].view(np.uint32), np.array(bits, np.uint32)[i // 32])
    np.testing.assert_array_equal(x[4], np.where(i % 2, np.where(i > 32, 3, 0), 0))


def test_small_floats_round_as_numpy_does():
    import ml_dtypes

    bits = np.arange(1 << 16, dtype=np.uint16)
    for ctype, kind in (("__half", np.dtype(np.float16)), ("__nv_bfloat16", np.dtype(ml_dtypes.bfloat16))):
        values = bits.view(kind).astype(np.float32)
        step = np.random.default_rng(0).uniform(-1, 1, values.shape).astype(np.float32) * 2.0**-9
        with np.errstate(over="ignore", invalid="ignore"):
            near = np.concatenate([values, values * (1 + step), (values + np.roll(values, 1)) / 2])
        x, y, z = on_gpu(near, np.zeros(near.shape, kind), np.zeros(near.shape, np.float32))
        kernel = made(f"{STRIDE} {{ store(y + i, x[i]); z[i] = load(y + i); }}",
                      "const float* x, T0* y, float* z, i64 n", (ctype,))  # fmt: skip
        kernel((-(-near.size // 256),), (256,), (x, y, z, np.int64(near.size)))
        with np.errstate(over="ignore", invalid="ignore"):
            expected = near.astype(kind)
        np.testing.assert_array_equal(y.astype(np.float32), expected.astype(np.float32))
        np.testing.assert_array_equal(z, expected.astype(np.float32))


def test_dynamic_shared_memory():
    (x,) = on_gpu(np.arange(64, dtype=np.float32))
    kernel = made(
        "SHARED(float, s); s[threadIdx.x] = x[threadIdx.x]; __syncthreads(); x[threadIdx.x] = s[63 - threadIdx.x];"
    )
    kernel((1,), (64,), (x, np.int64(64)), shared_mem=256)
    assert list(x) == list(range(63, -1, -1))
    with pytest.raises(LaunchError, match="dynamic shared memory of 240 bytes"):
        kernel((1,), (64,), (x, np.int64(64)), shared_mem=240)
    with pytest.raises(LaunchError, match="50000 bytes of dynamic shared memory"):
        kernel((1,), (64,), (x, np.int64(64)), shared_mem=50000)


def test_arrays_may_share_memory():
    (x,) = on_gpu(np.arange(10, dtype=np.float32))
    made("if (threadIdx.x < n) y[threadIdx.x] = -x[threadIdx.x];", "const float* x, float* y, i64 n")(
        (1,), (32,), (x[5:], x[:5], np.int64(5))
    )
    assert list(x) == [-5, -6, -7, -8, -9, 5, 6, 7, 8, 9]


def test_tables_of_addresses():
    x, y = on_gpu(np.arange(4, dtype=np.float32), np.arange(3, dtype=np.float32))
    (table,) = on_gpu(np.array([a.__array_interface__["data"][0] for a in (x, y)], np.uint64))
    made("if (threadIdx.x < 3) x[blockIdx.x][threadIdx.x] += 1;", "float* const* x")((2,), (32,), (table,))
    assert list(x) == [1, 2, 3, 3]
    assert list(y) == [1, 2, 3]


def test_a_struct_by_value():
    (x,) = on_gpu(np.zeros(3, np.float32))
    parts = np.array((x.__array_interface__["data"][0], 3, 2.5), [("x", np.uint64), ("n", np.int32), ("v", np.float32)])
    kernel = made(
        "if (threadIdx.x < a.n) a.x[threadIdx.x] += a.v;", "Given a", more="struct Given { float* x; int n; float v; };"
    )
    kernel((1,), (32,), (parts,))
    assert list(x) == [2.5, 2.5, 2.5]
    with pytest.raises(LaunchError, match="argument 0 is"):
        kernel((1,), (32,), (np.array((1, 2), [("x", np.uint64), ("n", np.int32)]),))


WRONG = {
    "write past the end": ("x[n] = 0;", "access 0 bytes past the end of an array of 80 bytes"),
    "read past the end": ("x[0] = x[n + threadIdx.x];", "access .* past the end"),
    "write before the start": ("x[-1] = 0;", "before an array|outside of an array"),
    "far away": ("x[n << 30] = 0;", "signal 11"),
    "no barrier": ("__shared__ float s[32]; s[threadIdx.x] = threadIdx.x; x[threadIdx.x % n] = s[31 - threadIdx.x];",
                   "hangs on the order"),
    "some reach the barrier": ("if (threadIdx.x < 20) __syncthreads(); x[0] = 1;", "ended where the others wait"),
    "one ends early": ("if (threadIdx.x == 31) return; __syncthreads();", "ended where the others wait"),
    "two barriers": ("if (threadIdx.x < 16)\n __syncthreads(); else\n __syncthreads();", "two barriers"),
    "barrier and warp": ("if (threadIdx.x < 16) __syncthreads(); else x[0] = __shfl_xor_sync(0xffffffffu, 1.f, 1);",
                         "a warp waits for lanes"),
    "not in the mask": ("x[0] = __shfl_xor_sync(0xffffu, 1.f, 1);", "not in its own mask"),
    "blocks race": ("x[0] = blockIdx.x;", "hangs on the order"),
    "fixed array": ("__shared__ float s[16]; s[threadIdx.x] = 1;", "index out of a fixed array"),
    "misaligned": ("float4* p = reinterpret_cast<float4*>(x + 1); float4 v = *p; x[0] = v.x;", "misaligned"),
    "division": ("x[0] = 1 / (n - 20);", "division by zero"),
    "stack": ("volatile float big[20000]; for (int i = 0; i < 20000; ++i) big[i] = i; x[0] = big[n];", "stack"),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_is_told(name):
    body, message = WRONG[name]
    (x,) = on_gpu(np.arange(20, dtype=np.float32))
    before = x.copy()
    with pytest.raises(LaunchError, match=message):
        made(body)((2,), (32,), (x, np.int64(20)))
    np.testing.assert_array_equal(x, before)  # and nothing is written


def test_uninitialised_shared_memory_is_seen():
    (x,) = on_gpu(np.zeros(32, np.float32))
    made("__shared__ float s[32]; if (n > 32) s[threadIdx.x] = 1; x[threadIdx.x] = s[threadIdx.x];")(
        (1,), (32,), (x, np.int64(32))
    )
    assert np.isnan(x).all()


def test_wrong_arguments_are_told():
    kernel = made("x[0] = n;")
    x, wide = on_gpu(np.zeros(4, np.float32), np.zeros(4, np.float64))
    good = np.int64(1)
    for args, message in [
        ((x, np.int32(1)), "argument 1 is int32, the parameter is signed of 8 bytes"),
        ((x, np.uint64(1)), "argument 1 is uint64"),
        ((x, np.float64(1)), "argument 1 is float64"),
        ((x, 1.0), "neither an array of CuPy nor a NumPy scalar"),
        ((wide, good), "an array of float64, the parameter points to float of 4 bytes"),
        ((x.view(np.int32), good), "an array of int32"),
        ((np.zeros(4, np.float32), good), "neither an array of CuPy nor"),
        ((x, x), "argument 1 is an array, the parameter is no pointer"),
        ((good, good), "the parameter is a pointer"),
        ((x,), "1 arguments for 2 parameters"),
        ((x, good, good), "3 arguments for 2 parameters"),
    ]:
        with pytest.raises(LaunchError, match=message):
            kernel((1,), (32,), args)


def test_wrong_sizes_are_told():
    kernel, args = made("x[0] = n;"), (*on_gpu(np.zeros(4, np.float32)), np.int64(1))
    for grid, block in [
        ((0,), (32,)),
        ((1,), (2048,)),
        ((1, 70000), (32,)),
        ((1,), (64, 32)),
        (1, (32,)),
        ((1,), (1, 1, 65)),
    ]:
        with pytest.raises(LaunchError, match="limits|threads in a block|no tuple"):
            kernel(grid, block, args)


def test_large_blocks_need_bounds():
    kernel, args = made("x[0] = n;"), (*on_gpu(np.zeros(4, np.float32)), np.int64(1))
    kernel((1,), (256,), args)
    with pytest.raises(LaunchError, match="288 threads in a block of a kernel that is bound to 256"):
        kernel((1,), (288,), args)
    text = f"{launch.PRELUDE}\n__global__ void __launch_bounds__(512)\ntest(float* x, i64 n) {{ x[0] = n; }}"
    bound = Kernel("test", text, "test")
    bound((1,), (32, 16), args)
    with pytest.raises(LaunchError, match="544 threads in a block of a kernel that is bound to 512"):
        bound((1,), (544,), args)


def test_float_atomics_may_hang_on_the_order():
    (x,) = on_gpu(np.zeros(1, np.float32))
    made("atomicAdd(x, 0.1f * threadIdx.x + blockIdx.x);")((4,), (32,), (x, np.int64(1)))
    np.testing.assert_allclose(x, 4 * 49.6 + 32 * 6, rtol=1e-5)


def test_what_does_not_compile_is_told():
    with pytest.raises(LaunchError, match="does not compile"):
        made("x[0] = __expf(1.f);")


def test_registered_types_only():
    assert launch.expression("max_pool2d", ("float",)) == "max_pool2d<float>"
    with pytest.raises(KeyError, match="max_pool2d"):
        launch.expression("max_pool2d", ("bool",))
    with pytest.raises(ValueError, match="registered already"):
        launch.register("max_pool2d", "other", [("float",)])
