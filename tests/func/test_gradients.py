"""Gradients, Jacobians and their products as transformations, held against PyTorch's."""

from __future__ import annotations

import numpy as np
import pytest

import lampion

torch = pytest.importorskip("torch", reason="PyTorch is the witness here")
BOTH = (lampion, torch)
RANDOM = np.random.default_rng(1)


def numbers(*shape):
    return RANDOM.normal(size=shape)


X, W, Y = numbers(4), numbers(3, 4), numbers(3)


def tensor(library, array, **settings):
    return library.tensor(np.asarray(array).tolist(), dtype=library.float64, **settings)


def flat(tree):
    if isinstance(tree, dict):
        return [x for item in tree.values() for x in flat(item)]
    if isinstance(tree, (tuple, list)):
        return [x for item in tree for x in flat(item)]
    return [tree]


def agree(compute, tolerance=1e-9):
    """Hold what `compute(library)` gives against PyTorch's; return lampion's."""
    ours, theirs = (compute(library) for library in BOTH)
    assert len(flat(ours)) == len(flat(theirs))
    for mine, true in zip(flat(ours), flat(theirs), strict=True):
        assert tuple(mine.shape) == tuple(true.shape)
        assert mine.requires_grad == true.requires_grad
        np.testing.assert_allclose(mine.detach().numpy(), true.detach().numpy(), tolerance,
                                   tolerance)
    return ours


def smooth(t, x):
    return (t.sin(x) * t.exp(-x * x)).sum() * x.tanh().prod()


def layer(t, w, x, y):
    return t.tanh(w @ x + y)


# Functions from vectors to vectors; each op here must be right in both modes and twice.
FUNCTIONS = {
    "elementwise": lambda t, x: t.sin(x) * t.exp(x) + x.tanh() / (1 + x * x),
    "smooth": lambda t, x: smooth(t, x)[None],
    "power": lambda t, x: (x * x + 1) ** 1.5 + 2.0 ** x,
    "matmul": lambda t, x: tensor(t, W) @ x,
    "quadratic": lambda t, x: (x[:, None] * x[None]) @ x,
    "softmax": lambda t, x: t.softmax(x, 0),
    "logsumexp": lambda t, x: t.logsumexp(x, 0)[None],
    "norm": lambda t, x: x.norm()[None] * x,
    "cumulative": lambda t, x: x.cumsum(0) * x.cumprod(0),
    "maximum": lambda t, x: t.maximum(x, 2 * x) + x.max() + t.relu(x),
    "index": lambda t, x: x[t.tensor([0, 2, 2])] * x[1],
    "gather and scatter": lambda t, x: t.zeros_like(x).scatter_add(
        0, t.tensor([1, 1, 0, 3]), x * x),
    "write": lambda t, x: _write(x),
    "cat": lambda t, x: t.cat([x, x * x])[1:6],
    "inverse": lambda t, x: t.linalg.inv(t.diag(x * x + 1) + t.outer(x, x)).reshape(-1)[:5],
    "determinant": lambda t, x: t.linalg.slogdet(t.diag(x * x + 1) + t.outer(x, x))[1][None],
    "cholesky": lambda t, x: t.linalg.cholesky(t.diag(x * x + 1) + t.outer(x, x))[-1],
    "layer_norm": lambda t, x: t.nn.functional.layer_norm(x * x + x, (4,)),
    "convolution": lambda t, x: t.nn.functional.conv1d(
        x[None, None], (x[:2] ** 2)[None, None])[0, 0],
    "pool": lambda t, x: t.nn.functional.max_pool1d((x * x)[None, None], 2)[0, 0],
    "gelu": lambda t, x: t.nn.functional.gelu(x) + t.nn.functional.softplus(x),
    "lgamma": lambda t, x: t.lgamma(x * x + 0.5),
    "prod": lambda t, x: x.prod()[None] * x.sum(),
    "constant": lambda t, x: x.detach() * 2 + 0 * x,
    "views": lambda t, x: x.reshape(2, 2).T.flip(0).reshape(-1) * x,
    "cross_entropy": lambda t, x: t.nn.functional.cross_entropy(
        x.reshape(2, 2), t.tensor([0, 1]))[None],
    "attention": lambda t, x: t.nn.functional.scaled_dot_product_attention(
        x.reshape(1, 2, 2), x.reshape(1, 2, 2), x.reshape(1, 2, 2)).reshape(-1),
}


