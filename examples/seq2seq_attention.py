"""An encoder and a decoder with attention that learn to reverse sequences of digits.

python examples/seq2seq_attention.py --steps 600
POLYTENSOR_BACKEND=numba python examples/seq2seq_attention.py

Attention as in Luong et al., "Effective approaches to attention-based neural machine translation" (2015).
"""

from __future__ import annotations

import argparse
import time

import reporting
from tqdm import tqdm

import polytensor as torch
import polytensor.nn.functional as F
from polytensor import nn

DIGITS, START = 10, 10


class Encoder(nn.Module):
    def __init__(self, hidden: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(DIGITS, hidden)
        self.rnn = nn.GRU(hidden, hidden, batch_first=True)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return self.rnn(self.embedding(x))


class Decoder(nn.Module):
    def __init__(self, hidden: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(DIGITS + 1, hidden)
        self.rnn = nn.GRU(hidden, hidden, batch_first=True)
        self.attend = nn.Linear(hidden, hidden, bias=False)
        self.mix = nn.Linear(2 * hidden, hidden)
        self.out = nn.Linear(hidden, DIGITS)

    def forward(self, y: torch.Tensor, state: torch.Tensor, memory: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Logits (batch, steps, digits) for the symbols after `y` (batch, steps), and the new state."""
        h, state = self.rnn(self.embedding(y), state)
        scores = h @ self.attend(memory).transpose(1, 2)
        context = scores.softmax(-1) @ memory
        return self.out(torch.tanh(self.mix(torch.cat([h, context], -1)))), state


class Seq2Seq(nn.Module):
    def __init__(self, hidden: int) -> None:
        super().__init__()
        self.encoder, self.decoder = Encoder(hidden), Decoder(hidden)

    def forward(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        """Teacher forcing: logits for each symbol of `y`, given those before it."""
        memory, state = self.encoder(x)
        start = torch.full((len(y), 1), START, dtype=torch.int64, device=y.device)
        return self.decoder(torch.cat([start, y[:, :-1]], 1), state, memory)[0]

    def translate(self, x: torch.Tensor, steps: int) -> torch.Tensor:
        """The most likely symbol at each step, fed back."""
        memory, state = self.encoder(x)
        symbol = torch.full((len(x), 1), START, dtype=torch.int64, device=x.device)
        result = []
        for _ in range(steps):
            logits, state = self.decoder(symbol, state, memory)
            symbol = logits.argmax(-1)
            result.append(symbol)
        return torch.cat(result, 1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=reporting.at_least(1), default=900)
    parser.add_argument("--batch-size", type=reporting.at_least(1), default=128)
    parser.add_argument("--length", type=reporting.at_least(1), default=8)
    parser.add_argument("--hidden", type=reporting.at_least(1), default=64)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    torch.manual_seed(options.seed)
    device = torch.get_default_device()
    model = Seq2Seq(options.hidden).to(device)
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    begin = time.perf_counter()
    bar = tqdm(range(options.steps), desc="steps")
    for step in bar:
        for group in optimizer.param_groups:
            group["lr"] = 5e-3 * (1 - 0.9 * step / options.steps)
        x = torch.randint(0, DIGITS, (options.batch_size, options.length))
        y = x.flip(1)
        loss = F.cross_entropy(model(x, y).flatten(0, 1), y.flatten())
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        if step % 20 == 0:
            bar.set_postfix(loss=f"{loss.item():.4f}")
    seconds = time.perf_counter() - begin
    with torch.no_grad():
        x = torch.randint(0, DIGITS, (1000, options.length))
        got = model.translate(x, options.length)
        exact = (got == x.flip(1)).all(1).float().mean().item()
    print(f"{device}: {seconds:.1f} s, {100 * exact:.1f}% of new sequences reversed without an error")
    print(f"for example {x[0].tolist()} -> {got[0].tolist()}")


if __name__ == "__main__":
    reporting.run(main)
