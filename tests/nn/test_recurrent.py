"""Recurrent layers and cells against PyTorch's, with its weights."""

import copy

import numpy as np
import pytest

import lampion

oracle = pytest.importorskip("torch")

LAYERS = [
    "RNN(3, 4)", "RNN(3, 4, 2, 'relu')", "RNN(3, 4, 2, nonlinearity='tanh', bias=False)",
    "RNN(3, 4, bidirectional=True, batch_first=True)",
    "LSTM(3, 4)", "LSTM(3, 4, 2)", "LSTM(3, 4, bias=False)", "LSTM(3, 4, 2, bidirectional=True)",
    "LSTM(3, 4, batch_first=True)", "LSTM(3, 4, proj_size=2)",
    "LSTM(3, 4, 2, bidirectional=True, proj_size=2, batch_first=True, bias=False)",
    "GRU(3, 4)", "GRU(3, 4, 2)", "GRU(3, 4, bias=False)",
    "GRU(3, 4, 2, bidirectional=True, batch_first=True)", "LSTM(3, 1)", "GRU(1, 1)", "RNN(1, 1)",
]
CELLS = [
    "RNNCell(3, 4)", "RNNCell(3, 4, nonlinearity='relu', bias=False)", "LSTMCell(3, 4)",
    "LSTMCell(3, 4, bias=False)", "GRUCell(3, 4)", "GRUCell(3, 4, bias=False)",
]
PRINTED = [
    *LAYERS, *CELLS, "LSTM(3, 4, 2, dropout=0.25)", "GRU(2, 3, 3, dropout=1)",
    "RNN(2, 3, 2, 'relu', True, True, 0.1, True)",
]


def build(library, code):
    return eval(f"nn.{code}", {"nn": library.nn})


def pair(code, double=True):
    oracle.manual_seed(0)
    theirs, ours = build(oracle, code), build(lampion, code)
    if double:
        theirs, ours = theirs.double(), ours.double()
    ours.load_state_dict({
        name: lampion.tensor(value.numpy()) for name, value in theirs.state_dict().items()})
    return ours, theirs


def flat(results):
    """Return the tensors in nested results, packed data included."""
    if hasattr(results, "shape"):
        return [results]
    if hasattr(results, "batch_sizes"):
        return [results.data, results.batch_sizes]
    return [tensor for part in results for tensor in flat(part)]


def close(ours, theirs, double=True):
    assert tuple(ours.shape) == tuple(theirs.shape)
    assert str(ours.dtype).split(".")[-1] == str(theirs.dtype).split(".")[-1]
    tolerance = 1e-10 if double else 2e-5
    np.testing.assert_allclose(
        ours.detach().numpy(), theirs.detach().numpy(), rtol=tolerance, atol=tolerance)


def random(*shape, seed=0, double=True):
    array = np.random.default_rng(seed).standard_normal(shape)
    return array if double else array.astype(np.float32)


def weighed(library, tensors):
    """Return a number to differentiate, in which each element has a weight of its own."""
    total = 0
    for k, tensor in enumerate(tensors):
        if tensor.is_floating_point():
            factor = library.tensor(random(*tensor.shape, seed=k + 10)).to(tensor.dtype)
            total = total + (tensor * factor).sum()
    return total


def inputs(library, arrays):
    return [library.tensor(array).requires_grad_() for array in arrays]


def states_of(code, double=True, batch=2):
    """Return initial states for a layer, as arrays."""
    layer = build(oracle, code)
    count = layer.num_layers * (2 if layer.bidirectional else 1)
    middle = () if batch is None else (batch,)
    sizes = [layer.proj_size or layer.hidden_size]
    if code.startswith("LSTM"):
        sizes.append(layer.hidden_size)
    return [random(count, *middle, size, seed=5 + k, double=double)
            for k, size in enumerate(sizes)]


def call(module, tensors):
    """Call a layer with its input and states."""
    x, *states = tensors
    if not states:
        return module(x)
    return module(x, states[0] if len(states) == 1 else tuple(states))


