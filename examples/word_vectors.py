"""word2vec: words that keep the same company get vectors that point the same way.

    python examples/word_vectors.py                        train, show neighbours, solve analogies
    python examples/word_vectors.py --near king paris two  the neighbours of these words
    python examples/word_vectors.py --wordsim EN-WS-353-ALL.txt    and compare with people
    python examples/word_vectors.py --text BOOK.txt        on a text of your own
    python examples/word_vectors.py --quick                seconds, and vague vectors

Skip-gram with negative samples on 1.2 million words of Wikipedia, little for this purpose:
published figures are for a hundred to a thousand times as much text. The figure is how often the
network gives a word that stands beside another one a higher score than a word drawn by chance, in a
part of the text that it never saw; the 200 commonest words do not count. WordSim-353, how alike
people find two words, can be had at https://github.com/mfaruqui/eval-word-vectors. The network is
src/lampion/models/word2vec.py.
"""

import argparse
import gzip
import time
from collections import Counter
from pathlib import Path

import charts
import numpy as np
from progress import Progress, report

import lampion as torch
from lampion.models import NegativeSampler, SkipGram
from lampion.models.word2vec import keep_probability

DATA = Path(__file__).resolve().parent.parent / "data"
TEXT = DATA / "text8_sample" / "text8_first_6877825.gz"
ANALOGIES = DATA / "questions_words" / "questions-words.txt.gz"
REFERENCE = ("none for this much text; with 15 times as much (text8 whole) word2vec's own program "
             "is said to reach 35 to 45 % of the analogies and 0.65 to 0.70 on WordSim-353")


def read(path):
    opened = gzip.open if str(path).endswith(".gz") else open
    with opened(path, "rt", encoding="utf-8") as stream:
        return stream.read()


def numbered(text, least):
    """Return a text as word numbers, the frequent ones first, and the words; rare ones left out."""
    written = text.lower().split()
    counts = Counter(written)
    words = [word for word, count in counts.most_common() if count >= least]
    numbers = {word: number for number, word in enumerate(words)}
    return np.array([numbers[word] for word in written if word in numbers]), words


def pairs_of(text, window, generator):
    """Return all (word, neighbour) pairs; each word looks 1 to `window` places far."""
    reach = generator.integers(1, window + 1, len(text))
    found = []
    for distance in range(1, window + 1):
        left, right = text[:-distance], text[distance:]
        found.append(np.stack([left, right], 1)[reach[:-distance] >= distance])
        found.append(np.stack([right, left], 1)[reach[distance:] >= distance])
    return np.concatenate(found)


def train(model, text, epochs, batch_size, window, generator, learning_rate):
    counts = torch.from_numpy(np.bincount(text, minlength=model.input.num_embeddings))
    keep = keep_probability(counts, 1e-4).numpy()
    sampler = NegativeSampler(counts)
    optimizer = torch.optim.Adam(model.parameters(), lr=learning_rate)
    progress = steps = None
    losses = []
    for epoch in range(epochs):
        kept = text[generator.random(len(text)) < keep[text]]
        pairs = pairs_of(kept, window, generator)
        generator.shuffle(pairs)
        if progress is None:  # later epochs have about as many pairs
            steps = int(0.98 * len(pairs)) // batch_size
            progress = Progress(epochs, steps)
            schedule = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.05, steps * epochs)
        for step in range(steps):
            rows = torch.tensor(pairs[step * batch_size : (step + 1) * batch_size])
            loss = model(rows[:, 0], rows[:, 1], sampler(batch_size, 5))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            if step % 20 == 0 or step == steps - 1:
                losses.append(loss.item())
                progress.show(epoch, step, loss=losses[-1])
    return losses


def told_apart(model, text, counts, generator, common=200):
    """Return how often a true neighbour's score is above that of a word drawn by its count.

    The `common` commonest words stand beside every word, so they are no neighbours here.
    """
    pairs = pairs_of(text, 2, generator)
    pairs = pairs[pairs.min(1) >= common]
    rest = counts[common:] / counts[common:].sum()
    chance = common + generator.choice(len(rest), len(pairs), p=rest)
    center = model.input.weight.detach().numpy()[pairs[:, 0]]
    output = model.output.weight.detach().numpy()
    true = (center * output[pairs[:, 1]]).sum(1)
    other = (center * output[chance]).sum(1)
    return ((true > other) + 0.5 * (true == other)).mean()


def normalised(model):
    vectors = model.input.weight.detach().numpy()
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)


