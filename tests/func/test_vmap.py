"""`vmap` held against PyTorch's, and against a loop."""

from __future__ import annotations

import numpy as np
import pytest

import lampion

torch = pytest.importorskip("torch", reason="PyTorch is the witness here")
RANDOM = np.random.default_rng(0)


def numbers(*shape):
    return RANDOM.normal(size=shape)


A, B, V, POSITIVE = numbers(3, 4, 5), numbers(3, 5, 2), numbers(3, 4), np.abs(numbers(3, 4)) + 0.1
SQUARE = numbers(3, 4, 4) + 4 * np.eye(4)
IMAGES, KERNEL, KERNELS = numbers(3, 2, 4, 6, 6), numbers(5, 4, 3, 3), numbers(3, 5, 4, 3, 3)
LABELS, INDEX = RANDOM.integers(0, 4, (3,)), RANDOM.integers(0, 4, (3, 4))


def attention(t, q, k):
    return t.nn.functional.scaled_dot_product_attention(q[None], k[None], k[None])[0]


# name -> (function of the library and tensors, arrays, in_dims)
FUNCTIONS = {
    "dot": (lambda t, x, y: t.dot(x, y), (V, V), 0),
    "matmul": (lambda t, x, y: x @ y, (A, B), 0),
    "matmul with one matrix": (lambda t, x, y: x @ y, (A, B[0]), (0, None)),
    "one matrix matmul": (lambda t, x, y: x @ y, (A[0], B), (None, 0)),
    "matrix times vector": (lambda t, x, y: x @ y, (SQUARE, V), 0),
    "outer": (lambda t, x: t.outer(x, x), (V,), 0),
    "broadcasting": (lambda t, x, y: x * y + y.sum() - 1, (V, SQUARE), 0),
    "softmax": (lambda t, x: t.softmax(x, 0), (V,), 0),
    "log_softmax": (lambda t, x: t.log_softmax(x, -1), (A,), 0),
    "layer_norm": (lambda t, x: t.nn.functional.layer_norm(x, (5,)), (A,), 0),
    "mean and var": (lambda t, x: (x.mean(0), x.var(-1), x.std()), (A,), 0),
    "norm": (lambda t, x: x.norm(dim=-1), (A,), 0),
    "prod": (lambda t, x: x.prod(0), (A,), 0),
    "max": (lambda t, x: (x.max(), x.amax(0), x.max(1).values, x.argmax()), (A,), 0),
    "sort": (lambda t, x: t.sort(x, -1, descending=True), (A,), 0),
    "topk": (lambda t, x: t.topk(x, 2).indices, (V,), 0),
    "cumsum": (lambda t, x: (x.cumsum(0), x.cumprod(-1), x.logcumsumexp(0)), (A,), 0),
    "views": (lambda t, x: (x.T, x.reshape(-1), x[1], x[:, ::2], x.flip(0), x[..., None]),
              (A,), 0),
    "cat and stack": (lambda t, x, y: (t.cat([x, y]), t.stack([x, y], 1)), (V, V), 0),
    "cat with the same for all": (lambda t, x, y: t.cat([x, y]), (V, V[0]), (0, None)),
    "split": (lambda t, x: t.split(x, 2), (V,), 0),
    "where": (lambda t, x: t.where(x > 0, x, 0.0 * x), (V,), 0),
    "clamp": (lambda t, x: x.clamp(-0.5, 0.5).abs(), (V,), 0),
    "index": (lambda t, x, i: x[i], (V, INDEX), 0),
    "index of one table": (lambda t, x, i: x[i], (V.T, LABELS), (None, 0)),
    "the same index": (lambda t, x, i: x[i], (A, LABELS), (0, None)),
    "gather": (lambda t, x, i: x.gather(0, i), (V, INDEX), 0),
    "scatter_add": (lambda t, x, i: t.zeros_like(x).scatter_add(0, i, x), (V, INDEX), 0),
    "embedding": (lambda t, w, i: t.nn.functional.embedding(i, w), (SQUARE[0], INDEX), (None, 0)),
    "embeddings": (lambda t, w, i: t.nn.functional.embedding(i, w), (SQUARE, INDEX), 0),
    "one_hot": (lambda t, i: t.nn.functional.one_hot(i, 4), (LABELS,), 0),
    "cross_entropy": (lambda t, x, y: t.nn.functional.cross_entropy(x[None], y[None]),
                      (V, LABELS), 0),
    "triangles": (lambda t, x: (x.tril(), x.triu(1), x.diagonal()), (SQUARE,), 0),
    "diag_embed": (lambda t, x: t.diag_embed(x), (V,), 0),
    "inverse": (lambda t, x: (t.linalg.inv(x), t.linalg.det(x)), (SQUARE,), 0),
    "solve": (lambda t, x, y: t.linalg.solve(x, y), (SQUARE, V), 0),
    "cholesky": (lambda t, x: t.linalg.cholesky(x @ x.T), (SQUARE,), 0),
    "conv2d": (lambda t, x, w: t.nn.functional.conv2d(x, w, padding=1), (IMAGES, KERNEL),
               (0, None)),
    "conv2d with kernels": (lambda t, x, w: t.nn.functional.conv2d(x, w, stride=2),
                            (IMAGES, KERNELS), 0),
    "kernels on one image": (lambda t, x, w: t.nn.functional.conv2d(x, w), (IMAGES[0], KERNELS),
                             (None, 0)),
    "conv_transpose2d": (lambda t, x, w: t.nn.functional.conv_transpose2d(x, w), (
        IMAGES[:, :, :, :3, :3], numbers(3, 4, 2, 3, 3)), 0),
    "max_pool2d": (lambda t, x: t.nn.functional.max_pool2d(x, 2), (IMAGES,), 0),
    "avg_pool2d": (lambda t, x: t.nn.functional.avg_pool2d(x, 3, 2, 1), (IMAGES,), 0),
    "pad": (lambda t, x: t.nn.functional.pad(x, (1, 2)), (A,), 0),
    "attention": (attention, (A, A), 0),
    "einsum": (lambda t, x, y: t.einsum("ij,jk->ik", x, y), (A, B), 0),
    "special": (lambda t, x: (t.lgamma(x), t.digamma(x), t.erf(x)), (POSITIVE,), 0),
    "in_dims 1": (lambda t, x, y: x + y.sum(), (V.T, np.moveaxis(A, 0, 1)), 1),
    "mixed in_dims": (lambda t, x, y: x + y, (V.T, V), (1, 0)),
    "negative in_dims": (lambda t, x: x.sum(0), (np.moveaxis(A, 0, 2),), -1),
    "in place": (lambda t, x: x.clone().mul_(2).add_(x), (V,), 0),
    "written view": (lambda t, x: _write(x), (V,), 0),
    "new tensors": (lambda t, x: x.new_zeros(3) + x.sum() + t.ones(3, dtype=x.dtype), (V,), 0),
    "dictionaries": (lambda t, x: {"a": x.sum(), "b": [x, x * 2]}, (V,), 0),
    "no part of the element": (lambda t, x: t.ones(2), (V,), 0),
}


