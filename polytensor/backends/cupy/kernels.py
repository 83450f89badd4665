"""CUDA sources of the random stream."""

from .launch import register

PHILOX = r"""
// Philox4x64-10 (Salmon et al., 2011): block i of the stream is words 4i .. 4i+3, as numpy.random.Philox gives them.
__global__ void philox4x64(u64 key0, u64 counter, u64 blocks, u64* out) {
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

register("philox4x64", PHILOX, [()])
