"""Networks of sequences: attention, what may be seen, and that training lowers the loss."""

import math
import random

import numpy as np
import pytest

import lampion
from lampion import models
from lampion.errors import ArgumentError, HeadsError, ShapeError, StateDictError
from lampion.models import bert, gpt, seq2seq_attention, transformer, word2vec
from lampion.nn import functional as F


def train(model, loss, steps, lr=0.01):
    """Return the loss of each step."""
    optimizer = lampion.optim.Adam(model.parameters(), lr=lr)
    values = []
    for _ in range(steps):
        optimizer.zero_grad()
        value = loss()
        value.backward()
        optimizer.step()
        values.append(value.item())
    return values


def tiny_gpt(**changes):
    sizes = {"block_size": 8, "vocab_size": 11, "n_layer": 2, "n_head": 2, "n_embd": 16}
    return models.GPT(models.GPTConfig(**{**sizes, **changes}))


# --- attention -----------------------------------------------------------------------------------


def test_attention_against_pytorch():
    torch = pytest.importorskip("torch")
    q, k, v = (np.random.default_rng(n).standard_normal((2, 3, 5, 4)) for n in range(3))
    mask = np.tril(np.ones((5, 5), bool))
    out, weights = transformer.attention(*(lampion.tensor(x) for x in (q, k, v)),
                                         lampion.tensor(mask))
    scores = np.where(mask, q @ k.swapaxes(2, 3) / 2, -np.inf)
    expected = np.exp(scores) / np.exp(scores).sum(3, keepdims=True)
    assert np.allclose(weights.numpy(), expected)
    theirs = torch.nn.functional.scaled_dot_product_attention(
        *(torch.from_numpy(x) for x in (q, k, v)), is_causal=True)
    assert np.allclose(out.numpy(), theirs.numpy())


def test_multi_head_attention_against_pytorch():
    torch = pytest.importorskip("torch")
    ours, theirs = transformer.MultiHeadAttention(8, 2), torch.nn.MultiheadAttention(
        8, 2, batch_first=True)
    weights = {name: torch.from_numpy(w.numpy()) for name, w in ours.state_dict().items()}
    theirs.load_state_dict({
        "in_proj_weight": torch.cat([weights[f"{n}_proj.weight"] for n in "qkv"]),
        "in_proj_bias": torch.cat([weights[f"{n}_proj.bias"] for n in "qkv"]),
        "out_proj.weight": weights["out_proj.weight"], "out_proj.bias": weights["out_proj.bias"]})
    x = np.random.default_rng(0).standard_normal((2, 5, 8)).astype(np.float32)
    y = np.random.default_rng(1).standard_normal((2, 3, 8)).astype(np.float32)
    mine = ours(lampion.tensor(x), lampion.tensor(y), lampion.tensor(y)).detach().numpy()
    other = theirs(torch.from_numpy(x), torch.from_numpy(y), torch.from_numpy(y))[0]
    assert np.allclose(mine, other.detach().numpy(), atol=1e-6)


SCORES = {
    "bahdanau": lambda w, q, h: w["score.weight"][0] @ np.tanh(
        w["query.weight"] @ q + w["key.weight"] @ h),
    "dot": lambda w, q, h: q @ h,
    "general": lambda w, q, h: q @ w["weight.weight"] @ h,
    "concat": lambda w, q, h: w["v.weight"][0] @ np.tanh(
        w["weight.weight"] @ np.concatenate([q, h])),
}


@pytest.mark.parametrize("kind", SCORES)
def test_scores_of_recurrent_attention(kind):
    """Each score as its equation has it, one pair of states at a time; padding weighs nothing."""
    lampion.manual_seed(0)
    if kind == "bahdanau":
        layer = seq2seq_attention.AdditiveAttention(3, 3, 5)
    else:
        layer = seq2seq_attention.LuongAttention(3, kind)
    query, memory = lampion.randn(2, 3), lampion.randn(2, 4, 3)
    mask = lampion.tensor([[True, True, True, True], [True, True, False, False]])
    context, weights = layer(query, memory, mask)
    w = {name: value.numpy().astype(float) for name, value in layer.state_dict().items()}
    for n in range(2):
        q = query[n].numpy().astype(float)
        scores = []
        for h in memory[n].numpy().astype(float)[: 4 if n == 0 else 2]:
            scores.append(SCORES[kind](w, q, h))
        expected = np.exp(scores) / np.exp(scores).sum()
        assert np.allclose(weights[n, : len(expected)].detach().numpy(), expected, atol=1e-5)
        assert np.allclose(context[n].detach().numpy(),
                           expected @ memory[n].numpy()[: len(expected)], atol=1e-5)
    assert weights[1, 2:].tolist() == [0.0, 0.0]


