"""Every layer against PyTorch's: how it prints, its state, outputs and gradients."""

from dataclasses import dataclass

import numpy as np
import pytest

import lampion

oracle = pytest.importorskip("torch")

# A layer, as code for both libraries, with the shapes of its inputs.
LAYERS = [
    ("Identity(54, unused=1)", [(2, 3)]),
    ("Linear(3, 4)", [(2, 3)]),
    ("Linear(3, 4)", [(3,)]),
    ("Linear(3, 4, bias=False)", [(2, 5, 3)]),
    ("Bilinear(3, 4, 5)", [(2, 3), (2, 4)]),
    ("Bilinear(3, 4, 5, bias=False)", [(2, 3), (2, 4)]),
    ("Conv1d(3, 4, 3)", [(2, 3, 9)]),
    ("Conv1d(4, 4, 3, padding='same', padding_mode='circular', groups=2)", [(2, 4, 9)]),
    ("Conv2d(3, 4, 3)", [(2, 3, 6, 7)]),
    ("Conv2d(3, 4, (3, 2), stride=2, padding=(1, 0), dilation=(1, 2), bias=False)",
     [(2, 3, 7, 8)]),
    ("Conv2d(2, 2, 4, padding='same')", [(2, 6, 7)]),
    ("Conv2d(2, 2, 3, padding='valid')", [(1, 2, 6, 7)]),
    ("Conv2d(2, 2, 3, padding=(1, 2), padding_mode='reflect')", [(1, 2, 6, 7)]),
    ("Conv2d(2, 2, 3, padding='same', padding_mode='replicate')", [(1, 2, 6, 7)]),
    ("Conv3d(2, 3, 2, stride=(1, 2, 1))", [(1, 2, 3, 4, 5)]),
    ("ConvTranspose1d(3, 4, 3, stride=2, output_padding=1)", [(2, 3, 5)]),
    ("ConvTranspose2d(4, 6, 3, stride=2, padding=1, groups=2)", [(2, 4, 3, 4)]),
    ("ConvTranspose2d(2, 3, (2, 3), dilation=2, bias=False)", [(2, 3, 4)]),
    ("ConvTranspose3d(2, 3, 2)", [(1, 2, 2, 3, 2)]),
    ("MaxPool1d(2)", [(2, 3, 9)]),
    ("MaxPool2d(3, stride=2, padding=1)", [(2, 3, 6, 7)]),
    ("MaxPool2d((2, 3), dilation=2, ceil_mode=True)", [(1, 2, 8, 9)]),
    ("MaxPool3d(2)", [(1, 2, 4, 4, 5)]),
    ("AvgPool1d(3, stride=2, padding=1)", [(2, 3, 9)]),
    ("AvgPool2d((2, 3), count_include_pad=False, padding=1)", [(2, 3, 6, 7)]),
    ("AvgPool2d(2, ceil_mode=True, divisor_override=3)", [(2, 3, 5, 7)]),
    ("AvgPool3d(2)", [(1, 2, 4, 4, 5)]),
    ("LPPool1d(2, 3)", [(2, 3, 9)]),
    ("LPPool2d(1.5, (2, 3), stride=2)", [(1, 2, 6, 7)]),
    ("LPPool3d(2, 2)", [(1, 2, 4, 4, 4)]),
    ("AdaptiveAvgPool1d(4)", [(2, 3, 9)]),
    ("AdaptiveAvgPool2d((3, None))", [(2, 3, 7, 5)]),
    ("AdaptiveAvgPool3d(2)", [(1, 2, 3, 4, 5)]),
    ("AdaptiveMaxPool1d(4)", [(2, 3, 9)]),
    ("AdaptiveMaxPool2d((3, 2))", [(2, 3, 7, 5)]),
    ("AdaptiveMaxPool3d(2)", [(1, 2, 3, 4, 5)]),
    ("BatchNorm1d(3)", [(5, 3)]),
    ("BatchNorm1d(3, momentum=0.3, eps=1e-3)", [(5, 3, 4)]),
    ("BatchNorm1d(3, affine=False)", [(5, 3)]),
    ("BatchNorm1d(3, bias=False)", [(5, 3)]),
    ("BatchNorm1d(3, track_running_stats=False)", [(5, 3)]),
    ("BatchNorm1d(3, momentum=None)", [(5, 3)]),
    ("BatchNorm2d(3)", [(2, 3, 4, 5)]),
    ("BatchNorm3d(2)", [(2, 2, 2, 3, 2)]),
    ("InstanceNorm1d(3)", [(2, 3, 5)]),
    ("InstanceNorm2d(3, affine=True)", [(3, 4, 5)]),
    ("InstanceNorm2d(3, track_running_stats=True, affine=True, bias=False)", [(2, 3, 4, 5)]),
    ("InstanceNorm3d(2, affine=True)", [(2, 2, 2, 3, 2)]),
    ("LayerNorm(4)", [(2, 3, 4)]),
    ("LayerNorm([3, 4], eps=1e-3, bias=False)", [(2, 3, 4)]),
    ("LayerNorm((4,), elementwise_affine=False)", [(2, 4)]),
    ("GroupNorm(2, 4)", [(2, 4, 5)]),
    ("GroupNorm(2, 4, affine=False)", [(2, 4, 3, 3)]),
    ("GroupNorm(4, 4, bias=False)", [(2, 4, 5)]),
    ("RMSNorm(4)", [(2, 4)]),
    ("RMSNorm((3, 4), eps=1e-4, elementwise_affine=False)", [(2, 3, 4)]),
    ("LocalResponseNorm(3)", [(2, 5, 4, 4)]),
    ("LocalResponseNorm(2, alpha=0.1, beta=0.5, k=2.0)", [(2, 5, 4)]),
    ("Flatten()", [(2, 3, 4)]),
    ("Flatten(0, 1)", [(2, 3, 4)]),
    ("Unflatten(1, (2, 3))", [(2, 6)]),
    ("Unflatten(-1, [2, -1])", [(2, 6)]),
    ("Unfold((2, 3), padding=1)", [(2, 3, 4, 5)]),
    ("Fold((4, 5), (2, 3), stride=(2, 1))", [(1, 12, 6)]),
    ("PixelShuffle(2)", [(1, 8, 3, 2)]),
    ("PixelUnshuffle(2)", [(1, 2, 4, 6)]),
    ("ChannelShuffle(2)", [(1, 4, 2, 2)]),
    ("Upsample(scale_factor=2)", [(1, 2, 3, 4)]),
    ("Upsample(size=(5, 7), mode='bilinear', align_corners=False)", [(1, 2, 3, 4)]),
    ("Upsample(scale_factor=(2, 3), mode='nearest')", [(1, 2, 3, 4)]),
    ("Upsample(size=9, mode='linear')", [(1, 2, 4)]),
    ("UpsamplingNearest2d(scale_factor=2)", [(1, 2, 3, 4)]),
    ("UpsamplingBilinear2d(size=(5, 6))", [(1, 2, 3, 4)]),
    ("ReflectionPad1d(2)", [(1, 2, 5)]),
    ("ReflectionPad2d((1, 2, 0, 1))", [(1, 2, 4, 5)]),
    ("ReflectionPad3d(1)", [(1, 2, 3, 3, 3)]),
    ("ReplicationPad1d((1, 3))", [(2, 5)]),
    ("ReplicationPad2d(2)", [(1, 2, 4, 5)]),
    ("ReplicationPad3d(1)", [(1, 2, 3, 3, 3)]),
    ("CircularPad1d(2)", [(1, 2, 5)]),
    ("CircularPad2d((1, 2, 0, 1))", [(1, 2, 4, 5)]),
    ("CircularPad3d(1)", [(1, 2, 3, 3, 3)]),
    ("ConstantPad1d(2, 3.5)", [(1, 2, 5)]),
    ("ConstantPad2d((1, -1, 0, 1), 0.5)", [(1, 2, 4, 5)]),
    ("ConstantPad3d(1, 1)", [(1, 2, 3, 3, 3)]),
    ("ZeroPad1d(1)", [(2, 5)]),
    ("ZeroPad2d(1)", [(2, 3, 5)]),
    ("ZeroPad3d((1, 0, 1, 0, 1, 0))", [(1, 2, 3, 3, 3)]),
    ("CosineSimilarity(dim=1)", [(3, 4), (3, 4)]),
    ("PairwiseDistance(p=3, keepdim=True)", [(3, 4), (3, 4)]),
]
ELEMENTWISE = [
    "ReLU()", "ReLU6()", "SiLU()", "Mish()", "SELU()", "Hardsigmoid()", "Hardswish()",
    "Threshold(0.1, 20)", "RReLU(0.25, 0.25)", "Hardtanh()", "Hardtanh(-0.5, 0.7)", "ELU()",
    "ELU(alpha=0.5)", "CELU()", "CELU(0.7)", "LeakyReLU()", "LeakyReLU(0.2)", "PReLU()",
    "PReLU(num_parameters=4, init=0.1)", "Sigmoid()", "Tanh()", "LogSigmoid()", "Softsign()",
    "Tanhshrink()", "GELU()", "GELU(approximate='tanh')", "GLU()", "GLU(dim=1)", "Softplus()",
    "Softplus(beta=2.0, threshold=1.0)", "Hardshrink()", "Hardshrink(0.2)", "Softshrink()",
    "Softshrink(0.2)", "Softmax(dim=1)", "Softmin(dim=-1)", "LogSoftmax(dim=0)",
    "Dropout(p=0.0)", "Dropout1d(p=0)", "AlphaDropout(p=0.0)",
]
LAYERS += [(code, [(3, 4, 6)]) for code in ELEMENTWISE] + [("Softmax2d()", [(3, 4, 2, 2)])]
PRINTED_ONLY = [
    "Dropout()", "Dropout1d(0.1)", "Dropout2d(0.3, inplace=True)", "Dropout3d()",
    "AlphaDropout(0.2)", "FeatureAlphaDropout()", "Softmax()", "RReLU(inplace=True)",
    "ReLU(inplace=True)", "ReLU6(inplace=True)", "Hardtanh(inplace=True)", "SiLU(inplace=True)",
    "Mish(inplace=True)", "SELU(inplace=True)", "Hardsigmoid(inplace=True)",
    "Hardswish(inplace=True)", "ELU(inplace=True)", "CELU(inplace=True)",
    "LeakyReLU(inplace=True)", "Threshold(1, 2, inplace=True)",
    "Embedding(10, 3)", "Embedding(10, 3, padding_idx=-1, max_norm=2.0, norm_type=1.0)",
    "Embedding(10, 3, scale_grad_by_freq=True, sparse=True)",
    "EmbeddingBag(10, 3)", "EmbeddingBag(10, 3, mode='sum', padding_idx=2, max_norm=1.0)",
    "MaxPool2d(3, return_indices=True)", "MaxUnpool1d(2)", "MaxUnpool2d((2, 3), stride=1)",
    "MaxUnpool3d(2, padding=1)", "SyncBatchNorm(4)", "Upsample(scale_factor=1.5, mode='area')",
    "L1Loss()", "MSELoss()", "CrossEntropyLoss()", "NLLLoss()", "BCELoss()",
    "BCEWithLogitsLoss()", "KLDivLoss()", "PoissonNLLLoss()", "GaussianNLLLoss()", "CTCLoss()",
    "SmoothL1Loss()", "HuberLoss()", "HingeEmbeddingLoss()", "SoftMarginLoss()",
    "MultiLabelMarginLoss()", "MultiLabelSoftMarginLoss()", "MultiMarginLoss()",
    "MarginRankingLoss()", "CosineEmbeddingLoss()", "TripletMarginLoss()",
    "TripletMarginWithDistanceLoss()",
]


