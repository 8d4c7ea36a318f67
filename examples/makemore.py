"""A recurrent network learns 32,000 first names and makes up more.

    python examples/makemore.py                     train, test, make up twenty names
    python examples/makemore.py --begin ka mi       names that begin like this
    python examples/makemore.py --quick             seconds, and less like names

After Karpathy's makemore and its lectures: the same names in the same three parts, so that the loss
can be compared. A GRU reads a name letter by letter and guesses the next letter, or the end.
"""

import argparse
import random
import time
from pathlib import Path

import charts
from progress import Progress, report

import lampion as torch
from lampion.models import RNNLanguageModel

F = torch.nn.functional
DATA = Path(__file__).resolve().parent.parent / "data" / "names" / "names.txt"
END, NOTHING = 0, -1  # what stands before and behind a name; behind that nothing is asked
REFERENCE = ("2.17 for a window of 3 letters, 1.99 for a WaveNet of 76,000 weights (Karpathy's "
             "lectures, the same split)")


def load(path):
    """Return the names in three parts, 80, 10 and 10 %, as Karpathy's lectures cut them."""
    names = path.read_text(encoding="utf-8").split()
    random.seed(42)
    random.shuffle(names)
    first, second = int(0.8 * len(names)), int(0.9 * len(names))
    return names[:first], names[first:second], names[second:]


def encode(names):
    """Return inputs and targets, (longest + 1, N): the end sign, then the letters 1 to 26."""
    longest = max(len(name) for name in names)
    x, y = [], []
    for name in names:
        letters = [ord(letter) - ord("a") + 1 for letter in name]
        rest = longest - len(name)
        x.append([END, *letters] + [END] * rest)
        y.append([*letters, END] + [NOTHING] * rest)
    return torch.tensor(x).t().contiguous(), torch.tensor(y).t().contiguous()


def loss_of(model, x, y, reduction="mean"):
    scores, _ = model(x, model.init_hidden(x.shape[1]))
    return F.cross_entropy(
        scores.flatten(0, 1), y.flatten(), ignore_index=NOTHING, reduction=reduction)


def train(model, x, y, epochs, batch_size=64, learning_rate=5e-3):
    count = x.shape[1]
    steps = count // batch_size
    optimizer = torch.optim.AdamW(model.parameters(), lr=learning_rate, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, max_lr=learning_rate, total_steps=steps * epochs, pct_start=0.1)
    progress, losses = Progress(epochs, steps), []
    model.train()
    for epoch in range(epochs):
        order = torch.randperm(count)
        for step in range(steps):
            rows = order[step * batch_size : (step + 1) * batch_size]
            loss = loss_of(model, x[:, rows], y[:, rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            if step % 20 == 0 or step == steps - 1:
                losses.append(loss.item())
                progress.show(epoch, step, loss=losses[-1])
    return losses


@torch.no_grad()
def mean_loss(model, x, y):
    """Return the mean cross-entropy of the next letter, or the end, in nats."""
    model.eval()
    total = sum(
        loss_of(model, x[:, start : start + 800], y[:, start : start + 800], "sum").item()
        for start in range(0, x.shape[1], 800))
    return total / int((y != NOTHING).sum())


@torch.no_grad()
def make_up(model, beginnings, longest=20):
    """Draw names, letter by letter and all at once, that begin as given."""
    model.eval()
    state = model.init_hidden(len(beginnings))
    names = ["" for _ in beginnings]
    letters = torch.zeros(1, len(names), dtype=torch.long)
    for place in range(longest):
        scores, state = model(letters, state)
        drawn = torch.multinomial(torch.softmax(scores[0], dim=1), 1).flatten().tolist()
        for row, beginning in enumerate(beginnings):
            if place < len(beginning):
                drawn[row] = ord(beginning[place]) - ord("a") + 1
            elif place and not names[row][place - 1 :]:
                drawn[row] = END  # it has ended before
            if drawn[row] != END:
                names[row] += chr(drawn[row] + ord("a") - 1)
        letters = torch.tensor([drawn])
    return names


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=12, help="default: 12")
    parser.add_argument("--hidden", type=int, default=128, help="features of the state")
    parser.add_argument("--limit", type=int, help="train on the first LIMIT names only")
    parser.add_argument("--quick", action="store_true", help="a small network, one epoch")
    parser.add_argument("--seed", type=int, default=1, help="default: 1")
    parser.add_argument("--begin", nargs="*", default=[""] * 20, help="how names are to begin")
    parser.add_argument("--data", type=Path, default=DATA, help="a file of names in small letters")
    parser.add_argument("--out", type=Path, default=Path("runs/makemore"), help="where files go")
    options = parser.parse_args()
    if options.quick:
        options.epochs, options.hidden = 1, 64
    options.out.mkdir(parents=True, exist_ok=True)

    torch.manual_seed(options.seed)
    first, second, _ = load(options.data)
    known = {*first, *second}
    x, y = encode(first[: options.limit])
    model = RNNLanguageModel("GRU", 27, 32, options.hidden, 1, dropout=0.1)
    weights = sum(parameter.numel() for parameter in model.parameters())
    print(f"GRU: {weights:,} weights, {x.shape[1]:,} names, {options.epochs} epochs")

    started = time.perf_counter()
    losses = train(model, x, y, options.epochs)
    seconds = time.perf_counter() - started
    loss = mean_loss(model, *encode(second))

    made = make_up(model, options.begin)
    print("\n" + "\n".join(f"{name}{'' if name in known else '  (new)'}" for name in made) + "\n")
    torch.save(model.state_dict(), options.out / "makemore.pt")
    charts.lines(options.out / "loss.png", {"training": losses}, "Learning names",
                 "every twentieth step", "nats a letter")
    print(f"the loss over time:  {options.out / 'loss.png'}")
    print(f"the trained model:   {options.out / 'makemore.pt'}")
    report("validation loss", f"{loss:.4f} nats a letter", REFERENCE, seconds)


if __name__ == "__main__":
    main()
