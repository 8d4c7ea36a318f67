"""Vocabularies, n-grams, scores, steps to tensors, and readers of files of text."""

import gzip
import inspect
import math

import pytest

import lampion
from lampion.errors import FileFormatError, StateError, UnsupportedError
from lampion.text import datasets, transforms
from lampion.text.data import (
    bleu_score,
    get_tokenizer,
    interleave_keys,
    ngrams_iterator,
    numericalize_tokens_from_iterator,
    to_map_style_dataset,
)
from lampion.text.vocab import Vectors, Vocab, build_vocab_from_iterator, vocab


def test_building_a_vocabulary():
    texts = ["b a c a", "a b <unk>", "d"]
    words = build_vocab_from_iterator(map(str.split, texts), specials=["<pad>", "<unk>"])
    assert words.get_itos() == ["<pad>", "<unk>", "a", "b", "c", "d"]
    rare = build_vocab_from_iterator(map(str.split, texts), min_freq=2, specials=["<unk>"],
                                     special_first=False)
    assert rare.get_itos() == ["a", "b", "<unk>"]
    few = build_vocab_from_iterator(map(str.split, texts), specials=["<unk>"], max_tokens=3)
    assert few.get_itos() == ["<unk>", "a", "b"]
    with pytest.raises(ValueError, match="specials"):
        build_vocab_from_iterator([["a"]], specials=["<unk>"], max_tokens=1)
    assert vocab({"z": 1, "y": 5}, min_freq=2).get_itos() == ["y"]


def test_a_vocabulary():
    words = Vocab(["<unk>", "a", "b"])
    assert len(words) == 3 and "a" in words and "c" not in words and words["b"] == 2
    with pytest.raises(RuntimeError, match="set_default_index"):
        words["c"]
    words.set_default_index(words["<unk>"])
    assert words(["b", "c"]) == [2, 0] and words.get_default_index() == 0
    words.insert_token("new", 1)
    words.append_token("last")
    assert words.get_itos() == ["<unk>", "new", "a", "b", "last"]
    assert words.get_stoi()["b"] == 3 and words.lookup_tokens([4, 0]) == ["last", "<unk>"]
    for wrong in (lambda: words.insert_token("a", 0), lambda: words.lookup_token(9),
                  lambda: words.insert_token("x", 9), lambda: Vocab(["a", "a"])):
        with pytest.raises(StateError):
            wrong()
    assert isinstance(words, lampion.nn.Module)


def test_basic_english_and_others():
    cut = get_tokenizer("basic_english")
    assert cut('You can\'t (now) install "it"; yes: ok!<br /><br />End.') == [
        "you", "can", "'", "t", "(", "now", ")", "install", "it", "yes", "ok", "!", "end", "."]
    assert get_tokenizer(None)(" a  B\n") == ["a", "B"]
    assert get_tokenizer(str.upper) is str.upper
    with pytest.raises(ValueError, match="basic_english"):
        get_tokenizer("basic_german")
    with pytest.raises(ValueError, match="English"):
        get_tokenizer("basic_english", "de")
    with pytest.raises(UnsupportedError, match="spacy"):
        get_tokenizer("spacy")


def test_ngrams():
    assert list(ngrams_iterator(["a", "b", "c"], 3)) == ["a", "b", "c", "a b", "b c", "a b c"]
    assert list(ngrams_iterator([], 2)) == []
    pairs = [(1, 3), (2, 1), (2, 2)]
    assert sorted(pairs, key=lambda pair: interleave_keys(*pair)) == [(1, 3), (2, 1), (2, 2)]


def test_bleu_by_hand():
    candidate = [["the", "cat", "sat", "on", "mats"], ["so", "it", "was"]]
    references = [[["the", "cat", "sat", "on", "the", "mat"], ["a", "cat"]],
                  [["it", "was", "so"]]]
    # Unigrams: 4 of 5 and 3 of 3; pairs: 3 of 4 and 1 of 2; lengths: 8 and 6 + 3.
    wanted = math.exp(1 - 9 / 8) * math.exp((math.log(7 / 8) + math.log(4 / 6)) / 2)
    assert bleu_score(candidate, references, 2, [0.5, 0.5]) == pytest.approx(wanted)
    assert bleu_score([["a"]], [[["b"]]]) == 0.0
    same = [["a", "b", "c", "d", "e"]]
    assert bleu_score(same, [same]) == pytest.approx(1.0)
    with pytest.raises(ValueError, match="weight"):
        bleu_score(same, [same], 2)


def test_a_pipeline_to_batches():
    texts = ["a b c d e", "b", "c zzz"]
    words = build_vocab_from_iterator(map(str.split, texts[:2]),
                                      specials=["<pad>", "<bos>", "<eos>", "<unk>"])
    words.set_default_index(3)
    steps = transforms.Sequential(
        transforms.VocabTransform(words), transforms.Truncate(3), transforms.AddToken(1),
        transforms.AddToken(2, begin=False), transforms.ToTensor(padding_value=0))
    batch = steps([text.split() for text in texts])
    b, c = words["b"], words["c"]
    assert batch.tolist() == [[1, words["a"], b, c, 2], [1, b, 2, 0, 0], [1, c, 3, 2, 0]]
    assert steps(["b"]).tolist() == [1, b, 2]
    assert transforms.PadTransform(7, 9)(batch).shape == (3, 7)
    assert transforms.PadTransform(2, 9)(batch).shape == (3, 5)
    assert transforms.StrToIntTransform()([["1", "2"], ["3"]]) == [[1, 2], [3]]
    with pytest.raises(ValueError, match="padding_value"):
        transforms.ToTensor()([[1, 2], [3]])
    with pytest.raises(TypeError, match="list"):
        transforms.Truncate(2)("text")
    ids = numericalize_tokens_from_iterator(words, [["a", "b"]], removed_tokens=["a"])
    assert [list(row) for row in ids] == [[b]]