def analogies(vectors, words, text):
    """Return how many questions a : b = c : ? are answered right, how many are known, by section.

    Source: Mikolov et al. 2013, section 4: the word nearest to b - a + c, these three left out.
    """
    numbers = {word: number for number, word in enumerate(words)}
    sections, name = {}, None
    for line in text.lower().splitlines():
        if line.startswith(":"):
            name = line[2:]
        else:
            question = [numbers.get(word) for word in line.split()]
            if None not in question:
                sections.setdefault(name, []).append(question)
    results = {}
    for name, questions in sections.items():
        a, b, c, d = np.array(questions).T
        scores = (vectors[b] - vectors[a] + vectors[c]) @ vectors.T
        for known in (a, b, c):
            scores[np.arange(len(d)), known] = -np.inf
        results[name] = (int((scores.argmax(1) == d).sum()), len(d))
    return results


def wordsim(vectors, words, text):
    """Return Spearman's rank correlation with people's judgement, and how many pairs are known."""
    numbers = {word: number for number, word in enumerate(words)}
    people, own = [], []
    for line in text.lower().splitlines():
        first, second, value = line.split()[:3]
        if first in numbers and second in numbers:
            people.append(float(value))
            own.append(vectors[numbers[first]] @ vectors[numbers[second]])

    def ranks(values):
        values = np.array(values)
        return np.array([(values < v).sum() + (values == v).sum() / 2 for v in values])

    return np.corrcoef(ranks(people), ranks(own))[0, 1], len(own)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=4, help="default: 4")
    parser.add_argument("--size", type=int, default=100, help="features of a word (default: 100)")
    parser.add_argument("--batch-size", type=int, default=2048, help="pairs (default: 2048)")
    parser.add_argument("--learning-rate", type=float, default=0.01, help="default: 0.01")
    parser.add_argument("--window", type=int, default=5, help="how far a word looks (default: 5)")
    parser.add_argument("--limit", type=int, help="train on the first LIMIT words only")
    parser.add_argument("--quick", action="store_true", help="small vectors, part of the text")
    parser.add_argument("--near", nargs="*",
                        default=["king", "france", "three", "music", "war", "computer"])
    parser.add_argument("--text", type=Path, default=TEXT, help="words between spaces")
    parser.add_argument("--wordsim", type=Path, help="a file of `word word score`")
    parser.add_argument("--seed", type=int, default=1, help="default: 1")
    parser.add_argument("--out", type=Path, default=Path("runs/word_vectors"))
    options = parser.parse_args()
    if options.quick:
        options.epochs, options.size, options.limit = 1, 32, options.limit or 300_000
        options.batch_size, options.learning_rate = 1024, 0.02
    options.out.mkdir(parents=True, exist_ok=True)

    torch.manual_seed(options.seed)
    generator = np.random.default_rng(options.seed)
    text, words = numbered(read(options.text), 60 if options.quick else 5)
    text, test = text[:-50_000][: options.limit], text[-50_000:]
    counts = np.bincount(text, minlength=len(words))
    model = SkipGram(len(words), options.size)
    print(f"skip-gram: {len(words):,} words of {options.size} features, a text of {len(text):,}")

    started = time.perf_counter()
    losses = train(model, text, options.epochs, options.batch_size, options.window, generator,
                   options.learning_rate)
    seconds = time.perf_counter() - started

    print()
    for word in options.near:
        if word not in words:
            print(f"{word:<10} does not occur, or hardly")
            continue
        near = model.most_similar(words.index(word), 6)
        print(f"{word:<10}" + ", ".join(f"{words[other]} {cosine:.2f}" for other, cosine in near))
    vectors = normalised(model)
    results = analogies(vectors, words, read(ANALOGIES))
    right, known = (sum(column) for column in zip(*results.values()))
    best = max(results, key=lambda name: results[name][0] / results[name][1])
    print(f"\nanalogies: {right} of {known} right, {right / known:.1%}; best {best} "
          f"{results[best][0] / results[best][1]:.1%}")
    if options.wordsim:
        correlation, known = wordsim(vectors, words, read(options.wordsim))
        print(f"WordSim: rank correlation {correlation:.3f} over {known} pairs")

    shown = vectors[20:220]  # the commonest words but for the very commonest
    centred = shown - shown.mean(0)
    _, _, axes = np.linalg.svd(centred, full_matrices=False)
    charts.points(options.out / "words.png", centred @ axes[:2].T, words[20:220],
                  "200 common words along their two main axes")
    charts.lines(options.out / "loss.png", {"training": losses}, "Learning word vectors",
                 "every twentieth step", "nats")
    torch.save({"words": words, "vectors": model.input.weight.detach()},
               options.out / "vectors.pt")
    print(f"the words as points:  {options.out / 'words.png'}")
    print(f"the vectors:          {options.out / 'vectors.pt'}")
    score = told_apart(model, test, counts, generator)
    report("neighbours told from random words", f"{score:.1%}", REFERENCE, seconds)


if __name__ == "__main__":
    main()
