"""Whole models of sequences, as in models.py."""

import numpy as np
from models import MODELS, classify, model

__all__ = ["MODELS"]


def words(symbols, batch, length, count=1):
    return lambda rng: tuple(rng.integers(0, symbols, (batch, length)) for _ in range(count))


@model
def wavenet(torch):
    nn = torch.nn

    class WaveNet(nn.Module):
        def __init__(self, width=6):
            super().__init__()
            self.stem = nn.Conv1d(1, width, 1)
            self.filters = nn.ModuleList(nn.Conv1d(width, 2 * width, 2, dilation=d) for d in (1, 2, 4))
            self.joins = nn.ModuleList(nn.Conv1d(width, width, 1) for _ in range(3))
            self.head = nn.Sequential(nn.ReLU(), nn.Conv1d(width, 8, 1))

        def forward(self, x):
            x = self.stem(x)
            skips = 0
            for conv, join in zip(self.filters, self.joins, strict=True):
                y = conv(nn.functional.pad(x, (conv.dilation[0], 0)))
                a, b = y.chunk(2, dim=1)
                z = join(torch.tanh(a) * torch.sigmoid(b))
                x, skips = x + z, skips + z
            return self.head(skips)

    return WaveNet(), lambda rng: (rng.standard_normal((2, 1, 24)), rng.integers(0, 8, (2, 24))), classify(torch)


@model
def embedding_bag_classifier(torch):
    nn = torch.nn

    class Classifier(nn.Module):
        def __init__(self):
            super().__init__()
            self.embedding = nn.EmbeddingBag(20, 8, mode="mean")
            self.sums = nn.EmbeddingBag(20, 8, mode="sum")
            self.fc = nn.Linear(8, 4)

        def forward(self, text, offsets, weights):
            return self.fc(self.embedding(text, offsets) + self.sums(text, offsets, per_sample_weights=weights))

    def arrays(rng):
        return rng.integers(0, 20, 17), np.array([0, 4, 4, 9]), rng.uniform(0, 1, 17), rng.integers(0, 4, 4)

    def loss(net, text, offsets, weights, y):
        out = net(text, offsets, weights)
        return out, nn.functional.cross_entropy(out, y)

    return Classifier(), arrays, loss


def _tagger(torch, kind, **options):
    nn = torch.nn

    class Tagger(nn.Module):
        def __init__(self):
            super().__init__()
            self.words = nn.Embedding(15, 6)
            self.rnn = getattr(nn, kind)(6, 8, **options)
            self.tags = nn.Linear(8, 4)

        def forward(self, sentence):
            out, _ = self.rnn(self.words(sentence))
            return nn.functional.log_softmax(self.tags(out), dim=-1)

    def loss(net, x, y):
        out = net(x)
        return out, nn.functional.nll_loss(out.flatten(0, 1), y.flatten(), ignore_index=3)

    return Tagger(), lambda rng: (rng.integers(0, 15, (7, 3)), rng.integers(0, 4, (7, 3))), loss


@model
def lstm_tagger(torch):
    return _tagger(torch, "LSTM", num_layers=2, dropout=0.0)


@model
def gru_tagger(torch):
    return _tagger(torch, "GRU", num_layers=2)


@model
def packed_bidirectional_lstm(torch):
    nn = torch.nn
    rnn = nn.utils.rnn

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.words = nn.Embedding(12, 5, padding_idx=0)
            self.lstm = nn.LSTM(5, 6, num_layers=2, batch_first=True, bidirectional=True)
            self.fc = nn.Linear(12, 3)

        def forward(self, x, lengths):
            packed = rnn.pack_padded_sequence(self.words(x), lengths, batch_first=True, enforce_sorted=False)
            out, (h, c) = self.lstm(packed)
            out, sizes = rnn.pad_packed_sequence(out, batch_first=True, padding_value=0.5, total_length=x.shape[1])
            return self.fc(out), h, c

    def arrays(rng):
        lengths = np.array([3, 6, 1, 5])
        x = rng.integers(1, 12, (4, 6)) * (np.arange(6) < lengths[:, None])
        return x, lengths, rng.integers(0, 3, 4)

    def loss(net, x, lengths, y):
        out, h, c = net(x, lengths)
        return (out, h, c), nn.functional.cross_entropy(out.sum(1), y) + c.tanh().mean()

    return Net(), arrays, loss


