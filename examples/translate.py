"""A Transformer translates French to English, or German to English on Multi30k.

    python examples/translate.py                       train on short sentences, test, translate
    python examples/translate.py --say "Je t'aime."
    python examples/translate.py --data multi30k/data/task1/raw --epochs 5
    python examples/translate.py --quick               seconds, and a poor translator

Multi30k (https://github.com/multi30k/dataset, 2 MB) has no licence that would allow to bring it
along: give the folder with its train.de.gz, train.en.gz, test_2016_flickr.de.gz and so on. The
network is that of "Attention is all you need", with smaller numbers, and so are label smoothing,
optimizer and warm-up: src/lampion/models/transformer.py. The picture shows what the last layer
looks at.
"""

import argparse
import gzip
import math
import random
import time
from pathlib import Path

import charts
import translation
from progress import Progress, report
from translation import END, ENGLISH, FRENCH, PAD, START, Words

import lampion as torch
from lampion.models import Transformer

F = torch.nn.functional
REFERENCES = {
    "fra_eng": "none published for this split",
    "multi30k": "5.32, BLEU 36.5 with 9 million weights, 10 epochs (pytorch-seq2seq of Ben "
                "Trevett, the same test, other tokens)"}


def read_multi30k(folder, part):
    """Return {German sentence: its translations} of a part of Multi30k, as word lists."""
    texts = []
    for language in ("de", "en"):
        path = folder / f"{part}.{language}.gz"
        if not path.exists():
            raise SystemExit(f"there is no {path}; see https://github.com/multi30k/dataset")
        with gzip.open(path, "rt", encoding="utf-8") as stream:
            texts.append([translation.split(line, ENGLISH) for line in stream])
    return list(zip(texts[1], texts[0]))


def load(options):
    """Return pairs (English, foreign) to train on, {foreign: translations} for the test."""
    if options.data.is_dir():
        pairs, test = read_multi30k(options.data, "train"), {}
        for english, german in read_multi30k(options.data, "test_2016_flickr"):
            test.setdefault(" ".join(german), []).append(english)
        return pairs, test
    return translation.keep_apart(translation.read_pairs(options.data, options.words))


def batches(source, target, size):
    """Give batches of sentences of like length in random order.

    Their lengths are filled up to multiples of four: few shapes, and little padding.
    """
    order = list(range(len(source)))
    random.shuffle(order)
    groups = []
    for start in range(0, len(order), 50 * size):
        part = sorted(order[start : start + 50 * size],
                      key=lambda row: (len(source[row]), len(target[row])))
        groups += [part[k : k + size] for k in range(0, len(part) - size + 1, size)]
    random.shuffle(groups)
    for group in groups:
        yield filled([source[row] for row in group]), filled([target[row] for row in group], 1)


