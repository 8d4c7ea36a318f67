"""`Tokenizer`: text to tokens and back, in the steps and the file format of Hugging Face's."""

from __future__ import annotations

import json
import os
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from lampion.errors import ArgumentError, ArgumentTypeError, FileFormatError, IndexRangeError
from lampion.text import decoders, models, normalizers, post_processors, pre_tokenizers
from lampion.text.aligned import Aligned
from lampion.text.encoding import Encoding, Padding, Truncation, checked_choice
from lampion.text.models import Model
from lampion.text.normalizers import SPACES

PathLike = str | os.PathLike[str]


@dataclass
class AddedToken:
    """A token that is looked for in the text as it is, before anything else is done to it.

    Args:
        content: its text.
        single_word: not inside of a word.
        lstrip, rstrip: take the spaces before, behind.
        normalized: look for it in the normalised text.
        special: not part of the text: `decode` leaves it out.
    """

    content: str
    single_word: bool = False
    lstrip: bool = False
    rstrip: bool = False
    normalized: bool = True
    special: bool = False


class Tokenizer:
    """Turns text into numbers of tokens and back.

    A text is cut at added tokens, normalised, cut into words, each word is cut into tokens by the
    model, and special tokens are put around. Names, results and the file tokenizer.json are those
    of Hugging Face's library tokenizers.

    Args:
        model: `models.BPE`, `models.WordPiece` or `models.WordLevel`.

    Example:
        >>> from lampion.text import models
        >>> tokenizer = Tokenizer(models.WordLevel({"a": 0, "b": 1}), words="WhitespaceSplit")
        >>> tokenizer.encode("a b a").ids
        [0, 1, 0]
    """

    def __init__(self, model: Model, *, normalizer: Any = None, words: Any = None,
                 post_processor: dict[str, Any] | None = None,
                 decoder: dict[str, Any] | None = None) -> None:
        self.model = model
        self._settings: dict[str, Any] = {
            "normalizer": _entry(normalizer), "pre_tokenizer": _entry(words),
            "post_processor": post_processor, "decoder": decoder}
        self._normalize = normalizers.from_settings(self._settings["normalizer"])
        self._cut = pre_tokenizers.from_settings(self._settings["pre_tokenizer"])
        self._after = post_processors.from_settings(post_processor)
        self._join = decoders.from_settings(decoder)
        self._added: dict[int, AddedToken] = {}
        self._searches: dict[bool, re.Pattern[str] | None] = {True: None, False: None}
        self._contents: dict[str, int] = {}
        self.padding: dict[str, Any] | None = None
        self.truncation: dict[str, Any] | None = None
        self._padding: Padding | None = None
        self._truncation: Truncation | None = None

    def _set_after(self, settings: dict[str, Any]) -> None:
        self._settings["post_processor"] = settings
        self._after = post_processors.from_settings(settings)

    # -- The vocabulary -------------------------------------------------------------------------

    def get_vocab(self, with_added_tokens: bool = True) -> dict[str, int]:
        """Return the number of every token."""
        added = {token.content: number for number, token in self._added.items()}
        return {**self.model.vocab, **(added if with_added_tokens else {})}

    def get_vocab_size(self, with_added_tokens: bool = True) -> int:
        """Return how many tokens there are."""
        return len(self.get_vocab(with_added_tokens))

    def __len__(self) -> int:
        return self.get_vocab_size()

    def token_to_id(self, token: str) -> int | None:
        """Return the number of a token, None for one that is not there."""
        number = self._contents.get(token)
        return self.model.vocab.get(token) if number is None else number

    def id_to_token(self, id: int) -> str | None:
        """Return the token of a number, None for one that is not there."""
        if id in self._added:
            return self._added[id].content
        return self._names().get(id)

    def _names(self) -> dict[int, str]:
        known = getattr(self, "_known_names", None)
        if known is None or len(known) != len(self.model.vocab):
            known = self._known_names = {
                number: token for token, number in self.model.vocab.items()}
        return known

    def add_tokens(self, tokens: Iterable[str | AddedToken]) -> int:
        """Add tokens that are kept whole; return how many are new."""
        return self._add([token if isinstance(token, AddedToken) else AddedToken(token)
                          for token in tokens])

    def add_special_tokens(self, tokens: Iterable[str | AddedToken]) -> int:
        """Add tokens that are kept whole and are no text; return how many are new."""
        return self._add([
            AddedToken(**{**asdict(token), "special": True}) if isinstance(token, AddedToken)
            else AddedToken(token, normalized=False, special=True) for token in tokens])

    def _add(self, tokens: Sequence[AddedToken]) -> int:
        new = 0
        for token in tokens:
            if not token.content:
                continue
            number = self.token_to_id(token.content)
            if number is None:
                number = max([len(self.model.vocab) - 1, *self.model.vocab.values(),
                              *self._added]) + 1
                new += 1
            self._added[number] = token
            self._contents[token.content] = number
        for normalized in (True, False):
            wanted = sorted((token.content for token in self._added.values()
                             if token.normalized == normalized), key=len, reverse=True)
            if normalized and self._normalize is not None:
                wanted = [self._normalize(Aligned.of(content)).text for content in wanted]
            self._searches[normalized] = re.compile(
                "|".join(re.escape(content) for content in wanted if content)) if any(
                    wanted) else None
        return new

    # -- Text to tokens -------------------------------------------------------------------------

    def encode(self, sequence: Any, pair: Any = None, is_pretokenized: bool = False,
               add_special_tokens: bool = True) -> Encoding:
        """Return the tokens of a text, or of two.

        Args:
            sequence: a text; a list of words with `is_pretokenized`.
            pair: a second one.
            is_pretokenized: texts are lists of words.
            add_special_tokens: put special tokens around, such as [CLS] and [SEP].

        Raises:
            ArgumentTypeError: no text.
        """
        encoding = self._encoded(sequence, pair, is_pretokenized, add_special_tokens)
        return self._padding.apply([encoding])[0] if self._padding else encoding

    def encode_batch(self, input: Iterable[Any], is_pretokenized: bool = False,
                     add_special_tokens: bool = True) -> list[Encoding]:
        """Return the tokens of each text, or pair (text, text)."""
        encodings = []
        for entry in input:
            is_pair = isinstance(entry, (tuple, list)) and len(entry) == 2 and (
                not is_pretokenized or not isinstance(entry[0], str))
            first, second = entry if is_pair else (entry, None)
            encodings.append(self._encoded(first, second, is_pretokenized, add_special_tokens))
        return self._padding.apply(encodings) if self._padding else encodings

    def __call__(self, text: Any) -> Any:
        """Return the tokens' texts of a text, or of each text of a list."""
        if isinstance(text, str):
            return self.encode(text).tokens
        return [self.encode(entry).tokens for entry in text]

    def _encoded(self, sequence: Any, pair: Any, is_pretokenized: bool, special: bool) -> Encoding:
        texts = [self._one(entry, is_pretokenized) for entry in (sequence, pair)
                 if entry is not None]
        first, second = texts[0], (texts[1] if len(texts) > 1 else None)
        template = self._after.template if special else post_processors.PLAIN
        if self._truncation is not None:
            first, second = self._truncation.apply(first, second,
                                                   template.added(second is not None))
        first = self._after.trimmed(first)
        second = None if second is None else self._after.trimmed(second)
        return template(first, second)

    def _one(self, sequence: Any, is_pretokenized: bool) -> Encoding:
        whole = Encoding()
        if is_pretokenized:
            if isinstance(sequence, str):
                raise ArgumentTypeError("encode: got a text with is_pretokenized=True",
                                        why="then it is a list of words", fix="text.split()")
            for number, word in enumerate(sequence):
                part = Encoding()
                self._tokens(self._text(word), part)
                part.word_ids = [number] * len(part)
                whole.extend(part)
            return whole
        self._tokens(self._text(sequence), whole)
        return whole

    def _text(self, text: Any) -> str:
        if not isinstance(text, str):
            raise ArgumentTypeError(f"encode: got a {type(text).__name__}",
                                    why="a tokenizer takes text",
                                    fix="encode_batch(texts)" if isinstance(text, (list, tuple))
                                    else None)
        return text

    def _tokens(self, text: str, found: Encoding) -> None:
        words, names = 0, self._names()
        for part, token in self._at_added(Aligned.of(text), False):
            if token is not None:
                self._add_found(found, part, token, words)
                words += 1
                continue
            normal = self._normalize(part) if self._normalize else part
            for piece, inner in self._at_added(normal, True):
                if inner is not None:
                    self._add_found(found, piece, inner, words)
                    words += 1
                    continue
                for word in self._cut([piece]) if self._cut else [piece]:
                    if not word.text:
                        continue
                    for number, start, end in self.model.pieces(word.text):
                        name = names.get(number) or self._name(number)
                        found.add(number, name, word.span(start, end), word=words)
                    words += 1

    def _name(self, number: int) -> str:
        return self._names().get(number) or self._added[number].content

    def _add_found(self, found: Encoding, part: Aligned, number: int, word: int) -> None:
        found.add(number, part.text, part.span(0, len(part.text)), word=word)

    def _at_added(self, text: Aligned, normalized: bool) -> list[tuple[Aligned, int | None]]:
        """Cut a text at added tokens: parts, and for each the number of the token that it is."""
        search = self._searches[normalized]
        if search is None:
            return [(text, None)] if text.text else []
        parts: list[tuple[Aligned, int | None]] = []
        place = done = 0
        while (match := search.search(text.text, place)) is not None:
            number = self._number_of(match.group(), normalized)
            start, end = match.span()
            token = self._added[number]
            if token.single_word and _inside_word(text.text, start, end):
                place = end
                continue
            while token.lstrip and start > done and text.text[start - 1] in SPACES:
                start -= 1
            while token.rstrip and end < len(text.text) and text.text[end] in SPACES:
                end += 1
            if start > done:
                parts.append((text.part(done, start), None))
            parts.append((text.part(start, end), number))
            place = done = end
        if done < len(text.text):
            parts.append((text.part(done, len(text.text)), None))
        return parts

    def _number_of(self, found: str, normalized: bool) -> int:
        if not normalized or self._normalize is None:
            return self._contents[found]
        return next(number for number, token in self._added.items() if token.normalized
                    and self._normalize(Aligned.of(token.content)).text == found)

    # -- Tokens to text -------------------------------------------------------------------------

    def decode(self, ids: Iterable[int], skip_special_tokens: bool = True) -> str:
        """Return the text of tokens.

        Args:
            ids: numbers of tokens, a list or a tensor.
            skip_special_tokens: leave out special tokens.

        Raises:
            IndexRangeError: a number without a token.
        """
        tokens = []
        for number in ids:
            number = int(number)
            name = self.id_to_token(number)
            if name is None:
                raise IndexRangeError(f"decode: there is no token {number}",
                                      why=f"the vocabulary has {len(self)} tokens")
            added = self._added.get(number)
            if not (skip_special_tokens and added is not None and added.special):
                tokens.append(name)
        return self._join(tokens)

    def decode_batch(self, sequences: Iterable[Iterable[int]],
                     skip_special_tokens: bool = True) -> list[str]:
        """Return the text of each list of tokens."""
        return [self.decode(ids, skip_special_tokens) for ids in sequences]

    # -- Lengths --------------------------------------------------------------------------------

    def enable_truncation(self, max_length: int, stride: int = 0,
                          strategy: str = "longest_first", direction: str = "right") -> None:
        """Cut encodings to a length from here on.

        Args:
            max_length: tokens in all, special ones included.
            stride: 0; parts that overlap are not made.
            strategy: of two texts cut "longest_first", "only_first" or "only_second".
            direction: what is cut off, "right" or "left".
        """
        if stride:
            raise ArgumentError(f"enable_truncation: stride={stride}",
                                why="what is cut off is not kept, so nothing can overlap")
        checked_choice("strategy", strategy, ("longest_first", "only_first", "only_second"))
        checked_choice("direction", direction, ("right", "left"))
        self._truncation = Truncation(max_length, strategy, direction)
        self.truncation = {**asdict(self._truncation), "stride": 0}

    def no_truncation(self) -> None:
        """Leave encodings as long as they are."""
        self.truncation = self._truncation = None

    def enable_padding(self, direction: str = "right", pad_id: int = 0, pad_type_id: int = 0,
                       pad_token: str = "[PAD]", length: int | None = None,
                       pad_to_multiple_of: int | None = None) -> None:
        """Make encodings equally long from here on.

        Args:
            direction: where padding goes, "right" or "left".
            pad_id, pad_type_id, pad_token: what it is.
            length: up to this many tokens; up to the longest of a batch when None.
            pad_to_multiple_of: up to a multiple of this.
        """
        checked_choice("direction", direction, ("right", "left"))
        self._padding = Padding(direction, pad_id, pad_type_id, pad_token, length,
                                pad_to_multiple_of)
        self.padding = asdict(self._padding)

    def no_padding(self) -> None:
        """Leave encodings as short as they are."""
        self.padding = self._padding = None

    # -- Learning -------------------------------------------------------------------------------

    def counted_words(self, texts: Iterable[Any]) -> Counter[str]:
        """Return how often each word occurs in texts, or in lists of texts."""
        words: Counter[str] = Counter()
        for text in texts:
            for one in [text] if isinstance(text, str) else text:
                for part, token in self._at_added(Aligned.of(self._text(one)), False):
                    if token is None:
                        part = self._normalize(part) if self._normalize else part
                        words.update(word.text for word in
                                     (self._cut([part]) if self._cut else [part]) if word.text)
        return words

    # -- Files ----------------------------------------------------------------------------------

    def to_str(self, pretty: bool = False) -> str:
        """Return the content of tokenizer.json."""
        added = [{"id": number, **asdict(token)} for number, token in sorted(self._added.items())]
        content = {
            "version": "1.0", "truncation": _truncation_out(self._truncation),
            "padding": _padding_out(self._padding), "added_tokens": added, **self._settings,
            "model": self.model.settings(),
        }
        return json.dumps(content, ensure_ascii=False, indent=2 if pretty else None)

    def save(self, path: PathLike, pretty: bool = True) -> None:
        """Write tokenizer.json, which Hugging Face's library reads too."""
        with open(path, "w", encoding="utf-8") as stream:
            stream.write(self.to_str(pretty))

    @classmethod
    def from_file(cls, path: PathLike) -> Tokenizer:
        """Read tokenizer.json.

        Raises:
            FileFormatError: the file is something else.
            UnsupportedError: a kind of tokenizer that is not known here.
        """
        with open(path, encoding="utf-8") as stream:
            content = stream.read()
        try:
            return cls.from_str(content)
        except FileFormatError as error:
            raise FileFormatError(f"{os.fspath(path)}: {error.what}", error.why,
                                  error.fix) from None

    @classmethod
    def from_str(cls, json_text: str) -> Tokenizer:
        """Read the content of tokenizer.json."""
        try:
            content = json.loads(json_text)
            model = models.from_settings(content["model"])
            made = Tokenizer(model, normalizer=content.get("normalizer"),
                             words=content.get("pre_tokenizer"),
                             post_processor=content.get("post_processor"),
                             decoder=content.get("decoder"))
            for entry in content.get("added_tokens", []):
                number = entry.pop("id")
                made._added[number] = token = AddedToken(**entry)
                made._contents[token.content] = number
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise FileFormatError(
                f"not the content of a tokenizer.json ({error!r})",
                why="it is JSON with model, normalizer, pre_tokenizer ...") from None
        made._add([])
        if truncation := content.get("truncation"):
            made.enable_truncation(truncation["max_length"], truncation.get("stride", 0),
                                   _snake(truncation["strategy"]),
                                   truncation.get("direction", "Right").lower())
        if padding := content.get("padding"):
            strategy = padding["strategy"]
            made.enable_padding(
                padding["direction"].lower(), padding["pad_id"], padding["pad_type_id"],
                padding["pad_token"], strategy["Fixed"] if isinstance(strategy, dict) else None,
                padding.get("pad_to_multiple_of"))
        return made


def _entry(kind: Any) -> dict[str, Any] | None:
    return {"type": kind} if isinstance(kind, str) else kind


def _inside_word(text: str, start: int, end: int) -> bool:
    def letter(place: int) -> bool:
        return 0 <= place < len(text) and (text[place].isalnum() or text[place] == "_")

    return letter(start - 1) or letter(end)


def _snake(name: str) -> str:
    return re.sub(r"(?<!^)([A-Z])", r"_\1", name).lower()


def _truncation_out(truncation: Truncation | None) -> dict[str, Any] | None:
    if truncation is None:
        return None
    strategy = "".join(word.capitalize() for word in truncation.strategy.split("_"))
    return {"direction": truncation.direction.capitalize(), "max_length": truncation.max_length,
            "strategy": strategy, "stride": 0}


def _padding_out(padding: Padding | None) -> dict[str, Any] | None:
    if padding is None:
        return None
    strategy = "BatchLongest" if padding.length is None else {"Fixed": padding.length}
    return {"strategy": strategy, "direction": padding.direction.capitalize(),
            "pad_to_multiple_of": padding.pad_to_multiple_of, "pad_id": padding.pad_id,
            "pad_type_id": padding.pad_type_id, "pad_token": padding.pad_token}


