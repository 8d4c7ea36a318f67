"""A convolutional network says whether a sentence praises or blames.

    python examples/sentiment.py                         five-fold test on 3,000 sentences
    python examples/sentiment.py --ask "What a waste of time."
    python examples/sentiment.py --data SST2             train.tsv, dev.tsv, test.tsv of SST-2
    python examples/sentiment.py --quick                 seconds: one fold, fewer epochs

The network is that of Kim ("Convolutional neural networks for sentence classification", 2014) with
word vectors that start at random: filters three, four and five words wide, the largest value of
each. Naive Bayes, which counts words, is measured beside it on the same sentences. SST-2, sentences
of film reviews, has no licence that would allow to bring it along; it can be had at
https://github.com/clairett/pytorch-sentiment-classification (data/SST2).
"""

import argparse
import re
import time
from collections import Counter
from pathlib import Path

import charts
import numpy as np
from progress import Progress, report

import lampion as torch

nn, F = torch.nn, torch.nn.functional
DATA = Path(__file__).resolve().parent.parent / "data" / "sentiment_sentences"
LONGEST = 48  # words; what is longer is cut
REFERENCES = {
    "sentences": "none on these folds; naive Bayes beside it",
    "sst2": "82.7 % (Kim 2014, CNN-rand, the same test, trained on phrases too)"}


def split(sentence):
    """Return words and marks in small letters.

    >>> split("Wasn't good!")
    ['was', "n't", 'good', '!']
    """
    return re.findall(r"\w+(?=n't)|n't|'\w+|\w+|[!?]", sentence.lower())


def read(path):
    """Return [(words, 0 or 1)] of a file of `sentence<TAB>label`."""
    lines = path.read_text(encoding="utf-8").split("\n")  # not at every sign that ends a line
    return [(split(sentence), int(label)) for sentence, label in
            (line.rsplit("\t", 1) for line in lines if "\t" in line)]


class Vocabulary:
    """Numbers for the words that occur at least twice: 0 fills up, 1 is any other word."""

    def __init__(self, sentences, least=2):
        counts = Counter(word for words, _ in sentences for word in words)
        kept = sorted(word for word in counts if counts[word] >= least)
        self.numbers = {word: number for number, word in enumerate(kept, 2)}

    def __len__(self):
        return len(self.numbers) + 2

    def encode(self, sentences):
        rows = [[self.numbers.get(word, 1) for word in words[:LONGEST]] for words, _ in sentences]
        x = torch.tensor([row + [0] * (LONGEST - len(row)) for row in rows])
        return x, torch.tensor([label for _, label in sentences])


class TextCNN(nn.Module):
    """Words -> vectors -> filters of several widths -> the largest value of each -> two scores.

    Shape:
        words (N, T) -> scores (N, 2)

    Source: Kim 2014, figure 1; dropout 0.5 before the scores as in section 3.1.
    """

    def __init__(self, words, size, filters, widths=(3, 4, 5)):
        super().__init__()
        self.embedding = nn.Embedding(words, size, padding_idx=0)
        self.convolutions = nn.ModuleList(
            nn.Conv1d(size, filters, width, padding=width - 1) for width in widths)
        self.drop = nn.Dropout(0.5)
        self.output = nn.Linear(filters * len(widths), 2)

    def forward(self, words):
        return self.score(self.embedding(words))

    def score(self, vectors):
        x = vectors.transpose(1, 2)
        largest = [F.relu(convolve(x)).amax(dim=2) for convolve in self.convolutions]
        return self.output(self.drop(torch.cat(largest, dim=1)))


