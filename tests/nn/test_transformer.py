"""Attention and transformer layers against PyTorch's, with its weights."""

import warnings

import numpy as np
import pytest

import lampion

oracle = pytest.importorskip("torch")

SMALL = "8, 2, 12, 0.0"
LAYERS = [
    f"TransformerEncoderLayer({SMALL})",
    f"TransformerEncoderLayer({SMALL}, 'gelu', 1e-3, norm_first=True)",
    f"TransformerEncoderLayer({SMALL}, bias=False, batch_first=True)",
    f"TransformerEncoderLayer({SMALL}, nn.SiLU(), batch_first=True, norm_first=True)",
    f"TransformerDecoderLayer({SMALL})",
    f"TransformerDecoderLayer({SMALL}, 'gelu', norm_first=True, batch_first=True)",
    f"TransformerDecoderLayer({SMALL}, bias=False, activation=nn.Tanh())",
    f"TransformerEncoder(nn.TransformerEncoderLayer({SMALL}, batch_first=True), 2)",
    f"TransformerEncoder(nn.TransformerEncoderLayer({SMALL}), 2, nn.LayerNorm(8))",
    f"TransformerDecoder(nn.TransformerDecoderLayer({SMALL}), 2, nn.LayerNorm(8))",
    "Transformer(8, 2, 1, 2, 12, 0.0)",
    "Transformer(8, 4, 2, 1, 12, 0.0, 'gelu', batch_first=True, norm_first=True, bias=False)",
]
ATTENTION = [
    "MultiheadAttention(8, 2)", "MultiheadAttention(8, 4, bias=False)",
    "MultiheadAttention(8, 2, batch_first=True)",
    "MultiheadAttention(8, 1, add_bias_kv=True, add_zero_attn=True)",
    "MultiheadAttention(8, 2, kdim=5, vdim=3, batch_first=True)",
]


def build(library, code):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return eval(f"nn.{code}", {"nn": library.nn})


def pair(code, double=True):
    """Return the module in both libraries, with the same random parameters."""
    oracle.manual_seed(0)
    theirs, ours = build(oracle, code), build(lampion, code)
    if double:
        theirs, ours = theirs.double(), ours.double()
    with oracle.no_grad():
        for parameter in theirs.parameters():
            parameter.copy_(oracle.randn(parameter.shape) * 0.5)
    ours.load_state_dict({
        name: lampion.tensor(value.numpy()) for name, value in theirs.state_dict().items()})
    return ours, theirs


def random(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape)


def close(ours, theirs, double=True):
    assert tuple(ours.shape) == tuple(theirs.shape)
    assert str(ours.dtype).split(".")[-1] == str(theirs.dtype).split(".")[-1]
    tolerance = 1e-9 if double else 5e-5
    np.testing.assert_allclose(
        ours.detach().numpy(), theirs.detach().numpy(), rtol=tolerance, atol=tolerance)


def given(library, value):
    return library.tensor(value) if isinstance(value, np.ndarray) else value


def check(ours, theirs, arrays, double=True, training=True, **masks):
    """Compare outputs, and the gradients of inputs and parameters."""
    found = []
    for library, module in ((lampion, ours), (oracle, theirs)):
        module.train(training)
        inputs = [library.tensor(a if double else a.astype(np.float32)).requires_grad_()
                  for a in arrays]
        settings = {name: given(library, mask) for name, mask in masks.items()}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            results = module(*inputs, **settings)
        results = [r for r in (results if isinstance(results, tuple) else (results,))
                   if r is not None]
        total = 0
        for result in results:
            factor = library.tensor(random(*result.shape, seed=9)).to(result.dtype)
            total = total + (result * factor).sum()
        total.backward()
        gradients = [t.grad for t in [*inputs, *module.parameters()]]
        found.append((results, gradients))
    for a, b in zip(found[0][0], found[1][0], strict=True):
        close(a, b, double)
    for a, b in zip(found[0][1], found[1][1], strict=True):
        assert (a is None) == (b is None)
        if a is not None:
            close(a, b, double)


