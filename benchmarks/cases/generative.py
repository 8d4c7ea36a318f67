"""Networks that make pictures."""

from __future__ import annotations

from typing import Any

from .case import Program, Setting, case, cycle, learn, normal


@case("vae", "Variational autoencoder 784-400-20, batch 128, Adam", reference=4.7)
def vae(torch: Any, setting: Setting) -> Program:
    nn, F = torch.nn, torch.nn.functional

    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.fc1, self.fc3 = nn.Linear(784, 400), nn.Linear(20, 400)
            self.mean, self.spread = nn.Linear(400, 20), nn.Linear(400, 20)
            self.fc4 = nn.Linear(400, 784)

        def forward(self, x, noise):
            hidden = F.relu(self.fc1(x))
            mean, logvar = self.mean(hidden), self.spread(hidden)
            z = mean + noise * torch.exp(0.5 * logvar)
            return torch.sigmoid(self.fc4(F.relu(self.fc3(z)))), mean, logvar

    model = Model()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    size = setting.size(128, 8)
    rows = cycle(torch, lambda r: r.random((size, 784), dtype="float32"))
    noise = setting.noise(torch, size, 20)

    def step() -> float:
        (x,) = next(rows)
        made, mean, logvar = model(x, noise())
        rebuilt = F.binary_cross_entropy(made, x, reduction="sum")
        divergence = -0.5 * torch.sum(1 + logvar - mean.pow(2) - logvar.exp())
        return learn(optimizer, rebuilt + divergence)

    return Program([model], step)


@case("dcgan", "DCGAN on 32x32: two networks, two optimizers, batch 32, Adam")
def dcgan(torch: Any, setting: Setting) -> Program:
    nn = torch.nn
    width, size = setting.size(32, 4), setting.size(32, 4)
    generator = nn.Sequential(
        nn.ConvTranspose2d(64, 4 * width, 4, 1, 0, bias=False), nn.BatchNorm2d(4 * width),
        nn.ReLU(), nn.ConvTranspose2d(4 * width, 2 * width, 4, 2, 1, bias=False),
        nn.BatchNorm2d(2 * width), nn.ReLU(),
        nn.ConvTranspose2d(2 * width, width, 4, 2, 1, bias=False), nn.BatchNorm2d(width),
        nn.ReLU(), nn.ConvTranspose2d(width, 3, 4, 2, 1, bias=False), nn.Tanh())
    critic = nn.Sequential(
        nn.Conv2d(3, width, 4, 2, 1, bias=False), nn.LeakyReLU(0.2),
        nn.Conv2d(width, 2 * width, 4, 2, 1, bias=False), nn.BatchNorm2d(2 * width),
        nn.LeakyReLU(0.2), nn.Conv2d(2 * width, 4 * width, 4, 2, 1, bias=False),
        nn.BatchNorm2d(4 * width), nn.LeakyReLU(0.2),
        nn.Conv2d(4 * width, 1, 4, 1, 0, bias=False), nn.Flatten(0))
    first, second = (torch.optim.Adam(m.parameters(), lr=2e-4, betas=(0.5, 0.999))
                     for m in (critic, generator))
    rows = cycle(torch, lambda r: normal(r, size, 3, 32, 32).clip(-1, 1))
    noise = setting.noise(torch, size, 64, 1, 1)
    criterion = nn.BCEWithLogitsLoss()
    real, fake = torch.ones(size), torch.zeros(size)

    def step() -> float:
        (x,) = next(rows)
        critic.zero_grad()
        loss_real = criterion(critic(x), real)
        loss_real.backward()
        made = generator(noise())
        loss_fake = criterion(critic(made.detach()), fake)
        loss_fake.backward()
        first.step()
        generator.zero_grad()
        loss = criterion(critic(made), real)
        loss.backward()
        second.step()
        return (loss_real + loss_fake).item() + loss.item()

    return Program([generator, critic], step)


@case("conv-autoencoder", "Convolutional autoencoder on 28x28, batch 64, Adam", reference=4.6)
def conv_autoencoder(torch: Any, setting: Setting) -> Program:
    nn = torch.nn
    model = nn.Sequential(
        nn.Conv2d(1, 16, 3, stride=2, padding=1), nn.ReLU(),
        nn.Conv2d(16, 8, 3, stride=2, padding=1), nn.ReLU(),
        nn.ConvTranspose2d(8, 16, 3, stride=2, padding=1, output_padding=1), nn.ReLU(),
        nn.ConvTranspose2d(16, 1, 3, stride=2, padding=1, output_padding=1), nn.Sigmoid())
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    size = setting.size(64, 4)
    rows = cycle(torch, lambda r: r.random((size, 1, 28, 28), dtype="float32"))

    def step() -> float:
        (x,) = next(rows)
        return learn(optimizer, nn.functional.mse_loss(model(x), x))

    return Program([model], step)