def test_unknown_attention():
    with pytest.raises(ArgumentError, match="dot, general"):
        seq2seq_attention.LuongAttention(3, "cosine")
    with pytest.raises(ArgumentError, match="bahdanau"):
        models.Decoder(5, 3, 3, attention="cosine")


def test_positions_are_those_of_the_paper():
    table = transformer.sinusoidal_positions(7, 6).numpy()
    for position in range(7):
        for i in range(3):
            angle = position / 10000 ** (2 * i / 6)
            assert table[position, 2 * i] == pytest.approx(math.sin(angle), abs=1e-6)
            assert table[position, 2 * i + 1] == pytest.approx(math.cos(angle), abs=1e-6)


# --- recurrent -----------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["LSTM", "GRU", "RNN_TANH", "RNN_RELU"])
def test_rnn_language_model(kind):
    lampion.manual_seed(0)
    model = models.RNNLanguageModel(kind, 6, 8, 8, 1, dropout=0.0, tie_weights=True)
    words = lampion.arange(9).reshape(9, 1) % 3
    state = model.init_hidden(1)
    values = train(model, lambda: F.cross_entropy(
        model(words[:-1], state)[0].flatten(0, 1), words[1:].flatten()), 8, lr=0.05)
    assert values[-1] < 0.8 * values[0]
    assert model.encoder.weight is model.decoder.weight


def test_a_language_model_continues_where_it_stopped():
    model = models.RNNLanguageModel("LSTM", 6, 4, 4, 2).eval()
    words = lampion.randint(6, (8, 3))
    whole, _ = model(words, model.init_hidden(3))
    first, state = model(words[:5], model.init_hidden(3))
    second, _ = model(words[5:], models.rnn_language_model.detach_hidden(state))
    assert lampion.allclose(lampion.cat([first, second]), whole, atol=1e-6)
    with pytest.raises(ArgumentError, match="tied"):
        models.RNNLanguageModel("GRU", 6, 4, 5, 1, tie_weights=True)


def small_seq2seq(attention):
    lampion.manual_seed(1)
    return models.Seq2Seq(models.Encoder(8, 8, 16), models.Decoder(8, 8, 16, attention=attention))


@pytest.mark.parametrize("attention", ["none", "bahdanau", "general"])
def test_seq2seq_learns_to_copy(attention):
    model = small_seq2seq(attention)
    src = lampion.tensor([[3, 4, 2], [5, 6, 2], [4, 7, 2], [6, 2, 0]])
    tgt = lampion.tensor([[1, 3, 4, 2], [1, 5, 6, 2], [1, 4, 7, 2], [1, 6, 2, 0]])
    values = train(model, lambda: F.cross_entropy(
        model(src, tgt).flatten(0, 1), tgt[:, 1:].flatten(), ignore_index=0), 40, lr=0.03)
    assert values[-1] < 0.2 * values[0]
    model.eval()
    assert model.greedy(src, start=1, end=2, max_len=5) == [[3, 4], [5, 6], [4, 7], [6]]
    assert model.beam_search(src[0], start=1, end=2, beam_width=3)[0] == [3, 4]


def test_padding_changes_nothing():
    model = small_seq2seq("concat").eval()
    tgt = lampion.tensor([[1, 3, 2]])
    short = model(lampion.tensor([[3, 4, 2]]), tgt)
    long = model(lampion.tensor([[3, 4, 2, 0, 0]]), tgt)
    assert lampion.allclose(short, long, atol=1e-6)


def test_without_teacher_the_models_own_words_go_in():
    model = small_seq2seq("dot").eval()
    src = lampion.tensor([[3, 4, 2]])
    random.seed(0)
    free = model(src, lampion.tensor([[1, 3, 5, 2]]), teacher_forcing_ratio=0.0)
    other = model(src, lampion.tensor([[1, 7, 6, 2]]), teacher_forcing_ratio=0.0)
    assert lampion.equal(free, other)
    forced = model(src, lampion.tensor([[1, 7, 6, 2]]), teacher_forcing_ratio=1.0)
    assert not lampion.equal(free, forced)


