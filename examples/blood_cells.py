"""A small detector finds blood cells: red ones, white ones, platelets.

    python examples/blood_cells.py

A single-shot detector (Liu et al. 2016) looks once at a picture, halved to 128x128, and says for
each of 1,728 anchors what is there and where exactly. Trained on 292 photographs; the figure is the
mean average precision at an overlap of 0.5 on the 72 of the test.
"""

import argparse
import io
import sys
import tarfile
import time
from pathlib import Path

import numpy as np
from progress import Progress, report
from sheets import draw_box, write_sheet

import lampion as torch
from lampion.models import SingleShotDetector
from lampion.models.detector import match_anchors, multibox_loss
from lampion.vision.detection import mean_average_precision

ROOT = Path(__file__).resolve().parent.parent
DATA = ROOT / "data" / "bccd" / "bccd_320x240.tar.xz"
CLASSES = ("background", "RBC", "WBC", "Platelets")
COLOURS = (None, (220, 40, 40), (40, 90, 230), (20, 150, 60))
SIZE = 128
REFERENCE = ("0.924 by YOLOv8n (10.1049/cvi2.12341), at full resolution, pre-trained, another "
             "split of the same photographs")


def load(path):
    """Return {split: (pictures N x 3 x SIZE x SIZE, [boxes, labels])}; boxes in parts of 1."""
    try:
        from PIL import Image
    except ImportError:
        sys.exit("the photographs are JPEG files, which need Pillow: "
                 "pip install 'lampion[examples]'")
    with tarfile.open(path) as archive:
        files = {Path(m.name).name: archive.extractfile(m).read() for m in archive if m.isfile()}
    cells = {}
    for line in files.pop("boxes.tsv").decode().splitlines()[1:]:
        name, split, kind, *corners = line.split("\t")
        box = np.array(corners, dtype=np.float32) / [320, 240, 320, 240]
        if (box[2:] > box[:2]).all():
            cells.setdefault((split, name), []).append((box, CLASSES.index(kind)))
    sets = {}
    for (split, name), found in sorted(cells.items()):
        with Image.open(io.BytesIO(files[f"{name}.jpg"])) as image:
            small = image.convert("RGB").resize((SIZE, SIZE), Image.Resampling.BOX)
        pictures, targets = sets.setdefault("test" if split == "test" else "train", ([], []))
        pictures.append(np.asarray(small).transpose(2, 0, 1))
        targets.append({"boxes": torch.tensor(np.stack([box for box, _ in found])).float(),
                        "labels": torch.tensor([label for _, label in found])})
    return {split: (torch.from_numpy(np.stack(pictures)), targets)
            for split, (pictures, targets) in sets.items()}


def prepare(pictures):
    """Bytes 0 to 255 -> about -1 to 1."""
    return pictures.float() / 127.5 - 1


def mirrored_anchors(anchors, axis):
    """Return for each anchor the number of the one that lies where its mirror image is."""
    boxes = anchors.numpy().copy()
    other = boxes.copy()
    other[:, axis], other[:, axis + 2] = 1 - boxes[:, axis + 2], 1 - boxes[:, axis]
    keys = {tuple(box): number for number, box in enumerate(boxes.round(4).tolist())}
    return torch.tensor([keys[tuple(box)] for box in other.round(4).tolist()])


