"""Sequence to sequence: one network reads a sentence, another writes one, looking back at it.

Sutskever, Vinyals, Le: Sequence to sequence learning with neural networks, 2014 (figure 1); Cho et
al.: Learning phrase representations using RNN encoder-decoder, 2014 (the GRU). Attention (in
`seq2seq_attention.py`): Bahdanau, Cho, Bengio 2015; Luong, Pham, Manning 2015.
"""

from __future__ import annotations

import random

import lampion as torch
from lampion import nn
from lampion.errors import ArgumentError
from lampion.models.seq2seq_attention import AdditiveAttention, LuongAttention

ATTENTIONS = ("none", "bahdanau", "dot", "general", "concat")


class Encoder(nn.Module):
    """Read a sentence: a state for every word, and the last state of every layer.

    Shape:
        src (N, S) of word numbers -> outputs (N, S, hidden_size), hidden (num_layers, N,
        hidden_size). Padding changes neither.

    Args:
        vocab_size: words in the source vocabulary.
        embedding_dim: features of a word.
        hidden_size: features of the state.
        num_layers: GRU layers.
        dropout: probability of zeroing a feature between layers, in [0, 1].
        pad_token: the number that fills short sentences up.
    """

    def __init__(
        self, vocab_size: int, embedding_dim: int, hidden_size: int, num_layers: int = 1,
        dropout: float = 0.0, pad_token: int = 0,
    ) -> None:
        super().__init__()
        self.pad_token = pad_token
        self.embedding = nn.Embedding(vocab_size, embedding_dim, padding_idx=pad_token)
        self.rnn = nn.GRU(embedding_dim, hidden_size, num_layers, batch_first=True,
                          dropout=dropout if num_layers > 1 else 0.0)
        self.dropout = nn.Dropout(dropout)

    def forward(self, src: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        lengths = (src != self.pad_token).sum(1).clamp(min=1)
        packed = nn.utils.rnn.pack_padded_sequence(
            self.dropout(self.embedding(src)), lengths, batch_first=True, enforce_sorted=False)
        outputs, hidden = self.rnn(packed)
        outputs, _ = nn.utils.rnn.pad_packed_sequence(
            outputs, batch_first=True, total_length=src.shape[1])
        return outputs, hidden


class Decoder(nn.Module):
    """Write one word: from the word before, the state, and what attention picks of the source.

    Without attention the state alone carries the sentence. Bahdanau's attention looks before the
    step and hands the context to the GRU; Luong's looks after it, with
    h~ = tanh(W_c [context; h]) (his equation 5).

    Shape:
        word (N,), hidden (num_layers, N, hidden_size), memory (N, S, hidden_size), mask (N, S) ->
        scores (N, vocab_size), hidden, weights (N, S)

    Args:
        vocab_size: words in the target vocabulary.
        embedding_dim, hidden_size, num_layers, dropout, pad_token: as for `Encoder`.
        attention: none, bahdanau, or one of Luong's scores: dot, general, concat.

    Raises:
        ArgumentError: another kind of attention.
    """

    def __init__(
        self, vocab_size: int, embedding_dim: int, hidden_size: int, num_layers: int = 1,
        dropout: float = 0.0, attention: str = "bahdanau", pad_token: int = 0,
    ) -> None:
        super().__init__()
        if attention not in ATTENTIONS:
            raise ArgumentError(f"Decoder: attention is {attention!r}",
                                why=f"known are {', '.join(ATTENTIONS)}",
                                fix='attention="bahdanau"')
        self.vocab_size, self.kind = vocab_size, attention
        self.embedding = nn.Embedding(vocab_size, embedding_dim, padding_idx=pad_token)
        self.dropout = nn.Dropout(dropout)
        features = embedding_dim
        if attention == "bahdanau":
            self.attention: nn.Module = AdditiveAttention(hidden_size, hidden_size, hidden_size)
            features += hidden_size
        elif attention != "none":
            self.attention = LuongAttention(hidden_size, attention)
            self.combine = nn.Linear(2 * hidden_size, hidden_size, bias=False)
        self.rnn = nn.GRU(features, hidden_size, num_layers, batch_first=True,
                          dropout=dropout if num_layers > 1 else 0.0)
        self.output = nn.Linear(hidden_size, vocab_size)

    def forward(
        self, word: torch.Tensor, hidden: torch.Tensor, memory: torch.Tensor, mask: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        x = self.dropout(self.embedding(word))
        weights = torch.zeros(mask.shape)
        if self.kind == "bahdanau":
            context, weights = self.attention(hidden[-1], memory, mask)
            x = torch.cat([x, context], dim=1)
        output, hidden = self.rnn(x.unsqueeze(1), hidden)
        state = output.squeeze(1)
        if self.kind in ("dot", "general", "concat"):
            context, weights = self.attention(state, memory, mask)
            state = torch.tanh(self.combine(torch.cat([context, state], dim=1)))
        return self.output(self.dropout(state)), hidden, weights


class Seq2Seq(nn.Module):
    """An `Encoder` and a `Decoder`.

    Shape:
        src (N, S), tgt (N, T) of word numbers -> scores (N, T - 1, vocab_size): those for
        tgt[:, 1:].

    Args:
        encoder, decoder: of the same hidden_size and num_layers.

    Source: Sutskever et al. 2014; teacher forcing: Williams and Zipser 1989, A learning algorithm
    for continually running fully recurrent neural networks; its ratio: Bengio et al. 2015,
    Scheduled sampling for sequence prediction with recurrent neural networks.

    Example:
        >>> import lampion as torch
        >>> model = Seq2Seq(Encoder(20, 8, 16), Decoder(30, 8, 16, attention="general"))
        >>> src = torch.tensor([[4, 5, 6, 2], [7, 2, 0, 0]])
        >>> model(src, torch.tensor([[1, 9, 2], [1, 8, 2]])).shape
        torch.Size([2, 2, 30])
    """

    def __init__(self, encoder: Encoder, decoder: Decoder) -> None:
        super().__init__()
        self.encoder, self.decoder = encoder, decoder

    def forward(
        self, src: torch.Tensor, tgt: torch.Tensor, teacher_forcing_ratio: float = 1.0
    ) -> torch.Tensor:
        """Score every next word.

        Args:
            teacher_forcing_ratio: probability, at each step, of going on with the true word
                rather than the model's own, in [0, 1]. Drawn by Python's `random`.
        """
        memory, hidden = self.encoder(src)
        mask = src != self.encoder.pad_token
        word, scores = tgt[:, 0], []
        for step in range(1, tgt.shape[1]):
            score, hidden, _ = self.decoder(word, hidden, memory, mask)
            scores.append(score)
            forced = random.random() < teacher_forcing_ratio
            word = tgt[:, step] if forced else score.argmax(1)
        return torch.stack(scores, dim=1)

    @torch.no_grad()
    def greedy(self, src: torch.Tensor, start: int, end: int, max_len: int = 50) -> list[list[int]]:
        """Write the most probable word again and again; return the words before `end`.

        Shape:
            src (N, S) -> N lists of word numbers
        """
        memory, hidden = self.encoder(src)
        mask = src != self.encoder.pad_token
        word = torch.full((src.shape[0],), start)
        columns: list[torch.Tensor] = []
        for _ in range(max_len):
            score, hidden, _ = self.decoder(word, hidden, memory, mask)
            word = score.argmax(1)
            columns.append(word)
        rows = torch.stack(columns, dim=1).tolist()
        return [row[: row.index(end)] if end in row else row for row in rows]

    @torch.no_grad()
    def beam_search(
        self, src: torch.Tensor, start: int, end: int, beam_width: int = 4, max_len: int = 50,
        length_penalty: float = 0.6,
    ) -> tuple[list[int], float]:
        """Follow the `beam_width` best beginnings; return the best whole sentence and its score.

        The score is log P(sentence) / ((5 + length) / 6)^length_penalty; the length counts `end`.

        Shape:
            src (S,): one sentence

        Args:
            start, end: the numbers of the words that begin and end a sentence.
            beam_width: beginnings kept at each step; 1 is greedy.
            max_len: the longest sentence.
            length_penalty: 0 prefers short sentences, 1 compares means.

        Source: Wu et al. 2016, Google's neural machine translation system, equation 14.
        """
        memory, hidden = self.encoder(src.unsqueeze(0))
        mask = (src != self.encoder.pad_token).unsqueeze(0)
        beams: list[tuple[list[int], float]] = [([], 0.0)]
        done: list[tuple[list[int], float]] = []

        def norm(length: int) -> float:
            return ((5 + length) / 6) ** length_penalty

        for _ in range(max_len):
            last = torch.tensor([words[-1] if words else start for words, _ in beams])
            count = len(beams)
            scores, hidden, _ = self.decoder(
                last, hidden, memory.expand(count, -1, -1), mask.expand(count, -1))
            log_p = torch.log_softmax(scores, dim=1) + torch.tensor(
                [score for _, score in beams]).unsqueeze(1)
            best = log_p.flatten().topk(min(2 * beam_width, log_p.numel()))
            beams, kept = self._extend(
                beams, best.values.tolist(), best.indices.tolist(), end, beam_width, done, norm)
            if not beams or len(done) >= beam_width:
                break
            hidden = hidden[:, torch.tensor(kept)]
        unfinished = [(words, score / norm(len(words))) for words, score in beams]
        return max(done or unfinished, key=lambda sentence: sentence[1])

    def _extend(self, beams, values, places, end, beam_width, done, norm):
        """Return the new beginnings and which old ones they go on from; file finished ones."""
        following, kept = [], []
        for rank, (score, place) in enumerate(zip(values, places)):
            row, word = divmod(place, self.decoder.vocab_size)
            words = beams[row][0]
            if word == end:
                if rank < beam_width:
                    done.append((words, score / norm(len(words) + 1)))
            elif len(following) < beam_width:
                following.append(([*words, word], score))
                kept.append(row)
        return following, kept