@model
def char_rnn(torch):
    nn = torch.nn

    class CharRNN(nn.Module):
        """A cell, a layer of Elman units and one with projections, on one-hot characters."""

        def __init__(self, symbols=10, width=8):
            super().__init__()
            self.symbols = symbols
            self.cell = nn.GRUCell(symbols, width)
            self.rnn = nn.RNN(width, width, nonlinearity="relu", batch_first=True)
            self.lstm = nn.LSTM(width, width, proj_size=5, batch_first=True)
            self.last = nn.LSTMCell(5, width)
            self.out = nn.Linear(width, symbols)

        def forward(self, x):
            x = nn.functional.one_hot(x, self.symbols).to(self.out.weight.dtype)
            h, steps = x.new_zeros(len(x), 8), []
            for t in range(x.shape[1]):
                h = self.cell(x[:, t], h)
                steps.append(h)
            y, _ = self.lstm(self.rnn(torch.stack(steps, 1))[0])
            state, steps = None, []
            for t in y.unbind(1):
                state = self.last(t, state)
                steps.append(self.out(state[0]))
            return torch.stack(steps, 2)

    return CharRNN(), words(10, 3, 6, 2), classify(torch)


@model
def seq2seq_attention(torch):
    nn = torch.nn

    class Seq2Seq(nn.Module):
        def __init__(self, symbols=9, width=8):
            super().__init__()
            self.source, self.target = nn.Embedding(symbols, width), nn.Embedding(symbols, width)
            self.encoder = nn.GRU(width, width, batch_first=True)
            self.decoder = nn.GRUCell(2 * width, width)
            self.query, self.key, self.score = nn.Linear(width, width), nn.Linear(width, width), nn.Linear(width, 1)
            self.out = nn.Linear(2 * width, symbols)

        def forward(self, x, y):
            memory, h = self.encoder(self.source(x))
            keys, h, logits = self.key(memory), h[0], []
            for word in self.target(y).unbind(1):
                scores = self.score(torch.tanh(self.query(h).unsqueeze(1) + keys)).squeeze(-1)
                context = torch.bmm(scores.softmax(-1).unsqueeze(1), memory).squeeze(1)
                h = self.decoder(torch.cat([word, context], 1), h)
                logits.append(self.out(torch.cat([h, context], 1)))
            return torch.stack(logits, -1)

    def loss(net, x, y):
        out = net(x, y[:, :-1])
        return out, nn.functional.cross_entropy(out, y[:, 1:])

    return Seq2Seq(), words(9, 4, 6, 2), loss


@model
def transformer(torch):
    nn = torch.nn

    class Net(nn.Module):
        def __init__(self, symbols=11, width=8):
            super().__init__()
            self.embed = nn.Embedding(symbols, width)
            self.register_buffer("place", torch.sin(torch.arange(7.0 * width).view(7, width)))
            self.transformer = nn.Transformer(width, 2, 1, 2, 16, dropout=0.0)
            self.out = nn.Linear(width, symbols)

        def forward(self, x, y):
            mask = nn.Transformer.generate_square_subsequent_mask(len(y), dtype=self.out.weight.dtype)
            source, target = self.embed(x) + self.place[: len(x), None], self.embed(y) + self.place[: len(y), None]
            padding = (x == 0).T
            return self.out(
                self.transformer(
                    source, target, tgt_mask=mask, src_key_padding_mask=padding, memory_key_padding_mask=padding
                )
            )

    def arrays(rng):
        x = rng.integers(1, 11, (7, 3))
        x[5:, 1] = 0
        return x, rng.integers(1, 11, (6, 3))

    def loss(net, x, y):
        out = net(x, y[:-1])
        return out, nn.functional.cross_entropy(out.flatten(0, 1), y[1:].flatten())

    return Net(), arrays, loss


