"""A variational autoencoder learns handwritten digits and draws new ones.

    python examples/vae.py

The network of Kingma and Welling (Auto-encoding variational Bayes, 2014) in the size that PyTorch's
own example has: 784 -> 400 -> a normal distribution over 20 numbers -> 400 -> 784. The figure is
the negative lower bound of the likelihood, in nats a test picture: lower is better.
"""

import argparse
import time
from pathlib import Path

import numpy as np
from progress import Progress, report
from sheets import to_bytes, write_sheet

import lampion as torch
from lampion.models import VAE
from lampion.models.autoencoder import negative_elbo
from lampion.vision import mnist

ROOT = Path(__file__).resolve().parent.parent
REFERENCE = ("106.66 after 7 epochs, the same network and split (a log in pull request 1416 of "
             "pytorch/examples)")


def load(folder, train):
    """Return pictures as rows of 784 numbers, 0 to 1."""
    pictures, _ = mnist.load(folder, train)
    return torch.from_numpy(pictures.reshape(len(pictures), -1)).float() / 255


def train(model, pictures, epochs, batch_size, learning_rate=1e-3):
    optimizer = torch.optim.Adam(model.parameters(), lr=learning_rate)
    steps = len(pictures) // batch_size
    progress = Progress(epochs, steps)
    model.train()
    for epoch in range(epochs):
        order = torch.randperm(len(pictures))
        for step in range(steps):
            x = pictures[order[step * batch_size : (step + 1) * batch_size]]
            loss = negative_elbo(*reconstruct(model, x))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            if step % 20 == 0 or step == steps - 1:
                progress.show(epoch, step, loss=loss.item())


def reconstruct(model, x):
    """Return logits, x, mean and log variance: what `negative_elbo` wants."""
    logits, mean, log_variance = model(x)
    return logits, x, mean, log_variance


@torch.no_grad()
def mean_loss(model, pictures, batch_size=1000):
    model.eval()
    losses = [negative_elbo(*reconstruct(model, x)).item() for x in pictures.split(batch_size)]
    return float(np.mean(losses))


@torch.no_grad()
def draw(model, pictures, out):
    """Write new digits, digits beside what became of them, and a walk from one to another."""
    write_sheet(out / "samples.png", to_bytes(model.sample(100).reshape(-1, 1, 28, 28)), scale=2)
    again = torch.sigmoid(model(pictures[:20])[0])
    pairs = torch.cat([pictures[:10], again[:10], pictures[10:20], again[10:]])
    write_sheet(out / "reconstructions.png", to_bytes(pairs.reshape(-1, 1, 28, 28)), scale=2)
    code = model.encode(pictures[:10])[0]
    share = torch.linspace(0, 1, 10)[None, :, None]
    walk = (1 - share) * code[:5, None] + share * code[5:, None]  # 5 walks of 10 steps
    between = torch.sigmoid(model.decoder(walk.flatten(0, 1)))
    write_sheet(out / "walks.png", to_bytes(between.reshape(-1, 1, 28, 28)), scale=2)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=7, help="passes over the data (default: 7)")
    parser.add_argument("--batch-size", type=int, default=128, help="default: 128")
    parser.add_argument("--limit", type=int, help="train on the first LIMIT pictures only")
    parser.add_argument("--quick", action="store_true", help="one pass over 12,800 pictures")
    parser.add_argument("--seed", type=int, default=1, help="default: 1")
    parser.add_argument("--data", type=Path, default=ROOT / "data" / "mnist", help="MNIST's folder")
    parser.add_argument("--out", type=Path, default=Path("runs/vae"), help="where files go")
    options = parser.parse_args()
    if options.quick:
        options.epochs, options.limit, options.batch_size = 1, 12_800, 32
    options.out.mkdir(parents=True, exist_ok=True)

    torch.manual_seed(options.seed)
    pictures = load(options.data, train=True)[: options.limit]
    model = VAE(784, 400, 20)
    weights = sum(parameter.numel() for parameter in model.parameters())
    print(f"VAE: {weights:,} weights, {len(pictures):,} pictures, {options.epochs} epochs")

    started = time.process_time()
    train(model, pictures, options.epochs, options.batch_size)
    seconds = time.process_time() - started

    unseen = load(options.data, train=False)
    loss = mean_loss(model, unseen)
    draw(model, unseen, options.out)
    torch.save(model.state_dict(), options.out / "vae.pt")
    print(f"\nnew digits:               {options.out / 'samples.png'}")
    print(f"digits and their copies:  {options.out / 'reconstructions.png'}")
    print(f"from one to another:      {options.out / 'walks.png'}")
    print(f"the trained model:        {options.out / 'vae.pt'}")
    report("test loss", f"{loss:.2f} nats a picture", REFERENCE, seconds)


if __name__ == "__main__":
    main()
