"""What a network learnt from ImageNet helps it to tell flowers apart.

    python examples/transfer.py

MobileNet (Howard et al. 2017) at a quarter of its width, with Google's published weights, and 2,000
photographs of five kinds of flowers: first as it is, with a new last layer only; then all layers
trained further; and beside it the same network trained from nothing. The figure is the share of 500
unseen photographs that the second one names rightly.
"""

import argparse
import time
from pathlib import Path

import flowers
import numpy as np
from progress import Progress, report
from sheets import to_bytes, write_sheet

import lampion as torch
from lampion.models.mobilenet import MobileNet

F = torch.nn.functional
ROOT = Path(__file__).resolve().parent.parent
WEIGHTS = ROOT / "data" / "mobilenet" / "mobilenet_v1_0.25_128_uint8.npz"
REFERENCE = ("90 % for MobileNetV2 of full width (garuda.kemdikbud.go.id 5997986), another split "
             "of the 4,242 photographs these are from")


def prepare(pictures):
    """Bytes 0 to 255 -> -1 to 1, as the published weights want it."""
    return pictures.float() / 127.5 - 1


@torch.no_grad()
def load_published(model, path, pictures):
    """Give a MobileNet the published weights (whole numbers, normalisation folded in).

    Batch normalisation is unfolded again: its mean and variance are measured on some pictures,
    weight and bias chosen so that the layer does what it did. Then it can be trained further.
    """
    stored = np.load(path)
    model.eval()
    x = prepare(pictures)
    for number, layer in enumerate(model.features):
        scale, zero = stored[f"{number:02}.w_scale_zero"]
        weight = (stored[f"{number:02}.w"].astype(np.float32) - zero) * scale
        norm = layer[-2]
        layer[-3].weight.copy_(torch.from_numpy(weight))
        sums = layer[:-2](x)
        variance, mean = torch.var_mean(sums, dim=(0, 2, 3), correction=0)
        norm.running_mean.copy_(mean)
        norm.running_var.copy_(variance)
        norm.weight.copy_(torch.sqrt(variance + norm.eps))
        norm.bias.copy_(torch.from_numpy(stored[f"{number:02}.b"]) + mean)
        x = layer(x)


def train(model, pictures, labels, epochs, learning_rate, batch_size=32):
    """Train all layers, on mirrored and shifted pictures."""
    optimizer = torch.optim.AdamW(model.parameters(), lr=learning_rate, weight_decay=0.01)
    steps = len(labels) // batch_size
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, max_lr=learning_rate, total_steps=steps * epochs)
    progress = Progress(epochs, steps)
    model.train()
    for epoch in range(epochs):
        order = torch.randperm(len(labels))
        for step in range(steps):
            rows = order[step * batch_size : (step + 1) * batch_size]
            x, y = flowers.augment(prepare(pictures[rows]), shift=8), labels[rows]
            scores = model(x)
            loss = F.cross_entropy(scores, y, label_smoothing=0.1)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            if step % 5 == 0 or step == steps - 1:
                right = (scores.argmax(1) == y).float().mean()
                progress.show(epoch, step, loss=loss.item(), accuracy=right.item())


@torch.no_grad()
def features(model, pictures):
    """Return what the last layer sees: N x 256."""
    model.eval()
    return torch.cat([model.features(prepare(x)).mean((2, 3)) for x in pictures.split(100)])


def train_last_layer(layer, inputs, labels, epochs):
    """Train a linear layer on features that stay as they are."""
    optimizer = torch.optim.AdamW(layer.parameters(), lr=0.003, weight_decay=0.01)
    progress = Progress(1, epochs)
    for epoch in range(epochs):
        for rows in torch.randperm(len(labels)).split(100):
            loss = F.cross_entropy(layer(inputs[rows]), labels[rows], label_smoothing=0.1)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        progress.show(0, epoch, loss=loss.item())


@torch.no_grad()
def predict(model, pictures):
    model.eval()
    return torch.cat([model(prepare(x)).argmax(1) for x in pictures.split(100)])


def accuracy(model, pictures, labels):
    return (predict(model, pictures) == labels).float().mean().item()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=3, help="of all layers (default: 3)")
    parser.add_argument("--quick", action="store_true", help="a fifth of the pictures, 1 epoch")
    parser.add_argument("--seed", type=int, default=0, help="default: 0")
    parser.add_argument("--data", type=Path, default=flowers.DATA, help="flowers.tar.xz")
    parser.add_argument("--weights", type=Path, default=WEIGHTS, help="the published weights")
    parser.add_argument("--out", type=Path, default=Path("runs/transfer"), help="where files go")
    options = parser.parse_args()
    if options.quick:
        options.epochs = 1
    options.out.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(options.seed)

    x, y, unseen, truth = flowers.load(options.data, every=5 if options.quick else 1)
    model = MobileNet(len(flowers.CLASSES), width_mult=0.25)
    weights = sum(parameter.numel() for parameter in model.parameters())
    print(f"MobileNet: {weights:,} weights; {len(y):,} flowers, {len(truth)} for the test")
    started = time.process_time()

    print("only the last layer:")
    load_published(model, options.weights, x[:: len(y) // 200])
    train_last_layer(model.classifier[1], features(model, x), y, epochs=40)
    frozen = accuracy(model, unseen, truth)
    print("all layers:")
    train(model, x, y, options.epochs, learning_rate=1e-3)
    tuned = accuracy(model, unseen, truth)
    scratch = float("nan")
    if not options.quick:
        print("the same network from nothing:")
        other = MobileNet(len(flowers.CLASSES), width_mult=0.25)
        train(other, x, y, options.epochs, learning_rate=4e-3)
        scratch = accuracy(other, unseen, truth)
    seconds = time.process_time() - started

    right = predict(model, unseen[::5]) == truth[::5]
    frames = [(60, 200, 90) if good else (240, 90, 80) for good in right.tolist()]
    write_sheet(options.out / "flowers.png", to_bytes(unseen[::5].float() / 255), frames=frames)
    torch.save(model.state_dict(), options.out / "mobilenet.pt")
    print(f"\nonly the last layer  {frozen:6.1%}\nall layers           {tuned:6.1%}\n"
          f"from nothing         {scratch:6.1%}\n")
    print(f"right (green) and wrong:  {options.out / 'flowers.png'}")
    print(f"the trained model:        {options.out / 'mobilenet.pt'}")
    report("test accuracy, all layers trained", f"{tuned:.1%}", REFERENCE, seconds)


if __name__ == "__main__":
    main()
