"""Diffusion: learn to take a little noise away, and begin with nothing but noise.

Ho, Jain, Abbeel: Denoising diffusion probabilistic models, 2020 (equations 2 to 14, algorithms 1
and 2, appendix B).
"""

from __future__ import annotations

import lampion as torch
from lampion import nn
from lampion.models.transformer import sinusoidal_positions
from lampion.nn import functional as F


class Denoiser(nn.Module):
    """A small U-Net that guesses the noise in a picture; each block is told the time.

    Shape:
        x (N, channels, H, W), t (N,) -> (N, channels, H, W); 2 divides H and W

    Args:
        channels: of the picture.
        width: channels at full size.
        timesteps: how many times there are.

    Source: Ho et al. 2020, appendix B, with one halving and no attention.

    Example:
        >>> import lampion as torch
        >>> Denoiser(1, width=8)(torch.zeros(2, 1, 8, 8), torch.tensor([0, 5])).shape
        torch.Size([2, 1, 8, 8])
    """

    times: torch.Tensor

    def __init__(self, channels: int = 1, width: int = 32, timesteps: int = 1000) -> None:
        super().__init__()
        self.register_buffer("times", sinusoidal_positions(timesteps, width), persistent=False)
        self.time = nn.Sequential(nn.Linear(width, 4 * width), nn.SiLU())
        self.inside = nn.Conv2d(channels, width, kernel_size=3, padding=1)
        self.down = Block(width, 2 * width, 4 * width)
        self.middle = Block(2 * width, 2 * width, 4 * width)
        self.up = Block(3 * width, width, 4 * width)
        self.outside = nn.Conv2d(width, channels, kernel_size=3, padding=1)

    def forward(self, x: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        time = self.time(self.times[t])
        fine = self.inside(x)
        coarse = self.middle(self.down(F.avg_pool2d(fine, 2), time), time)
        coarse = F.interpolate(coarse, scale_factor=2, mode="nearest")
        return self.outside(self.up(torch.cat([coarse, fine], dim=1), time))


class Block(nn.Module):
    """Normalise, convolve, add the time, and the same again, beside a shortcut.

    Shape:
        x (N, in_channels, H, W), time (N, time_features) -> (N, out_channels, H, W)
    """

    def __init__(self, in_channels: int, out_channels: int, time_features: int) -> None:
        super().__init__()
        self.norm1 = nn.GroupNorm(4, in_channels)
        self.conv1 = nn.Conv2d(in_channels, out_channels, kernel_size=3, padding=1)
        self.time = nn.Linear(time_features, out_channels)
        self.norm2 = nn.GroupNorm(4, out_channels)
        self.conv2 = nn.Conv2d(out_channels, out_channels, kernel_size=3, padding=1)
        self.shortcut = nn.Conv2d(in_channels, out_channels, kernel_size=1)

    def forward(self, x: torch.Tensor, time: torch.Tensor) -> torch.Tensor:
        h = self.conv1(F.silu(self.norm1(x))) + self.time(time)[:, :, None, None]
        return self.conv2(F.silu(self.norm2(h))) + self.shortcut(x)


class DDPM(nn.Module):
    """The forward process, its loss, and sampling, around any network that guesses noise.

    Shape:
        x (N, *) -> the loss, a scalar

    Args:
        denoiser: x (N, *), t (N,) -> noise (N, *).
        timesteps: T.
        beta_start, beta_end: variance added in the first and the last step, 0 to 1.

    Source: Ho et al. 2020, section 4 for the schedule.

    Example:
        >>> import lampion as torch
        >>> model = DDPM(Denoiser(1, width=8, timesteps=4), timesteps=4)
        >>> model(torch.zeros(2, 1, 8, 8)).shape, model.sample((3, 1, 8, 8)).shape
        (torch.Size([]), torch.Size([3, 1, 8, 8]))
    """

    betas: torch.Tensor
    alphas_cumprod: torch.Tensor

    def __init__(
        self, denoiser: nn.Module, timesteps: int = 1000, beta_start: float = 1e-4,
        beta_end: float = 0.02,
    ) -> None:
        super().__init__()
        self.denoiser, self.timesteps = denoiser, timesteps
        betas = torch.linspace(beta_start, beta_end, timesteps)
        self.register_buffer("betas", betas)
        self.register_buffer("alphas_cumprod", torch.cumprod(1 - betas, dim=0))

    def q_sample(self, x: torch.Tensor, t: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
        """Return x after t steps: sqrt(a_t) x + sqrt(1 - a_t) noise, a_t the product of 1 - beta.

        Source: Ho et al. 2020, equation 4.
        """
        kept = self.alphas_cumprod[t].reshape(-1, *[1] * (x.dim() - 1))
        return torch.sqrt(kept) * x + torch.sqrt(1 - kept) * noise

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the mean squared error of the noise guessed at random times (equation 14)."""
        t = torch.randint(self.timesteps, (x.shape[0],))
        noise = torch.randn_like(x)
        return F.mse_loss(self.denoiser(self.q_sample(x, t, noise), t), noise)

    @torch.no_grad()
    def p_sample(self, x: torch.Tensor, step: int) -> torch.Tensor:
        """Go one step back, from time `step` to the one before.

        Source: Ho et al. 2020, algorithm 2, line 4, with sigma^2 = beta.
        """
        # A tensor, not a number: every step is then the same program.
        t = torch.tensor([step] * x.shape[0])
        beta, kept = (schedule[t].reshape(-1, *[1] * (x.dim() - 1))
                      for schedule in (self.betas, self.alphas_cumprod))
        mean = (x - self.denoiser(x, t) * beta / torch.sqrt(1 - kept)) / torch.sqrt(1 - beta)
        return mean + torch.sqrt(beta) * torch.randn_like(x) if step > 0 else mean

    def sample(self, shape: tuple[int, ...]) -> torch.Tensor:
        """Return new samples, made of noise (algorithm 2)."""
        x = torch.randn(shape)
        for step in reversed(range(self.timesteps)):
            x = self.p_sample(x, step)
        return x
