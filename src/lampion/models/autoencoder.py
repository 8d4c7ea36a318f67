"""Autoencoders: a narrow passage, and the same picture again behind it.

Hinton and Salakhutdinov: Reducing the dimensionality of data with neural networks, Science 313,
2006 (figure 1). Kingma and Welling: Auto-encoding variational Bayes, 2014 (the VAE).
"""

from __future__ import annotations

import lampion as torch
from lampion import nn
from lampion.models.mlp import MLP
from lampion.nn import functional as F


class Autoencoder(nn.Module):
    """x -> code -> x: what does not fit through the code is lost.

    Shape:
        (N, in_features) -> (N, in_features), 0 to 1

    Args:
        in_features: numbers in a picture.
        hidden_features: features between.
        code_features: features of the code.

    Source: Hinton and Salakhutdinov 2006, figure 1 ("unrolling").

    Example:
        >>> import lampion as torch
        >>> model = Autoencoder(784, 64, 2)
        >>> x = torch.rand(5, 784)
        >>> model(x).shape, model.encoder(x).shape
        (torch.Size([5, 784]), torch.Size([5, 2]))
    """

    def __init__(self, in_features: int, hidden_features: int, code_features: int) -> None:
        super().__init__()
        self.encoder = MLP(in_features, [hidden_features, code_features])
        self.decoder = nn.Sequential(
            MLP(code_features, [hidden_features, in_features]), nn.Sigmoid())

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.decoder(self.encoder(x))


def reparameterise(mean: torch.Tensor, log_variance: torch.Tensor) -> torch.Tensor:
    """Draw z = mean + exp(log_variance / 2) * e with e normal: random, and yet differentiable.

    Shape:
        (*), (*) -> (*)

    Source: Kingma and Welling 2014, section 2.4.

    Example:
        >>> import lampion as torch
        >>> reparameterise(torch.full((2,), 3.0), torch.full((2,), -200.0)).tolist()
        [3.0, 3.0]
    """
    return mean + torch.exp(0.5 * log_variance) * torch.randn_like(mean)


class VAE(nn.Module):
    """The code is a normal distribution; codes drawn from the standard one decode to new pictures.

    Shape:
        (N, in_features) -> logits (N, in_features), mean (N, code_features), log_variance
        (N, code_features)

    Args:
        in_features, hidden_features, code_features: as for `Autoencoder`.

    Source: Kingma and Welling 2014, section 3 and appendix C.

    Example:
        >>> import lampion as torch
        >>> model = VAE(784, 64, 2)
        >>> model.sample(3).shape
        torch.Size([3, 784])
    """

    def __init__(self, in_features: int, hidden_features: int, code_features: int) -> None:
        super().__init__()
        self.code_features = code_features
        self.encoder = MLP(in_features, [hidden_features, 2 * code_features])
        self.decoder = MLP(code_features, [hidden_features, in_features])

    def encode(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return mean and logarithm of the variance of the code."""
        mean, log_variance = self.encoder(x).chunk(2, dim=-1)
        return mean, log_variance

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        mean, log_variance = self.encode(x)
        return self.decoder(reparameterise(mean, log_variance)), mean, log_variance

    @torch.no_grad()
    def sample(self, count: int) -> torch.Tensor:
        """Return new pictures: (count, in_features), 0 to 1."""
        return torch.sigmoid(self.decoder(torch.randn(count, self.code_features)))


def negative_elbo(
    logits: torch.Tensor, x: torch.Tensor, mean: torch.Tensor, log_variance: torch.Tensor,
    beta: float = 1.0,
) -> torch.Tensor:
    """Return -E[log p(x|z)] + beta * KL(q(z|x) || N(0, 1)) in nats a picture: what training lowers.

    The divergence is -1/2 sum(1 + log_variance - mean^2 - exp(log_variance)).

    Shape:
        logits, x (N, in_features), mean, log_variance (N, code_features) -> scalar

    Args:
        x: 0 to 1, taken for probabilities of ink.
        beta: weight of the divergence, >= 0; 1 is the bound itself (Higgins et al. 2017,
            beta-VAE, has larger ones).

    Source: Kingma and Welling 2014, equations 7 and 10, appendix B.

    Example:
        >>> import lampion as torch
        >>> zero = torch.zeros(1, 2)
        >>> round(negative_elbo(zero, zero, zero, zero).item(), 4)    # 2 ln 2
        1.3863
    """
    reconstruction = F.binary_cross_entropy_with_logits(logits, x, reduction="sum")
    divergence = -0.5 * (1 + log_variance - mean**2 - torch.exp(log_variance)).sum()
    return (reconstruction + beta * divergence) / x.shape[0]
