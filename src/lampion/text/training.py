"""Learning a vocabulary: byte pair encoding, also for WordPiece."""

from __future__ import annotations

import heapq
from collections import Counter, defaultdict
from collections.abc import Iterable

from lampion.errors import ArgumentError

Pair = tuple[int, int]


def learn_merges(
    words: Counter[str], vocab_size: int, min_frequency: int = 0,
    special_tokens: Iterable[str] = (), initial_alphabet: Iterable[str] = (),
    limit_alphabet: int | None = None, prefix: str = "",
) -> tuple[dict[str, int], list[tuple[str, str]]]:
    """Return a vocabulary and its merges, learned from how often each word occurs.

    The pair of neighbours that occurs most is merged, again and again; of several the one with
    the smaller numbers. Special tokens get the first numbers, then single characters, then merges.

    Args:
        words: how often each word occurs.
        vocab_size: number of tokens.
        min_frequency: how often a pair must occur to be merged.
        special_tokens: tokens of their own.
        initial_alphabet: characters that are tokens even where they do not occur.
        limit_alphabet: number of characters, those that occur most.
        prefix: of tokens inside a word, as "##".

    Raises:
        ArgumentError: no words.

    Source: Sennrich, Haddow, Birch 2016, Neural machine translation of rare words with subword
    units, algorithm 1.

    Example:
        >>> learn_merges(Counter({"aab": 3, "ab": 2}), 4)
        ({'a': 0, 'b': 1, 'ab': 2, 'aab': 3}, [('a', 'b'), ('a', 'ab')])
    """
    tokens: list[str] = []
    number: dict[str, int] = {}

    def token(name: str) -> int:
        if name not in number:
            number[name] = len(tokens)
            tokens.append(name)
        return number[name]

    for name in special_tokens:
        token(name)
    alphabet = _alphabet(words, initial_alphabet, limit_alphabet)
    if not alphabet:
        raise ArgumentError("training: there are no words", why="the texts are empty",
                            fix="an iterable of strings")
    for character in alphabet:
        token(character)
    known = set(alphabet)
    spelled: list[list[int]] = []
    counts: list[int] = []
    for word, count in words.items():
        spelled.append([token(prefix + character if place else character)
                        for place, character in enumerate(word) if character in known])
        counts.append(count)
    merges = _merge(spelled, counts, tokens, token, vocab_size, min_frequency, prefix)
    return number, merges


def _alphabet(words: Counter[str], initial: Iterable[str], limit: int | None) -> list[str]:
    found: Counter[str] = Counter()
    for word, count in words.items():
        for character in word:
            found[character] += count
    always = {character[0] for character in initial}
    if limit is not None:
        common = sorted(found, key=lambda c: (c not in always, -found[c], c))
        found = Counter({c: found[c] for c in common[:max(limit, len(always))]})
    return sorted(set(found) | always)


def _merge(spelled: list[list[int]], counts: list[int], tokens: list[str], token, vocab_size: int,
           min_frequency: int, prefix: str) -> list[tuple[str, str]]:
    pairs: Counter[Pair] = Counter()
    places: defaultdict[Pair, set[int]] = defaultdict(set)
    for place, word in enumerate(spelled):
        for pair in zip(word, word[1:]):
            pairs[pair] += counts[place]
            places[pair].add(place)
    waiting = [(-count, pair) for pair, count in pairs.items()]
    heapq.heapify(waiting)
    merges: list[tuple[str, str]] = []
    while len(tokens) < vocab_size and waiting:
        count, pair = heapq.heappop(waiting)
        if -count != pairs[pair]:  # it was counted before others were merged
            if pairs[pair] > 0:
                heapq.heappush(waiting, (-pairs[pair], pair))
            continue
        if -count < max(min_frequency, 1):
            break
        one, two = tokens[pair[0]], tokens[pair[1]]
        new = token(one + (two[len(prefix):] if prefix and two.startswith(prefix) else two))
        merges.append((one, two))
        grown: set[Pair] = set()
        for place in places.pop(pair, ()):
            for changed, change in _replace(spelled[place], pair, new):
                pairs[changed] += change * counts[place]
                if change > 0:
                    grown.add(changed)
                    places[changed].add(place)
        pairs[pair] = 0
        for changed in grown:
            if pairs[changed] > 0 and changed != pair:
                heapq.heappush(waiting, (-pairs[changed], changed))
    return merges


def _replace(word: list[int], pair: Pair, new: int) -> list[tuple[Pair, int]]:
    """Merge a pair in a word, in place; return which pairs come and go."""
    changes: list[tuple[Pair, int]] = []
    place = 0
    while place < len(word) - 1:
        if (word[place], word[place + 1]) == pair:
            if place > 0:
                changes += [((word[place - 1], pair[0]), -1), ((word[place - 1], new), 1)]
            if place + 2 < len(word):
                changes += [((pair[1], word[place + 2]), -1), ((new, word[place + 2]), 1)]
            word[place:place + 2] = [new]
        place += 1
    return changes