def test_a_wide_beam_finds_the_best_sentence():
    """Against all sentences of up to three words, scored one by one."""
    model = small_seq2seq("none").eval()
    with lampion.no_grad():
        model.decoder.output.weight.mul_(6.0)
    src = lampion.tensor([[3, 4, 2]])

    def score(words):
        tgt = lampion.tensor([[1, *words, 2]])
        log_p = F.log_softmax(model(src, tgt), dim=2)[0]
        total = sum(log_p[place, word].item() for place, word in enumerate([*words, 2]))
        return total / ((5 + len(words) + 1) / 6) ** 0.6

    letters = [word for word in range(8) if word != 2]
    sentences = [[], *([a] for a in letters), *([a, b] for a in letters for b in letters)]
    best = max(sentences, key=score)
    words, value = model.beam_search(src[0], start=1, end=2, beam_width=400, max_len=3)
    assert words == best and value == pytest.approx(score(best), rel=1e-4)
    narrow, _ = model.beam_search(src[0], start=1, end=2, beam_width=1, max_len=9)
    assert narrow == model.greedy(src[None, 0], start=1, end=2, max_len=9)[0]


# --- Transformer, GPT, BERT, ViT -----------------------------------------------------------------


def small_transformer():
    lampion.manual_seed(2)
    return models.Transformer(9, 9, d_model=16, nhead=2, num_encoder_layers=1,
                              num_decoder_layers=1, dim_feedforward=32, dropout=0.0, max_len=12)


def test_transformer_learns_to_copy():
    model = small_transformer()
    src = lampion.tensor([[3, 4, 5, 2], [6, 7, 2, 0]])
    tgt = lampion.tensor([[1, 3, 4, 5, 2], [1, 6, 7, 2, 0]])
    values = train(model, lambda: F.cross_entropy(
        model(src, tgt[:, :-1]).flatten(0, 1), tgt[:, 1:].flatten(), ignore_index=0), 25)
    assert values[-1] < 0.2 * values[0]
    assert model.greedy_decode(src, start=1, end=2, max_len=6).tolist() == tgt.tolist()


def test_transformer_does_not_see_padding_nor_the_future():
    model = small_transformer().eval()
    src, tgt = lampion.tensor([[3, 4, 2]]), lampion.tensor([[1, 5, 6]])
    scores = model(src, tgt)
    padded = model(lampion.tensor([[3, 4, 2, 0]]), lampion.tensor([[1, 5, 7]]))
    assert lampion.allclose(scores[:, :2], padded[:, :2], atol=1e-5)
    assert not lampion.allclose(scores[:, 2], padded[:, 2], atol=1e-3)
    with pytest.raises(ShapeError, match="max_len"):
        model(lampion.ones(1, 13, dtype=lampion.long), tgt)


def test_transformer_layers_are_those_of_pytorch():
    torch = pytest.importorskip("torch")
    ours = transformer.EncoderLayer(8, 2, 16, 0.0)
    theirs = torch.nn.TransformerEncoderLayer(8, 2, 16, 0.0, batch_first=True)
    w = {name: torch.from_numpy(x.numpy()) for name, x in ours.state_dict().items()}
    theirs.load_state_dict({
        "self_attn.in_proj_weight": torch.cat([w[f"self_attn.{n}_proj.weight"] for n in "qkv"]),
        "self_attn.in_proj_bias": torch.cat([w[f"self_attn.{n}_proj.bias"] for n in "qkv"]),
        **{f"self_attn.out_proj.{n}": w[f"self_attn.out_proj.{n}"] for n in ("weight", "bias")},
        **{f"{a}.{n}": w[f"feed_forward.{b}.{n}"]
           for a, b in (("linear1", 0), ("linear2", 3)) for n in ("weight", "bias")},
        **{f"{a}.{n}": w[f"{a}.{n}"] for a in ("norm1", "norm2") for n in ("weight", "bias")}})
    x = np.random.default_rng(0).standard_normal((2, 5, 8)).astype(np.float32)
    mask = lampion.ones(2, 1, 1, 5, dtype=lampion.bool)
    assert np.allclose(ours(lampion.tensor(x), mask).detach().numpy(),
                       theirs(torch.from_numpy(x)).detach().numpy(), atol=1e-5)


def test_gpt_learns_and_does_not_see_the_future():
    lampion.manual_seed(0)
    model = tiny_gpt()
    idx = lampion.arange(8).reshape(1, 8) % 4
    before = model(idx, idx)[0]
    changed = idx.clone()
    changed[0, 5:] = 9
    assert lampion.allclose(model(changed, idx)[0][:, :5], before[:, :5], atol=1e-6)
    values = train(model, lambda: model(idx[:, :-1], idx[:, 1:])[1], 15, lr=0.02)
    assert values[-1] < 0.3 * values[0]
    assert model.generate(idx[:, :4], 4, top_k=1).tolist() == idx.tolist()


