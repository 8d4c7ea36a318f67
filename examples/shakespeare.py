"""Tiny Shakespeare as numbers: 40,000 lines of the plays, 1,115,394 characters of 65 kinds."""

import gzip
from pathlib import Path

import lampion as torch

DATA = Path(__file__).resolve().parent.parent / "data" / "tinyshakespeare" / "input.txt.gz"


class Characters:
    """Numbers for the characters of a text, and back.

    >>> letters = Characters("banana")
    >>> letters.encode("nab"), letters.decode([1, 0])
    ([2, 0, 1], 'ba')
    """

    def __init__(self, text):
        self.letters = sorted(set(text))
        self.numbers = {letter: number for number, letter in enumerate(self.letters)}

    def __len__(self):
        return len(self.letters)

    def encode(self, text):
        return [self.numbers[letter] for letter in text]

    def decode(self, numbers):
        return "".join(self.letters[number] for number in numbers)


def load(path=DATA):
    """Return the text of a file as numbers, the first 90 % and the rest, and its `Characters`."""
    opened = gzip.open if str(path).endswith(".gz") else open
    with opened(path, "rt", encoding="utf-8") as stream:
        text = stream.read()
    characters = Characters(text)
    numbers = torch.tensor(characters.encode(text))
    cut = int(0.9 * len(numbers))
    return numbers[:cut], numbers[cut:], characters
