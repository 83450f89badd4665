"""torch.utils.tensorboard: logs for TensorBoard, written without its package. Source: torch.utils.tensorboard."""

from .writer import FileWriter, SummaryWriter

__all__ = ["FileWriter", "SummaryWriter"]
