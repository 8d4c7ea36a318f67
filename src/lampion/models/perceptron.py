"""The perceptron: one threshold unit, its learning rule, and what it cannot learn.

Rosenblatt: The Perceptron: a probabilistic model for information storage and organization in the
brain, Psychological Review 65, 1958. The rule and its proof of convergence: Novikoff, On
convergence proofs on perceptrons, 1962. What it cannot do: Minsky and Papert, Perceptrons, 1969.

Why XOR needs a hidden layer. A unit says 1 where w1 x1 + w2 x2 + b > 0. XOR asks for

    (0, 0) -> 0:            b <= 0          (1, 0) -> 1:   w1 + b > 0
    (1, 1) -> 0:  w1 + w2 + b <= 0          (0, 1) -> 1:   w2 + b > 0

The sum of the left column is w1 + w2 + 2b <= 0, that of the right one w1 + w2 + 2b > 0: no weights
do both. With one hidden layer it is easy: `xor_network` has it as OR and not AND.
"""

from __future__ import annotations

import lampion as torch
from lampion import nn
from lampion.errors import ArgumentError, shape_text


class Perceptron(nn.Module):
    """Say 1 where the weighted sum of the inputs is above the threshold: y = [w x + b > 0].

    The step has no useful gradient, so `learn` changes the weights by Rosenblatt's rule, not by
    backpropagation.

    Shape:
        (N, in_features) -> (N,), zeros and ones.

    Args:
        in_features: number of inputs.
        lr: how far a mistake moves the weights, > 0. The weights start at 0, where it only
            scales them.

    Source: Rosenblatt 1958; the rule as in Bishop 2006, Pattern Recognition and Machine Learning,
    equation 4.55.

    Example:
        >>> import lampion as torch
        >>> inputs = torch.tensor([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
        >>> unit = Perceptron(2)
        >>> mistakes = unit.fit(inputs, torch.tensor([0.0, 0.0, 0.0, 1.0]))    # AND
        >>> mistakes[-1], unit(inputs).tolist()
        (0, [0.0, 0.0, 0.0, 1.0])
    """

    weight: torch.Tensor
    bias: torch.Tensor

    def __init__(self, in_features: int, lr: float = 1.0) -> None:
        super().__init__()
        self.in_features = in_features
        self.lr = lr
        self.register_buffer("weight", torch.zeros(in_features))
        self.register_buffer("bias", torch.zeros(()))

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        return (input @ self.weight + self.bias > 0).float()

    def learn(self, input: torch.Tensor, target: torch.Tensor) -> bool:
        """Look at one example and add lr * (target - y) * x to the weights; True for a mistake.

        Shape:
            input (in_features,), target a scalar, 0 or 1.
        """
        error = target - self(input)
        self.weight += self.lr * error * input
        self.bias += self.lr * error
        return bool(error != 0)

    def fit(self, inputs: torch.Tensor, targets: torch.Tensor, epochs: int = 100) -> list[int]:
        """Go over the examples until an epoch has no mistake; return the mistakes of each epoch.

        If a plane separates the classes, the number of mistakes is at most (R / margin)^2, with R
        the length of the longest example (Novikoff 1962). If none does, this never settles and
        stops after `epochs`.

        Shape:
            inputs (N, in_features), targets (N,), zeros and ones.

        Raises:
            ArgumentError: examples and targets differ in number.
        """
        if len(inputs) != len(targets):
            raise ArgumentError(
                f"Perceptron.fit: inputs are {shape_text(inputs.shape)}, "
                f"targets {shape_text(targets.shape)}", why="every example needs its target")
        mistakes: list[int] = []
        for _ in range(epochs):
            mistakes.append(sum(self.learn(x, y) for x, y in zip(inputs, targets)))
            if mistakes[-1] == 0:
                break
        return mistakes


def xor_network() -> nn.Sequential:
    """Return two layers of threshold units that compute XOR: (x1 or x2) and not (x1 and x2).

    Shape:
        (N, 2) -> (N, 1), zeros and ones.

    Source: Minsky and Papert 1969; as a network: Goodfellow, Bengio, Courville, Deep Learning,
    2016, section 6.1.

    Example:
        >>> import lampion as torch
        >>> xor_network()(torch.tensor([[0.0, 0], [0, 1], [1, 0], [1, 1]])).flatten().tolist()
        [0.0, 1.0, 1.0, 0.0]
    """
    hidden, output = nn.Linear(2, 2), nn.Linear(2, 1)
    with torch.no_grad():
        hidden.weight.copy_(torch.tensor([[1.0, 1.0], [1.0, 1.0]]))
        hidden.bias.copy_(torch.tensor([-0.5, -1.5]))  # x1 or x2; x1 and x2
        output.weight.copy_(torch.tensor([[1.0, -1.0]]))
        output.bias.fill_(-0.5)
    return nn.Sequential(hidden, Step(), output, Step())


class Step(nn.Module):
    """Say 1 where the input is positive, 0 elsewhere.

    Shape:
        (*) -> (*)
    """

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        return (input > 0).float()
