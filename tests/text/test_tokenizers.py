"""Tokenizers: the library tokenizers (where installed), definitions by hand, round trips."""

import json
import random
import re
import unicodedata
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lampion.errors import FileFormatError, UnsupportedError
from lampion.text import (
    AddedToken,
    BertWordPieceTokenizer,
    ByteLevelBPETokenizer,
    CharacterTokenizer,
    Tokenizer,
    models,
    normalizers,
    pre_tokenizers,
)
from lampion.text.aligned import Aligned
from lampion.text.training import learn_merges

CORPUS = [
    "The lantern hung in the window, and the window was in the wall of the house.",
    "Who hung the lantern? The keeper's daughter hung it; she'd hung it there for years.",
    "In 1984 there were 27 lanterns, in 1985 there were 31. Naïve Café owners don't count!",
    "日本語の提灯 и русские фонари, señor: ¿dónde está la linterna? 😀😀",
] * 4
FIELDS = ("ids", "tokens", "offsets", "type_ids", "attention_mask", "special_tokens_mask",
          "word_ids")


@pytest.fixture(scope="module")
def theirs():
    return pytest.importorskip("tokenizers")


@pytest.fixture(scope="module")
def byte_level():
    tokenizer = ByteLevelBPETokenizer()
    tokenizer.train_from_iterator(CORPUS, vocab_size=340, special_tokens=["<s>", "</s>"])
    return tokenizer


@pytest.fixture(scope="module")
def word_piece():
    tokenizer = BertWordPieceTokenizer()
    tokenizer.train_from_iterator(CORPUS, vocab_size=230)
    return tokenizer


def same(one, other):
    for field in FIELDS:
        assert getattr(one, field) == getattr(other, field), (field, one.tokens, other.tokens)


def some_texts(count, seed=0):
    """Texts of words, spaces and any characters whose kind no version of Unicode has changed."""
    draw = random.Random(seed)
    codes = [*range(1, 0x3000), *range(0x4E00, 0x4F00), *range(0xAC00, 0xAD00)]
    old = unicodedata.ucd_3_2_0
    pool = [chr(c) for c in codes if old.category(chr(c)) == unicodedata.category(chr(c))
            and old.category(chr(c)) not in ("Cn", "Cs")]
    words = "the lantern Café naïve don't we're 1985 ² 日本 😀 <s> </s> [MASK] \n \t   .".split(" ")
    return ["".join(draw.choice((draw.choice(words), " ", draw.choice(pool), "  "))
                    for _ in range(draw.randint(0, 9))) for _ in range(count)]


# Byte-level byte pair encoding ---


@given(st.text())
@settings(max_examples=300, deadline=None)
def test_any_text_survives_bytes(byte_level, text):
    text = text.encode("utf-8", "replace").decode()
    encoding = byte_level.encode(text)
    assert byte_level.decode(encoding.ids, skip_special_tokens=False) == text
    assert encoding.ids == [byte_level.token_to_id(token) for token in encoding.tokens]
    # The offsets of one token end where the next one's begin, or lie in one character.
    covered = 0
    for start, end in encoding.offsets:
        assert 0 <= start <= covered <= end <= len(text) or start == covered
        covered = max(covered, end)
    assert covered == len(text)


@given(st.text(alphabet=st.sampled_from("ab1 \n\té²'sd!_½Ⅷ\u00a0\u3000日\u0301\x1c"), max_size=12))
@settings(max_examples=200, deadline=None)
def test_words_are_cut_as_the_rule_says(text):
    """The rule, with Unicode's classes written out: an independent slow truth."""
    letters = "".join(c for c in "abé日sd" if unicodedata.category(c)[0] == "L")
    numbers = "1²½Ⅷ"
    spaces = " \n\t\u00a0\u3000"
    rule = re.compile(
        rf"'s|'t|'re|'ve|'m|'ll|'d| ?[{letters}]+| ?[{numbers}]+"
        rf"| ?[^{spaces}{letters}{numbers}]+|[{spaces}]+(?![^{spaces}])|[{spaces}]+")
    assert pre_tokenizers.gpt2_words(text) == [match.span() for match in rule.finditer(text)]


def test_byte_characters_are_gpt2s():
    table = pre_tokenizers.byte_characters()
    assert len(set(table.values())) == 256
    assert (table[0], table[32], table[127], table[173]) == ("Ā", "Ġ", "ġ", "Ń")
    assert all(table[byte] == chr(byte) for byte in b"azAZ09~!")