def _write(x):
    y = x.clone()
    y[1:3] = x[:2] * 10
    return y


def tensors(library, arrays, gradients=False):
    made = [library.tensor(a.tolist(), dtype=getattr(library, str(a.dtype))) for a in arrays]
    if gradients:
        for x in made:
            if x.is_floating_point():
                x.requires_grad_()
    return made


def flat(tree):
    if isinstance(tree, dict):
        return [x for item in tree.values() for x in flat(item)]
    if isinstance(tree, (tuple, list)):
        return [x for item in tree for x in flat(item)]
    return [tree]


def mapped(library, name, gradients=False, **settings):
    function, arrays, in_dims = FUNCTIONS[name]
    inputs = tensors(library, arrays, gradients)
    return inputs, flat(library.vmap(lambda *x: function(library, *x), in_dims, **settings)(
        *inputs))


@pytest.mark.parametrize("name", FUNCTIONS)
def test_agrees_with_pytorch(name):
    _, ours = mapped(lampion, name)
    _, theirs = mapped(torch, name)
    assert len(ours) == len(theirs)
    for mine, true in zip(ours, theirs, strict=True):
        assert tuple(mine.shape) == tuple(true.shape)
        assert str(mine.dtype) == str(true.dtype)
        np.testing.assert_allclose(mine.numpy(), true.numpy(), 1e-9, 1e-12)


@pytest.mark.parametrize("name", [n for n in FUNCTIONS if n not in (
    "one_hot", "topk", "no part of the element")])
