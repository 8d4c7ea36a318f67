"""Mixed precision: which functions compute in what, gradients, replay, and the scaler."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

import lampion

torch = pytest.importorskip("torch", reason="PyTorch is the witness here")
RANDOM = np.random.default_rng(0)


def numbers(*shape):
    return RANDOM.uniform(0.1, 1.1, shape)


X, BATCH, V, IMAGES = numbers(4, 4), numbers(2, 4, 4), numbers(4), numbers(2, 3, 6, 6)
KERNEL, SEQUENCE, VOLUME, LABELS = numbers(5, 3, 3, 3), numbers(2, 3, 8), numbers(1, 2, 4, 4, 4), [
    0, 1, 2, 3]


class Inputs:
    """The arrays as tensors of a library; `given` is cast to the type under test."""

    def __init__(self, t, kind):
        def tensor(array):
            return t.tensor(np.asarray(array).tolist())

        self.x, self.b, self.v, self.im = map(tensor, (X, BATCH, V, IMAGES))
        self.w, self.seq, self.vol = map(tensor, (KERNEL, SEQUENCE, VOLUME))
        self.labels, self.eye = t.tensor(LABELS), t.eye(4)
        self.to = lambda z: z.to(getattr(t, kind))


FUNCTIONS = {
    "linear": lambda t, i: t.nn.functional.linear(i.to(i.x), i.x, i.v),
    "operator": lambda t, i: i.to(i.x) @ i.x,
    "mm": lambda t, i: t.mm(i.to(i.x), i.x),
    "bmm": lambda t, i: t.bmm(i.to(i.b), i.b),
    "mv": lambda t, i: t.mv(i.to(i.x), i.to(i.v)),
    "dot": lambda t, i: t.dot(i.to(i.v), i.to(i.v)),
    "outer": lambda t, i: t.outer(i.to(i.v), i.v),
    "addmm": lambda t, i: t.addmm(i.to(i.x), i.x, i.x),
    "addmv": lambda t, i: t.addmv(i.to(i.v), i.to(i.x), i.to(i.v)),
    "baddbmm": lambda t, i: t.baddbmm(i.to(i.b), i.b, i.b),
    "addbmm": lambda t, i: t.addbmm(i.to(i.x), i.b, i.b),
    "einsum": lambda t, i: t.einsum("ij,jk", i.to(i.x), i.to(i.x)),
    "tensordot": lambda t, i: t.tensordot(i.to(i.x), i.to(i.x), 1),
    "multi_dot": lambda t, i: t.linalg.multi_dot([i.to(i.x)] * 3),
    "conv1d": lambda t, i: t.nn.functional.conv1d(i.to(i.seq), i.w[:, :, 0]),
    "conv2d": lambda t, i: t.nn.functional.conv2d(i.to(i.im), i.w),
    "conv3d": lambda t, i: t.nn.functional.conv3d(i.to(i.vol), i.vol[:, :, :2, :2, :2]),
    "conv_transpose2d": lambda t, i: t.nn.functional.conv_transpose2d(
        i.to(i.im), i.w.transpose(0, 1)),
    "prelu": lambda t, i: t.nn.functional.prelu(i.to(i.x), i.v[:1]),
    "attention": lambda t, i: t.nn.functional.scaled_dot_product_attention(*[i.to(i.b)] * 3),
    "softmax": lambda t, i: t.softmax(i.to(i.x), -1),
    "layer_norm": lambda t, i: t.nn.functional.layer_norm(i.to(i.x), (4,), i.v, i.v),
    "batch_norm": lambda t, i: t.nn.functional.batch_norm(
        i.to(i.im), i.v[:3] * 0, i.v[:3] * 0 + 1),
    "group_norm": lambda t, i: t.nn.functional.group_norm(i.to(i.im), 3, i.v[:3], i.v[:3]),
    "gelu": lambda t, i: t.nn.functional.gelu(i.to(i.x)),
    "exp": lambda t, i: t.exp(i.to(i.x)),
    "sum": lambda t, i: i.to(i.x).sum(0),
    "prod": lambda t, i: i.to(i.x).prod(0),
    "cumsum": lambda t, i: i.to(i.x).cumsum(0),
    "add": lambda t, i: i.to(i.x) + i.x,
    "cat": lambda t, i: t.cat([i.to(i.x), i.x]),
    "stack": lambda t, i: t.stack([i.to(i.x), i.x]),
    "mse_loss": lambda t, i: t.nn.functional.mse_loss(i.to(i.x), i.x),
    "smooth_l1_loss": lambda t, i: t.nn.functional.smooth_l1_loss(i.to(i.x), i.x),
    "cross_entropy": lambda t, i: t.nn.functional.cross_entropy(i.to(i.x), i.labels),
    "nll_loss": lambda t, i: t.nn.functional.nll_loss(i.to(i.x), i.labels),
    "bce": lambda t, i: t.nn.functional.binary_cross_entropy(t.sigmoid(i.to(i.x)), i.x / 2),
    "bce with logits": lambda t, i: t.nn.functional.binary_cross_entropy_with_logits(
        i.to(i.x), i.x),
    "kl_div": lambda t, i: t.nn.functional.kl_div(i.to(i.x), i.x, reduction="sum"),
    "cosine loss": lambda t, i: t.nn.functional.cosine_embedding_loss(
        i.to(i.x), i.to(i.x), i.v / i.v),
    "triplet": lambda t, i: t.nn.functional.triplet_margin_loss(
        i.to(i.x), i.to(i.x) * 2, i.to(i.x) / 2),
    "max_pool2d": lambda t, i: t.nn.functional.max_pool2d(i.to(i.im), 2),
    "avg_pool3d": lambda t, i: t.nn.functional.avg_pool3d(i.to(i.vol), 2),
    "reflect": lambda t, i: t.nn.functional.pad(i.to(i.seq), (1, 1), mode="reflect"),
    "replicate": lambda t, i: t.nn.functional.pad(i.to(i.im), (1, 1, 1, 1), mode="replicate"),
    "circular": lambda t, i: t.nn.functional.pad(i.to(i.im), (1, 1, 1, 1), mode="circular"),
    "zeros": lambda t, i: t.nn.functional.pad(i.to(i.im), (1, 1)),
    "cdist": lambda t, i: t.cdist(i.to(i.x), i.to(i.x) * 2),
    "trace": lambda t, i: t.trace(i.to(i.x)),
    "quantile": lambda t, i: t.quantile(i.to(i.x), 0.5),
    "inverse": lambda t, i: t.linalg.inv(i.to(i.x) + i.to(4 * i.eye)),
    "cholesky": lambda t, i: t.linalg.cholesky(i.to(i.x + i.x.T + 4 * i.eye)),
    "svdvals": lambda t, i: t.linalg.svdvals(i.to(i.x)),
    "solve": lambda t, i: t.linalg.solve(i.to(i.x) + i.to(4 * i.eye), i.to(i.x)),
    "embedding": lambda t, i: t.nn.functional.embedding(i.labels, i.to(i.x)),
    "double": lambda t, i: i.x.double() @ i.x.double(),
}


@pytest.mark.parametrize("kind", ["float32", "bfloat16"])
@pytest.mark.parametrize("name", FUNCTIONS)
def test_types_and_values_are_those_of_pytorch(name, kind):
    results = []
    for t in (lampion, torch):
        inputs = Inputs(t, kind)
        with t.autocast("cpu", dtype=t.bfloat16):
            results.append(FUNCTIONS[name](t, inputs))
    ours, theirs = results
    assert str(ours.dtype) == str(theirs.dtype)
    np.testing.assert_allclose(ours.float().numpy(), theirs.float().numpy(), 0.04, 0.04)


@pytest.mark.parametrize("make", [
    lambda nn: nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.LayerNorm(8), nn.Linear(8, 3)),
    lambda nn: nn.MultiheadAttention(4, 2), lambda nn: nn.TransformerEncoderLayer(4, 2, 8),
    lambda nn: nn.GRUCell(4, 3)], ids=["sequential", "attention", "encoder", "cell"])
def test_modules(make):
    kinds = []
    for t in (lampion, torch):
        t.manual_seed(0)
        module = make(t.nn)
        x = t.tensor(BATCH[0].tolist())
        with t.autocast("cpu", dtype=t.bfloat16):
            out = module(x, x, x)[0] if isinstance(module, t.nn.MultiheadAttention) else module(x)
        kinds.append(str(out.dtype))
        out.float().square().sum().backward()
        assert all(p.grad is not None and p.grad.dtype == t.float32
                   for p in module.parameters())
    assert kinds[0] == kinds[1]


@pytest.mark.parametrize("kind", ["LSTM", "GRU", "RNN"])
def test_recurrent_layers_carry_their_state_in_float32(kind):
    layer = getattr(lampion.nn, kind)(4, 3)
    x = lampion.tensor(BATCH.tolist())
    with lampion.autocast("cpu"):
        narrow = layer(x.bfloat16())[0]
        wide = layer(x)[0]
    assert narrow.dtype == wide.dtype == lampion.float32
    np.testing.assert_allclose(wide.detach().numpy(), layer(x)[0].detach().numpy(), 0.02,
                               0.005)  # the products with the input are narrow


def test_blocks_nest_and_end():
    t = lampion
    x = t.ones(2, 2)
    with t.autocast("cpu"):
        assert (x @ x).dtype == t.bfloat16 and t.is_autocast_enabled("cpu")
        with t.autocast("cpu", enabled=False):
            assert (x @ x).dtype == t.float32 and not t.is_autocast_enabled("cpu")
            with t.autocast("cpu", dtype=t.float16):
                assert (x @ x).dtype == t.float16
                assert t.get_autocast_dtype("cpu") == t.float16
        assert (x @ x).dtype == t.bfloat16
        with pytest.raises(KeyError), t.autocast("cpu", enabled=False):
            raise KeyError
        assert (x @ x).dtype == t.bfloat16
    assert (x @ x).dtype == t.float32 and not t.is_autocast_enabled("cpu")


def test_as_a_decorator_and_as_switches():
    t = lampion
    x = t.ones(2, 2)

    @t.autocast("cpu")
    def product(x):
        return x @ x

    assert product(x).dtype == product(x).dtype == t.bfloat16
    t.set_autocast_enabled("cpu", True)
    try:
        assert (x @ x).dtype == t.bfloat16
        t.set_autocast_dtype("cpu", t.float16)
        assert (x @ x).dtype == t.float16
    finally:
        t.set_autocast_dtype("cpu", t.bfloat16)
        t.set_autocast_enabled("cpu", False)
    assert (x @ x).dtype == t.float32


def test_what_is_not_there_is_said_and_switched_off():
    for t in (lampion, torch):
        x = t.ones(2, 2)
        with pytest.warns(UserWarning, match="(?i)not available"), t.autocast("cuda"):
            assert (x @ x).dtype == t.float32
        with pytest.warns(UserWarning, match="not supported"), t.autocast("cpu", dtype=t.float32):
            assert (x @ x).dtype == t.float32
    with pytest.raises(RuntimeError), lampion.autocast("nonsense"):
        pass


def losses(t, steps, mixed, seed=0):
    t.manual_seed(seed)
    random = np.random.default_rng(seed)
    model = t.nn.Sequential(t.nn.Linear(6, 16), t.nn.Tanh(), t.nn.Linear(16, 3))
    with t.no_grad():
        for p in model.parameters():
            p.copy_(t.tensor(random.normal(size=tuple(p.shape)).tolist()) * 0.4)
    x = t.tensor(random.normal(size=(32, 6)).tolist())
    y = t.tensor(random.integers(0, 3, 32).tolist())
    optimizer = t.optim.Adam(model.parameters(), lr=0.02)
    found = []
    for _ in range(steps):
        with t.autocast("cpu", dtype=t.bfloat16, enabled=mixed):
            loss = t.nn.functional.cross_entropy(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        found.append(loss)
    return [loss.item() for loss in found]


def test_training_follows_pytorch():
    ours, theirs, plain = losses(lampion, 30, True), losses(torch, 30, True), losses(
        lampion, 30, False)
    np.testing.assert_allclose(ours, theirs, 0.02, 0.01)
    np.testing.assert_allclose(ours, plain, 0.05, 0.03)
    assert ours[-1] < 0.7 * ours[0] and ours != plain


def test_steps_are_replayed_and_blocks_are_told_apart():
    t = lampion
    t.manual_seed(0)
    model = t.nn.Linear(6, 3)
    x = t.randn(8, 6)
    optimizer = t.optim.SGD(model.parameters(), lr=0.1)

    def step(mixed):
        with t.autocast("cpu", enabled=mixed):
            out = model(x)
        loss = out.float().square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return out.dtype

    for _ in range(3):
        assert step(True) == t.bfloat16
        assert step(False) == t.float32
    before = len(t.explain_recompiles())
    for mixed in (True, False, True, True, False):
        assert step(mixed) == (t.bfloat16 if mixed else t.float32)
    assert len(t.explain_recompiles()) == before
    # A look inside makes the calls of the record after all: with the types they had.
    with t.autocast("cpu"):
        out = model(x)
    plain = model(x)
    assert (out.dtype, plain.dtype) == (t.bfloat16, t.float32)
    handle = out.register_hook(lambda g: g)
    assert (out @ out.T).dtype == t.bfloat16 and (plain @ plain.T).dtype == t.float32
    handle.remove()
    assert not t.is_autocast_enabled("cpu")
    with t.autocast("cpu"):
        first = model(x)
        assert first.float().sum().item() == pytest.approx(plain.sum().item(), abs=0.2)
        assert model(x).dtype == t.bfloat16
    assert model(x).dtype == t.float32


def test_functions_of_ones_own():
    t = lampion

    class Product(t.autograd.Function):
        @staticmethod
        @t.amp.custom_fwd(device_type="cpu", cast_inputs=t.float32)
        def forward(ctx, x):
            ctx.save_for_backward(x)
            assert x.dtype == t.float32 and (x @ x).dtype == t.float32
            return x @ x.T

        @staticmethod
        @t.amp.custom_bwd(device_type="cpu")
        def backward(ctx, g):
            (x,) = ctx.saved_tensors
            assert (g @ x).dtype == t.float32
            return (g + g.T) @ x

    x = t.ones(2, 2, requires_grad=True)
    with t.autocast("cpu"):
        out = Product.apply(x.bfloat16())
    out.sum().backward()
    assert x.grad.tolist() == [[4, 4], [4, 4]]


# --- the scaler ----------------------------------------------------------------------------------


def scaled_run(t, settings, gradients, clip=False):
    """Steps with the given losses' slopes; return what can be seen of each."""
    weight = t.nn.Parameter(t.tensor([1.0, 2.0]))
    optimizer = t.optim.SGD([weight], lr=0.1)
    scaler = t.amp.GradScaler("cpu", **settings)
    seen = []
    for slope in gradients:
        optimizer.zero_grad()
        scaler.scale((weight * t.tensor(slope)).sum()).backward()
        if clip:
            scaler.unscale_(optimizer)
            t.nn.utils.clip_grad_norm_([weight], 1.0)
        scaler.step(optimizer)
        scaler.update()
        seen.append([*weight.tolist(), scaler.get_scale(), *scaler.state_dict().values()])
    return seen