def test_merges_against_the_definition(byte_level):
    """Merging one pair after another, everywhere in the word, by the order of the merges."""
    ranks = {pair: rank for rank, pair in enumerate(byte_level.model.merges)}
    for word in {*"thelantern lanternhouse windowwindow aaaaaaa ththth".split()}:
        parts = list(word)
        while len(parts) > 1:
            pair = min(zip(parts, parts[1:]), key=lambda pair: ranks.get(pair, len(ranks)))
            if pair not in ranks:
                break
            merged, k = [], 0
            while k < len(parts):
                if tuple(parts[k:k + 2]) == pair:
                    merged.append(parts[k] + parts[k + 1])
                    k += 2
                else:
                    merged.append(parts[k])
                    k += 1
            parts = merged
        assert byte_level.encode(word).tokens == parts


def test_training_against_the_definition():
    """Counting all pairs anew before every merge, as the paper's program does."""
    words = Counter({"low": 5, "lower": 2, "newest": 6, "widest": 3, "oooo": 2})
    spelled = {word: list(word) for word in words}
    wanted = []
    vocab = {name: k for k, name in enumerate(sorted(set("".join(words))))}
    for _ in range(9):
        pairs = Counter()
        for word, parts in spelled.items():
            for pair in zip(parts, parts[1:]):
                pairs[pair] += words[word]
        best = min(pairs, key=lambda pair: (-pairs[pair], vocab[pair[0]], vocab[pair[1]]))
        wanted.append(best)
        vocab[best[0] + best[1]] = len(vocab)
        for parts in spelled.values():
            k = 0
            while k < len(parts) - 1:
                if (parts[k], parts[k + 1]) == best:
                    parts[k:k + 2] = [best[0] + best[1]]
                k += 1
    found, merges = learn_merges(words, len(vocab))
    assert merges == wanted and found == vocab


def test_byte_level_as_tokenizers(theirs, byte_level, tmp_path):
    reference = theirs.ByteLevelBPETokenizer()
    reference.train_from_iterator(CORPUS, vocab_size=340, special_tokens=["<s>", "</s>"],
                                  show_progress=False)
    assert byte_level.get_vocab() == reference.get_vocab()
    byte_level.save(tmp_path / "a.json")
    reference.save(str(tmp_path / "b.json"))
    read = Tokenizer.from_file(tmp_path / "b.json")
    their_read = theirs.Tokenizer.from_file(str(tmp_path / "a.json"))
    for text in some_texts(300):
        expected = reference.encode(text)
        for tokenizer in (byte_level, read, their_read):
            same(tokenizer.encode(text), expected)
            assert tokenizer.decode(expected.ids) == reference.decode(expected.ids)


@pytest.mark.parametrize("options", [
    {"add_prefix_space": True}, {"trim_offsets": True}, {"lowercase": True},
    {"unicode_normalizer": "nfkc"}, {"add_prefix_space": True, "trim_offsets": True},
    {"unicode_normalizer": "nfd", "lowercase": True}])
def test_options_as_tokenizers(theirs, byte_level, tmp_path, options):
    vocab, merges = byte_level.save_model(tmp_path)
    ours = ByteLevelBPETokenizer(vocab, merges, **options)
    reference = theirs.ByteLevelBPETokenizer(vocab, merges, **options)
    for text in some_texts(150, seed=1):
        if "nfkc" in options.values():
            assert ours.encode(text).ids == reference.encode(text).ids
        else:
            same(ours.encode(text), reference.encode(text))


def test_files_of_vocabulary_and_merges(byte_level, tmp_path):
    vocab, merges = byte_level.save_model(tmp_path, "small")
    assert vocab.endswith("small-vocab.json") and merges.endswith("small-merges.txt")
    again = ByteLevelBPETokenizer(vocab, merges)
    text = "the lantern's 27 😀"
    assert again.encode(text).ids == byte_level.encode(text).ids
    json_text = byte_level.to_str()
    older = json.loads(json_text)
    older["model"]["merges"] = [" ".join(pair) for pair in older["model"]["merges"]]
    for content in (json_text, json.dumps(older)):
        assert Tokenizer.from_str(content).encode(text).ids == byte_level.encode(text).ids


# WordPiece ---


def test_word_piece_by_hand():
    vocab = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "un", "##aff", "##able", "cafe", "!",
             "中", "##a"]
    tokenizer = BertWordPieceTokenizer({word: k for k, word in enumerate(vocab)})
    encoding = tokenizer.encode("UNaffable  Café!\x00中中 [MASK] xyz", "un")
    assert encoding.tokens == ["[CLS]", "un", "##aff", "##able", "cafe", "!", "中", "中", "[MASK]",
                               "[UNK]", "[SEP]", "un", "[SEP]"]
    assert encoding.offsets[1:10] == [(0, 2), (2, 5), (5, 9), (11, 15), (15, 16), (17, 18),
                                      (18, 19), (20, 26), (27, 30)]
    assert encoding.type_ids == [0] * 11 + [1] * 2
    assert encoding.special_tokens_mask == [1] + [0] * 9 + [1, 0, 1]
    assert tokenizer.decode(encoding.ids) == "unaffable cafe! 中 中 xyz un".replace(" xyz", "")
    plain = tokenizer.encode("un", add_special_tokens=False)
    assert plain.tokens == ["un"] and len(plain) == 1
    kept = BertWordPieceTokenizer({w: k for k, w in enumerate([*vocab, "Café"])}, lowercase=False)
    assert kept.encode("Café cafe").tokens[1:3] == ["Café", "cafe"]


