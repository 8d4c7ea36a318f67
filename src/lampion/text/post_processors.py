"""What is put around the tokens of a text, such as [CLS] and [SEP]."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from lampion.text.encoding import Encoding
from lampion.text.normalizers import SPACES, not_known

PREFIX_SPACE = "Ġ"  # how a byte-level vocabulary writes a space


class Template:
    """Tokens around one text and around two.

    Args:
        single, pair: what comes after what: ("A", type) and ("B", type) for the texts, or (token,
            type).
        special: number and text of each token in them.
    """

    def __init__(self, single: Sequence[tuple[str, int]], pair: Sequence[tuple[str, int]],
                 special: dict[str, list[tuple[int, str]]]) -> None:
        self.single, self.pair, self.special = list(single), list(pair), special

    def added(self, is_pair: bool) -> int:
        """Return how many tokens are put around."""
        return sum(len(self.special[name]) for name, _ in (self.pair if is_pair else self.single)
                   if name not in ("A", "B"))

    def __call__(self, first: Encoding, second: Encoding | None) -> Encoding:
        whole = Encoding()
        for name, type_id in self.single if second is None else self.pair:
            text = {"A": first, "B": second}.get(name)
            if text is not None:
                whole.extend(text.with_type(type_id))
                continue
            for number, token in self.special[name]:
                whole.add(number, token, (0, 0), type_id, True)
        return whole

    def settings(self) -> dict[str, Any]:
        """Return the entry of tokenizer.json."""
        def listed(template: list[tuple[str, int]]) -> list[dict[str, Any]]:
            return [{"Sequence" if name in ("A", "B") else "SpecialToken":
                     {"id": name, "type_id": type_id}} for name, type_id in template]

        special = {name: {"id": name, "ids": [number for number, _ in tokens],
                          "tokens": [token for _, token in tokens]}
                   for name, tokens in self.special.items()}
        return {"type": "TemplateProcessing", "single": listed(self.single),
                "pair": listed(self.pair), "special_tokens": special}


PLAIN = Template([("A", 0)], [("A", 0), ("B", 1)], {})


def around(begin: tuple[str, int], between: Sequence[tuple[str, int]], end: tuple[str, int],
           second_type: int) -> Template:
    """Return the template `begin A end`, and for two texts `begin A between... B end`."""
    special = {token: [(number, token)] for token, number in (begin, *between, end)}
    pair = [(begin[0], 0), ("A", 0), *((token, 0) for token, _ in between), ("B", second_type),
            (end[0], second_type)]
    return Template([(begin[0], 0), ("A", 0), (end[0], 0)], pair, special)


def trim_offsets(encoding: Encoding, add_prefix_space: bool) -> Encoding:
    """Take the spaces at a token's ends out of its offsets."""
    for place, (token, (start, end)) in enumerate(zip(encoding.tokens, encoding.offsets)):
        leading = len(token) - len(token.lstrip(_BLANK))
        trailing = len(token) - len(token.rstrip(_BLANK))
        if leading and add_prefix_space and (place == 0 or start == 0):
            leading -= 1  # the one that was put there
        start = min(start + leading, end)
        if trailing and end >= trailing:
            end = max(end - trailing, start)
        encoding.offsets[place] = (start, end)
    return encoding


_BLANK = PREFIX_SPACE + "".join(sorted(SPACES))


class PostProcessor:
    """Trims offsets, then puts tokens around.

    Args:
        template: what is put around.
        trimming: whether offsets are trimmed, and whether a space was put before the text.
        stored: the entry of tokenizer.json that it was read from.
    """

    def __init__(self, template: Template = PLAIN, trimming: bool | None = None,
                 stored: dict[str, Any] | None = None) -> None:
        self.template, self.trimming, self.stored = template, trimming, stored

    def settings(self) -> dict[str, Any] | None:
        """Return the entry "post_processor" of tokenizer.json."""
        return self.stored

    def trimmed(self, encoding: Encoding) -> Encoding:
        """Return the encoding with trimmed offsets, where they are."""
        return encoding if self.trimming is None else trim_offsets(encoding, self.trimming)


def from_settings(settings: dict[str, Any] | None) -> PostProcessor:
    """Return what an entry "post_processor" of tokenizer.json means.

    Raises:
        UnsupportedError: a kind that is not known here.
    """
    if settings is None:
        return PostProcessor()
    template, trimming = PLAIN, None
    for step in settings["processors"] if settings["type"] == "Sequence" else [settings]:
        kind = step["type"]
        if kind == "ByteLevel":
            if step.get("trim_offsets", True):
                trimming = bool(step.get("add_prefix_space", True))
        elif kind in ("BertProcessing", "RobertaProcessing"):
            begin, end = tuple(step["cls"]), tuple(step["sep"])
            if kind == "BertProcessing":
                template = around(begin, [end], end, 1)  # type: ignore[arg-type]
            else:
                template = around(begin, [end, end], end, 0)  # type: ignore[arg-type]
                if step.get("trim_offsets", True):
                    trimming = bool(step.get("add_prefix_space", True))
        elif kind == "TemplateProcessing":
            template = _read_template(step)
        else:
            raise not_known("post_processor", kind)
    return PostProcessor(template, trimming, settings)


def _read_template(step: dict[str, Any]) -> Template:
    def read(parts: list[dict[str, Any]]) -> list[tuple[str, int]]:
        return [(entry["id"], entry["type_id"]) for part in parts for entry in part.values()]

    special = {name: list(zip(entry["ids"], entry["tokens"]))
               for name, entry in step["special_tokens"].items()}
    return Template(read(step["single"]), read(step["pair"]), special)