@pytest.mark.parametrize("clip", [False, True])
@pytest.mark.parametrize("settings", [
    {}, {"init_scale": 4.0, "growth_interval": 2}, {"enabled": False},
    {"growth_factor": 3.0, "backoff_factor": 0.1, "growth_interval": 1}])
def test_scaler_does_what_that_of_pytorch_does(settings, clip):
    gradients = [[1.0, 1.0], [0.5, 2.0], [float("inf"), 1.0], [1.0, 1.0], [float("nan"), 0.0],
                 [1.0, -1.0], [1.0, 1.0], [3.0, 1.0]]
    if clip and not settings.get("enabled", True):
        gradients = gradients[:2]
    ours, theirs = (scaled_run(t, settings, gradients, clip) for t in (lampion, torch))
    np.testing.assert_allclose(ours, theirs, 1e-6)


def test_scaler_of_several_outputs_and_its_state():
    for t in (lampion, torch):
        scaler = t.amp.GradScaler("cpu", init_scale=8.0)
        found = scaler.scale([t.ones(2), t.ones(())])
        assert [x.tolist() for x in found] == [[8, 8], 8]
        other = t.amp.GradScaler("cpu")
        other.load_state_dict(scaler.state_dict())
        assert other.get_scale() == 8 and other.state_dict() == scaler.state_dict()
        off = t.amp.GradScaler("cpu", enabled=False)
        assert off.state_dict() == {} and off.get_scale() == 1 and not off.is_enabled()
        with pytest.raises(RuntimeError, match="empty"):
            other.load_state_dict({})
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            assert not t.amp.GradScaler("cuda").is_enabled()
        assert any("not available" in str(w.message) for w in caught)


def test_scaler_refuses_a_wrong_order():
    for t in (lampion, torch):
        weight = t.nn.Parameter(t.ones(2))
        optimizer = t.optim.SGD([weight], lr=0.1)
        scaler = t.amp.GradScaler("cpu")
        scaler.scale(weight.sum())
        with pytest.raises((RuntimeError, AssertionError), match="No inf checks"):
            scaler.step(optimizer)
        scaler = t.amp.GradScaler("cpu")
        scaler.scale(weight.sum()).backward()
        scaler.unscale_(optimizer)
        with pytest.raises(RuntimeError, match="already been called"):
            scaler.unscale_(optimizer)
        scaler.step(optimizer)
        with pytest.raises(RuntimeError, match="already been called"):
            scaler.step(optimizer)
        with pytest.raises(RuntimeError, match="after step"):
            scaler.unscale_(optimizer)
        with pytest.raises(RuntimeError, match="Closure"):
            scaler.step(optimizer, closure=lambda: None)