def build(library, code):
    return eval(f"nn.{code}", {"nn": library.nn})


def to_lampion(tensor):
    return lampion.from_numpy(tensor.detach().numpy().copy())


def to_numpy(tensor):
    return tensor.detach().numpy()


@dataclass
class Pair:
    """The same layer in both libraries, with the same parameters."""

    ours: object
    theirs: object

    @classmethod
    def of(cls, code, double=False):
        theirs, ours = build(oracle, code), build(lampion, code)
        if double:
            theirs, ours = theirs.double(), ours.double()
        with oracle.no_grad():
            for one in theirs.parameters():
                one.copy_(oracle.randn(one.shape))
        ours.load_state_dict({k: to_lampion(v) for k, v in theirs.state_dict().items()})
        return cls(ours, theirs)


# PyTorch computes these with constants of single precision, also on doubles.
ROUGH = ("Hardsigmoid()", "CELU(0.7)")


def close(ours, theirs, exact):
    tolerance = 1e-10 if exact else 2e-5
    assert tuple(ours.shape) == tuple(theirs.shape)
    assert str(ours.dtype).split(".")[-1] == str(theirs.dtype).split(".")[-1]
    np.testing.assert_allclose(to_numpy(ours), to_numpy(theirs), rtol=tolerance, atol=tolerance)


