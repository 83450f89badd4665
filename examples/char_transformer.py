"""A small GPT that learns to write like this repository: characters of its own Python files.

python examples/char_transformer.py --steps 400
POLYTENSOR_BACKEND=numba python examples/char_transformer.py

Decoder-only transformer as in Radford et al., "Language models are unsupervised multitask learners" (2019).
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import reporting
from tqdm import tqdm

import polytensor as torch
import polytensor.nn.functional as F
from polytensor import nn

SOURCE = Path(__file__).resolve().parent.parent / "polytensor"


class Block(nn.Module):
    """Attention to what came before, then a two-layer network; both added to their input."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv = nn.Linear(width, 3 * width)
        self.project = nn.Linear(width, width)
        self.mlp = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        b, t, c = x.shape
        qkv = self.qkv(self.norm1(x)).view(b, t, 3, self.heads, c // self.heads).permute(2, 0, 3, 1, 4)
        y = F.scaled_dot_product_attention(qkv[0], qkv[1], qkv[2], is_causal=True)
        x = x + self.project(y.transpose(1, 2).reshape(b, t, c))
        return x + self.mlp(self.norm2(x))


class GPT(nn.Module):
    """Token and place embeddings, blocks, and logits for the next character."""

    def __init__(self, symbols: int, context: int, width: int, heads: int, depth: int) -> None:
        super().__init__()
        self.context = context
        self.token = nn.Embedding(symbols, width)
        self.place = nn.Embedding(context, width)
        self.blocks = nn.Sequential(*(Block(width, heads) for _ in range(depth)))
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, symbols)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        places = torch.arange(x.shape[1], device=x.device)
        return self.head(self.norm(self.blocks(self.token(x) + self.place(places))))

    def write(self, x: torch.Tensor, count: int) -> torch.Tensor:
        """`x` (1, t) and `count` characters drawn after it."""
        for _ in range(count):
            logits = self(x[:, -self.context :])[:, -1]
            x = torch.cat([x, torch.multinomial((logits / 0.7).softmax(-1), 1)], 1)
        return x


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=reporting.at_least(1), default=500)
    parser.add_argument("--batch-size", type=reporting.at_least(1), default=32)
    parser.add_argument("--context", type=reporting.at_least(1), default=64)
    parser.add_argument("--width", type=reporting.at_least(1), default=96)
    parser.add_argument("--heads", type=reporting.at_least(1), default=4)
    parser.add_argument("--depth", type=reporting.at_least(1), default=3)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    if options.width % options.heads:
        parser.error(f"--width {options.width} is not a multiple of --heads {options.heads}")
    torch.manual_seed(options.seed)
    device = torch.get_default_device()
    text = "\n".join(path.read_text() for path in sorted(SOURCE.glob("*.py")))
    symbols = sorted(set(text))
    index = {c: i for i, c in enumerate(symbols)}
    data = torch.tensor([index[c] for c in text])
    edge = int(0.9 * len(data))
    parts = {"train": data[:edge], "test": data[edge:]}
    model = GPT(len(symbols), options.context, options.width, options.heads, options.depth).to(device)
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3)
    print(f"{len(text)} characters, {len(symbols)} symbols, {sum(p.numel() for p in model.parameters())} parameters")

    def loss_on(part: str) -> torch.Tensor:
        source = parts[part]
        starts = torch.randint(0, len(source) - options.context - 1, (options.batch_size, 1))
        window = source[starts + torch.arange(options.context + 1)]
        return F.cross_entropy(model(window[:, :-1]).flatten(0, 1), window[:, 1:].flatten())

    begin = time.perf_counter()
    bar = tqdm(range(options.steps), desc="steps")
    for step in bar:
        for group in optimizer.param_groups:
            group["lr"] = 2e-3 * min(1.0, (step + 1) / 50) * (1 - 0.9 * step / options.steps)
        loss = loss_on("train")
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if step % 10 == 0:
            bar.set_postfix(loss=f"{loss.item():.3f}")
    seconds = time.perf_counter() - begin
    model.eval()
    with torch.no_grad():
        unseen = sum(loss_on("test").item() for _ in range(20)) / 20
        start = torch.tensor([[index[c] for c in "def "]])
        written = model.write(start, 200)[0].tolist()
    print(
        f"{device}: {seconds:.1f} s, loss on unseen text {unseen:.3f} (guessing: {torch.tensor(len(symbols)).log().item():.3f})"
    )
    print("".join(symbols[i] for i in written))


if __name__ == "__main__":
    reporting.run(main)
