"""Diffusion draws digits out of noise.

    python examples/ddpm.py

Ho, Jain and Abbeel: Denoising diffusion probabilistic models, 2020: a U-Net learns to guess the
noise in a picture (equation 14); 1,000 small steps lead from pure noise to a digit. The figure is
the mean squared error of the guess on the test pictures: 1 for a network that guesses nothing. The
short training draws strokes more than digits; `--epochs 10 --width 32 --limit 60000` takes longer.
"""

import argparse
import time
from pathlib import Path

from digit_judge import Judge
from progress import Progress, report
from sheets import to_bytes, write_sheet

import lampion as torch
from lampion.models import DDPM, Denoiser
from lampion.vision import mnist

ROOT = Path(__file__).resolve().parent.parent
REFERENCE = ("training loss 0.099 after 3, 0.062 after 15 epochs, a U-Net of 324,705 weights "
             "(soveshmohapatra.com/projects/diffusion-benchmark)")


def load(folder, train, size=28, limit=None):
    """Return pictures (N x 1 x size x size), -1 to 1; 14 is the mean of four pixels."""
    pictures, _ = mnist.load(folder, train)
    pictures = torch.from_numpy(pictures[:limit, None]).float() / 127.5 - 1
    return torch.nn.functional.avg_pool2d(pictures, 28 // size)


def train(model, pictures, epochs, batch_size, learning_rate):
    steps = len(pictures) // batch_size
    optimizer = torch.optim.Adam(model.parameters(), lr=learning_rate)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, max_lr=learning_rate, total_steps=steps * epochs)
    progress = Progress(epochs, steps)
    model.train()
    for epoch in range(epochs):
        order = torch.randperm(len(pictures))
        for step in range(steps):
            loss = model(pictures[order[step * batch_size : (step + 1) * batch_size]])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            if step % 10 == 0 or step == steps - 1:
                progress.show(epoch, step, loss=loss.item())


@torch.no_grad()
def mean_error(model, pictures, batch_size=500):
    model.eval()
    errors = [model(x).item() for x in pictures.split(batch_size)]
    return sum(errors) / len(errors)


@torch.no_grad()
def sample(model, count, size):
    """Return new pictures, 0 to 1, and what the first ten looked like on the way."""
    model.eval()
    x, way = torch.randn(count, 1, size, size), []
    progress = Progress(1, model.timesteps)
    for step in reversed(range(model.timesteps)):
        x = model.p_sample(x, step)
        progress.show(0, model.timesteps - 1 - step, deviation=x.std().item())
        if step in (800, 600, 400, 300, 200, 100, 50, 0):
            way.append(x[:10])
    return (x + 1) / 2, (torch.cat(way) + 1) / 2


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=1, help="passes over the data (default: 1)")
    parser.add_argument("--batch-size", type=int, default=64, help="default: 64")
    parser.add_argument("--width", type=int, default=16, help="channels at full size")
    parser.add_argument("--size", type=int, default=28, choices=(14, 28), help="of the pictures")
    parser.add_argument("--samples", type=int, default=50, help="digits drawn (default: 50)")
    parser.add_argument("--limit", type=int, default=30_000, help="pictures (default: 30000)")
    parser.add_argument("--quick", action="store_true", help="one pass over 6,000 small pictures")
    parser.add_argument("--seed", type=int, default=0, help="default: 0")
    parser.add_argument("--data", type=Path, default=ROOT / "data" / "mnist", help="MNIST's folder")
    parser.add_argument("--out", type=Path, default=Path("runs/ddpm"), help="where files go")
    options = parser.parse_args()
    if options.quick:
        options.epochs, options.limit, options.size, options.samples = 1, 6000, 14, 10
    options.out.mkdir(parents=True, exist_ok=True)

    torch.manual_seed(options.seed)
    pictures = load(options.data, True, options.size, options.limit)
    model = DDPM(Denoiser(1, options.width))
    weights = sum(parameter.numel() for parameter in model.parameters())
    print(f"denoiser: {weights:,} weights, {len(pictures):,} pictures, {options.epochs} epochs")
    started = time.process_time()
    train(model, pictures, options.epochs, options.batch_size, learning_rate=2e-3)
    seconds = time.process_time() - started

    unseen = load(options.data, False, options.size, 2000 if options.quick else None)
    error = mean_error(model, unseen)
    print(f"drawing {options.samples} digits")
    drawn, way = sample(model, options.samples, options.size)
    write_sheet(options.out / "samples.png", to_bytes(drawn), scale=56 // options.size)
    write_sheet(options.out / "from_noise.png", to_bytes(way), scale=56 // options.size)
    torch.save(model.state_dict(), options.out / "ddpm.pt")
    if not options.quick and options.size == 28:
        judge = Judge(options.data, 19_000)
        print(f"score {judge.score(drawn):.2f} of 10; as many real digits: "
              f"{judge.score((unseen[:options.samples] + 1) / 2):.2f}")
        print(f"drawn of each digit, 0 to 9: {judge.count(drawn).tolist()}")
    print(f"\nnew digits:         {options.out / 'samples.png'}")
    print(f"how they came up:   {options.out / 'from_noise.png'}")
    print(f"the trained model:  {options.out / 'ddpm.pt'}")
    report("test error of the noise", f"{error:.4f}", REFERENCE, seconds)


if __name__ == "__main__":
    main()
