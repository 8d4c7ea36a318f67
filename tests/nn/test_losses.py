"""Every loss layer against PyTorch's: value and gradients, for each reduction."""

import warnings

import numpy as np
import pytest

import lampion

oracle = pytest.importorskip("torch")

N, C = 5, 4
random = np.random.default_rng(0)
SCORES = random.standard_normal((N, C)).astype(np.float32)
OTHERS = random.standard_normal((N, C)).astype(np.float32)
THIRD = random.standard_normal((N, C)).astype(np.float32)
PROBABILITIES = random.random((N, C)).astype(np.float32) * 0.8 + 0.1
CLASSES = np.array([0, 3, 1, 2, 3])
BITS = (random.random((N, C)) > 0.5).astype(np.float32)
SIGNS = np.where(BITS > 0, 1, -1).astype(np.float32)
LABELS = np.array([[3, 0, -1, 1]] * N)
WEIGHT = np.array([0.5, 1, 2, 0.1], dtype=np.float32)

# (code, arguments); `weight` stands for WEIGHT in the code.
LOSSES = [
    ("L1Loss", (SCORES, OTHERS)),
    ("MSELoss", (SCORES, OTHERS)),
    ("SmoothL1Loss", (SCORES, OTHERS)),
    ("SmoothL1Loss", (SCORES, OTHERS), {"beta": 0.3}),
    ("HuberLoss", (SCORES, OTHERS), {"delta": 0.7}),
    ("CrossEntropyLoss", (SCORES, CLASSES)),
    ("CrossEntropyLoss", (SCORES, CLASSES),
     {"weight": WEIGHT, "label_smoothing": 0.1, "ignore_index": 1}),
    ("CrossEntropyLoss", (SCORES, PROBABILITIES)),
    ("NLLLoss", (SCORES, CLASSES), {"weight": WEIGHT, "ignore_index": 2}),
    ("BCELoss", (PROBABILITIES, BITS)),
    ("BCELoss", (PROBABILITIES, BITS), {"weight": WEIGHT}),
    ("BCEWithLogitsLoss", (SCORES, BITS)),
    ("BCEWithLogitsLoss", (SCORES, BITS), {"weight": WEIGHT, "pos_weight": WEIGHT}),
    ("KLDivLoss", (SCORES, PROBABILITIES)),
    ("KLDivLoss", (SCORES, OTHERS), {"log_target": True}),
    ("PoissonNLLLoss", (SCORES, BITS * 5)),
    ("PoissonNLLLoss", (PROBABILITIES, BITS * 5), {"log_input": False, "full": True}),
    ("GaussianNLLLoss", (SCORES, OTHERS, PROBABILITIES)),
    ("GaussianNLLLoss", (SCORES, OTHERS, PROBABILITIES), {"full": True, "eps": 0.5}),
    ("HingeEmbeddingLoss", (SCORES, SIGNS), {"margin": 0.5}),
    ("SoftMarginLoss", (SCORES, SIGNS)),
    ("MultiLabelMarginLoss", (SCORES, LABELS)),
    ("MultiLabelSoftMarginLoss", (SCORES, BITS), {"weight": WEIGHT}),
    ("MultiMarginLoss", (SCORES, CLASSES)),
    ("MultiMarginLoss", (SCORES, CLASSES), {"p": 2, "margin": 0.5, "weight": WEIGHT}),
    ("MarginRankingLoss", (SCORES[:, 0], OTHERS[:, 0], SIGNS[:, 0]), {"margin": 0.1}),
    ("CosineEmbeddingLoss", (SCORES, OTHERS, SIGNS[:, 0]), {"margin": 0.1}),
    ("TripletMarginLoss", (SCORES, OTHERS, THIRD), {"p": 3, "swap": True}),
    ("TripletMarginWithDistanceLoss", (SCORES, OTHERS, THIRD), {"margin": 2.0}),
]
CASES = [(case[0], case[1], case[2] if len(case) > 2 else {}) for case in LOSSES]
IDS = [f"{name}({', '.join(options)})" for name, _, options in CASES]


def evaluate(library, name, arrays, options, reduction):
    options = {k: library.from_numpy(v) if isinstance(v, np.ndarray) else v
               for k, v in options.items()}
    loss = getattr(library.nn, name)(reduction=reduction, **options)
    inputs = [library.from_numpy(array.copy()) for array in arrays]
    inputs[0].requires_grad_()
    with warnings.catch_warnings():
        # PyTorch warns that KLDivLoss' mean is not the divergence.
        warnings.filterwarnings("ignore", message="reduction: 'mean' divides")
        value = loss(*inputs)
    value.sum().backward()
    return value.detach().numpy(), inputs[0].grad.numpy()


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("name, arrays, options", CASES, ids=IDS)
def test_like_pytorch(name, arrays, options, reduction):
    ours = evaluate(lampion, name, arrays, options, reduction)
    theirs = evaluate(oracle, name, arrays, options, reduction)
    for one, other in zip(ours, theirs, strict=True):
        assert one.shape == other.shape and one.dtype == other.dtype
        np.testing.assert_allclose(one, other, rtol=2e-5, atol=1e-6)


def test_batchmean():
    ours = evaluate(lampion, "KLDivLoss", (SCORES, PROBABILITIES), {}, "batchmean")
    theirs = evaluate(oracle, "KLDivLoss", (SCORES, PROBABILITIES), {}, "batchmean")
    np.testing.assert_allclose(ours[0], theirs[0], rtol=1e-5)


def test_ctc():
    def loss(library):
        scores = library.from_numpy(
            np.random.default_rng(1).standard_normal((7, 2, C)).astype(np.float32))
        scores.requires_grad_()
        targets = library.tensor([[1, 2, 2], [3, 1, 0]])
        value = library.nn.CTCLoss()(
            scores.log_softmax(2), targets, library.tensor([7, 6]), library.tensor([3, 2]))
        value.backward()
        return value.item(), scores.grad.numpy()

    (ours, our_gradient), (theirs, their_gradient) = loss(lampion), loss(oracle)
    assert ours == pytest.approx(theirs, rel=1e-5)
    np.testing.assert_allclose(our_gradient, their_gradient, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("old, new", [
    ({"size_average": False}, "sum"), ({"size_average": True}, "mean"), ({"reduce": False}, "none"),
    ({"reduce": True, "size_average": False}, "sum"),
])
def test_old_names_of_the_reduction(old, new):
    for library in (lampion, oracle):
        with pytest.warns(UserWarning, match="reduction="):
            assert library.nn.L1Loss(**old).reduction == new


def test_weights_are_buffers():
    loss = lampion.nn.CrossEntropyLoss(weight=lampion.ones(3))
    assert list(loss.state_dict()) == ["weight"]
    assert loss.double().weight.dtype == lampion.float64
    assert not list(lampion.nn.CrossEntropyLoss().state_dict())


def test_wrong_shapes_raise():
    with pytest.raises((RuntimeError, ValueError)):
        lampion.nn.CrossEntropyLoss()(lampion.ones(2, 3), lampion.tensor([0, 1, 2]))