def test_gpt_refuses():
    with pytest.raises(ShapeError, match="block_size = 8"):
        tiny_gpt()(lampion.zeros(1, 9, dtype=lampion.long))
    with pytest.raises(HeadsError):
        tiny_gpt(n_head=3)
    with pytest.raises(ArgumentError, match="top_k=1"):
        tiny_gpt().generate(lampion.zeros(1, 2, dtype=lampion.long), 1, temperature=0.0)


@pytest.mark.parametrize("prefix", ["", "transformer."])
def test_gpt2_weights_are_read_as_gpt2_meant_them(prefix):
    """A checkpoint as it is published, and GPT-2's arithmetic in NumPy: x W with W (in, out)."""
    generator = np.random.default_rng(0)
    sizes = {"wte.weight": (11, 16), "wpe.weight": (8, 16), "ln_f.weight": 16, "ln_f.bias": 16}
    for layer in range(2):
        for name, size in {
            "ln_1.weight": 16, "ln_1.bias": 16, "attn.c_attn.weight": (16, 48),
            "attn.c_attn.bias": 48, "attn.c_proj.weight": (16, 16), "attn.c_proj.bias": 16,
            "ln_2.weight": 16, "ln_2.bias": 16, "mlp.c_fc.weight": (16, 64), "mlp.c_fc.bias": 64,
            "mlp.c_proj.weight": (64, 16), "mlp.c_proj.bias": 16, "attn.bias": (1, 1, 8, 8),
        }.items():
            sizes[f"h.{layer}.{name}"] = size
    w = {name: generator.standard_normal(size) * 0.3 for name, size in sizes.items()}
    model = tiny_gpt()
    gpt.load_gpt2_state_dict(
        model, {prefix + name: lampion.tensor(x).float() for name, x in w.items()})

    def norm(x, name):
        x = (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + 1e-5)
        return x * w[f"{name}.weight"] + w[f"{name}.bias"]

    def conv1d(x, name):
        return x @ w[f"{name}.weight"] + w[f"{name}.bias"]

    tokens = np.array([3, 1, 4, 1, 5])
    x = w["wte.weight"][tokens] + w["wpe.weight"][:5]
    for layer in range(2):
        at = f"h.{layer}."
        q, k, v = np.split(conv1d(norm(x, at + "ln_1"), at + "attn.c_attn"), 3, axis=1)
        heads = []
        for head in (slice(0, 8), slice(8, 16)):
            s = np.where(np.tril(np.ones((5, 5))), q[:, head] @ k[:, head].T / 8**0.5, -1e9)
            p = np.exp(s - s.max(1, keepdims=True))
            heads.append(p / p.sum(1, keepdims=True) @ v[:, head])
        x = x + conv1d(np.concatenate(heads, 1), at + "attn.c_proj")
        h = conv1d(norm(x, at + "ln_2"), at + "mlp.c_fc")
        h = 0.5 * h * (1 + np.tanh(np.sqrt(2 / np.pi) * (h + 0.044715 * h**3)))
        x = x + conv1d(h, at + "mlp.c_proj")
    expected = norm(x, "ln_f") @ w["wte.weight"].T
    idx = lampion.tensor(tokens)[None]
    assert np.allclose(model(idx, idx)[0][0].detach().numpy(), expected, atol=1e-4)


def test_gpt2_weights_of_another_size_are_refused():
    with pytest.raises(StateDictError, match="other sizes"):
        gpt.load_gpt2_state_dict(tiny_gpt(), {"wte.weight": lampion.zeros(11, 8)})


def test_bert_learns_hidden_tokens_and_ignores_padding():
    lampion.manual_seed(0)
    encoder = models.BertModel(12, 16, 1, 2, 32, 0.0, 0.0, max_position_embeddings=8)
    states, _ = encoder(lampion.tensor([[3, 4, 5]]))
    padded, _ = encoder(lampion.tensor([[3, 4, 5, 0, 0]]))
    assert lampion.allclose(states, padded[:, :3], atol=1e-6)
    with pytest.raises(ShapeError, match="at most 8"):
        encoder(lampion.ones(1, 9, dtype=lampion.long))
    model = models.MaskedLanguageModel(encoder)
    inputs = lampion.tensor([[3, 4, 1, 6], [7, 1, 9, 10]])
    labels = lampion.tensor([[-100, -100, 5, -100], [-100, 8, -100, -100]])
    values = train(model, lambda: F.cross_entropy(
        model(inputs).flatten(0, 1), labels.flatten()), 10)
    assert values[-1] < 0.5 * values[0]
    names = set(encoder.state_dict())
    assert {"embeddings.LayerNorm.weight", "encoder.layer.0.attention.self.query.weight",
            "encoder.layer.0.attention.output.LayerNorm.bias", "pooler.dense.bias",
            "encoder.layer.0.intermediate.dense.weight"} <= names