def test_gradients_flow_through_a_map(name):
    results = []
    for library in (lampion, torch):
        inputs, outputs = mapped(library, name, True)
        total = sum((out * out.detach().cos()).sum() for out in outputs
                    if out.is_floating_point())
        leaves = [x for x in inputs if x.requires_grad]
        results.append(library.autograd.grad(total, leaves))
    for mine, true in zip(*results, strict=True):
        np.testing.assert_allclose(mine.numpy(), true.numpy(), 1e-7, 1e-9)


@pytest.mark.parametrize("name", ["matmul", "conv2d", "dictionaries", "negative in_dims"])
def test_chunks_are_the_same(name):
    whole, parts = mapped(lampion, name)[1], mapped(lampion, name, chunk_size=2)[1]
    for a, b in zip(whole, parts, strict=True):
        np.testing.assert_allclose(a.numpy(), b.numpy(), 1e-12)


def test_out_dims():
    for out_dims in (0, 1, -1, (1,)):
        results = [library.vmap(lambda x: x * 2, out_dims=out_dims)(
            library.tensor(V.tolist())).shape for library in (lampion, torch)]
        assert tuple(results[0]) == tuple(results[1])
    for library in (lampion, torch):
        a, b = library.vmap(lambda x: (x, x.sum()), out_dims=(1, 0))(library.tensor(V.tolist()))
        assert tuple(a.shape) == (4, 3) and tuple(b.shape) == (3,)


def test_maps_nest():
    results = []
    for library in (lampion, torch):
        x, y = tensors(library, (V, V))
        distance = library.vmap(library.vmap(
            lambda a, b: ((a - b) ** 2).sum(), (None, 0)), (0, None))
        results.append(distance(x, y).numpy())
    np.testing.assert_allclose(*results, 1e-12)


@pytest.mark.parametrize("kind", ["RNN", "LSTM", "GRU"])
def test_recurrent_layers_are_mapped(kind):
    layer = getattr(lampion.nn, kind)(3, 4).double()
    x = lampion.tensor(numbers(5, 6, 2, 3).tolist(), dtype=lampion.float64)
    together = lampion.vmap(lambda x: layer(x)[0])(x)
    apart = lampion.stack([layer(one)[0] for one in x])
    np.testing.assert_allclose(together.detach().numpy(), apart.detach().numpy(), 1e-9)
    weights = list(layer.parameters())
    ours = lampion.autograd.grad(together.square().sum(), weights)
    true = lampion.autograd.grad(apart.square().sum(), weights)
    for a, b in zip(ours, true, strict=True):
        np.testing.assert_allclose(a.numpy(), b.numpy(), 1e-8)


def test_random_numbers():
    t = lampion
    x = t.zeros(4, 3)
    with pytest.raises(RuntimeError, match="randomness error mode"):
        t.vmap(lambda x: t.rand(3))(x)
    same = t.vmap(lambda x: x + t.randn(3), randomness="same")(x).numpy()
    assert (same == same[0]).all()
    different = t.vmap(lambda x: x + t.randn(3), randomness="different")(x).numpy()
    assert len(np.unique(different)) == 12
    dropped = t.vmap(lambda x: t.nn.functional.dropout(x + 1, 0.5), randomness="different")(
        t.zeros(200, 50)).numpy()
    assert 0.45 < (dropped == 0).mean() < 0.55 and len(np.unique(dropped, axis=0)) > 190


def test_different_random_numbers_are_those_of_one_draw():
    """Element k has the numbers after those of the elements before it."""
    t = lampion
    t.manual_seed(3)
    mapped_ = t.vmap(lambda x: t.rand(4), randomness="different")(t.zeros(5)).numpy()
    after = t.rand(2).numpy()
    t.manual_seed(3)
    assert (t.rand(20).numpy().reshape(5, 4) == mapped_).all()
    assert (t.rand(2).numpy() == after).all()
    t.manual_seed(3)
    nested = t.vmap(t.vmap(lambda x: t.rand(4), randomness="different"),
                    randomness="different")(t.zeros(5, 2)).numpy()
    t.manual_seed(3)
    assert (t.rand(40).numpy().reshape(5, 2, 4) == nested).all()


def test_samples_of_distributions_are_mapped():
    t = lampion
    t.manual_seed(0)
    rate = t.arange(1.0, 5.0)
    drawn = t.vmap(lambda r: t.distributions.Poisson(r).sample((500,)), randomness="different")(
        rate)
    assert tuple(drawn.shape) == (4, 500)
    np.testing.assert_allclose(drawn.mean(1).numpy(), rate.numpy(), 0.15)


