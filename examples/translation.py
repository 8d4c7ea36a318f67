"""English and French sentences as numbers, and how good a translation is."""

import gzip
import math
import re
import unicodedata
from collections import Counter
from pathlib import Path

import lampion as torch

DATA = Path(__file__).resolve().parent.parent / "data" / "fra_eng" / "fra_short.txt.gz"
PAD, START, END, UNKNOWN = range(4)
SIGNS = ["<pad>", "<start>", "<end>", "<unknown>"]


ENGLISH, FRENCH = r"\w+|'\w+|[^\w\s]", r"\w+'(?=\w)|\w+|[^\w\s]"


def split(sentence, words):
    """Return a sentence's words and signs in small letters.

    >>> split("I'm late.", ENGLISH), split("Je l'ai vu !", FRENCH)
    (['i', "'m", 'late', '.'], ['je', "l'", 'ai', 'vu', '!'])
    """
    sentence = unicodedata.normalize("NFC", sentence).lower().replace("\u2019", "'")
    return re.findall(words, sentence)


class Words:
    """Numbers for the words that occur at least `least` times; one number for all others."""

    def __init__(self, sentences, least=1):
        counts = Counter(word for sentence in sentences for word in sentence)
        self.words = [*SIGNS, *sorted(word for word in counts if counts[word] >= least)]
        self.numbers = {word: number for number, word in enumerate(self.words)}

    def __len__(self):
        return len(self.words)

    def rows(self, sentences):
        """Return sentences as lists of numbers, each with its end."""
        return [[self.numbers.get(word, UNKNOWN) for word in sentence] + [END]
                for sentence in sentences]

    def encode(self, sentences, start=False):
        """Return sentences as numbers, N x longest, each with its end, filled up."""
        rows = self.rows(sentences)
        longest = max(len(row) for row in rows)
        first = [START] if start else []
        return torch.tensor([first + row + [PAD] * (longest - len(row)) for row in rows])

    def decode(self, numbers):
        return [self.words[number] for number in numbers]


def read_pairs(path, words, beginnings=()):
    """Return (English, French) pairs of word lists of at most `words` words and signs.

    Args:
        beginnings: if any, the English sentence begins with one of them.
    """
    opened = gzip.open if str(path).endswith(".gz") else open
    with opened(path, "rt", encoding="utf-8") as stream:
        lines = [line.rstrip("\n").split("\t") for line in stream]
    pairs = []
    for english, french in (line[:2] for line in lines):
        words_of = split(english, ENGLISH)
        if len(words_of) <= words and (
                not beginnings or " ".join(words_of).startswith(tuple(beginnings))):
            pairs.append((words_of, split(french, FRENCH)))
    return [pair for pair in pairs if len(pair[1]) <= words]


def keep_apart(pairs, share=10):
    """Return pairs to train on, and {source sentence: its translations} to test with.

    Every tenth English sentence goes to the test with all its translations, so that no sentence of
    the test, and no translation of one, is seen in training.
    """
    english = sorted({" ".join(pair[0]) for pair in pairs})
    order = torch.randperm(len(english)).tolist()
    chosen = {english[place] for place in order[: len(english) // share]}
    test = {}
    for pair in pairs:
        if " ".join(pair[0]) in chosen:
            test.setdefault(" ".join(pair[1]), []).append(pair[0])
    train = [pair for pair in pairs
             if " ".join(pair[0]) not in chosen and " ".join(pair[1]) not in test]
    return train, test


def bleu(translations, references, longest=4):
    """Return BLEU in percent: how many runs of 1 to 4 words stand in a reference.

    Source: Papineni, Roukos, Ward, Zhu 2002, BLEU: a method for automatic evaluation of machine
    translation, section 2.3, over the whole test.

    >>> bleu([["the", "cat", "sat", "down"]], [[["the", "cat", "sat", "down"]]])
    100.0
    """
    right, all_runs, made, wanted = [0] * longest, [0] * longest, 0, 0
    for translation, several in zip(translations, references):
        made += len(translation)
        wanted += min((abs(len(r) - len(translation)), len(r)) for r in several)[1]
        for n in range(longest):
            found = runs(translation, n + 1)
            allowed = Counter()
            for reference in several:
                allowed |= runs(reference, n + 1)
            right[n] += sum((found & allowed).values())
            all_runs[n] += sum(found.values())
    if min(right) == 0:
        return 0.0
    precision = sum(math.log(r / a) for r, a in zip(right, all_runs)) / longest
    return 100 * math.exp(precision + min(0.0, 1 - wanted / made))


def runs(words, length):
    return Counter(tuple(words[k : k + length]) for k in range(len(words) - length + 1))