def arrays_for(code, source=5, target=4, batch=3):
    """Return inputs as the module takes them."""
    first = "batch_first=True" in code

    def rows(length, seed):
        return random(*((batch, length) if first else (length, batch)), 8, seed=seed)

    if "Decoder" in code:
        return [rows(target, 1), rows(source, 2)]
    return [rows(source, 2), rows(target, 1)] if code.startswith("Transformer(") else [
        rows(source, 2)]


@pytest.mark.parametrize("code", [*LAYERS, *ATTENTION])
def test_prints_and_has_the_state_of_pytorch(code):
    ours, theirs = build(lampion, code), build(oracle, code)
    assert repr(ours) == repr(theirs)
    assert [(name, tuple(t.shape)) for name, t in ours.state_dict().items()] == [
        (name, tuple(t.shape)) for name, t in theirs.state_dict().items()]


@pytest.mark.parametrize("double", [False, True], ids=["float32", "float64"])
@pytest.mark.parametrize("training", [True, False], ids=["train", "eval"])
@pytest.mark.parametrize("code", LAYERS)
def test_layers(code, training, double):
    check(*pair(code, double), arrays_for(code), double, training)


@pytest.mark.parametrize("code", LAYERS[:-5])
def test_one_sample(code):
    arrays = [a[0] if "batch_first=True" in code else a[:, 0] for a in arrays_for(code)]
    check(*pair(code), arrays)


def causal(length, boolean):
    mask = np.triu(np.ones((length, length), bool), 1)
    return mask if boolean else np.where(mask, -np.inf, 0.0)


PADDING = np.array([[False] * 5, [False] * 3 + [True] * 2, [False] * 4 + [True]])


@pytest.mark.parametrize("boolean", [True, False], ids=["bool", "float"])
@pytest.mark.parametrize("code", LAYERS)
def test_masks(code, boolean):
    whole, layer = code.startswith("Transformer("), "EncoderLayer(" in code[:25]
    padding = PADDING if boolean else np.where(PADDING, -np.inf, 0.0)
    own, other = causal(4, boolean), causal(5, boolean)[:4]
    if whole:
        masks = {"src_mask": causal(5, boolean), "tgt_mask": own, "memory_mask": other,
                 "src_key_padding_mask": padding, "memory_key_padding_mask": padding}
    elif "Decoder" in code:
        masks = {"tgt_mask": own, "memory_mask": other, "memory_key_padding_mask": padding,
                 "tgt_key_padding_mask": padding[:, :4]}
    else:
        name = "src_mask" if layer else "mask"
        masks = {name: causal(5, boolean), "src_key_padding_mask": padding}
    check(*pair(code), arrays_for(code), **masks)


@pytest.mark.parametrize("code", LAYERS[:2] + LAYERS[4:6] + LAYERS[7:])
def test_causal_hint(code):
    if code.startswith("Transformer("):
        masks = {"src_mask": causal(5, False), "src_is_causal": True,
                 "tgt_mask": causal(4, False), "tgt_is_causal": True}
    elif "Decoder" in code:
        masks = {"tgt_mask": causal(4, False), "tgt_is_causal": True}
    else:
        masks = {"src_mask" if code.startswith("TransformerEncoderLayer") else "mask":
                 causal(5, False), "is_causal": True}
    check(*pair(code), arrays_for(code), **masks)