def test_writing_into_the_argument_reaches_the_whole():
    for library in (lampion, torch):
        x = library.zeros(3, 2)
        library.vmap(lambda row: row.add_(1))(x)
        assert x.sum().item() == 6
        y = library.zeros(3, 2)
        library.vmap(lambda column: column.add_(2), in_dims=1)(y)
        assert y.sum().item() == 12


REFUSED = {
    "no inputs": lambda t: t.vmap(lambda: 3)(),
    "in_dims of another structure": lambda t: t.vmap(lambda x: x, (0, 0))(t.ones(3)),
    "in_dims None": lambda t: t.vmap(lambda x: x, in_dims=None)(t.ones(3)),
    "nothing mapped": lambda t: t.vmap(lambda x: x, in_dims=(None,))(t.ones(3)),
    "in_dims out of range": lambda t: t.vmap(lambda x: x, in_dims=4)(t.ones(3)),
    "a scalar": lambda t: t.vmap(lambda x: x)(t.ones(())),
    "a number": lambda t: t.vmap(lambda x, y: x)(t.ones(3), 2),
    "other lengths": lambda t: t.vmap(lambda x, y: x)(t.ones(3), t.ones(2)),
    "no tensor back": lambda t: t.vmap(lambda x: 3)(t.ones(3)),
    "None back": lambda t: t.vmap(lambda x: (x, None))(t.ones(3)),
    "out_dims of another structure": lambda t: t.vmap(lambda x: x, out_dims=(0, 0))(t.ones(3)),
    "another randomness": lambda t: t.vmap(lambda x: x, randomness="x")(t.ones(3)),
    "chunks of nothing": lambda t: t.vmap(lambda x: x, chunk_size=0)(t.ones(3)),
    "item": lambda t: t.vmap(lambda x: x.sum().item())(t.ones(3, 2)),
    "if": lambda t: t.vmap(lambda x: x if x.sum() > 0 else -x)(t.ones(3, 2)),
    "nonzero": lambda t: t.vmap(lambda x: x.nonzero())(t.ones(3, 2)),
    "a mask": lambda t: t.vmap(lambda x: x[x > 0])(t.ones(3, 2)),
    "a write outside": lambda t: t.vmap(t.zeros(2).add_)(t.ones(3, 2)),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused_with_the_error_of_pytorch(name):
    with pytest.raises(Exception) as theirs:
        REFUSED[name](torch)
    with pytest.raises(lampion.errors.LampionError) as ours:
        REFUSED[name](lampion)
    builtin = next(c for c in type(theirs.value).__mro__ if c.__module__ == "builtins")
    assert isinstance(ours.value, builtin), theirs.value
    assert str(ours.value).count("\n") >= 1  # says where


def test_nothing_is_left_behind_after_an_error():
    t = lampion
    kept = []

    def leaking(x):
        kept.append(x * 2)
        raise KeyError("mine")

    with pytest.raises(KeyError):
        t.vmap(leaking)(t.ones(3, 2))
    assert (t.ones(3) + 1).tolist() == [2, 2, 2]  # pending values are computed as ever
    with pytest.raises(RuntimeError, match="mapped"):
        kept[0].tolist()
    with pytest.raises(RuntimeError, match="mapped"):
        (kept[0] + 1).sum().item()


def test_a_tensor_inside_can_be_printed():
    seen = []
    lampion.vmap(lambda x: seen.append(str(x)) or x)(lampion.ones(3, 2))
    assert "mapped" in seen[0] and "float32" in seen[0] and "(2)" in seen[0]


def test_known_tensors_may_be_read_inside():
    t = lampion
    scale = t.tensor(3.0)
    result = t.vmap(lambda x: x * scale.item() + (t.ones(2) * 2).sum().item())(t.ones(3, 2))
    assert result.tolist() == [[7, 7]] * 3


def test_no_grad_inside_is_respected():
    x = lampion.tensor(V.tolist(), requires_grad=True)

    def half(x):
        with lampion.no_grad():
            scale = x.sum()
        return x * scale

    lampion.vmap(half)(x).sum().backward()
    np.testing.assert_allclose(x.grad.numpy(), np.repeat(V.sum(1)[:, None], 4, 1), 1e-6)
