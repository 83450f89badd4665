"""CUDA sources of the random stream, pooling and scatters."""

from .launch import CTYPES, register

PHILOX = r"""
// Philox4x64-10 (Salmon et al., 2011): block i of the stream is words 4i .. 4i+3, as numpy.random.Philox gives them.
// where: the address of (key, first block), which a replay of a graph sets, or 0.
__global__ void philox4x64(u64 key0, u64 counter, u64 where, u64 blocks, u64* out) {
    if (where) {
        key0 = ((const u64*)where)[0];
        counter += ((const u64*)where)[1];
    }
    for (u64 i = blockIdx.x * (u64)blockDim.x + threadIdx.x; i < blocks; i += (u64)gridDim.x * blockDim.x) {
        u64 c0 = counter + i, c1 = 0, c2 = 0, c3 = 0, k0 = key0, k1 = 0;
        for (int round = 0; round < 10; ++round) {
            u64 hi0 = __umul64hi(0xD2E7470EE14C6C93ULL, c0), lo0 = 0xD2E7470EE14C6C93ULL * c0;
            u64 hi1 = __umul64hi(0xCA5A826395121157ULL, c2), lo1 = 0xCA5A826395121157ULL * c2;
            c0 = hi1 ^ c1 ^ k0; c1 = lo1; c2 = hi0 ^ c3 ^ k1; c3 = lo0;
            k0 += 0x9E3779B97F4A7C15ULL; k1 += 0xBB67AE8584CAA73BULL;
        }
        out[4 * i] = c0; out[4 * i + 1] = c1; out[4 * i + 2] = c2; out[4 * i + 3] = c3;
    }
}
"""

MAX_POOL2D = r"""
// One thread per output element. The first maximum wins, and so does the first NaN.
template <typename T>
__global__ void max_pool2d(const T* x, T* y, i64* index, i64 total, int H, int W, int OH, int OW, int KH, int KW,
                           int SH, int SW, int PH, int PW, int DH, int DW) {
    for (i64 i = blockIdx.x * (i64)blockDim.x + threadIdx.x; i < total; i += (i64)gridDim.x * blockDim.x) {
        int ow = i % OW, oh = (i / OW) % OH;
        const T* plane = x + i / ((i64)OW * OH) * H * W;
        T best = 0;
        i64 where = -1;
        for (int a = 0; a < KH; ++a) {
            int h = oh * SH - PH + a * DH;
            if (h < 0 || h >= H) continue;
            for (int b = 0; b < KW; ++b) {
                int w = ow * SW - PW + b * DW;
                if (w < 0 || w >= W) continue;
                T v = plane[(i64)h * W + w];
                if (where < 0 || v > best || (v != v && best == best)) { best = v; where = (i64)h * W + w; }
            }
        }
        y[i] = best; index[i] = where;
    }
}
"""

SCATTER_RUNS = r"""
// One thread per run of equal rows; it combines the run's values in their order. NaN stays.
template <typename T> __device__ T combine(T a, T b, int op) {
    if (op == 0) return a * b;
    if (a != a || b != b) return a != a ? a : b;
    return op == 1 ? (b > a ? b : a) : (b < a ? b : a);
}
template <typename T> __device__ Complex<T> combine(Complex<T> a, Complex<T> b, int op) {
    return a * b;
}
template <typename T>
__global__ void scatter_runs(T* x, const i64* rows, const i64* starts, const i64* order, const T* value, i64 runs,
                             i64 n, int op) {
    for (i64 r = blockIdx.x * (i64)blockDim.x + threadIdx.x; r < runs; r += (i64)gridDim.x * blockDim.x) {
        i64 end = r + 1 < runs ? starts[r + 1] : n;
        T total = x[rows[starts[r]]];
        for (i64 k = starts[r]; k < end; ++k) total = combine(total, value[order[k]], op);
        x[rows[starts[r]]] = total;
    }
}
"""

REAL = ("float32", "float64", "int32", "int64")
register("philox4x64", PHILOX, [()])
register("max_pool2d", MAX_POOL2D, [(CTYPES[d],) for d in REAL])
register("scatter_runs", SCATTER_RUNS, [(CTYPES[d],) for d in (*REAL, "complex64", "complex128")])