@model
def gpt(torch):
    nn, F = torch.nn, torch.nn.functional

    class Block(nn.Module):
        def __init__(self, width, heads):
            super().__init__()
            self.heads = heads
            self.ln_1, self.ln_2 = nn.LayerNorm(width), nn.LayerNorm(width)
            self.attn = nn.Linear(width, 3 * width)
            self.proj = nn.Linear(width, width)
            self.mlp = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU("tanh"), nn.Linear(4 * width, width))

        def forward(self, x):
            b, t, c = x.shape
            parts = self.attn(self.ln_1(x)).split(c, dim=2)
            q, k, v = (p.view(b, t, self.heads, c // self.heads).transpose(1, 2) for p in parts)
            y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
            x = x + self.proj(y.transpose(1, 2).contiguous().view(b, t, c))
            return x + self.mlp(self.ln_2(x))

    class GPT(nn.Module):
        def __init__(self, symbols=13, width=8):
            super().__init__()
            self.transformer = nn.ModuleDict(
                {
                    "wte": nn.Embedding(symbols, width),
                    "wpe": nn.Embedding(8, width),
                    "h": nn.ModuleList([Block(width, 2) for _ in range(2)]),
                    "ln_f": nn.LayerNorm(width),
                }
            )
            self.lm_head = nn.Linear(width, symbols, bias=False)
            self.lm_head.weight = self.transformer["wte"].weight
            self.apply(self.reset)

        def reset(self, m):
            if isinstance(m, (nn.Linear, nn.Embedding)):
                nn.init.normal_(m.weight, mean=0.0, std=0.1)

        def forward(self, x):
            x = self.transformer.wte(x) + self.transformer.wpe(torch.arange(x.size(1)))
            for block in self.transformer.h:
                x = block(x)
            return self.lm_head(self.transformer.ln_f(x))

    def loss(net, x):
        out = net(x[:, :-1])
        return out, F.cross_entropy(out.reshape(-1, out.size(-1)), x[:, 1:].reshape(-1))

    return GPT(), words(13, 3, 8), loss


@model
def bert(torch):
    nn, F = torch.nn, torch.nn.functional

    class Layer(nn.Module):
        def __init__(self, width):
            super().__init__()
            self.attention = nn.MultiheadAttention(width, 4, dropout=0.0, batch_first=True)
            self.norm1, self.norm2 = nn.LayerNorm(width, eps=1e-12), nn.LayerNorm(width, eps=1e-12)
            self.inner, self.outer = nn.Linear(width, 16), nn.Linear(16, width)

        def forward(self, x, padding):
            y, weights = self.attention(x, x, x, key_padding_mask=padding)
            x = self.norm1(x + y)
            return self.norm2(x + self.outer(F.gelu(self.inner(x)))), weights

    class BERT(nn.Module):
        def __init__(self, width=8):
            super().__init__()
            self.words, self.places = nn.Embedding(12, width, padding_idx=0), nn.Embedding(6, width)
            self.segments, self.norm = nn.Embedding(2, width), nn.LayerNorm(width)
            self.register_buffer("position_ids", torch.arange(6).expand((1, -1)))
            self.layers = nn.ModuleList(Layer(width) for _ in range(2))
            self.pooler = nn.Sequential(nn.Linear(width, width), nn.Tanh(), nn.Linear(width, 2))
            self.decoder = nn.Linear(width, 12)

        def forward(self, x, segments):
            h = self.norm(self.words(x) + self.places(self.position_ids) + self.segments(segments))
            for layer in self.layers:
                h, weights = layer(h, x.eq(0))
            return self.decoder(h), self.pooler(h[:, 0]), weights

    def arrays(rng):
        x = rng.integers(1, 12, (3, 6))
        x[1, 4:] = 0
        masked = np.where(rng.uniform(size=(3, 6)) < 0.4, x, -100)
        return x, rng.integers(0, 2, (3, 6)), masked, rng.integers(0, 2, 3)

    def loss(net, x, segments, masked, following):
        scores, pooled, weights = net(x, segments)
        masked_loss = F.cross_entropy(scores.transpose(1, 2), masked)
        return (scores, pooled, weights), masked_loss + F.cross_entropy(pooled, following)

    return BERT(), arrays, loss


@model
def ctc_speech(torch):
    nn = torch.nn

    class Speech(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = nn.Sequential(
                nn.Conv1d(6, 10, 3, stride=2, padding=1, bias=False), nn.BatchNorm1d(10), nn.Hardtanh(0, 20)
            )
            self.rnn = nn.GRU(10, 8, bidirectional=True)
            self.fc = nn.Linear(16, 5)

        def forward(self, x):
            out, _ = self.rnn(self.conv(x).permute(2, 0, 1))
            return self.fc(out).log_softmax(2)

    def arrays(rng):
        return rng.standard_normal((3, 6, 24)), rng.integers(1, 5, (3, 4)), np.array([12, 10, 9]), np.array([4, 2, 3])

    def loss(net, x, y, frames, lengths):
        out = net(x)
        return out, nn.CTCLoss(blank=0, zero_infinity=True)(out, y, frames, lengths)

    return Speech(), arrays, loss
