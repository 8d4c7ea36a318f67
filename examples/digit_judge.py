"""How good are drawn digits? A LeNet-5 that reads real ones looks at them.

The score is that of Salimans et al. (Improved techniques for training GANs, 2016, section 4), with
LeNet-5 in place of Inception: exp(mean KL(p(y|x) || p(y))). It is 10 when every picture is surely
one digit and all ten are equally frequent, 1 when the pictures are nothing or all the same.
"""

import lenet5
import numpy as np

import lampion as torch
from lampion.models import LeNet5


class Judge:
    """A LeNet-5, trained on the first `limit` pictures of MNIST (all: None)."""

    def __init__(self, folder, limit=None):
        pictures, labels = lenet5.load(folder, train=True)
        pictures, labels = pictures[:limit], labels[:limit]
        print(f"training the judge, a LeNet-5, on {len(labels):,} digits")
        self.model = LeNet5()
        lenet5.train(self.model, pictures, labels, 1, 32 if len(labels) < 20_000 else 128)
        self.model.eval()

    @torch.no_grad()
    def shares(self, pictures):
        """Return p(y|x) for pictures (N x 1 x 28 x 28, 0 to 1)."""
        drawn = (255 * pictures.clamp(0, 1)).round()
        parts = [torch.softmax(self.model(lenet5.prepare(part)), 1) for part in drawn.split(500)]
        return torch.cat(parts).double().numpy()

    def score(self, pictures):
        """Return the score, 1 to 10."""
        shares = self.shares(pictures)
        mean = shares.mean(0)
        divergence = (shares * (np.log(shares + 1e-12) - np.log(mean + 1e-12))).sum(1)
        return float(np.exp(divergence.mean()))

    def count(self, pictures):
        """Return how many of the pictures it reads as each digit."""
        return np.bincount(self.shares(pictures).argmax(1), minlength=10)