def test_word_piece_as_tokenizers(theirs, word_piece, tmp_path):
    path, = word_piece.save_model(tmp_path)
    for options in ({}, {"lowercase": False}, {"strip_accents": False},
                    {"clean_text": False, "handle_chinese_chars": False}):
        ours = BertWordPieceTokenizer(path, **options)
        reference = theirs.BertWordPieceTokenizer(path, **options)
        ours.save(tmp_path / "a.json")
        reference.save(str(tmp_path / "b.json"))
        read = Tokenizer.from_file(tmp_path / "b.json")
        their_read = theirs.Tokenizer.from_file(str(tmp_path / "a.json"))
        for number, text in enumerate(some_texts(150, seed=2)):
            pair = None if number % 3 else "the window"
            expected = reference.encode(text, pair)
            for tokenizer in (ours, read, their_read):
                same(tokenizer.encode(text, pair), expected)
            assert ours.decode(expected.ids) == reference.decode(expected.ids)


def test_word_piece_training(theirs, word_piece):
    assert [word_piece.id_to_token(k) for k in range(5)] == [
        "[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    assert "lantern" in word_piece.encode("lantern").tokens
    reference = theirs.BertWordPieceTokenizer()
    reference.train_from_iterator(CORPUS, vocab_size=230, show_progress=False)
    # Their numbers of "##..." depend on a hash, and with them which of two equals is merged.
    assert word_piece.get_vocab_size() == reference.get_vocab_size()
    assert len(set(word_piece.get_vocab()) ^ set(reference.get_vocab())) < 25


# What all have in common ---


def test_lengths_as_tokenizers(theirs, word_piece, tmp_path):
    path, = word_piece.save_model(tmp_path)
    ours = BertWordPieceTokenizer(path)
    reference = theirs.Tokenizer.from_str(theirs.BertWordPieceTokenizer(path).to_str())
    batches = (["the window", "the"], [("the " * 12, "window " * 3)], [("the " * 3, "hung " * 12)],
               [("the " * 12, "hung " * 12)], ["in " * 30])
    for truncation in ({}, {"strategy": "only_first"}, {"direction": "left"}):
        for padding in ({}, {"direction": "left", "pad_to_multiple_of": 4}, {"length": 20}):
            for tokenizer in (ours, reference):
                tokenizer.enable_truncation(17, **truncation)
                tokenizer.enable_padding(**padding)
            ours.save(tmp_path / "a.json")
            again = Tokenizer.from_file(tmp_path / "a.json")
            for batch in batches:
                for one, two, three in zip(ours.encode_batch(batch), reference.encode_batch(batch),
                                           again.encode_batch(batch)):
                    same(one, two)
                    same(three, two)
    ours.no_truncation()
    ours.no_padding()
    assert len(ours.encode("the " * 40)) == 42


def test_padding_and_truncation_by_hand(byte_level):
    tokenizer = Tokenizer.from_str(byte_level.to_str())
    tokenizer.enable_padding(pad_id=7, pad_token="<pad>")
    one, two = tokenizer.encode_batch(["the", "the lantern hung"])
    assert len(one) == len(two) and one.ids[2:] == [7] * (len(one) - 2)
    assert one.attention_mask == [1, 1] + [0] * (len(one) - 2)
    tokenizer.enable_truncation(2)
    assert [len(e) for e in tokenizer.encode_batch(["the", "the lantern hung"])] == [2, 2]


def test_added_tokens(theirs, byte_level):
    ours = Tokenizer.from_str(byte_level.to_str())
    reference = theirs.Tokenizer.from_str(byte_level.to_str())
    names = [("<x>", {"lstrip": True}), ("<y>", {"rstrip": True}), ("dog", {"single_word": True}),
             ("<x><y>", {})]
    assert ours.add_tokens([AddedToken(name, **options) for name, options in names]) == 4
    reference.add_tokens([theirs.AddedToken(name, **options) for name, options in names])
    assert ours.add_special_tokens(["<s>", "<new>"]) == 1
    reference.add_special_tokens(["<s>", "<new>"])
    for text in ("a <x> b<y>  c", "dogs dog", "<x><y>", "<new> the<new>", "<s>dog</s>dog!"):
        same(ours.encode(text), reference.encode(text))
        ids = ours.encode(text).ids
        assert ours.decode(ids) == reference.decode(ids)
        assert ours.decode(ids, skip_special_tokens=False) == reference.decode(
            ids, skip_special_tokens=False)
    assert ours.get_vocab_size() == reference.get_vocab_size()


def test_words_given_beforehand(theirs, word_piece):
    reference = theirs.Tokenizer.from_str(word_piece.to_str())
    words = ["The", "lantern-keeper", "hung"]
    same(word_piece.encode(words, is_pretokenized=True),
         reference.encode(words, is_pretokenized=True))


def test_characters():
    tokenizer = CharacterTokenizer("hello world", unk_token="?", special_tokens=["<eos>"])
    assert tokenizer.get_vocab_size() == 10
    encoding = tokenizer.encode("hold<eos>up")
    assert encoding.tokens == [*"hold", "<eos>", "?", "?"]
    assert tokenizer.decode(tokenizer.encode("low hold").ids) == "low hold"
    with pytest.raises(ValueError, match="no token"):
        CharacterTokenizer("abc").encode("abd")


def test_word_level_and_readable_json(theirs):
    tokenizer = Tokenizer(models.WordLevel({"<unk>": 0, "the": 1, "!": 2}), words="Whitespace",
                          normalizer={"type": "Lowercase"})
    reference = theirs.Tokenizer.from_str(tokenizer.to_str(pretty=True))
    for text in ("The end!", "the the!!", ""):
        same(tokenizer.encode(text), reference.encode(text))
    assert tokenizer("The end!") == ["the", "<unk>", "!"]


def test_roberta_template(theirs, byte_level):
    content = json.loads(byte_level.to_str())
    content["post_processor"] = {
        "type": "RobertaProcessing", "sep": ["</s>", 1], "cls": ["<s>", 0], "trim_offsets": True,
        "add_prefix_space": False}
    ours = Tokenizer.from_str(json.dumps(content))
    reference = theirs.Tokenizer.from_str(json.dumps(content))
    for texts in (("the window",), ("the window", " in the wall")):
        same(ours.encode(*texts), reference.encode(*texts))


@given(st.text(max_size=20))
@settings(max_examples=100, deadline=None)
def test_unicode_forms_are_pythons(text):
    for form in ("NFC", "NFD", "NFKC", "NFKD"):
        changed = normalizers.unicode_form(form)(Aligned.of(text))
        assert changed.text == unicodedata.normalize(form, text)
        assert len(changed.spans) == len(changed.text)


@pytest.mark.parametrize(("content", "error", "hint"), [
    ("{", FileFormatError, "tokenizer.json"),
    ("[]", FileFormatError, "tokenizer.json"),
    ('{"model": {"type": "Unigram", "vocab": []}}', UnsupportedError, "pip install tokenizers"),
    ('{"model": {"type": "BPE", "vocab": {"a": 0}, "merges": ["a b"]}}', FileFormatError, "'b'"),
    ('{"model": {"type": "BPE", "vocab": {}, "merges": [], "byte_fallback": true}}',
     UnsupportedError, "byte_fallback"),
    ('{"model": {"type": "WordLevel", "vocab": {}, "unk_token": "?"}, "pre_tokenizer": {"type":'
     ' "Metaspace"}}', UnsupportedError, "Metaspace"),
])
def test_files_that_do_not_fit(content, error, hint, tmp_path):
    (tmp_path / "tokenizer.json").write_text(content)
    with pytest.raises(error, match=hint):
        Tokenizer.from_file(tmp_path / "tokenizer.json")


def test_errors_teach(byte_level, word_piece, tmp_path):
    with pytest.raises(TypeError, match="encode_batch"):
        byte_level.encode(["a", "b"])
    with pytest.raises(IndexError, match="no token 99999"):
        byte_level.decode([99_999])
    with pytest.raises(ValueError, match="merges"):
        ByteLevelBPETokenizer({"a": 0})
    with pytest.raises(ValueError, match="no words"):
        BertWordPieceTokenizer().train_from_iterator([])
    with pytest.raises(ValueError, match="CLS"):
        BertWordPieceTokenizer({"[UNK]": 0, "[SEP]": 1})
    with pytest.raises(ValueError, match="direction"):
        byte_level.enable_padding(direction="up")
    (tmp_path / "merges.txt").write_text("#version: 0.2\na b c\n")
    with pytest.raises(FileFormatError, match="line 2"):
        ByteLevelBPETokenizer({"a": 0}, tmp_path / "merges.txt")
    (tmp_path / "vocab.json").write_text("[1]")
    with pytest.raises(FileFormatError, match="vocabulary"):
        ByteLevelBPETokenizer(tmp_path / "vocab.json", [])
