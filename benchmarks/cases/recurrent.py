"""Recurrent networks."""

from __future__ import annotations

from typing import Any

from .case import Program, Setting, case, cycle, learn, normal


@case("lstm-lm", "Language model: 2 LSTM layers of 128, 1000 words, 35 steps, batch 20, SGD",
      reference=19.4)
def lstm_language_model(torch: Any, setting: Setting) -> Program:
    nn = torch.nn
    words, length, size = 1000, setting.size(35, 5), setting.size(20, 3)

    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.embedding = nn.Embedding(words, 128)
            self.lstm = nn.LSTM(128, 128, num_layers=2, dropout=setting.dropout(0.2))
            self.head = nn.Linear(128, words)

        def forward(self, x, state):
            out, state = self.lstm(self.embedding(x), state)
            return self.head(out), state

    model = Model()
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
    rows = cycle(torch, lambda r: r.integers(0, words, (length + 1, size)))
    state = [torch.zeros(2, size, 128), torch.zeros(2, size, 128)]

    def step() -> float:
        (tokens,) = next(rows)
        logits, (h, c) = model(tokens[:-1], tuple(state))
        state[:] = h.detach(), c.detach()
        loss = nn.functional.cross_entropy(logits.reshape(-1, words), tokens[1:].reshape(-1))
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 0.25)
        optimizer.step()
        return loss.item()

    return Program([model], step)


@case("gru-classifier", "Text classifier: bidirectional GRU of 64, 50 steps, batch 32, Adam")
def gru_classifier(torch: Any, setting: Setting) -> Program:
    nn = torch.nn
    length, size = setting.size(50, 6), setting.size(32, 3)

    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.embedding = nn.Embedding(2000, 64)
            self.gru = nn.GRU(64, 64, batch_first=True, bidirectional=True)
            self.head = nn.Linear(128, 4)

        def forward(self, x):
            _, state = self.gru(self.embedding(x))
            return self.head(torch.cat([state[0], state[1]], dim=1))

    model = Model()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    rows = cycle(torch, lambda r: r.integers(0, 2000, (size, length)),
                 lambda r: r.integers(0, 4, size))

    def step() -> float:
        x, y = next(rows)
        return learn(optimizer, nn.functional.cross_entropy(model(x), y))

    return Program([model], step)


@case("lstm-cell", "LSTMCell of 64 in a Python loop of 100 steps, batch 16, Adam", reference=21.0)
def lstm_cell_loop(torch: Any, setting: Setting) -> Program:
    nn = torch.nn
    length, size = setting.size(100, 7), setting.size(16, 3)
    cell, head = nn.LSTMCell(8, 64), nn.Linear(64, 1)
    optimizer = torch.optim.Adam([*cell.parameters(), *head.parameters()], lr=1e-3)
    rows = cycle(torch, lambda r: normal(r, length, size, 8), lambda r: normal(r, size, 1))

    def step() -> float:
        x, y = next(rows)
        h, c = torch.zeros(size, 64), torch.zeros(size, 64)
        for t in range(length):
            h, c = cell(x[t], (h, c))
        return learn(optimizer, nn.functional.mse_loss(head(h), y))

    return Program([cell, head], step)


def _translator(torch: Any, words: int, width: int) -> Any:
    nn = torch.nn

    class Attention(nn.Module):
        """Bahdanau et al. 2014: v tanh(W q + U k)."""

        def __init__(self):
            super().__init__()
            self.query, self.key = nn.Linear(width, width), nn.Linear(width, width)
            self.score = nn.Linear(width, 1)

        def forward(self, query, keys, projected):
            scores = self.score(torch.tanh(self.query(query).unsqueeze(1) + projected)).squeeze(2)
            weights = torch.softmax(scores, dim=1)
            return torch.bmm(weights.unsqueeze(1), keys).squeeze(1)

    class Translator(nn.Module):
        def __init__(self):
            super().__init__()
            self.source, self.target = nn.Embedding(words, width), nn.Embedding(words, width)
            self.encoder = nn.GRU(width, width, batch_first=True)
            self.decoder = nn.GRUCell(2 * width, width)
            self.attention = Attention()
            self.head = nn.Linear(2 * width, words)

        def forward(self, source, target):
            keys, state = self.encoder(self.source(source))
            projected, hidden = self.attention.key(keys), state[0]
            embedded, rows = self.target(target), []
            for t in range(target.shape[1]):
                context = self.attention(hidden, keys, projected)
                hidden = self.decoder(torch.cat([embedded[:, t], context], dim=1), hidden)
                rows.append(torch.cat([hidden, context], dim=1))
            return self.head(torch.stack(rows, dim=1))

    return Translator()


@case("seq2seq", "Translation with Bahdanau attention, width 128, 20 steps, batch 32, Adam",
      reference=31.0)
def seq2seq(torch: Any, setting: Setting) -> Program:
    words, length, size = 500, setting.size(20, 4), setting.size(32, 3)
    model = _translator(torch, words, 128)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    rows = cycle(torch, lambda r: r.integers(0, words, (size, length)),
                 lambda r: r.integers(0, words, (size, length + 1)))

    def step() -> float:
        source, target = next(rows)
        logits = model(source, target[:, :-1])
        loss = torch.nn.functional.cross_entropy(
            logits.reshape(-1, words), target[:, 1:].reshape(-1))
        return learn(optimizer, loss)

    return Program([model], step)
