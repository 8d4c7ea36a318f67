"""LeNet-5 reads handwritten digits.

    python examples/lenet5.py                         train, test, show the mistakes, save the model
    python examples/classify_digit.py PICTURE         then: let the saved model read a picture

The network is that of LeCun, Bottou, Bengio and Haffner (Gradient-based learning applied to
document recognition, 1998, figure 2), with what was learnt since: rectifiers and maximum pooling
instead of tanh and subsampling, cross-entropy, Adam, and a learning rate that rises and then falls.
The network itself, with the paper's table of layers, is in src/lampion/models/lenet.py.
"""

import argparse
import sys
import time
from pathlib import Path

import numpy as np
from digit_pictures import as_text, contact_sheet
from progress import Progress, report

import lampion as torch
from lampion.models import LeNet5
from lampion.vision import mnist, write_png

F = torch.nn.functional
ROOT = Path(__file__).resolve().parent.parent
REFERENCE = "99.05 % (LeCun et al. 1998, section III, 20 epochs, the same split)"


def prepare(pictures):
    """Bytes 0 to 255 -> numbers of mean 0 and deviation 1 (0.1307 and 0.3081 are MNIST's own)."""
    return (pictures.float() / 255 - 0.1307) / 0.3081


def load(folder, train):
    """Return pictures (N x 1 x 28 x 28, uint8) and labels (N) as tensors."""
    pictures, labels = mnist.load(folder, train)
    return torch.from_numpy(pictures[:, None]), torch.from_numpy(labels)


def train(model, pictures, labels, epochs, batch_size, learning_rate=0.005):
    count = len(labels)
    steps = -(-count // batch_size)  # in one epoch, rounded up
    optimizer = torch.optim.Adam(model.parameters(), lr=learning_rate)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, max_lr=learning_rate, total_steps=steps * epochs
    )
    progress = Progress(epochs, steps)
    model.train()
    for epoch in range(epochs):
        order = torch.randperm(count)
        for step in range(steps):
            rows = order[step * batch_size : (step + 1) * batch_size]
            x, y = prepare(pictures[rows]), labels[rows]

            scores = model(x)
            loss = F.cross_entropy(scores, y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()

            if step % 10 == 0 or step == steps - 1:
                right = (scores.argmax(1) == y).float().mean()
                progress.show(epoch, step, loss=loss.item(), accuracy=right.item())


def predict(model, pictures, batch_size=1000):
    """Return the digit with the highest score for each picture."""
    model.eval()
    digits = []
    with torch.no_grad():
        for start in range(0, len(pictures), batch_size):
            scores = model(prepare(pictures[start : start + batch_size]))
            digits.append(scores.argmax(1).numpy())
    return np.concatenate(digits)


def print_confusion(truth, predicted):
    """Print how often each digit (row) was read as each digit (column)."""
    counts = np.zeros((10, 10), dtype=int)
    np.add.at(counts, (truth, predicted), 1)
    print("\nEach row: the digit it is. Each column: the digit it was read as.\n")
    print("      " + "".join(f"{digit:>5}" for digit in range(10)) + "    right")
    for digit, row in enumerate(counts):
        cells = "".join(f"{count or '.':>5}" for count in row)
        print(f"    {digit} {cells}  {row[digit] / max(row.sum(), 1):7.2%}")


def show_mistakes(pictures, truth, predicted, path):
    """Write all misread digits to one picture, print three of them."""
    wrong = np.flatnonzero(truth != predicted)
    if len(wrong) == 0:
        print("\nNo digit was misread.")
        return
    sheet = contact_sheet(pictures[wrong[:200]], truth[wrong[:200]], predicted[wrong[:200]])
    write_png(path, sheet)
    print(f"\n{len(wrong)} digits were misread; three of them:\n")
    columns = [as_text(pictures[index]).splitlines() for index in wrong[:3]]
    titles = [f"{truth[index]}, read as {predicted[index]}" for index in wrong[:3]]
    print("   ".join(f"{title:<28}" for title in titles).rstrip())
    for line in zip(*columns):
        print("   ".join(line).rstrip())


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=3, help="passes over the data (default: 3)")
    parser.add_argument("--batch-size", type=int, default=128, help="default: 128")
    parser.add_argument("--limit", type=int, help="train on the first LIMIT pictures only")
    parser.add_argument("--quick", action="store_true", help="one pass over 6,000 pictures")
    parser.add_argument("--seed", type=int, default=1998, help="default: 1998")
    parser.add_argument("--data", type=Path, default=ROOT / "data" / "mnist", help="MNIST's folder")
    parser.add_argument("--out", type=Path, default=Path("runs/lenet5"), help="where files go")
    options = parser.parse_args()
    if options.quick:
        options.limit, options.epochs, options.batch_size = 6000, 1, 32
    options.out.mkdir(parents=True, exist_ok=True)

    torch.manual_seed(options.seed)
    pictures, labels = load(options.data, train=True)
    pictures, labels = pictures[: options.limit], labels[: options.limit]
    model = LeNet5()
    weights = sum(parameter.numel() for parameter in model.parameters())
    print(f"LeNet-5: {weights:,} weights, {len(labels):,} pictures, {options.epochs} epochs")

    started = time.perf_counter()
    train(model, pictures, labels, options.epochs, options.batch_size)
    seconds = time.perf_counter() - started

    pictures, labels = load(options.data, train=False)
    truth, predicted = labels.numpy(), predict(model, pictures)
    accuracy = (truth == predicted).mean()
    images = pictures[:, 0].numpy()
    print_confusion(truth, predicted)
    show_mistakes(images, truth, predicted, options.out / "misread.png")
    print(f"\ntest accuracy: {accuracy:.2%} of {len(truth):,} pictures never seen in training")
    report("test accuracy", f"{accuracy:.2%}", REFERENCE, seconds)
    print()

    torch.save(model.state_dict(), options.out / "lenet5.pt")
    write_png(options.out / "digit.png", images[0])
    print(f"the misread digits:  {options.out / 'misread.png'}")
    print(f"the trained model:   {options.out / 'lenet5.pt'}")
    print("let it read a digit:")
    reader = Path(sys.argv[0]).with_name("classify_digit.py")
    print(f"    {sys.executable} {reader} {options.out / 'digit.png'}", end="")
    print("" if options.out == Path("runs/lenet5") else f" --model {options.out / 'lenet5.pt'}")


if __name__ == "__main__":
    main()
