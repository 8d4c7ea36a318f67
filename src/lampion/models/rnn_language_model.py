"""A recurrent language model: read words, guess the next one.

Mikolov, Karafiat, Burget, Cernocky, Khudanpur: Recurrent neural network based language model, 2010;
with LSTM and dropout between the layers as in Zaremba, Sutskever, Vinyals: Recurrent neural network
regularization, 2014. Arguments and names of layers are those of PyTorch's example
word_language_model.
"""

from __future__ import annotations

import math

import lampion as torch
from lampion import nn
from lampion.errors import ArgumentError

State = torch.Tensor | tuple[torch.Tensor, torch.Tensor]
KINDS = ("LSTM", "GRU", "RNN_TANH", "RNN_RELU")


class RNNLanguageModel(nn.Module):
    """Embedding, recurrent layers, and a score for every word of the vocabulary at every step.

    Shape:
        words (T, N), state -> scores (T, N, ntoken), state

    Args:
        rnn_type: LSTM, GRU, RNN_TANH or RNN_RELU.
        ntoken: words in the vocabulary.
        ninp: features of a word's embedding.
        nhid: features of the state.
        nlayers: recurrent layers on top of each other.
        dropout: probability of zeroing a feature between layers, in [0, 1].
        tie_weights: let the output use the embedding's weights; ninp must be nhid.

    Raises:
        ArgumentError: another kind, or weights that cannot be tied.

    Source: Zaremba et al. 2014, equations 3 to 6 and figure 2; tied weights: Press and Wolf 2017,
    Using the output embedding to improve language models.

    Example:
        >>> import lampion as torch
        >>> model = RNNLanguageModel("LSTM", ntoken=50, ninp=8, nhid=16, nlayers=2)
        >>> scores, state = model(torch.zeros(5, 3, dtype=torch.long), model.init_hidden(3))
        >>> scores.shape, state[0].shape
        (torch.Size([5, 3, 50]), torch.Size([2, 3, 16]))
    """

    def __init__(
        self, rnn_type: str, ntoken: int, ninp: int, nhid: int, nlayers: int,
        dropout: float = 0.5, tie_weights: bool = False,
    ) -> None:
        super().__init__()
        if rnn_type not in KINDS:
            raise ArgumentError(f"RNNLanguageModel: rnn_type is {rnn_type!r}",
                                why=f"known are {', '.join(KINDS)}", fix='rnn_type="LSTM"')
        if tie_weights and nhid != ninp:
            raise ArgumentError(f"RNNLanguageModel: nhid is {nhid}, ninp is {ninp}",
                                why="tied weights serve as embedding and as output",
                                fix=f"ninp={nhid}")
        self.rnn_type, self.nhid, self.nlayers = rnn_type, nhid, nlayers
        self.drop = nn.Dropout(dropout)
        self.encoder = nn.Embedding(ntoken, ninp)
        between = dropout if nlayers > 1 else 0.0
        if rnn_type == "LSTM":
            self.rnn: nn.Module = nn.LSTM(ninp, nhid, nlayers, dropout=between)
        elif rnn_type == "GRU":
            self.rnn = nn.GRU(ninp, nhid, nlayers, dropout=between)
        else:
            self.rnn = nn.RNN(ninp, nhid, nlayers, nonlinearity=rnn_type[4:].lower(),
                              dropout=between)
        self.decoder = nn.Linear(nhid, ntoken)
        nn.init.uniform_(self.encoder.weight, -0.1, 0.1)
        nn.init.uniform_(self.decoder.weight, -0.1, 0.1)
        nn.init.zeros_(self.decoder.bias)
        if tie_weights:
            self.decoder.weight = self.encoder.weight

    def init_hidden(self, batch_size: int) -> State:
        """Return the state before the first word: zeros."""
        def zeros() -> torch.Tensor:
            return torch.zeros(self.nlayers, batch_size, self.nhid)

        return (zeros(), zeros()) if self.rnn_type == "LSTM" else zeros()

    def forward(self, input: torch.Tensor, hidden: State) -> tuple[torch.Tensor, State]:
        output, hidden = self.rnn(self.drop(self.encoder(input)), hidden)
        return self.decoder(self.drop(output)), hidden


def detach_hidden(hidden: State) -> State:
    """Cut a state off its history: the end of truncated backpropagation through time.

    Source: Williams and Peng 1990, An efficient gradient-based algorithm for on-line training of
    recurrent network trajectories.
    """
    if isinstance(hidden, tuple):
        return hidden[0].detach(), hidden[1].detach()
    return hidden.detach()


def perplexity(mean_loss: float) -> float:
    """Return exp of the mean cross-entropy in nats: among how many words the model is torn.

    Example:
        >>> round(perplexity(math.log(50)))
        50
    """
    return math.exp(mean_loss)
