"""Two networks play against each other until one draws digits.

    python examples/dcgan.py

The generator and the discriminator of Radford, Metz and Chintala (Unsupervised representation
learning with deep convolutional generative adversarial networks, 2016) with their settings (Adam,
0.0002, momentum 0.5), for pictures of 32x32. The figure is the score of Salimans et al. (2016) with
a LeNet-5 as the judge: 10 at best, 1 for noise.
"""

import argparse
import time
from pathlib import Path

from digit_judge import Judge
from progress import Progress, report
from sheets import to_bytes, write_sheet

import lampion as torch
from lampion.models import Discriminator, Generator
from lampion.models.gan import discriminator_loss, generator_loss
from lampion.vision import mnist

ROOT = Path(__file__).resolve().parent.parent
NOISE = 64


def load(folder, limit=None):
    """Return pictures (N x 1 x 32 x 32), -1 to 1: MNIST's with a margin of two pixels."""
    pictures, _ = mnist.load(folder, train=True)
    pictures = torch.from_numpy(pictures[:limit, None]).float() / 127.5 - 1
    return torch.nn.functional.pad(pictures, (2, 2, 2, 2), value=-1.0)


def train(generator, discriminator, pictures, epochs, batch_size, learning_rate):
    count = len(pictures)
    steps = count // batch_size
    optimizer_g, optimizer_d = (
        torch.optim.Adam(network.parameters(), lr=learning_rate, betas=(0.5, 0.999))
        for network in (generator, discriminator))
    progress = Progress(epochs, steps)
    for epoch in range(epochs):
        order = torch.randperm(count)
        for step in range(steps):
            real = pictures[order[step * batch_size : (step + 1) * batch_size]]
            fake = generator(torch.randn(batch_size, NOISE))

            loss_d = discriminator_loss(discriminator(real), discriminator(fake.detach()))
            optimizer_d.zero_grad()
            loss_d.backward()
            optimizer_d.step()

            loss_g = generator_loss(discriminator(fake))
            optimizer_g.zero_grad()
            loss_g.backward()
            optimizer_g.step()

            if step % 10 == 0 or step == steps - 1:
                progress.show(epoch, step, discriminator=loss_d.item(), generator=loss_g.item())


@torch.no_grad()
def draw(generator, noise):
    """Return pictures without the margin (N x 1 x 28 x 28), 0 to 1."""
    generator.eval()
    drawn = torch.cat([generator(part) for part in noise.split(250)])
    return (drawn[:, :, 2:-2, 2:-2] + 1) / 2


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=1, help="passes over the data (default: 1)")
    parser.add_argument("--batch-size", type=int, default=64, help="default: 64")
    parser.add_argument("--width", type=int, default=16, help="channels at full size")
    parser.add_argument("--limit", type=int, help="train on the first LIMIT pictures only")
    parser.add_argument("--quick", action="store_true", help="narrow networks, 10,000 pictures")
    parser.add_argument("--seed", type=int, default=0, help="default: 0")
    parser.add_argument("--data", type=Path, default=ROOT / "data" / "mnist", help="MNIST's folder")
    parser.add_argument("--out", type=Path, default=Path("runs/dcgan"), help="where files go")
    options = parser.parse_args()
    learning_rate = 2e-4
    if options.quick:
        options.epochs, options.limit, options.width, options.batch_size = 1, 10_000, 8, 32
        learning_rate = 1e-3
    options.out.mkdir(parents=True, exist_ok=True)

    torch.manual_seed(options.seed)
    pictures = load(options.data, options.limit)
    generator = Generator(NOISE, options.width, 1, image_size=32)
    discriminator = Discriminator(options.width, 1, image_size=32)
    weights = [sum(p.numel() for p in m.parameters()) for m in (generator, discriminator)]
    print(f"generator {weights[0]:,} weights, discriminator {weights[1]:,}; {len(pictures):,} "
          f"pictures, {options.epochs} epochs")
    started = time.process_time()
    train(generator, discriminator, pictures, options.epochs, options.batch_size, learning_rate)
    seconds = time.process_time() - started

    noise = torch.randn(500 if options.quick else 2000, NOISE)
    drawn = draw(generator, noise)
    write_sheet(options.out / "samples.png", to_bytes(drawn[:100]), scale=2)
    torch.save(generator.state_dict(), options.out / "generator.pt")
    judge = Judge(options.data, 6000 if options.quick else None)
    score, count = judge.score(drawn), len(drawn)
    real, _ = mnist.load(options.data, train=False)
    best = judge.score(torch.from_numpy(real[:count, None]).float() / 255)
    print(f"\ndrawn of each digit, 0 to 9: {judge.count(drawn).tolist()}")
    print(f"new digits:         {options.out / 'samples.png'}")
    print(f"the trained model:  {options.out / 'generator.pt'}")
    report("score", f"{score:.2f} of 10", f"{best:.2f} for as many real digits, by the same judge; "
           "none is published for this judge", seconds)


if __name__ == "__main__":
    main()