def train(model, x, y, epochs, progress, first_epoch, batch_size=50):
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3, weight_decay=0.02)
    steps = progress.steps
    model.train()
    for epoch in range(epochs):
        order = torch.randperm(len(y))
        for step in range(steps):
            rows = order[step * batch_size : (step + 1) * batch_size]
            scores = model(x[rows])
            loss = F.cross_entropy(scores, y[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            if step % 10 == 0 or step == steps - 1:
                right = (scores.argmax(1) == y[rows]).float().mean()
                progress.show(first_epoch + epoch, step, loss=loss.item(), accuracy=right.item())


@torch.no_grad()
def accuracy(model, x, y):
    model.eval()
    return (model(x).argmax(1) == y).float().mean().item()


def naive_bayes(train_part, test_part):
    """Return the accuracy of counting words: the sum of log(P(word | praise) / P(word | blame))."""
    counts = [Counter(), Counter()]
    for words, label in train_part:
        counts[label].update(set(words))
    total = [sum(count.values()) for count in counts]
    known = {*counts[0], *counts[1]}
    size = len(known)

    def score(word):
        return (np.log((counts[1][word] + 1) / (total[1] + size))
                - np.log((counts[0][word] + 1) / (total[0] + size)))

    right = [(sum(score(word) for word in set(words) & known) > 0) == bool(label)
             for words, label in test_part]
    return float(np.mean(right))


def influence(model, vocabulary, words):
    """Return for each word how much it speaks for praise: gradient of the score times vector."""
    model.eval()
    x, _ = vocabulary.encode([(words, 0)])
    vectors = model.embedding(x).detach().requires_grad_()
    scores = model.score(vectors)[0]
    (scores[1] - scores[0]).backward()
    return (vectors.grad * vectors.detach())[0].sum(1)[: len(words)].numpy()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=8, help="default: 8")
    parser.add_argument("--size", type=int, default=64, help="features of a word (default: 64)")
    parser.add_argument("--filters", type=int, default=64, help="of each width (default: 64)")
    parser.add_argument("--limit", type=int, help="train on LIMIT sentences only")
    parser.add_argument("--quick", action="store_true", help="one fold, small, fewer epochs")
    parser.add_argument("--ask", nargs="*", default=[
        "The food was not good at all.", "I would buy this phone again, it works great!",
        "What a waste of two hours."], help="sentences to judge")
    parser.add_argument("--seed", type=int, default=1, help="default: 1")
    parser.add_argument("--data", type=Path, default=DATA, help="a folder")
    parser.add_argument("--out", type=Path, default=Path("runs/sentiment"), help="where files go")
    options = parser.parse_args()
    if options.quick:
        options.epochs, options.size, options.filters = 4, 32, 32
    options.out.mkdir(parents=True, exist_ok=True)

    torch.manual_seed(options.seed)
    sst2 = (options.data / "train.tsv").exists()
    if sst2:
        splits = [(read(options.data / "train.tsv"), read(options.data / "test.tsv"))]
    else:
        sentences = [pair for file in sorted(options.data.glob("*_labelled.txt"))
                     for pair in read(file)]
        if not sentences:
            raise SystemExit(f"there are no *_labelled.txt and no train.tsv in {options.data}")
        sentences = [sentences[place] for place in torch.randperm(len(sentences)).tolist()]
        splits = [([s for n, s in enumerate(sentences) if n % 5 != fold], sentences[fold::5])
                  for fold in range(5)]
    if options.quick:
        splits = splits[:1]

    started, found, beside, progress = time.perf_counter(), [], [], None
    for fold, (train_part, test_part) in enumerate(splits):
        train_part = train_part[: options.limit]
        vocabulary = Vocabulary(train_part)
        model = TextCNN(len(vocabulary), options.size, options.filters)
        if progress is None:
            weights = sum(parameter.numel() for parameter in model.parameters())
            print(f"CNN: {weights:,} weights, {len(train_part):,} sentences to learn from, "
                  f"{len(test_part):,} for the test, {len(splits)} times")
            progress = Progress(options.epochs * len(splits), len(train_part) // 50)
        train(model, *vocabulary.encode(train_part), options.epochs, progress,
              fold * options.epochs)
        found.append(accuracy(model, *vocabulary.encode(test_part)))
        beside.append(naive_bayes(train_part, test_part))
    seconds = time.perf_counter() - started

    print("\ntest accuracy       " + "  ".join(f"{value:.1%}" for value in found))
    print("naive Bayes         " + "  ".join(f"{value:.1%}" for value in beside)
          + f"   mean {np.mean(beside):.1%}\n")
    for number, sentence in enumerate(options.ask):
        words = split(sentence)
        with torch.no_grad():
            share = torch.softmax(model(vocabulary.encode([(words, 0)])[0]), dim=1)[0, 1].item()
        print(f"{share:4.0%} praise: {sentence}")
        charts.heat_map(options.out / f"words_{number + 1}.png",
                        influence(model, vocabulary, words)[None], ["praise"], words,
                        "What speaks for praise (bright) or blame (dark)")
    torch.save(model.state_dict(), options.out / "sentiment.pt")
    print(f"\nwhich words decided:  {options.out}/words_NUMBER.png")
    report("test accuracy", f"{np.mean(found):.1%}", REFERENCES["sst2" if sst2 else "sentences"],
           seconds)


if __name__ == "__main__":
    main()