def test_masking_hides_as_the_paper_says():
    lampion.manual_seed(0)
    tokens = lampion.randint(5, 1000, (100, 200))
    tokens[:, 0] = 1
    inputs, labels = bert.mask_tokens(tokens, mask_token_id=4, vocab_size=1000, special=(1,))
    chosen = labels.numpy() != -100
    tokens, inputs = tokens.numpy(), inputs.numpy()
    assert (labels.numpy()[chosen] == tokens[chosen]).all()
    assert (inputs[~chosen] == tokens[~chosen]).all() and not chosen[:, 0].any()
    assert chosen.mean() == pytest.approx(0.15, abs=0.01)
    assert (inputs[chosen] == 4).mean() == pytest.approx(0.8, abs=0.03)
    assert (inputs[chosen] == tokens[chosen]).mean() == pytest.approx(0.1, abs=0.03)


def test_vision_transformer_learns():
    lampion.manual_seed(0)
    model = models.VisionTransformer(8, 4, 1, 2, 16, 32, num_classes=4)
    x, y = lampion.randn(4, 3, 8, 8), lampion.arange(4)
    values = train(model, lambda: F.cross_entropy(model(x), y), 8)
    assert values[0] == pytest.approx(math.log(4))  # the head starts at 0
    assert values[-1] < 0.5 * values[0]
    with pytest.raises(ShapeError, match="8x8"):
        model(lampion.zeros(1, 3, 16, 8))
    with pytest.raises(ShapeError, match="whole patches"):
        models.VisionTransformer(9, 4, 1, 2, 16, 32)
    assert {"class_token", "encoder.pos_embedding", "heads.head.bias", "conv_proj.weight",
            "encoder.layers.encoder_layer_0.self_attention.in_proj_weight",
            "encoder.layers.encoder_layer_0.mlp.3.weight"} <= set(model.state_dict())


# --- word vectors --------------------------------------------------------------------------------


def test_words_of_the_same_company_come_together():
    """Words 0 to 3 occur among themselves, words 4 to 7 too."""
    lampion.manual_seed(0)
    random.seed(0)
    halves = (range(4), range(4, 8))
    text = [word for n in range(60) for word in random.sample(halves[n % 2], 4)]
    pairs = [pair for start in range(0, len(text), 4)
             for pair in word2vec.skip_gram_pairs(text[start : start + 4], window=3)]
    center, context = lampion.tensor(pairs).t()
    sampler = models.NegativeSampler(lampion.bincount(lampion.tensor(text)))
    model = models.SkipGram(8, 6)
    negative = sampler(len(pairs), 4)
    values = train(model, lambda: model(center, context, negative), 20, lr=0.05)
    assert values[0] == pytest.approx(5 * math.log(2))
    assert values[-1] < 0.9 * values[0]
    assert {word for word, _ in model.most_similar(0, 3)} == {1, 2, 3}


def test_cbow_loss_by_hand():
    lampion.manual_seed(0)
    model = models.CBOW(5, 3)
    with lampion.no_grad():
        model.output.weight.normal_()
    w, u = model.input.weight.detach().numpy(), model.output.weight.detach().numpy()
    loss = model(lampion.tensor([[1, 2, -1]]), lampion.tensor([3]), lampion.tensor([[0, 4]]))
    h = (w[1] + w[2]) / 2
    expected = np.log1p(np.exp(-u[3] @ h)) + sum(np.log1p(np.exp(u[k] @ h)) for k in (0, 4))
    assert loss.item() == pytest.approx(expected, rel=1e-5)


def test_negative_words_are_drawn_by_their_frequency():
    lampion.manual_seed(0)
    drawn = models.NegativeSampler(lampion.tensor([1.0, 16.0, 0.0]))(100, 50).numpy()
    assert drawn.shape == (100, 50) and (drawn != 2).all()
    assert (drawn == 1).mean() == pytest.approx(8 / 9, abs=0.03)
