"""Helpers of training and of sequences. Source: torch.nn.utils."""

from . import rnn as rnn