def run_both(pair, arrays, double, rough=False):
    """Compare outputs, and the gradients of inputs and parameters."""
    theirs_in = [oracle.from_numpy(array.copy()).requires_grad_() for array in arrays]
    ours_in = [lampion.from_numpy(array.copy()).requires_grad_() for array in arrays]
    theirs, ours = pair.theirs(*theirs_in), pair.ours(*ours_in)
    exact = double and not rough
    close(ours, theirs, exact)
    factor = np.random.default_rng(1).standard_normal(tuple(theirs.shape)).astype(arrays[0].dtype)
    (theirs * oracle.from_numpy(factor)).sum().backward()
    (ours * lampion.from_numpy(factor)).sum().backward()
    parameters = zip(pair.ours.parameters(), pair.theirs.parameters(), strict=True)
    for one, other in [*zip(ours_in, theirs_in, strict=True), *parameters]:
        close(one.grad, other.grad, exact)


@pytest.fixture(autouse=True)
def seed():
    oracle.manual_seed(0)


@pytest.mark.parametrize("code", sorted({code for code, _ in LAYERS} | set(PRINTED_ONLY)))
def test_prints_and_has_the_state_of_pytorch(code):
    ours, theirs = build(lampion, code), build(oracle, code)
    assert repr(ours) == repr(theirs)
    described = [
        [(name, tuple(tensor.shape), str(tensor.dtype).split(".")[-1])
         for name, tensor in module.state_dict().items()]
        for module in (ours, theirs)]
    assert described[0] == described[1]