def _write(x):
    y = x * 1
    y[1:3] = x[:2] * x[2:]
    y[0] *= 3
    return y


@pytest.mark.parametrize("name", FUNCTIONS)
def test_jacobians_from_both_sides(name):
    for transform in ("jacrev", "jacfwd"):
        agree(lambda t, transform=transform: getattr(t.func, transform)(
            lambda x: FUNCTIONS[name](t, x))(tensor(t, X)))


@pytest.mark.parametrize("name", FUNCTIONS)
def test_second_derivatives(name):
    weights = numbers(8)

    def compute(t):
        def number(x):
            y = FUNCTIONS[name](t, x)
            return (y * tensor(t, weights[:len(y)])).sum()

        return t.func.hessian(number)(tensor(t, X))

    if name == "attention":  # PyTorch has no second derivative by forward mode of it
        matrix = compute(lampion).numpy()
        np.testing.assert_allclose(matrix, matrix.T, 1e-9)
        return
    agree(compute, 1e-8)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_products(name):
    direction = numbers(4)
    agree(lambda t: t.func.jvp(lambda x: FUNCTIONS[name](t, x), (tensor(t, X),),
                               (tensor(t, direction),)))

    def left(t):
        out, back = t.func.vjp(lambda x: FUNCTIONS[name](t, x), tensor(t, X))
        return out, back(t.cos(out))

    agree(left)

    def linear(t):
        out, push = t.func.linearize(lambda x: FUNCTIONS[name](t, x), tensor(t, X))
        return out, push(tensor(t, direction))

    if name not in ("write", "cholesky", "attention", "determinant"):
        agree(linear)


NESTED = {
    "grad of grad": lambda t, f: t.func.grad(lambda x: t.func.grad(f)(x).sum()),
    "map of grad": lambda t, f: t.vmap(t.func.grad(f)),
    "grad of map": lambda t, f: t.func.grad(lambda x: t.vmap(f)(x).sum()),
    "map of map of grad": lambda t, f: lambda x: t.vmap(t.vmap(t.func.grad(
        lambda a, b: f(a) * f(b)), (None, 0)), (0, None))(x, x),
    "grad of map of grad": lambda t, f: t.func.grad(
        lambda x: t.vmap(t.func.grad(f))(x).square().sum()),
    "map of hessian": lambda t, f: t.vmap(t.func.hessian(f)),
    "map of jvp": lambda t, f: t.vmap(lambda x: t.func.jvp(f, (x,), (x * 2,))[1]),
    "jvp of map": lambda t, f: lambda x: t.func.jvp(t.vmap(f), (x,), (t.cos(x),)),
    "jvp of grad": lambda t, f: lambda x: t.func.jvp(
        lambda x: t.vmap(t.func.grad(f))(x), (x,), (t.cos(x),)),
    "jvp of jvp": lambda t, f: lambda x: t.func.jvp(
        lambda x: t.func.jvp(f, (x[0],), (x[0] * 2,))[1], (x,), (t.cos(x),)),
    "jacrev of jacfwd": lambda t, f: lambda x: t.func.jacrev(t.func.jacfwd(f))(x[0]),
    "jacfwd of jacfwd": lambda t, f: lambda x: t.func.jacfwd(t.func.jacfwd(f))(x[0]),
}


@pytest.mark.parametrize("name", NESTED)
def test_transformations_nest(name):
    points = numbers(3, 4)

    def compute(t):
        def f(x):
            return smooth(t, x)

        transformed = NESTED[name](t, f)
        x = tensor(t, points)
        return transformed(x[0]) if name == "grad of grad" else transformed(x)

    agree(compute)