def train(model, pictures, targets, epochs, batch_size, learning_rate=4e-3):
    matched = [match_anchors(model.anchors, t["boxes"], t["labels"]) for t in targets]
    classes = torch.stack([kinds for kinds, _ in matched])
    wanted = torch.stack([offsets for _, offsets in matched])
    mirrors = [mirrored_anchors(model.anchors, axis) for axis in (0, 1)]
    steps = len(pictures) // batch_size
    optimizer = torch.optim.AdamW(model.parameters(), lr=learning_rate, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, max_lr=learning_rate, total_steps=epochs * steps)
    progress = Progress(epochs, steps)
    model.train()
    for epoch in range(epochs):
        order = torch.randperm(len(pictures))
        for step in range(steps):
            rows = order[step * batch_size : (step + 1) * batch_size]
            x, kinds, offsets = prepare(pictures[rows]), classes[rows], wanted[rows]
            for axis, mirror in enumerate(mirrors):  # left and right, up and down
                if torch.rand(()).item() < 0.5:
                    sign = torch.tensor([-1.0 if place == axis else 1.0 for place in range(4)])
                    x, kinds = x.flip(3 - axis), kinds[:, mirror]
                    offsets = offsets[:, mirror] * sign
            loss = multibox_loss(*model(x), kinds, offsets)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            if step % 5 == 0 or step == steps - 1:
                progress.show(epoch, step, loss=loss.item())


def detect(model, pictures):
    model.eval()
    return [found for part in pictures.split(24)
            for found in model.detect(prepare(part), score_threshold=0.03, iou_threshold=0.45)]


def draw(path, pictures, found, threshold=0.4):
    """Write pictures, three times as large, with what was found in them."""
    drawn = []
    for picture, cells in zip(pictures.numpy(), found):
        large = picture.transpose(1, 2, 0).repeat(3, 0).repeat(4, 1).copy()  # 4:3, as it was
        corners = cells["boxes"].numpy() * (4 * SIZE, 3 * SIZE, 4 * SIZE, 3 * SIZE)
        for box, score, label in zip(corners, cells["scores"].tolist(), cells["labels"].tolist()):
            if score >= threshold:
                draw_box(large, box, COLOURS[label], width=3)
        drawn.append(large)
    write_sheet(path, drawn, columns=2, gap=6)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=20, help="passes over the data (default: 20)")
    parser.add_argument("--batch-size", type=int, default=8, help="default: 8")
    parser.add_argument("--width", type=int, default=16, help="channels of the first layer")
    parser.add_argument("--limit", type=int, help="train on the first LIMIT photographs only")
    parser.add_argument("--quick", action="store_true", help="a narrow network, few photographs")
    parser.add_argument("--seed", type=int, default=0, help="default: 0")
    parser.add_argument("--data", type=Path, default=DATA, help="bccd_320x240.tar.xz")
    parser.add_argument("--out", type=Path, default=Path("runs/blood_cells"), help="for files")
    options = parser.parse_args()
    if options.quick:
        options.epochs, options.width, options.limit = 4, 8, 96
    options.out.mkdir(parents=True, exist_ok=True)

    torch.manual_seed(options.seed)
    sets = load(options.data)
    pictures, targets = (part[: options.limit] for part in sets["train"])
    unseen, truth = (part[: 24 if options.quick else None] for part in sets["test"])
    model = SingleShotDetector(len(CLASSES) - 1, SIZE, width=options.width,
                               scales=((0.075, 0.19), 0.36), ratios=(0.75, 1.2, 0.48))
    weights = sum(parameter.numel() for parameter in model.parameters())
    print(f"detector: {weights:,} weights, {len(model.anchors):,} anchors; {len(pictures)} "
          f"photographs, {options.epochs} epochs")
    started = time.process_time()
    train(model, pictures, targets, options.epochs, options.batch_size)
    seconds = time.process_time() - started

    found = detect(model, unseen)
    mean, each = mean_average_precision(found, truth)
    draw(options.out / "cells.png", unseen[:6], found[:6])
    torch.save(model.state_dict(), options.out / "detector.pt")
    print("\naverage precision: " + ", ".join(
        f"{CLASSES[label]} {value:.3f}" for label, value in each.items()))
    print(f"the cells found:    {options.out / 'cells.png'}")
    print("                    (red cells red, white ones blue, platelets green)")
    print(f"the trained model:  {options.out / 'detector.pt'}")
    report("mAP at 0.5", f"{mean:.3f}", REFERENCE, seconds)


if __name__ == "__main__":
    main()