class TestPaddingInEvaluation:
    """PyTorch cuts padding off when it evaluates without gradients, and gives zeros there."""

    CODE = f"TransformerEncoder(nn.TransformerEncoderLayer({SMALL}, batch_first=True), 2"

    @pytest.mark.parametrize("ending", [")", ", nn.LayerNorm(8))", ", enable_nested_tensor=False)"])
    @pytest.mark.parametrize("padding", [PADDING, PADDING[:, ::-1].copy()], ids=["end", "start"])
    def test_values(self, ending, padding):
        ours, theirs = pair(self.CODE + ending)
        results = []
        for library, module in ((lampion, ours), (oracle, theirs)):
            module.eval()
            with library.no_grad(), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                results.append(module(library.tensor(random(3, 5, 8)),
                                      src_key_padding_mask=library.tensor(padding)))
        close(*results)

    @pytest.mark.parametrize("layer", [
        f"TransformerEncoderLayer({SMALL})",
        f"TransformerEncoderLayer({SMALL}, batch_first=True, norm_first=True)",
        f"TransformerEncoderLayer({SMALL}, batch_first=True, bias=False)",
        f"TransformerEncoderLayer({SMALL}, batch_first=True, activation=nn.SiLU())",
        "TransformerEncoderLayer(9, 3, 4, batch_first=True)", "Linear(2, 2)"])
    def test_a_warning_where_it_does_not(self, layer):
        texts = []
        for library in (lampion, oracle):
            with pytest.warns(UserWarning) as caught:
                library.nn.TransformerEncoder(build(library, layer), 1)
            texts.append(str(caught[0].message))
        assert texts[0] == texts[1]


@pytest.mark.parametrize("training", [True, False], ids=["train", "eval"])
@pytest.mark.parametrize("code", ATTENTION)
def test_attention(code, training):
    first, sizes = "batch_first=True" in code, (8, 5, 3) if "kdim" in code else (8, 8, 8)
    arrays = [random(*((3, n) if first else (n, 3)), size, seed=n)
              for n, size in zip((4, 5, 5), sizes, strict=True)]
    check(*pair(code), arrays, training=training)
    check(*pair(code), arrays, training=training, need_weights=False,
          attn_mask=causal(5, True)[:4])
    check(*pair(code), arrays, training=training, average_attn_weights=False,
          key_padding_mask=PADDING)
    check(*pair(code), [a[0] if first else a[:, 0] for a in arrays], training=training)


def test_self_attention_is_one_projection():
    ours, theirs = pair("MultiheadAttention(8, 2, batch_first=True)")
    x, y = lampion.tensor(random(2, 3, 8)), oracle.tensor(random(2, 3, 8))
    for a, b in zip(ours(x, x, x), theirs(y, y, y), strict=True):
        close(a, b)


def test_dropout_drops():
    layer = lampion.nn.TransformerEncoderLayer(8, 2, 12, 0.5)
    x = lampion.ones(5, 3, 8)
    assert layer(x).tolist() != layer(x).tolist()
    layer.eval()
    assert layer(x).tolist() == layer(x).tolist()


def test_the_causal_mask():
    for library in (lampion, oracle):
        mask = library.nn.Transformer.generate_square_subsequent_mask(3)
        assert mask.tolist() == causal(3, False).tolist()


@pytest.mark.parametrize("code", [
    "MultiheadAttention(8, 3)", "MultiheadAttention(0, 1)", "MultiheadAttention(8, 0)",
    "TransformerEncoderLayer(8, 2, activation='tanh')", "Transformer(8, 3)"])
def test_wrong_settings(code):
    with pytest.raises(Exception) as theirs:  # noqa: B017 - compared below
        build(oracle, code)
    with pytest.raises(type(theirs.value)) as ours:
        build(lampion, code)
    assert isinstance(ours.value, lampion.errors.LampionError)


@pytest.mark.parametrize("shapes", [[(5, 3, 8), (4, 2, 8)], [(5, 3, 7), (4, 3, 7)]])
def test_wrong_shapes(shapes):
    ours, theirs = pair("Transformer(8, 2, 1, 1, 12, 0.0)")
    with pytest.raises(RuntimeError) as expected:
        theirs(*(oracle.tensor(random(*s)) for s in shapes))
    with pytest.raises(lampion.errors.ShapeError, match=str(expected.value)):
        ours(*(lampion.tensor(random(*s)) for s in shapes))
