"""Networks that make things: the losses against their equations, and training that lowers them."""

import math

import numpy as np
import pytest

import lampion
from lampion import models
from lampion.models import autoencoder, gan
from lampion.nn import functional as F


def train(model, loss, steps, lr=0.01):
    optimizer = lampion.optim.Adam(model.parameters(), lr=lr)
    values = []
    for _ in range(steps):
        optimizer.zero_grad()
        value = loss()
        value.backward()
        optimizer.step()
        values.append(value.item())
    return values


def stripes(count=16, size=16):
    """Pictures of one bright column each."""
    x = lampion.zeros(count, size)
    x[lampion.arange(count), lampion.arange(count) % size] = 1.0
    return x


def test_autoencoder_learns():
    lampion.manual_seed(0)
    x, model = stripes(), models.Autoencoder(16, 24, 4)
    values = train(model, lambda: F.mse_loss(model(x), x), 30)
    assert values[-1] < 0.5 * values[0]


def test_vae_learns():
    lampion.manual_seed(0)
    x, model = stripes(), models.VAE(16, 24, 2)

    def loss():
        logits, mean, log_variance = model(x)
        return autoencoder.negative_elbo(logits, x, mean, log_variance)

    values = train(model, loss, 30)
    assert np.mean(values[-5:]) < 0.6 * values[0]
    sample = model.sample(3).numpy()
    assert sample.shape == (3, 16) and (0 <= sample).all() and (sample <= 1).all()


def test_divergence_is_the_integral():
    """KL(N(m, s^2) || N(0, 1)) summed on a fine grid."""
    mean, deviation = 0.7, 0.4
    z = np.linspace(-12, 12, 200_001)
    q = np.exp(-((z - mean) ** 2) / (2 * deviation**2)) / (deviation * math.sqrt(2 * math.pi))
    inside = np.where(q > 0, q * (np.log(np.maximum(q, 1e-300)) + z**2 / 2
                                  + math.log(2 * math.pi) / 2), 0.0)
    expected = inside.sum() * (z[1] - z[0])
    nothing = lampion.zeros(1, 0)
    got = autoencoder.negative_elbo(
        nothing, nothing, lampion.tensor([[mean]]), lampion.tensor([[2 * math.log(deviation)]]))
    assert got.item() == pytest.approx(expected, rel=1e-4)


def test_reparameterised_draws_have_their_mean_and_deviation_and_a_gradient():
    lampion.manual_seed(0)
    mean = lampion.full((20_000,), 2.0, requires_grad=True)
    log_variance = lampion.full((20_000,), math.log(9.0), requires_grad=True)
    z = autoencoder.reparameterise(mean, log_variance)
    assert z.mean().item() == pytest.approx(2.0, abs=0.1)
    assert z.std().item() == pytest.approx(3.0, abs=0.1)
    z.sum().backward()
    assert (mean.grad == 1).all()
    assert lampion.allclose(log_variance.grad, (z.detach() - 2) / 2, atol=1e-4)


def test_adversarial_losses():
    real, fake = np.array([0.5, -1.0]), np.array([2.0, -0.3, 0.1])

    def s(x):
        return 1 / (1 + np.exp(-x))

    expected = -np.log(s(real)).mean() - np.log(1 - s(fake)).mean()
    assert gan.discriminator_loss(lampion.tensor(real), lampion.tensor(fake)).item() == (
        pytest.approx(expected))
    assert gan.generator_loss(lampion.tensor(fake)).item() == pytest.approx(-np.log(s(fake)).mean())