@pytest.mark.parametrize("training", [True, False], ids=["train", "eval"])
@pytest.mark.parametrize("double", [False, True], ids=["float32", "float64"])
@pytest.mark.parametrize("code, shapes", LAYERS, ids=[code for code, _ in LAYERS])
def test_computes_what_pytorch_does(code, shapes, double, training):
    random = np.random.default_rng(0)
    dtype = np.float64 if double else np.float32
    pair = Pair.of(code, double)
    pair.ours.train(training)
    pair.theirs.train(training)
    # LPPool of a negative sum is NaN for odd powers.
    make = random.random if code.startswith("LPPool") else random.standard_normal
    for _ in range(2 if "Norm" in code and training else 1):
        pair.ours.zero_grad()
        pair.theirs.zero_grad()
        arrays = [make(shape).astype(dtype) for shape in shapes]
        run_both(pair, arrays, double, rough=code in ROUGH)
    for ours, theirs in zip(pair.ours.buffers(), pair.theirs.buffers(), strict=True):
        close(ours, theirs, double)


class TestEmbedding:
    INDICES = np.array([[1, 2, 0], [2, 9, 9]])

    @pytest.mark.parametrize("code", [
        "Embedding(10, 3)", "Embedding(10, 3, padding_idx=2)", "Embedding(10, 3, padding_idx=-1)",
        "Embedding(10, 3, scale_grad_by_freq=True)", "Embedding(10, 3, max_norm=1.0)",
        "Embedding(10, 3, max_norm=1.0, norm_type=1.0)",
    ])
    def test_like_pytorch(self, code):
        pair = Pair.of(code)
        theirs = pair.theirs(oracle.from_numpy(self.INDICES))
        ours = pair.ours(lampion.from_numpy(self.INDICES))
        close(ours, theirs, False)
        (theirs ** 2).sum().backward()
        (ours ** 2).sum().backward()
        close(pair.ours.weight.grad, pair.theirs.weight.grad, False)
        close(pair.ours.weight, pair.theirs.weight, False)  # max_norm changes the table

    @pytest.mark.parametrize("code", [
        "EmbeddingBag(10, 3)", "EmbeddingBag(10, 3, mode='sum')", "EmbeddingBag(10, 3, mode='max')",
        "EmbeddingBag(10, 3, padding_idx=2)", "EmbeddingBag(10, 3, max_norm=1.0, mode='sum')",
    ])
    def test_bags(self, code):
        pair = Pair.of(code)
        theirs = pair.theirs(oracle.from_numpy(self.INDICES))
        ours = pair.ours(lampion.from_numpy(self.INDICES))
        close(ours, theirs, False)
        (theirs ** 2).sum().backward()
        (ours ** 2).sum().backward()
        close(pair.ours.weight.grad, pair.theirs.weight.grad, False)

    def test_bags_by_offset(self):
        pair = Pair.of("EmbeddingBag(10, 3, mode='sum', include_last_offset=True)")
        flat, offsets = self.INDICES.reshape(-1), np.array([0, 2, 2, 6])
        weights = np.arange(6, dtype=np.float32)
        arguments = (flat, offsets, weights)
        close(pair.ours(*map(lampion.from_numpy, arguments)),
              pair.theirs(*map(oracle.from_numpy, arguments)), False)

    def test_padding_row_starts_as_zero(self):
        table = lampion.nn.Embedding(5, 2, padding_idx=3)
        assert table.weight[3].tolist() == [0, 0]
        assert table.weight[2].abs().sum().item() > 0

    def test_from_pretrained(self):
        vectors = lampion.ones(4, 2)
        table = lampion.nn.Embedding.from_pretrained(vectors)
        assert not table.weight.requires_grad and table.num_embeddings == 4
        assert lampion.nn.Embedding.from_pretrained(vectors, freeze=False).weight.requires_grad
        bag = lampion.nn.EmbeddingBag.from_pretrained(vectors, mode="sum")
        assert not bag.weight.requires_grad and bag.mode == "sum"


