"""French to English: without attention, with Bahdanau's and with Luong's.

    python examples/seq2seq.py                          train all three, compare them
    python examples/seq2seq.py --attention bahdanau     only this one
    python examples/seq2seq.py --say "Je suis content."
    python examples/seq2seq.py --quick                  seconds, and a poor translator

The sentences are those of the PyTorch tutorial "Translation with a sequence to sequence network and
attention": English ones that begin with "I am", "he is" and the like. A tenth of the English
sentences is kept for the test with all their translations. The picture shows which French word the
network looks at while it writes each English one. The networks are src/lampion/models/seq2seq.py.
"""

import argparse
import math
import random
import time
from pathlib import Path

import charts
import translation
from progress import Progress, report
from translation import END, FRENCH, PAD, START

import lampion as torch
from lampion.models import Decoder, Encoder, Seq2Seq

F = torch.nn.functional
BEGINNINGS = [f"{who} {verb} " for who, verbs in {
    "i": ("am", "'m"), "he": ("is", "'s"), "she": ("is", "'s"), "you": ("are", "'re"),
    "we": ("are", "'re"), "they": ("are", "'re")}.items() for verb in verbs]
REFERENCE = "none published: the tutorial has no test"


def train(model, source, target, epochs, batch_size=64, learning_rate=3e-3):
    count = len(source)
    steps = count // batch_size
    optimizer = torch.optim.Adam(model.parameters(), lr=learning_rate)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, max_lr=learning_rate, total_steps=steps * epochs, pct_start=0.1)
    progress, losses = Progress(epochs, steps), []
    model.train()
    for epoch in range(epochs):
        order = torch.randperm(count)
        for step in range(steps):
            rows = order[step * batch_size : (step + 1) * batch_size]
            scores = model(source[rows], target[rows])
            loss = F.cross_entropy(
                scores.flatten(0, 1), target[rows][:, 1:].flatten(), ignore_index=PAD)
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            schedule.step()
            if step % 10 == 0 or step == steps - 1:
                losses.append(loss.item())
                progress.show(epoch, step, loss=losses[-1])
    return losses


@torch.no_grad()
def perplexity(model, source, target):
    """Return exp of the mean cross-entropy of the next word, the true ones before it given."""
    model.eval()
    scores = model(source, target)
    loss = F.cross_entropy(scores.flatten(0, 1), target[:, 1:].flatten(), ignore_index=PAD)
    return math.exp(loss.item())


def translate(model, words, sentences):
    """Return the most probable translation of each sentence, word by word."""
    model.eval()
    made = model.greedy(words[0].encode(sentences), START, END, max_len=12)
    return [words[1].decode(sentence) for sentence in made]


@torch.no_grad()
def look(model, words, sentence):
    """Return a translation and, for each of its words, the weights of the words of a sentence."""
    model.eval()
    source = words[0].encode([sentence])
    memory, hidden = model.encoder(source)
    word, written, weights = torch.tensor([START]), [], []
    for _ in range(12):
        scores, hidden, weight = model.decoder(word, hidden, memory, source != PAD)
        word = scores.argmax(1)
        weights.append(weight[0].tolist())
        written.append(words[1].words[word.item()])
        if word.item() == END:
            break
    return written, weights


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--attention", nargs="*", default=["none", "bahdanau", "general"],
                        help="none, bahdanau, dot, general, concat (default: three of them)")
    parser.add_argument("--epochs", type=int, default=12, help="default: 12")
    parser.add_argument("--hidden", type=int, default=128, help="features of the state")
    parser.add_argument("--words", type=int, default=10, help="the longest sentence (default: 10)")
    parser.add_argument("--limit", type=int, help="train on LIMIT pairs only")
    parser.add_argument("--quick", action="store_true", help="one network, a small one, less data")
    parser.add_argument("--say", nargs="*", help="French sentences to translate",
                        default=["Je suis en retard.", "Elle est très fatiguée."])
    parser.add_argument("--seed", type=int, default=1, help="default: 1")
    parser.add_argument("--data", type=Path, default=translation.DATA, help="pairs, one a line")
    parser.add_argument("--out", type=Path, default=Path("runs/seq2seq"), help="where files go")
    options = parser.parse_args()
    if options.quick:
        options.attention, options.epochs, options.hidden = ["bahdanau"], 3, 64
        options.words, options.limit = 5, 2500
    options.out.mkdir(parents=True, exist_ok=True)

    torch.manual_seed(options.seed)
    random.seed(options.seed)
    pairs = translation.read_pairs(options.data, options.words, BEGINNINGS)
    pairs, test = translation.keep_apart(pairs)
    random.shuffle(pairs)
    pairs = pairs[: options.limit]
    english, french = zip(*pairs)
    words = translation.Words(french, 2), translation.Words(english, 2)
    source, target = words[0].encode(french), words[1].encode(english, start=True)
    if options.quick:
        test = dict(list(test.items())[:200])
    questions = [sentence.split() for sentence in test]
    print(f"{len(pairs):,} pairs, {len(words[0]):,} French and {len(words[1]):,} English words, "
          f"{len(questions):,} sentences for the test")

    asked = words[0].encode(questions)
    answers = words[1].encode([several[0] for several in test.values()], start=True)
    curves, figures, started = {}, {}, time.perf_counter()
    for kind in options.attention:
        torch.manual_seed(options.seed)
        sizes = (options.hidden, options.hidden, 1, 0.2)
        model = Seq2Seq(Encoder(len(words[0]), *sizes), Decoder(len(words[1]), *sizes, kind))
        weights = sum(parameter.numel() for parameter in model.parameters())
        print(f"\nattention {kind}: {weights:,} weights")
        curves[kind] = train(model, source, target, options.epochs)
        made = translate(model, words, questions)
        figures[kind] = perplexity(model, asked, answers), translation.bleu(made, test.values())
        print(f"on sentences never seen: perplexity {figures[kind][0]:.2f}, "
              f"BLEU {figures[kind][1]:.1f}")
        torch.save(model.state_dict(), options.out / f"{kind}.pt")
        if kind != "none":
            for number, said in enumerate(options.say):
                sentence = translation.split(said, FRENCH)
                written, looked = look(model, words, sentence)
                print(f"    {' '.join(sentence)}  ->  {' '.join(written[:-1])}")
                charts.heat_map(
                    options.out / f"{kind}_{number + 1}.png", looked, written, [*sentence, "<end>"],
                    f"Attention: {kind}", "it looks at", "it writes")
    seconds = time.perf_counter() - started

    charts.lines(options.out / "loss.png", curves, "Learning to translate", "every tenth step",
                 "nats a word")
    print("\nattention    perplexity    BLEU")
    for kind, (perplexed, bleu) in figures.items():
        print(f"{kind:<13}{perplexed:>10.2f}{bleu:>8.1f}")
    print(f"\nwhere it looked:     {options.out}/KIND_NUMBER.png")
    print(f"the loss over time:  {options.out / 'loss.png'}")
    best = "bahdanau" if "bahdanau" in figures else options.attention[-1]
    report(f"perplexity with attention {best}", f"{figures[best][0]:.2f}", REFERENCE, seconds)


if __name__ == "__main__":
    main()
