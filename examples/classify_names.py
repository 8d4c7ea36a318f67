"""A recurrent network says from which of 18 languages a surname is.

    python examples/classify_names.py                       train, test, draw the confusion matrix
    python examples/classify_names.py --ask Satoshi Rossi   and what it says about these names
    python examples/classify_names.py --quick               seconds, and worse

The names are those of the PyTorch tutorial "Classifying names with a character-level RNN". A GRU
reads a name in both directions; every fifth name is kept for the test. Some cannot be told: 3 % of
the names occur in several languages.
"""

import argparse
import time
import unicodedata
from pathlib import Path

import charts
from progress import Progress, report

import lampion as torch

nn, F = torch.nn, torch.nn.functional
DATA = Path(__file__).resolve().parent.parent / "data" / "names" / "by_language"
LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ '-,./:"
REFERENCE = "none published; 52 % by always saying Russian"


def plain(name):
    """Take the accents off, as the tutorial does: letters must not give the language away.

    >>> plain("Ślusàrski")
    'Slusarski'
    """
    parts = unicodedata.normalize("NFD", name)
    return "".join(letter for letter in parts if letter in LETTERS)


def encode(names):
    """Return names as numbers, N x longest, filled up with 0, and their lengths."""
    numbers = {letter: place + 1 for place, letter in enumerate(LETTERS)}
    longest = max(len(name) for name in names)
    rows = [[numbers[x] for x in name] + [0] * (longest - len(name)) for name in names]
    return torch.tensor(rows), torch.tensor([len(name) for name in names])


def load(folder):
    """Return names, the number of each one's language, and the languages; no pair twice."""
    files = sorted(folder.glob("*.txt"))
    if not files:
        raise SystemExit(f"there are no .txt files in {folder}")
    pairs = []
    for number, file in enumerate(files):
        lines = file.read_text(encoding="utf-8").splitlines()
        pairs += [(name, number) for name in sorted({plain(line.strip()) for line in lines} - {""})]
    names, labels = zip(*pairs)
    return list(names), torch.tensor(labels), [file.stem for file in files]


class Classifier(nn.Module):
    """Letters -> embedding -> GRU in both directions -> its last states -> a score a language.

    Shape:
        names (N, T), lengths (N,) -> scores (N, languages)
    """

    def __init__(self, languages, hidden):
        super().__init__()
        self.embedding = nn.Embedding(len(LETTERS) + 1, 32, padding_idx=0)
        self.gru = nn.GRU(32, hidden, batch_first=True, bidirectional=True)
        self.drop = nn.Dropout(0.3)
        self.output = nn.Linear(2 * hidden, languages)

    def forward(self, names, lengths):
        letters = nn.utils.rnn.pack_padded_sequence(
            self.embedding(names), lengths, batch_first=True, enforce_sorted=False)
        _, last = self.gru(letters)
        return self.output(self.drop(torch.cat([last[0], last[1]], dim=1)))


def train(model, names, lengths, labels, epochs, batch_size=64, learning_rate=4e-3):
    steps = -(-len(labels) // batch_size)
    optimizer = torch.optim.Adam(model.parameters(), lr=learning_rate)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, max_lr=learning_rate, total_steps=steps * epochs)
    progress = Progress(epochs, steps)
    model.train()
    for epoch in range(epochs):
        order = torch.randperm(len(labels))
        for step in range(steps):
            rows = order[step * batch_size : (step + 1) * batch_size]
            scores = model(names[rows], lengths[rows])
            loss = F.cross_entropy(scores, labels[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            if step % 10 == 0 or step == steps - 1:
                right = (scores.argmax(1) == labels[rows]).float().mean()
                progress.show(epoch, step, loss=loss.item(), accuracy=right.item())


@torch.no_grad()
def predict(model, names, lengths):
    """Return the probability of every language for every name."""
    model.eval()
    starts = range(0, len(names), 1000)
    return torch.cat([
        torch.softmax(model(names[start : start + 1000], lengths[start : start + 1000]), dim=1)
        for start in starts])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=10, help="default: 10")
    parser.add_argument("--hidden", type=int, default=128, help="features of the state")
    parser.add_argument("--limit", type=int, help="train on LIMIT names only")
    parser.add_argument("--quick", action="store_true", help="a small network, two epochs")
    parser.add_argument("--seed", type=int, default=1, help="default: 1")
    parser.add_argument("--ask", nargs="*", default=["Satoshi", "Rossi", "Nguyen", "Dostoevsky"])
    parser.add_argument("--data", type=Path, default=DATA, help="a folder of LANGUAGE.txt files")
    parser.add_argument("--out", type=Path, default=Path("runs/classify_names"))
    options = parser.parse_args()
    if options.quick:
        options.epochs, options.hidden = 2, 48
    options.out.mkdir(parents=True, exist_ok=True)

    torch.manual_seed(options.seed)
    names, labels, languages = load(options.data)
    numbers, lengths = encode(names)
    order = torch.randperm(len(names))
    test, rest = order[: len(order) // 5], order[len(order) // 5 :][: options.limit]
    model = Classifier(len(languages), options.hidden)
    weights = sum(parameter.numel() for parameter in model.parameters())
    print(f"GRU: {weights:,} weights, {len(rest):,} names of {len(languages)} languages")

    started = time.perf_counter()
    train(model, numbers[rest], lengths[rest], labels[rest], options.epochs)
    seconds = time.perf_counter() - started

    truth, said = labels[test], predict(model, numbers[test], lengths[test]).argmax(1)
    accuracy = (truth == said).float().mean().item()
    counts = torch.zeros(len(languages), len(languages))
    counts.index_put_((truth, said), torch.ones(len(truth)), accumulate=True)
    shares = counts / counts.sum(1, keepdim=True).clamp(min=1)
    charts.heat_map(
        options.out / "confusion.png", shares.numpy(), languages, languages,
        "From which language is the name?", "the network says", "it is")
    print("\nlanguage      names in test   found")
    for number, language in enumerate(languages):
        print(f"{language:<14}{int(counts[number].sum()):>13} "
              f"{shares[number, number].item():>7.1%}")

    asked = [plain(name) for name in options.ask]
    print()
    for name, row in zip(options.ask, predict(model, *encode(asked))):
        best = row.topk(3)
        guesses = zip(best.indices.tolist(), best.values.tolist())
        print(f"{name:<14}" + ", ".join(f"{languages[n]} {p:.0%}" for n, p in guesses))
    torch.save(model.state_dict(), options.out / "classify_names.pt")
    print(f"\nthe confusion matrix:  {options.out / 'confusion.png'}")
    print(f"the trained model:     {options.out / 'classify_names.pt'}")
    print(f"mean over languages:   {shares.diagonal().mean().item():.1%}")
    report("test accuracy", f"{100 * accuracy:.2f} %", REFERENCE, seconds)


if __name__ == "__main__":
    main()