class TestWrongArguments:
    @pytest.mark.parametrize("code", [
        "Conv2d(3, 4, 3, groups=2)", "Conv2d(4, 3, 3, groups=2)", "Conv2d(4, 4, 3, groups=0)",
        "Conv2d(1, 1, 3, padding='full')", "Conv2d(1, 1, 3, padding='same', stride=2)",
        "Conv2d(1, 1, 3, padding_mode='mirror')",
        "ConvTranspose2d(1, 1, 3, padding_mode='reflect')", "Dropout(1.5)", "Dropout(-0.1)",
        "GroupNorm(3, 4)", "Bilinear(0, 1, 1)", "MultiMarginLoss(p=3)",
        "TripletMarginLoss(margin=0)", "HuberLoss(delta='a')", "Unflatten(1, 6)",
    ])
    def test_the_same_exception(self, code):
        with pytest.raises(Exception) as theirs:  # noqa: B017 - compared below
            build(oracle, code)
        with pytest.raises(type(theirs.value)) as ours:
            build(lampion, code)
        assert ours.value.fix

    @pytest.mark.parametrize("code", [
        "Embedding(3, 2, padding_idx=3)", "Embedding(3, 2, padding_idx=-4)", "Hardtanh(1, 1)",
    ])
    def test_an_error_instead_of_an_assertion(self, code):
        with pytest.raises(AssertionError):
            build(oracle, code)
        with pytest.raises(ValueError):
            build(lampion, code)

    @pytest.mark.parametrize("code, shape", [
        ("BatchNorm1d(3)", (2, 3, 4, 5)), ("BatchNorm2d(3)", (2, 3, 4)),
        ("BatchNorm3d(3)", (2, 3)), ("InstanceNorm2d(3)", (2, 3)), ("Softmax2d()", (2, 2)),
        ("CircularPad2d(1)", (2, 2)), ("InstanceNorm1d(3, affine=True)", (2, 4, 5)),
        ("BatchNorm1d(3)", (1, 3)), ("Linear(3, 4)", (2, 5)), ("Conv2d(3, 4, 2)", (2, 5, 4, 4)),
        ("MaxPool2d(2, padding=2)", (1, 1, 4, 4)), ("PixelShuffle(2)", (1, 3, 2, 2)),
    ])
    def test_the_same_exception_when_called(self, code, shape):
        with pytest.raises(Exception) as theirs:  # noqa: B017 - compared below
            build(oracle, code)(oracle.ones(shape))
        with pytest.raises(type(theirs.value)) as ours:
            build(lampion, code)(lampion.ones(shape))
        assert ours.value.why or ours.value.fix
        assert ours.value.layer == code.split("(")[0]