def test_perturbations_are_not_confused():
    """d/dx (x * d/dy (x + y)) is 1, not 2: each level follows its own tensors."""
    agree(lambda t: t.func.grad(lambda x: x * t.func.grad(lambda y: x + y)(t.tensor(1.0)))(
        t.tensor(2.0)))
    slope = lampion.func.grad(
        lambda x: x * lampion.func.grad(lambda y: x + y)(lampion.tensor(1.0)))
    assert slope(lampion.tensor(2.0)).item() == 1


def test_arguments_may_be_containers():
    agree(lambda t: t.func.grad(
        lambda p, x: (layer(t, p["w"], x, p["b"][0]) ** 2).sum())(
        {"w": tensor(t, W), "b": [tensor(t, Y)]}, tensor(t, X)))
    agree(lambda t: t.func.grad(lambda w, x: layer(t, w, x, 0).sum(), argnums=(1, 0))(
        tensor(t, W), tensor(t, X)))
    agree(lambda t: t.func.jacrev(
        lambda p, x: {"y": layer(t, p["w"], x, p["b"]), "z": p["b"] * 2}, argnums=0)(
        {"w": tensor(t, W), "b": tensor(t, Y)}, tensor(t, X)))
    agree(lambda t: t.func.jacfwd(
        lambda w, x: (layer(t, w, x, 0), w.sum()), argnums=(0, 1))(tensor(t, W), tensor(t, X)))


def test_aux():
    for transform in ("grad", "grad_and_value"):
        agree(lambda t, transform=transform: getattr(t.func, transform)(
            lambda x: (smooth(t, x), {"y": x * 2}), has_aux=True)(tensor(t, X)))
    agree(lambda t: t.func.jacrev(lambda x: (x * x, x + 1), has_aux=True)(tensor(t, X)))
    agree(lambda t: t.func.jacfwd(lambda x: (x * x, x + 1), has_aux=True)(tensor(t, X)))
    agree(lambda t: t.func.jvp(lambda x: (x * x, x + 1), (tensor(t, X),), (tensor(t, X),),
                               has_aux=True))
    agree(lambda t: (lambda out, back, aux: (out, aux, back(out)))(
        *t.func.vjp(lambda x: (x * x, x + 1), tensor(t, X), has_aux=True)))


def test_gradients_flow_on_outside():
    def compute(t):
        x = tensor(t, X, requires_grad=True)
        scale = tensor(t, 3.0, requires_grad=True)
        slope = t.func.grad(lambda x: (scale * x ** 3).sum())(x)
        return slope, t.autograd.grad(slope.sum(), (x, scale))

    agree(compute)


def test_grad_works_under_no_grad_and_respects_it_inside():
    def compute(t):
        def half(x):
            with t.no_grad():
                constant = x ** 2
            return (x ** 2 - constant).sum()

        with t.no_grad():
            outside = t.func.grad(lambda x: (x ** 2).sum())(tensor(t, X))
        return outside, t.func.grad(half)(tensor(t, X))

    agree(compute)


def test_decisions_about_numbers_are_allowed_in_grad():
    for t in BOTH:
        f = t.func.grad(lambda x: x ** 2 if x > 0 else -x)
        assert f(t.tensor(3.0)).item() == 6 and f(t.tensor(-3.0)).item() == -1


def test_integers_and_unused_arguments():
    agree(lambda t: t.func.grad(lambda x, n: (x * n).sum())(tensor(t, X), t.tensor(3)))
    agree(lambda t: t.func.grad(lambda x, y: x.sum(), argnums=1)(tensor(t, X), tensor(t, Y)))
    agree(lambda t: t.func.vjp(lambda x, y: y * 2, tensor(t, X), tensor(t, Y))[1](tensor(t, Y)))
    agree(lambda t: t.func.jvp(lambda x: t.ones(2, dtype=t.float64), (tensor(t, X),),
                               (tensor(t, X),)))


