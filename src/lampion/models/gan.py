"""Generative adversarial networks: one network forges, one looks for forgeries.

Goodfellow et al.: Generative adversarial nets, 2014. Radford, Metz, Chintala: Unsupervised
representation learning with deep convolutional generative adversarial networks, 2016 (DCGAN: figure
1, section 3). Gulrajani, Ahmed, Arjovsky, Dumoulin, Courville: Improved training of Wasserstein
GANs, 2017 (WGAN-GP: equation 3, algorithm 1).
"""

from __future__ import annotations

import lampion as torch
from lampion import nn
from lampion.errors import ArgumentError
from lampion.nn import functional as F


def discriminator_loss(real: torch.Tensor, fake: torch.Tensor) -> torch.Tensor:
    """Return mean(-log s(real)) + mean(-log(1 - s(fake))), s the logistic function.

    Shape:
        scores (N,), (M,) -> scalar

    Source: Goodfellow et al. 2014, equation 1.
    """
    return F.softplus(-real).mean() + F.softplus(fake).mean()


def generator_loss(fake: torch.Tensor) -> torch.Tensor:
    """Return mean(-log s(fake)): the loss whose gradient does not vanish at first.

    Shape:
        scores (M,) -> scalar

    Source: Goodfellow et al. 2014, section 3, the last paragraph.
    """
    return F.softplus(-fake).mean()


def initialise(module: nn.Module) -> None:
    """Give a layer its first values: normal with deviation 0.02 (Radford et al., section 4)."""
    if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
        nn.init.normal_(module.weight, 0.0, 0.02)
    elif isinstance(module, nn.BatchNorm2d):
        nn.init.normal_(module.weight, 1.0, 0.02)
        nn.init.zeros_(module.bias)


def halvings(name: str, image_size: int) -> int:
    """Return how many convolutions lie between the outermost one and 4x4 places: 3 for 64x64.

    Raises:
        ArgumentError: a size that halving does not bring to 4.

    Example:
        >>> halvings("Generator", 64), halvings("Generator", 32)
        (3, 2)
    """
    if image_size < 8 or image_size & (image_size - 1):
        raise ArgumentError(f"{name}: image_size is {image_size}",
                            why="pictures are halved or doubled until they have 4x4 places",
                            fix="8, 16, 32, 64 or 128")
    return image_size.bit_length() - 4


class Generator(nn.Module):
    """Noise -> picture: transposed convolutions from 4x4 to 64x64.

    Shape:
        (N, nz) -> (N, nc, image_size, image_size), -1 to 1

    Args:
        nz: numbers of noise.
        ngf: channels before the last layer.
        nc: channels of the picture.
        image_size: height and width, a power of 2 from 8; 64 in the paper.

    Raises:
        ArgumentError: another size.

    Source: Radford et al. 2016, figure 1.

    Example:
        >>> import lampion as torch
        >>> Generator(nz=10, ngf=4)(torch.randn(2, 10)).shape
        torch.Size([2, 3, 64, 64])
    """

    def __init__(
        self, nz: int = 100, ngf: int = 64, nc: int = 3, image_size: int = 64
    ) -> None:
        super().__init__()
        widths = [ngf * 2**step for step in range(halvings("Generator", image_size) + 1)]
        layers: list[nn.Module] = [
            nn.ConvTranspose2d(nz, widths[-1], kernel_size=4, bias=False),
            nn.BatchNorm2d(widths[-1]), nn.ReLU(inplace=True)]
        for width in widths[-2::-1]:
            layers += [
                nn.ConvTranspose2d(2 * width, width, kernel_size=4, stride=2, padding=1,
                                   bias=False),
                nn.BatchNorm2d(width), nn.ReLU(inplace=True)]
        layers += [
            nn.ConvTranspose2d(ngf, nc, kernel_size=4, stride=2, padding=1, bias=False), nn.Tanh()]
        self.main = nn.Sequential(*layers)
        self.apply(initialise)

    def forward(self, noise: torch.Tensor) -> torch.Tensor:
        return self.main(noise[:, :, None, None])


class Discriminator(nn.Module):
    """Picture -> score: convolutions from 64x64 to one number, without a sigmoid.

    Shape:
        (N, nc, image_size, image_size) -> (N,)

    Args:
        ndf: channels after the first layer.
        nc: channels of the picture.
        batch_norm: False for a critic of WGAN-GP, whose penalty is for each picture alone.
        image_size: height and width, a power of 2 from 8; 64 in the paper.

    Raises:
        ArgumentError: another size.

    Source: Radford et al. 2016, section 3; Gulrajani et al. 2017, section 4.

    Example:
        >>> import lampion as torch
        >>> Discriminator(ndf=4)(torch.randn(2, 3, 64, 64)).shape
        torch.Size([2])
    """

    def __init__(
        self, ndf: int = 64, nc: int = 3, batch_norm: bool = True, image_size: int = 64
    ) -> None:
        super().__init__()
        widths = [ndf * 2**step for step in range(halvings("Discriminator", image_size) + 1)]
        layers: list[nn.Module] = [
            nn.Conv2d(nc, ndf, kernel_size=4, stride=2, padding=1, bias=False),
            nn.LeakyReLU(0.2, inplace=True)]
        for width in widths[1:]:
            layers.append(nn.Conv2d(width // 2, width, kernel_size=4, stride=2, padding=1,
                                    bias=False))
            if batch_norm:
                layers.append(nn.BatchNorm2d(width))
            layers.append(nn.LeakyReLU(0.2, inplace=True))
        layers.append(nn.Conv2d(widths[-1], 1, kernel_size=4, bias=False))
        self.main = nn.Sequential(*layers)
        self.apply(initialise)

    def forward(self, picture: torch.Tensor) -> torch.Tensor:
        return self.main(picture).flatten()


def gradient_penalty(
    critic: nn.Module, real: torch.Tensor, fake: torch.Tensor, weight: float = 10.0
) -> torch.Tensor:
    """Return weight * mean((|grad critic(x)| - 1)^2) at points x between real and forged pictures.

    Training differentiates this gradient again (`create_graph=True`).

    Shape:
        real, fake (N, *) -> scalar

    Args:
        critic: (N, *) -> one score for each.
        weight: lambda, 10 in the paper.

    Source: Gulrajani et al. 2017, equation 3.

    Example:
        >>> import lampion as torch
        >>> slope = torch.nn.Linear(2, 1)
        >>> with torch.no_grad():
        ...     _ = slope.weight.copy_(torch.tensor([[3.0, 4.0]]))
        >>> gradient_penalty(slope, torch.rand(7, 2), torch.rand(7, 2)).item()    # 10 (5 - 1)^2
        160.0
    """
    mix = torch.rand(real.shape[0], *[1] * (real.dim() - 1))
    between = (mix * real.detach() + (1 - mix) * fake.detach()).requires_grad_()
    scores = critic(between)
    (gradient,) = torch.autograd.grad(scores.sum(), between, create_graph=True)
    return weight * ((gradient.flatten(1).norm(dim=1) - 1) ** 2).mean()


def critic_loss(
    critic: nn.Module, real: torch.Tensor, fake: torch.Tensor, weight: float = 10.0
) -> torch.Tensor:
    """Return mean critic(fake) - mean critic(real) + the gradient penalty.

    The generator lowers -mean critic(fake).

    Shape:
        real, fake (N, *) -> scalar

    Args:
        critic, weight: as for `gradient_penalty`.

    Source: Gulrajani et al. 2017, equation 3 and algorithm 1.
    """
    distance = critic(fake).mean() - critic(real).mean()
    return distance + gradient_penalty(critic, real, fake, weight)