def check(ours, theirs, arrays, double=True, wrap=None):
    """Compare outputs, and the gradients of inputs, states and parameters."""
    mine, others = inputs(lampion, arrays), inputs(oracle, arrays)
    results = [flat(call(module, tensors if wrap is None else [wrap(library, tensors[0]),
                                                               *tensors[1:]]))
               for module, library, tensors in ((ours, lampion, mine), (theirs, oracle, others))]
    for a, b in zip(*results, strict=True):
        close(a, b, double)
    weighed(lampion, results[0]).backward()
    weighed(oracle, results[1]).backward()
    both = zip([*mine, *ours.parameters()], [*others, *theirs.parameters()], strict=True)
    for a, b in both:
        close(a.grad, b.grad, double)


@pytest.mark.parametrize("code", PRINTED)
def test_prints_and_has_the_state_of_pytorch(code):
    ours, theirs = build(lampion, code), build(oracle, code)
    assert repr(ours) == repr(theirs)
    assert [(name, tuple(t.shape)) for name, t in ours.state_dict().items()] == [
        (name, tuple(t.shape)) for name, t in theirs.state_dict().items()]


@pytest.mark.parametrize("double", [False, True], ids=["float32", "float64"])
@pytest.mark.parametrize("code", LAYERS)
def test_layers_with_states(code, double):
    ours, theirs = pair(code, double)
    x = random(2, 5, ours.input_size, double=double) if "batch_first" in code else random(
        5, 2, ours.input_size, double=double)
    check(ours, theirs, [x, *states_of(code, double)], double)


@pytest.mark.parametrize("code", LAYERS)
def test_layers_without_states_and_for_one_sequence(code):
    ours, theirs = pair(code)
    check(ours, theirs, [random(3, 2, ours.input_size)])
    check(*pair(code), [random(4, ours.input_size)])
    check(*pair(code), [random(1, ours.input_size), *states_of(code, batch=None)])


@pytest.mark.parametrize("code", ["LSTM(3, 4, 2)", "GRU(3, 4)", "RNN(3, 4, bidirectional=True)"])
def test_nothing_is_kept_for_gradients_that_nobody_wants(code):
    ours, theirs = pair(code)
    x = random(5, 2, 3)
    with lampion.no_grad(), oracle.no_grad():
        for a, b in zip(flat(ours(lampion.tensor(x))), flat(theirs(oracle.tensor(x))),
                        strict=True):
            assert not a.requires_grad
            close(a, b)


@pytest.mark.parametrize("code", ["LSTM(3, 4, 2)", "GRU(3, 4)", "RNN(3, 4)"])
def test_only_some_gradients(code):
    """A frozen layer still hands gradients on; a frozen input costs none."""
    for frozen in ("weights", "input", "recurrent"):
        ours, theirs = pair(code)
        arrays = random(4, 2, 3)
        x, y = lampion.tensor(arrays), oracle.tensor(arrays)
        for module in (ours, theirs):
            for name, parameter in module.named_parameters():
                parameter.requires_grad_(
                    frozen == "input" or (frozen == "recurrent" and "_hh" not in name))
        if frozen != "input":
            x.requires_grad_()
            y.requires_grad_()
        ours(x)[0].pow(2).sum().backward()
        theirs(y)[0].pow(2).sum().backward()
        for a, b in zip([x, *ours.parameters()], [y, *theirs.parameters()], strict=True):
            assert (a.grad is None) == (b.grad is None)
            if a.grad is not None:
                close(a.grad, b.grad)


@pytest.mark.parametrize("code", [
    "RNN(2, 3)", "LSTM(2, 3)", "LSTM(2, 3, bidirectional=True, proj_size=2)", "GRU(2, 3, 2)"])