def test_gradient_penalty_against_pytorch(monkeypatch):
    """Its value and, through the second derivative, its gradient for the critic's weights."""
    torch = pytest.importorskip("torch")
    critic = models.MLP(3, [5, 1], activation_layer=lampion.nn.Tanh)
    real, fake = lampion.randn(4, 3), lampion.randn(4, 3)
    mix = lampion.rand(4, 1)
    monkeypatch.setattr(lampion, "rand", lambda *size: mix)
    gan.gradient_penalty(critic, real, fake).backward()

    theirs = torch.nn.Sequential(torch.nn.Linear(3, 5), torch.nn.Tanh(), torch.nn.Linear(5, 1))
    theirs.load_state_dict(
        {name: torch.from_numpy(w.numpy().copy()) for name, w in critic.state_dict().items()})
    m, r, f = (torch.from_numpy(x.numpy()) for x in (mix, real, fake))
    x = (m * r + (1 - m) * f).requires_grad_()
    (g,) = torch.autograd.grad(theirs(x).sum(), x, create_graph=True)
    (10 * ((g.norm(dim=1) - 1) ** 2).mean()).backward()
    for ours, other in zip(critic.parameters(), theirs.parameters()):
        gradient = np.zeros(ours.shape) if ours.grad is None else ours.grad.numpy()
        expected = np.zeros(ours.shape) if other.grad is None else other.grad.numpy()
        assert np.allclose(gradient, expected, atol=1e-5)


def test_the_wasserstein_critic_learns_to_tell_apart():
    lampion.manual_seed(0)
    critic = models.MLP(2, [16, 1])
    real, fake = lampion.randn(32, 2) + 2, lampion.randn(32, 2) - 2
    values = train(critic, lambda: gan.critic_loss(critic, real, fake), 40, lr=0.05)
    assert values[-1] < 0 < values[0]
    assert critic(real).mean().item() > critic(fake).mean().item() + 1


def test_dcgan_parameters(nothing_is_computed):
    """The numbers of PyTorch's own DCGAN example."""
    assert sum(p.numel() for p in models.Generator().parameters()) == 3_576_704
    assert sum(p.numel() for p in models.Discriminator().parameters()) == 2_765_568


@pytest.mark.parametrize("size", [8, 16, 32])
def test_dcgan_for_other_sizes(size):
    drawn = models.Generator(5, 4, 1, image_size=size)(lampion.randn(2, 5))
    assert drawn.shape == (2, 1, size, size)
    assert models.Discriminator(4, 1, image_size=size)(drawn).shape == (2,)
    for network in (models.Generator, models.Discriminator):
        with pytest.raises(lampion.errors.ArgumentError, match="image_size is 24"):
            network(image_size=24)


def test_noise_is_added_as_one_step_at_a_time():
    """q(x_t | x_0) in one go has the mean and variance of t steps of q(x_t | x_(t-1))."""
    model = models.DDPM(models.Denoiser(1, 8, timesteps=20), timesteps=20, beta_end=0.2)
    mean, variance = 3.0, 0.0
    x, one = lampion.full((1, 1), 3.0), lampion.ones(1, 1)
    for step, beta in enumerate(model.betas.tolist()):
        mean, variance = math.sqrt(1 - beta) * mean, (1 - beta) * variance + beta
        at = lampion.tensor([step])
        assert model.q_sample(x, at, 0 * one).item() == pytest.approx(mean, rel=1e-4)
        noise = model.q_sample(0 * x, at, one).item()
        assert noise**2 == pytest.approx(variance, rel=1e-3)


class Everything(lampion.nn.Module):
    """Knows that the one picture is `picture`, and so knows the noise."""

    def __init__(self, picture):
        super().__init__()
        self.picture, self.kept = picture, None

    def forward(self, x, t):
        kept = self.kept[t].reshape(-1, 1)
        return (x - lampion.sqrt(kept) * self.picture) / lampion.sqrt(1 - kept)


def test_sampling_with_a_perfect_denoiser_gives_the_picture():
    lampion.manual_seed(0)
    picture = lampion.tensor([[0.5, -1.0, 2.0]])
    model = models.DDPM(Everything(picture), timesteps=50, beta_end=0.3)
    model.denoiser.kept = model.alphas_cumprod
    assert model(picture).item() == pytest.approx(0.0, abs=1e-8)
    assert lampion.allclose(model.sample((4, 3)), picture.expand(4, 3), atol=1e-3)


def test_the_denoiser_learns():
    lampion.manual_seed(0)
    model = models.DDPM(models.Denoiser(1, 8, timesteps=10), timesteps=10, beta_end=0.3)
    x = lampion.ones(8, 1, 8, 8)
    values = train(model, lambda: model(x), 12)
    assert np.mean(values[-3:]) < 0.8 * values[0]