def test_chunks():
    for chunk in (1, 3):
        agree(lambda t, c=chunk: t.func.jacrev(
            lambda x: tensor(t, W) @ (x * x), chunk_size=c)(tensor(t, X)))


REFUSED = {
    "no number": lambda t: t.func.grad(lambda x: x)(t.ones(3)),
    "no tensor": lambda t: t.func.grad(lambda x: 3.0)(t.ones(3)),
    "no such argument": lambda t: t.func.grad(lambda x: x.sum(), argnums=1)(t.ones(3)),
    "whole numbers": lambda t: t.func.grad(lambda x: x.sum())(t.ones(3, dtype=t.int64)),
    "no pair": lambda t: t.func.grad(lambda x: x.sum(), has_aux=True)(t.ones(3)),
    "no tuple": lambda t: t.func.jvp(t.sin, t.ones(3), t.ones(3)),
    "tangents of another shape": lambda t: t.func.jvp(t.sin, (t.ones(3),), (t.ones(2),)),
    "chunks of nothing": lambda t: t.func.jacrev(t.sin, chunk_size=0)(t.ones(3)),
    "no models": lambda t: t.func.stack_module_state([]),
    "different models": lambda t: t.func.stack_module_state([t.nn.ReLU(), t.nn.Linear(2, 2)]),
    "different modes": lambda t: t.func.stack_module_state(
        [t.nn.Linear(2, 2), t.nn.Linear(2, 2).eval()]),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused_with_the_error_of_pytorch(name):
    with pytest.raises(Exception) as theirs:
        REFUSED[name](torch)
    with pytest.raises(lampion.errors.LampionError) as ours:
        REFUSED[name](lampion)
    builtin = next(c for c in type(theirs.value).__mro__ if c.__module__ == "builtins")
    assert isinstance(ours.value, builtin), theirs.value


# --- modules -------------------------------------------------------------------------------------


def network(t, kind):
    nn = t.nn
    if kind == "linear":
        made = nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.LayerNorm(8), nn.Linear(8, 3))
    else:
        made = nn.Sequential(
            nn.Conv2d(1, 4, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(4, 6, 3, groups=2), nn.GroupNorm(2, 6), nn.ReLU(), nn.Flatten(),
            nn.Linear(6, 3))
    made = made.double()
    random = np.random.default_rng(3)
    with t.no_grad():
        for parameter in made.parameters():
            parameter.copy_(tensor(t, random.normal(size=tuple(parameter.shape)) * 0.5))
    return made


@pytest.mark.parametrize("kind", ["linear", "convolution"])
def test_gradients_of_each_example(kind):
    """Held against PyTorch, and against one backward for each example."""
    data = numbers(5, 6) if kind == "linear" else numbers(5, 1, 6, 6)
    labels = [0, 2, 1, 1, 0]

    def compute(t):
        model = network(t, kind)
        parameters = {k: v.detach() for k, v in model.named_parameters()}

        def loss(parameters, x, y):
            output = t.func.functional_call(model, parameters, (x[None],))
            return t.nn.functional.cross_entropy(output, y[None])

        return t.vmap(t.func.grad(loss), in_dims=(None, 0, 0))(
            parameters, tensor(t, data), t.tensor(labels))

    together = agree(compute)
    model = network(lampion, kind)
    for k, y in enumerate(labels):
        model.zero_grad()
        output = model(tensor(lampion, data[k:k + 1]))
        lampion.nn.functional.cross_entropy(output, lampion.tensor([y])).backward()
        for name, parameter in model.named_parameters():
            np.testing.assert_allclose(together[name][k].numpy(), parameter.grad.numpy(), 1e-9,
                                       1e-12)


@pytest.mark.parametrize("kind", ["linear", "convolution"])
def test_an_ensemble_runs_as_one(kind):
    data = numbers(5, 6) if kind == "linear" else numbers(5, 1, 6, 6)

    def compute(t):
        models = [network(t, kind) for _ in range(3)]
        for k, model in enumerate(models):
            with t.no_grad():
                for parameter in model.parameters():
                    parameter.mul_(1 + k)
        parameters, buffers = t.func.stack_module_state(models)
        assert all(p.requires_grad for p in parameters.values())

        def run(p, b, x):
            return t.func.functional_call(models[0], (p, b), (x,))

        output = t.vmap(run, in_dims=(0, 0, None))(parameters, buffers, tensor(t, data))
        apart = t.stack([model(tensor(t, data)) for model in models])
        assert t.allclose(output, apart)
        return output, t.autograd.grad(output.square().sum(), list(parameters.values()))

    agree(compute, 1e-8)


def test_a_function_of_the_users_own_is_mapped():
    class Cube(lampion.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x ** 3

        @staticmethod
        def backward(ctx, g):
            (x,) = ctx.saved_tensors
            return g * 3 * x ** 2

    x = tensor(lampion, X)
    slopes = lampion.vmap(lampion.func.grad(Cube.apply))(x)
    np.testing.assert_allclose(slopes.numpy(), 3 * X ** 2)
    np.testing.assert_allclose(lampion.vmap(Cube.apply)(x).numpy(), X ** 3)
    x.requires_grad_()
    with pytest.raises(NotImplementedError, match="Cube"):
        lampion.vmap(Cube.apply)(x)


def test_batch_norm_without_statistics():
    net = lampion.nn.Sequential(lampion.nn.BatchNorm2d(3), lampion.nn.Flatten())
    lampion.func.replace_all_batch_norm_modules_(net)
    result = lampion.vmap(lambda x: net(x[None]))(lampion.randn(4, 3, 2, 2))
    np.testing.assert_allclose(result.mean(-1).detach().numpy(), np.zeros((4, 1)), atol=1e-5)


def test_training_by_transformations():
    """Gradient descent written with functions learns what the optimizer learns."""
    data, target = numbers(20, 6), numbers(20, 3)
    model = network(lampion, "linear")
    parameters = {k: v.detach().clone() for k, v in model.named_parameters()}
    x, y = tensor(lampion, data), tensor(lampion, target)

    def loss(parameters):
        return ((lampion.func.functional_call(model, parameters, (x,)) - y) ** 2).mean()

    optimizer = lampion.optim.SGD(model.parameters(), lr=0.1)
    for _ in range(5):
        slopes = lampion.func.grad(loss)(parameters)
        parameters = {k: v - 0.1 * slopes[k] for k, v in parameters.items()}
        optimizer.zero_grad()
        ((model(x) - y) ** 2).mean().backward()
        optimizer.step()
    for name, parameter in model.named_parameters():
        np.testing.assert_allclose(parameters[name].numpy(), parameter.detach().numpy(), 1e-9)
        assert not parameters[name].requires_grad


def test_gradients_for_many_rows_at_once():
    """`is_grads_batched` is a map over the rows of grad_outputs."""
    rows = numbers(5, 3)

    def compute(t):
        x, w = tensor(t, X, requires_grad=True), tensor(t, W, requires_grad=True)
        out = t.tanh(w @ (x * x))
        return t.autograd.grad(out, (x, w), tensor(t, rows), is_grads_batched=True,
                               retain_graph=True, create_graph=True)

    agree(compute)
    x = tensor(lampion, X, requires_grad=True)
    unused = tensor(lampion, Y, requires_grad=True)
    found = lampion.autograd.grad(
        x * 2, (x, unused), lampion.eye(4, dtype=lampion.float64), is_grads_batched=True,
        allow_unused=True)
    assert found[1] is None
    np.testing.assert_allclose(found[0].numpy(), 2 * np.eye(4))
    with pytest.raises(RuntimeError, match="is_grads_batched"):
        lampion.autograd.grad((x * 2).sum(), x, is_grads_batched=True)