@pytest.mark.parametrize("code, size, output_size", [
    ("ConvTranspose2d(2, 3, 3, stride=2, padding=1)", (1, 2, 4, 4), [8, 7]),
    ("ConvTranspose2d(2, 3, 3, stride=2, padding=1)", (1, 2, 4, 4), [1, 3, 7, 8]),
    ("ConvTranspose1d(2, 3, 3, stride=3)", (2, 4), [13]),
])
def test_output_size_of_transposed_convolution(code, size, output_size):
    pair = Pair.of(code)
    x = np.random.default_rng(0).standard_normal(size).astype(np.float32)
    close(pair.ours(lampion.from_numpy(x), output_size=output_size),
          pair.theirs(oracle.from_numpy(x), output_size=output_size), False)
    with pytest.raises(ValueError):
        pair.ours(lampion.from_numpy(x), output_size=[size + 5 for size in output_size])


def test_max_pooling_and_back():
    x = np.random.default_rng(0).standard_normal((1, 2, 4, 6)).astype(np.float32)
    results = []
    for library in (lampion, oracle):
        pool = library.nn.MaxPool2d(2, return_indices=True)
        output, indices = pool(library.from_numpy(x))
        results.append(library.nn.MaxUnpool2d(2)(output, indices))
    close(*results, False)


@pytest.mark.parametrize("name", ["Dropout", "Dropout1d", "AlphaDropout", "FeatureAlphaDropout"])
def test_dropout_drops_while_training_only(name):
    layer = getattr(lampion.nn, name)(0.5)
    x = lampion.ones(4, 50, 3)
    assert (layer(x) != 1).any()
    assert (layer.eval()(x) == 1).all()


def test_dropout_of_channels():
    dropped = lampion.nn.Dropout2d(0.5)(lampion.ones(8, 8, 3, 3))
    per_channel = dropped.sum((2, 3))
    assert sorted(set(per_channel.flatten().tolist())) == [0, 18]


def test_instance_norm_warns_about_unused_sizes():
    with pytest.warns(UserWarning, match="does not match num_features"):
        lampion.nn.InstanceNorm1d(3)(lampion.ones(2, 4, 5))