def test_second_derivatives(code):
    ours, theirs = pair(code)
    arrays = [random(3, 2, 2), *states_of(code)]
    found = []
    for library, module in ((lampion, ours), (oracle, theirs)):
        tensors = inputs(library, arrays)
        leaves = [*tensors, *module.parameters()]
        first = library.autograd.grad(
            weighed(library, flat(call(module, tensors))), leaves, create_graph=True)
        second = library.autograd.grad(weighed(library, [g * g for g in first]), leaves)
        found.append((first, second))
    for mine, others in zip(*found, strict=True):
        for a, b in zip(mine, others, strict=True):
            close(a, b)


def packer(lengths, batch_first=False, enforce_sorted=False):
    def pack(library, tensor):
        return library.nn.utils.rnn.pack_padded_sequence(
            tensor, lengths, batch_first=batch_first, enforce_sorted=enforce_sorted)

    return pack


@pytest.mark.parametrize("lengths", [[2, 5, 1], [5, 5, 5], [1, 1, 4]])
@pytest.mark.parametrize("code", [
    "RNN(3, 4, bidirectional=True)", "LSTM(3, 4, 2)", "LSTM(3, 4, 2, bidirectional=True)",
    "LSTM(3, 4, proj_size=2)", "GRU(3, 4, 2, bidirectional=True, bias=False)"])
def test_packed_sequences(code, lengths):
    x = random(max(lengths), 3, 3)
    check(*pair(code), [x], wrap=packer(lengths))
    check(*pair(code), [x, *states_of(code, batch=3)], wrap=packer(lengths))


def test_dropout_between_layers():
    """Nothing is dropped in evaluation; with probability 1 the second layer reads zeros."""
    for code in ("LSTM(3, 4, 2, dropout=1.0)", "GRU(3, 4, 3, dropout=0.5)"):
        ours, theirs = pair(code)
        check(ours.eval(), theirs.eval(), [random(4, 2, 3)])
    ours, theirs = pair("LSTM(3, 4, 2, dropout=1.0)")
    check(ours, theirs, [random(4, 2, 3)])
    ours, _ = pair("GRU(3, 4, 2, dropout=0.5)")
    x = lampion.tensor(random(4, 2, 3))
    assert ours(x)[1].tolist() != ours(x)[1].tolist()


@pytest.mark.parametrize("double", [False, True], ids=["float32", "float64"])
@pytest.mark.parametrize("code", CELLS)
def test_cells(code, double):
    states = 2 if code.startswith("LSTM") else 1
    batch = [random(2, 3, double=double)]
    batch += [random(2, 4, seed=k, double=double) for k in range(states)]
    single = [array[0] for array in batch]
    for arrays in (batch, batch[:1], single, single[:1]):
        check(*pair(code, double), arrays, double)


def test_a_loop_over_a_cell_is_the_layer():
    layer = lampion.nn.LSTM(3, 4).double()
    cell = lampion.nn.LSTMCell(3, 4).double()
    cell.load_state_dict({name.removesuffix("_l0"): value
                          for name, value in layer.state_dict().items()})
    x = lampion.tensor(random(6, 2, 3))
    state, rows = None, []
    for step in x:
        state = cell(step, state)
        rows.append(state[0])
    np.testing.assert_allclose(lampion.stack(rows).tolist(), layer(x)[0].tolist(), rtol=1e-12)


def test_special_values_go_through():
    x = random(4, 2, 3)
    x[1, 0, 0], x[2, 1, 1], x[0, 1, 2] = np.nan, np.inf, 1e300
    for code in ("LSTM(3, 4)", "GRU(3, 4)", "RNN(3, 4, 1, 'relu')"):
        ours, theirs = pair(code)
        close(ours(lampion.tensor(x))[0], theirs(oracle.tensor(x))[0])


def test_empty_batch():
    for code in ("LSTM(3, 4)", "GRU(3, 4)", "RNN(3, 4)"):
        check(*pair(code), [random(2, 0, 3)])


