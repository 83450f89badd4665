"""torch.utils.deterministic: flags."""

fill_uninitialized_memory = True