def filled(rows, more=0):
    longest = -(-max(len(row) for row in rows) // 4) * 4 + more
    return torch.tensor([row + [PAD] * (longest - len(row)) for row in rows])


def rate(step, d_model, warm_up):
    """The paper's learning rate: a line up, then the inverse square root (equation 3)."""
    return d_model**-0.5 * min((step + 1) ** -0.5, (step + 1) * warm_up**-1.5)


def train(model, source, target, epochs, batch_size):
    steps = sum(1 for _ in batches(source, target, batch_size))
    optimizer = torch.optim.Adam(model.parameters(), lr=1.0, betas=(0.9, 0.98), eps=1e-9)
    warm_up = min(800, steps * epochs // 4)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: rate(step, model.d_model, warm_up))
    progress, losses = Progress(epochs, steps), []
    model.train()
    for epoch in range(epochs):
        for step, (x, y) in enumerate(batches(source, target, batch_size)):
            scores = model(x, y[:, :-1])
            loss = F.cross_entropy(scores.flatten(0, 1), y[:, 1:].flatten(), ignore_index=PAD,
                                   label_smoothing=0.1)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            if step % 20 == 0 or step == steps - 1:
                losses.append(loss.item())
                progress.show(epoch, step, loss=losses[-1])
    return losses


@torch.no_grad()
def perplexity(model, source, target, batch_size=100):
    """Return exp of the mean cross-entropy of the next word, the true ones before it given."""
    model.eval()
    total = count = 0
    for start in range(0, len(source), batch_size):
        x = filled(source[start : start + batch_size])
        y = filled(target[start : start + batch_size], 1)
        total += F.cross_entropy(model(x, y[:, :-1]).flatten(0, 1), y[:, 1:].flatten(),
                                 ignore_index=PAD, reduction="sum").item()
        count += int((y[:, 1:] != PAD).sum())
    return math.exp(total / count)


def translate(model, words, sentences, longest, batch_size=250):
    """Return the most probable translation of each sentence, word by word."""
    model.eval()
    order = sorted(range(len(sentences)), key=lambda row: len(sentences[row]))
    made = [[]] * len(sentences)
    for start in range(0, len(order), batch_size):
        rows = order[start : start + batch_size]
        x = filled(words[0].rows([sentences[row] for row in rows]))
        for row, numbers in zip(rows, model.greedy_decode(x, START, END, longest).tolist()):
            end = numbers.index(END) if END in numbers else None
            made[row] = words[1].decode(numbers[1:end])
    return made


@torch.no_grad()
def look(model, words, sentence, translated):
    """Return what the last decoder layer looks at: (words written, words read), mean of heads."""
    model.eval()
    layer, seen = model.decoder[-1].cross_attn, {}
    hooks = [projection.register_forward_hook(
                 lambda module, inputs, output, name=name: seen.update({name: output}))
             for name, projection in (("q", layer.q_proj), ("k", layer.k_proj))]
    model(torch.tensor(words[0].rows([sentence])),
          torch.tensor([[START] + words[1].rows([translated])[0][:-1]]))
    for hook in hooks:
        hook.remove()
    q, k = (seen[name].unflatten(2, (layer.nhead, -1)).transpose(1, 2) for name in "qk")
    scores = q @ k.transpose(2, 3) / math.sqrt(q.shape[3])
    return torch.softmax(scores, dim=3)[0].mean(0).numpy()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=6, help="default: 6")
    parser.add_argument("--batch-size", type=int, default=64, help="default: 64")
    parser.add_argument("--words", type=int, default=6, help="the longest sentence (default: 6)")
    parser.add_argument("--limit", type=int, help="train on LIMIT pairs only")
    parser.add_argument("--quick", action="store_true", help="a small network, less data")
    parser.add_argument("--say", nargs="*", help="sentences to translate")
    parser.add_argument("--seed", type=int, default=1, help="default: 1")
    parser.add_argument("--data", type=Path, default=translation.DATA,
                        help="English<TAB>French pairs, one a line, or the folder of Multi30k")
    parser.add_argument("--out", type=Path, default=Path("runs/translate"), help="where files go")
    options = parser.parse_args()
    d_model, layers = 128, 2
    if options.quick:
        options.epochs, options.words, d_model, layers = 3, 5, 64, 1
        options.limit = options.limit or 4000
    options.out.mkdir(parents=True, exist_ok=True)

    torch.manual_seed(options.seed)
    random.seed(options.seed)
    multi30k = options.data.is_dir()
    pairs, test = load(options)
    random.shuffle(pairs)
    pairs = pairs[: options.limit]
    words = Words([pair[1] for pair in pairs], 2), Words([pair[0] for pair in pairs], 2)
    source = words[0].rows([pair[1] for pair in pairs])
    target = [[START, *row] for row in words[1].rows([pair[0] for pair in pairs])]
    longest = max(map(len, target))
    model = Transformer(len(words[0]), len(words[1]), d_model, 4, layers, layers, 4 * d_model,
                        max_len=64)
    weights = sum(parameter.numel() for parameter in model.parameters())
    print(f"Transformer: {weights:,} weights, {len(pairs):,} pairs, {len(words[0]):,} words to "
          f"{len(words[1]):,}, {options.epochs} epochs")

    started = time.perf_counter()
    losses = train(model, source, target, options.epochs, options.batch_size)
    seconds = time.perf_counter() - started

    questions = [sentence.split() for sentence in test]
    asked = words[0].rows(questions)
    answers = [[START, *row] for row in words[1].rows([several[0] for several in test.values()])]
    if options.quick:
        questions, test = questions[:500], dict(list(test.items())[:500])
    perplexed = perplexity(model, asked, answers)
    made = translate(model, words, questions, longest)
    print(f"\nBLEU on {len(questions):,} sentences never seen: "
          f"{translation.bleu(made, test.values()):.1f}")

    say = options.say or (
        ["Ein Hund läuft über den Strand.", "Zwei Kinder spielen Fußball."] if multi30k
        else ["Je suis fatigué.", "Elle lit un livre.", "Où est la gare ?"])
    sentences = [translation.split(sentence, ENGLISH if multi30k else FRENCH) for sentence in say]
    for number, written in enumerate(translate(model, words, sentences, longest)):
        print(f"    {say[number]}  ->  {' '.join(written)}")
        charts.heat_map(
            options.out / f"attention_{number + 1}.png",
            look(model, words, sentences[number], written), [*written, "<end>"],
            [*sentences[number], "<end>"], "What the last layer looks at", "it reads", "it writes")
    charts.lines(options.out / "loss.png", {"training": losses}, "Learning to translate",
                 "every twentieth step", "nats a word, smoothed")
    torch.save(model.state_dict(), options.out / "translate.pt")
    print(f"\nwhere it looked:     {options.out}/attention_NUMBER.png")
    print(f"the trained model:   {options.out / 'translate.pt'}")
    reference = REFERENCES["multi30k" if multi30k else "fra_eng"]
    report("perplexity", f"{perplexed:.2f}", reference, seconds)


if __name__ == "__main__":
    main()