def test_labels(tmp_path):
    labels = transforms.LabelToIndex(["pos", "neg"], sort_names=True)
    assert labels(["pos", "neg"]) == [1, 0] and labels("neg") == 0
    (tmp_path / "labels.txt").write_text("x\ny\n")
    assert transforms.LabelToIndex(label_path=str(tmp_path / "labels.txt")).label_names == ["x",
                                                                                           "y"]
    with pytest.raises(ValueError):
        transforms.LabelToIndex()


def test_tokenizers_as_modules(tmp_path):
    (tmp_path / "encoder.json").write_text('{"a": 0, "b": 1, "ab": 2, "\\u0120": 3}')
    (tmp_path / "vocab.bpe").write_text("#version: 0.2\na b\n", encoding="utf-8")
    cut = transforms.GPT2BPETokenizer(tmp_path / "encoder.json", tmp_path / "vocab.bpe")
    assert cut("ab a") == ["2", "3", "0"] and cut(["a", "ba"]) == [["0"], ["1", "0"]]
    assert cut.decode(["2", "3", "0"]) == "ab a"
    (tmp_path / "vocab.txt").write_text("[UNK]\n[CLS]\n[SEP]\nab\n##c\n")
    names = transforms.BERTTokenizer(tmp_path / "vocab.txt", return_tokens=True)
    assert names("ABc x") == ["ab", "##c", "[UNK]"]


def test_vectors(tmp_path):
    path = tmp_path / "glove.txt"
    path.write_text("the 0.5 1\ncat -1 2\n", encoding="utf-8")
    vectors = Vectors("glove.txt", cache=tmp_path)
    assert vectors.dim == 2 and len(vectors) == 2 and "cat" in vectors
    assert vectors.get_vecs_by_tokens(["Cat", "dog"], lower_case_backup=True).tolist() == [
        [-1, 2], [0, 0]]
    assert Vectors(path, unk_init=lambda vector: vector + 7)["dog"].tolist() == [7, 7]
    path.write_text("2 2\nthe 0.5 1\ncat -1 2\n", encoding="utf-8")
    assert Vectors(path, max_vectors=1).itos == ["the"]
    path.write_text("the 0.5 1\ncat -1\n", encoding="utf-8")
    with pytest.raises(FileFormatError, match="line 2"):
        Vectors(path)
    with pytest.raises(FileFormatError, match="fetches nothing"):
        Vectors(tmp_path / "none.txt", url="https://example.org")


def test_readers(tmp_path):
    (tmp_path / "train.csv").write_text('3,"Title","Text, with a comma"\n1,"x","y ""z"""\n')
    news = datasets.AG_NEWS(tmp_path, split="train")
    assert list(news) == list(news) == [(3, "Title Text, with a comma"), (1, 'x y "z"')]
    for language, text in (("de", "eins\nzwei\n"), ("en", "one\ntwo\n")):
        with gzip.open(tmp_path / f"val.{language}.gz", "wt") as stream:
            stream.write(text)
    pairs, = datasets.Multi30k(tmp_path, split=("valid",))
    assert list(pairs) == [("eins", "one"), ("zwei", "two")]
    (tmp_path / "test.txt").write_text(" = Title = \n\n text \u2028 more\n", encoding="utf-8")
    assert list(datasets.WikiText2(tmp_path, "test")) == [" = Title = ", "", " text \u2028 more"]
    for folder, text in (("neg", "bad"), ("pos", "good")):
        (tmp_path / "aclImdb" / "test" / folder).mkdir(parents=True)
        (tmp_path / "aclImdb" / "test" / folder / "0_1.txt").write_text(text)
    assert list(datasets.IMDB(tmp_path, "test")) == [(1, "bad"), (2, "good")]
    assert len(to_map_style_dataset(datasets.IMDB(tmp_path, "test"))) == 2


def test_readers_say_what_is_missing(tmp_path):
    for reader in (datasets.AG_NEWS, datasets.WikiText2, datasets.PennTreebank, datasets.IMDB,
                   datasets.Multi30k):
        with pytest.raises(FileFormatError, match="fetches nothing"):
            reader(tmp_path)
        with pytest.raises(ValueError, match="parts"):
            reader(tmp_path, split="trian")
    (tmp_path / "a").write_text("1\n2\n")
    (tmp_path / "b").write_text("1\n")
    with pytest.raises(FileFormatError, match="numbers of lines"):
        list(datasets.TextLines(tmp_path / "a", tmp_path / "b"))
    (tmp_path / "test.csv").write_text("good,x\n")
    with pytest.raises(FileFormatError, match="row 1"):
        list(datasets.AG_NEWS(tmp_path, "test"))


def test_the_usual_names_are_there():
    """As programs for torchtext import them."""
    from lampion.text import data, functional

    assert callable(data.utils.get_tokenizer) and callable(data.metrics.bleu_score)
    assert callable(functional.to_tensor)
    assert list(inspect.signature(build_vocab_from_iterator).parameters) == [
        "iterator", "min_freq", "specials", "special_first", "max_tokens"]