def test_a_layer_can_be_copied_moved_and_frozen():
    layer = lampion.nn.LSTM(3, 4)
    other = copy.deepcopy(layer).double()
    layer.flatten_parameters()
    assert other.all_weights[0][0].dtype == lampion.float64
    assert layer.weight_ih_l0.dtype == lampion.float32
    assert [len(weights) for weights in layer.all_weights] == [4]


def test_writing_a_weight_before_backward_is_noticed():
    layer = lampion.nn.GRU(2, 3)
    loss = layer(lampion.ones(4, 1, 2))[0].sum()
    with lampion.no_grad():
        layer.weight_hh_l0.mul_(2)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        loss.backward()


def test_a_second_backward_needs_the_graph():
    layer = lampion.nn.LSTM(2, 3)
    loss = layer(lampion.ones(4, 1, 2))[0].sum()
    loss.backward(retain_graph=True)
    first = layer.weight_hh_l0.grad.tolist()
    loss.backward()
    np.testing.assert_allclose(layer.weight_hh_l0.grad.tolist(), 2 * np.array(first), rtol=1e-6)
    with pytest.raises(RuntimeError, match="second time"):
        loss.backward()


class TestWrongUse:
    @pytest.mark.parametrize("code", [
        "LSTM(0, 4)", "LSTM(3, 0)", "GRU(3, 4, 0)", "RNN(3, 4, nonlinearity='sin')",
        "GRU(3, 4, proj_size=2)", "RNN(3, 4, proj_size=2)", "LSTM(3, 4, proj_size=4)",
        "LSTM(3, 4, proj_size=-1)", "LSTM(3, 4, dropout=2)", "LSTM(3, 4, dropout=True)",
        "LSTM(3.0, 4)", "LSTM(3, 4, bias=1)", "LSTM(3, 4, batch_first=1)"])
    def test_settings(self, code):
        with pytest.raises(Exception) as theirs:  # noqa: B017 - compared below
            build(oracle, code)
        with pytest.raises(type(theirs.value)):
            build(lampion, code)

    @pytest.mark.parametrize("code, shapes", [
        ("LSTM(3, 4)", [(5, 2, 2)]), ("LSTM(3, 4)", [(3,)]), ("GRU(3, 4)", [(1, 5, 2, 3)]),
        ("LSTM(3, 4)", [(0, 2, 3)]), ("GRU(3, 4)", [(5, 2, 3), (1, 3, 4)]),
        ("GRU(3, 4)", [(5, 2, 3), (2, 4)]), ("RNN(3, 4)", [(5, 3), (1, 1, 4)]),
        ("LSTM(3, 4)", [(5, 2, 3), (1, 2, 4), (1, 2, 3)]),
        ("LSTM(3, 4)", [(5, 2, 3), (2, 4), (2, 4)]),
        ("LSTMCell(3, 4)", [(2, 2)]), ("GRUCell(3, 4)", [(2, 3), (2, 3)]),
        ("RNNCell(3, 4)", [(1, 2, 3)]), ("RNNCell(3, 4)", [(2, 3), (3, 4)]),
        ("LSTMCell(3, 4)", [(2, 3), (1, 2, 4), (1, 2, 4)])])
    def test_shapes(self, code, shapes):
        arrays = [random(*shape) for shape in shapes]
        ours, theirs = pair(code)
        with pytest.raises(Exception) as expected:  # noqa: B017 - compared below
            call(theirs, [oracle.tensor(a) for a in arrays])
        with pytest.raises(type(expected.value)) as found:
            call(ours, [lampion.tensor(a) for a in arrays])
        assert isinstance(found.value, lampion.errors.LampionError)

    def test_another_type(self):
        for library in (lampion, oracle):
            with pytest.raises(ValueError, match="does not match weight dtype"):
                library.nn.LSTM(3, 4)(library.zeros(5, 2, 3, dtype=library.float64))

    def test_dropout_of_a_single_layer_warns(self):
        for library in (lampion, oracle):
            with pytest.warns(UserWarning, match="num_layers greater than 1"):
                library.nn.LSTM(3, 4, dropout=0.5)
