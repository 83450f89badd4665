"""Ready-made Fuzzers. Source: torch.utils.benchmark.op_fuzzers."""
