"""The commonest mistakes, and what lampion says to each.

Every row is a small program with one mistaken line, marked `#!`. The error must

- be caught by the `except` clause that a PyTorch program has for it,
- name the file and line of the mistake, not a line inside lampion,
- say what was given: the shapes, types, names and layer that matter,
- say what to write instead.

The same programs run with PyTorch, to show that they are mistakes there and that the exception
class is the one its users catch.
"""

import dataclasses
import inspect
import pickle
import textwrap

import pytest

from lampion.errors import LampionError, ShapeError, user_location

PRELUDE = """\
import numpy
import LIBRARY as torch
import LIBRARY.nn.functional as F
from LIBRARY import nn, optim
from LIBRARY.utils.data import DataLoader, TensorDataset, random_split
"""


@dataclasses.dataclass
class Mistake:
    """A mistaken program and the words that its error must contain.

    Attributes:
        program: text; the mistaken line ends in `#!`.
        exception: the builtin class that PyTorch raises.
        words: each must occur in the message, in any case.
        in_pytorch: whether PyTorch raises at all.
    """

    program: str
    exception: type[Exception]
    words: list[str]
    in_pytorch: bool = True

    def source(self, library: str) -> str:
        return PRELUDE.replace("LIBRARY", library) + textwrap.dedent(self.program)

    def line(self) -> int:
        lines = self.source("any").splitlines()
        return next(i for i, line in enumerate(lines, 1) if line.endswith("#!"))


SHAPES = {
    "matmul": Mistake(
        """
        a = torch.ones(2, 3)
        b = torch.ones(2, 3)
        a @ b  #!
        """, RuntimeError, ["2x3", "3", "write instead", ".T"]),
    "Linear in a network": Mistake(
        """
        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.net = nn.Sequential(nn.Flatten(), nn.ReLU(), nn.Linear(784, 10))

            def forward(self, x):
                return self.net(x)  #!

        model = Net()
        model(torch.ones(32, 28, 27))
        """, RuntimeError, ["32x756", "784", "in layer: net.2 (Linear)"]),
    "Linear alone": Mistake(
        """
        layer = nn.Linear(3, 2)
        layer(torch.ones(4, 5))  #!
        """, RuntimeError, ["4x5", "in_features", "3"]),
    "Conv2d gets channels last": Mistake(
        """
        conv = nn.Conv2d(3, 8, 3)
        conv(torch.ones(2, 32, 32, 3))  #!
        """, RuntimeError, ["2x32x32x3", "channels", "permute(0, 3, 1, 2)"]),
    "Conv2d gets the wrong channels": Mistake(
        """
        model = nn.Sequential(nn.Conv2d(1, 8, 3), nn.ReLU(), nn.Conv2d(16, 4, 3))
        model(torch.ones(2, 1, 28, 28))  #!
        """, RuntimeError, ["2x8x26x26", "16", "8", "in layer: 2 (Conv2d)"]),
    "kernel larger than the image": Mistake(
        """
        conv = nn.Conv2d(1, 1, 5)
        conv(torch.ones(1, 1, 3, 3))  #!
        """, RuntimeError, ["5x5", "3x3", "padding"]),
    "cross_entropy, batch sizes differ": Mistake(
        """
        F.cross_entropy(torch.randn(4, 10), torch.zeros(3, dtype=torch.long))  #!
        """, ValueError, ["4x10", "3"]),
    "cat": Mistake(
        """
        torch.cat([torch.ones(2, 3), torch.ones(2, 4)])  #!
        """, RuntimeError, ["2x3", "2x4", "dim"]),
    "stack": Mistake(
        """
        torch.stack([torch.ones(2, 3), torch.ones(2, 4)])  #!
        """, RuntimeError, ["2x3", "2x4"]),
    "view": Mistake(
        """
        torch.ones(2, 3).view(4, 2)  #!
        """, RuntimeError, ["2x3", "6", "4x2", "8"]),
    "view with two unknown lengths": Mistake(
        """
        torch.ones(2, 3).view(-1, -1)  #!
        """, RuntimeError, ["-1", "one"]),
    "broadcast": Mistake(
        """
        torch.ones(2, 3) + torch.ones(2, 4)  #!
        """, RuntimeError, ["2x3", "2x4", "axis"]),
    "expand": Mistake(
        """
        torch.ones(2, 3).expand(2, 6)  #!
        """, RuntimeError, ["2x3", "2x6", "repeat"]),
    "assignment": Mistake(
        """
        x = torch.zeros(4, 3)
        x[0] = torch.ones(5)  #!
        """, RuntimeError, ["x[index] = value", "value is 5", "x[index] is 3"]),
    "permute": Mistake(
        """
        torch.ones(2, 3).permute(0, 1, 2)  #!
        """, RuntimeError, ["2x3", "permute"]),
    "target broadcast against prediction": Mistake(
        """
        prediction = torch.ones(8, 1)
        target = torch.ones(8)
        F.mse_loss(prediction, target)  #!
        """, RuntimeError, ["8x1", "8", "8x8", "view_as"], in_pytorch=False),
    "binary cross entropy, shapes differ": Mistake(
        """
        nn.BCELoss()(torch.full((8, 1), 0.5), torch.ones(8))  #!
        """, ValueError, ["8x1", "8"]),
    "LayerNorm": Mistake(
        """
        nn.LayerNorm(16)(torch.ones(2, 8))  #!
        """, RuntimeError, ["16", "2x8"]),
    "LSTM": Mistake(
        """
        nn.LSTM(10, 20)(torch.ones(5, 3, 8))  #!
        """, RuntimeError, ["10", "8"]),
    "GroupNorm": Mistake(
        """
        nn.GroupNorm(4, 8)(torch.ones(2, 6, 5))  #!
        """, RuntimeError, ["2x6x5", "6 channels", "num_groups=4"]),
    "BatchNorm with one value per channel": Mistake(
        """
        model = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4))
        model(torch.ones(1, 3))  #!
        """, ValueError, ["1x4", "one value|more than 1 value", "eval()|drop_last",
                          "in layer: 1 (BatchNorm1d)"]),
    "ragged list": Mistake(
        """
        torch.tensor([[1, 2], [3]])  #!
        """, ValueError, ["length", "2", "1"]),
}

TYPES = {
    "labels as floats": Mistake(
        """
        F.cross_entropy(torch.randn(4, 10), torch.zeros(4))  #!
        """, RuntimeError, ["float32", "int64", ".long()"]),
    "labels as int32": Mistake(
        """
        F.nll_loss(torch.randn(4, 10), torch.zeros(4, dtype=torch.int32))  #!
        """, RuntimeError, ["int32", "int64", ".long()"]),
    "float64 data from NumPy": Mistake(
        """
        model = nn.Sequential(nn.Linear(3, 2))
        model(torch.from_numpy(numpy.ones((4, 3))))  #!
        """, RuntimeError, ["float64", "float32", ".float()", "in layer: 0 (Linear)"]),
    "bytes of an image": Mistake(
        """
        images = torch.zeros(2, 1, 28, 28, dtype=torch.uint8)
        nn.Conv2d(1, 4, 3)(images)  #!
        """, RuntimeError, ["uint8", "float32", ".float()"]),
    "matmul of two types": Mistake(
        """
        torch.ones(2, 2) @ torch.ones(2, 2, dtype=torch.long)  #!
        """, RuntimeError, ["float32", "int64"]),
    "division of integers in place": Mistake(
        """
        x = torch.tensor([1, 2])
        x /= 2  #!
        """, RuntimeError, ["float", "int64", "can't be cast"]),
    "index by floats": Mistake(
        """
        x = torch.ones(3)
        x[torch.tensor([0.0, 1.0])]  #!
        """, IndexError, ["float32", ".long()"]),
    "gradient of integers": Mistake(
        """
        torch.tensor([1, 2], requires_grad=True)  #!
        """, RuntimeError, ["int64", "floating", "1.0|.float()|float32"]),
    "mean of integers": Mistake(
        """
        torch.tensor([1, 2]).mean()  #!
        """, RuntimeError, ["int64", ".float()"]),
    "probabilities outside [0, 1]": Mistake(
        """
        F.binary_cross_entropy(torch.tensor([2.0]), torch.tensor([1.0]))  #!
        """, RuntimeError, ["between 0 and 1|[0, 1]", "with_logits|sigmoid"]),
}

INDICES = {
    "index": Mistake(
        """
        x = torch.ones(3, 4)
        x[5]  #!
        """, IndexError, ["5", "3x4", "3"]),
    "too many indices": Mistake(
        """
        x = torch.ones(3)
        x[0, 0]  #!
        """, IndexError, ["too many indices", "1"]),
    "negative step": Mistake(
        """
        x = torch.arange(5)
        x[::-1]  #!
        """, ValueError, ["step", "flip"]),
    "axis": Mistake(
        """
        torch.ones(2, 3).sum(dim=2)  #!
        """, IndexError, ["2", "[-2, 1]"]),
    "class index": Mistake(
        """
        loss = F.cross_entropy(torch.randn(4, 10), torch.tensor([1, 2, 10, 3]))  #!
        print(loss)
        """, IndexError, ["10", "classes", "9"]),
    "embedding index": Mistake(
        """
        embedding = nn.Embedding(10, 4)
        print(embedding(torch.tensor([3, 11])))  #!
        """, IndexError, ["11", "10"]),
    "gather index": Mistake(
        """
        x = torch.ones(2, 3)
        print(x.gather(1, torch.tensor([[3], [0]])))  #!
        """, RuntimeError, ["3"]),
    "len of a number": Mistake(
        """
        len(torch.tensor(1.0))  #!
        """, TypeError, ["0-d"]),
    "iteration over a number": Mistake(
        """
        for _ in torch.tensor(1.0):  #!
            pass
        """, TypeError, ["0-d"]),
}

GRADIENTS = {
    "backward twice": Mistake(
        """
        x = torch.ones(2, requires_grad=True)
        loss = (x * x).sum()
        loss.backward()
        loss.backward()  #!
        """, RuntimeError, ["second time", "retain_graph=True"]),
    "backward of many": Mistake(
        """
        x = torch.ones(2, requires_grad=True)
        (x * x).backward()  #!
        """, RuntimeError, ["scalar", "2", ".sum()|.mean()"]),
    "backward without gradients": Mistake(
        """
        loss = torch.ones(2).sum()
        loss.backward()  #!
        """, RuntimeError, ["does not require grad", "requires_grad"]),
    "backward from no_grad": Mistake(
        """
        layer = nn.Linear(2, 1)
        with torch.no_grad():
            loss = layer(torch.ones(1, 2)).sum()
        loss.backward()  #!
        """, RuntimeError, ["does not require grad", "no_grad"]),
    "in-place on a leaf": Mistake(
        """
        x = torch.ones(2, requires_grad=True)
        x += 1  #!
        """, RuntimeError, ["leaf", "in-place|in place", "no_grad"]),
    "in-place on a value that backward needs": Mistake(
        """
        x = torch.ones(2, requires_grad=True)
        y = x.exp()
        y.add_(1)
        y.sum().backward()  #!
        """, RuntimeError, ["inplace operation", "2", "exp", "clone"]),
    "unused input": Mistake(
        """
        x = torch.ones(2, requires_grad=True)
        y = torch.ones(2, requires_grad=True)
        torch.autograd.grad((x * x).sum(), [x, y])  #!
        """, RuntimeError, ["allow_unused=True", "1"]),
    "gradients of nothing": Mistake(
        """
        x = torch.ones(2, requires_grad=True)
        torch.autograd.grad(x.sum(), [])  #!
        """, RuntimeError, ["inputs", "empty"]),
    "Function without forward": Mistake(
        """
        class Twice(torch.autograd.Function):
            pass

        Twice.apply(torch.ones(1, requires_grad=True))  #!
        """, NotImplementedError, ["forward", "staticmethod"]),
    "Function whose backward returns a number": Mistake(
        """
        class Twice(torch.autograd.Function):
            @staticmethod
            def forward(ctx, x):
                return x * 2

            @staticmethod
            def backward(ctx, gradient):
                return 2

        Twice.apply(torch.ones(1, requires_grad=True)).backward()  #!
        """, RuntimeError, ["Twice", "int"]),
    "deepcopy of a computed tensor": Mistake(
        """
        import copy
        x = torch.ones(2, requires_grad=True) * 2
        copy.deepcopy(x)  #!
        """, RuntimeError, ["deepcopy|deep copy", "detach()"]),
}

VALUES = {
    "numpy of a tensor that requires grad": Mistake(
        """
        x = torch.ones(2, requires_grad=True)
        x.numpy()  #!
        """, RuntimeError, ["requires grad", ".detach().numpy()"]),
    "item of many": Mistake(
        """
        torch.ones(2, 3).item()  #!
        """, RuntimeError, ["2x3|6 elements", "tolist()|index"]),
    "truth of many": Mistake(
        """
        if torch.ones(3) > 0:  #!
            pass
        """, RuntimeError, ["ambiguous", "any()", "all()"]),
    "format of many": Mistake(
        """
        f"{torch.ones(3):.2f}"  #!
        """, TypeError, ["unsupported format string", ".2f"]),
}

KINDS = {
    "data without a type": Mistake(
        """
        torch.tensor([1, None])  #!
        """, RuntimeError, ["NoneType"]),
    "dtype by name": Mistake(
        """
        torch.tensor(1, dtype="float32")  #!
        """, TypeError, ["dtype", "str", "dtype=torch.float32"]),
    "size that is no whole number": Mistake(
        """
        torch.zeros(2.5)  #!
        """, TypeError, ["size", "float", "int("]),
    "list of tensors of different lengths": Mistake(
        """
        torch.tensor([torch.ones(2), torch.ones(3)])  #!
        """, ValueError, ["2, 3", "pad_sequence"]),
    "nothing to join": Mistake(
        """
        torch.cat([])  #!
        """, ValueError, ["non-empty list"]),
    "a device that is not there": Mistake(
        """
        torch.ones(2).to("cuda")  #!
        """, AssertionError, ["cuda", "torch.cuda.is_available()"]),
    "a list where a tensor is wanted": Mistake(
        """
        losses = [1.0, 2.0]
        torch.mean(losses)  #!
        """, TypeError, ["mean", "Tensor", "list", "as_tensor"]),
    "the largest of nothing": Mistake(
        """
        torch.ones(3)[:0].max()  #!
        """, RuntimeError, ["max()", "numel() == 0"]),
    "negative spread": Mistake(
        """
        torch.normal(0.0, -1.0, (2,))  #!
        """, RuntimeError, ["std", "-1"]),
    "text as a number": Mistake(
        """
        x = torch.ones(3)
        x[0] = "1"  #!
        """, TypeError, ["str"]),
}

MODULES = {
    "missing and unexpected keys": Mistake(
        """
        net = nn.Linear(2, 3)
        state = {"weight": torch.ones(3, 2), "bais": torch.ones(3)}
        net.load_state_dict(state)  #!
        """, RuntimeError, ["missing", "bias", "unexpected", "bais", "strict=False|rename|mean"]),
    "mismatched shape of a key": Mistake(
        """
        net = nn.Sequential(nn.Linear(2, 3))
        net.load_state_dict({"0.weight": torch.ones(4, 2), "0.bias": torch.ones(3)})  #!
        """, RuntimeError, ["0.weight", "[4, 2]", "[3, 2]", "current model"]),
    "no super().__init__()": Mistake(
        """
        class Net(nn.Module):
            def __init__(self):
                self.layer = nn.Linear(2, 2)  #!

        Net()
        """, AttributeError, ["super().__init__()", "Net"]),
    "no forward": Mistake(
        """
        class Net(nn.Module):
            pass

        Net()(torch.ones(1))  #!
        """, NotImplementedError, ["Net", "forward"]),
    "tensor in place of a parameter": Mistake(
        """
        net = nn.Linear(2, 2)
        net.weight = torch.ones(2, 2)  #!
        """, TypeError, ["weight", "nn.Parameter"]),
    "dropout probability": Mistake(
        """
        nn.Dropout(1.5)  #!
        """, ValueError, ["1.5", "0", "1"]),
}

TRAINING = {
    "optimizer without parameters": Mistake(
        """
        optim.SGD([], lr=0.1)  #!
        """, ValueError, ["empty parameter list", "parameters()"]),
    "optimizer of one tensor": Mistake(
        """
        optim.SGD(torch.ones(2, requires_grad=True), lr=0.1)  #!
        """, TypeError, ["iterable", "["]),
    "optimizer of a model": Mistake(
        """
        optim.Adam(nn.Linear(1, 1))  #!
        """, TypeError, ["Linear", "not iterable", "parameters()"]),
    "optimizer of a computed tensor": Mistake(
        """
        w = torch.ones(2, requires_grad=True) * 0.1
        optim.SGD([w], lr=0.1)  #!
        """, ValueError, ["leaf"]),
    "negative learning rate": Mistake(
        """
        optim.Adam(nn.Linear(1, 1).parameters(), lr=-1.0)  #!
        """, ValueError, ["learning rate", "-1"]),
    "batch size": Mistake(
        """
        data = TensorDataset(torch.ones(4, 2))
        DataLoader(data, batch_size=0)  #!
        """, ValueError, ["batch_size", "0", "positive"]),
    "split lengths": Mistake(
        """
        data = TensorDataset(torch.ones(4, 2))
        random_split(data, [3, 2])  #!
        """, ValueError, ["5", "4"]),
}

MISTAKES = SHAPES | TYPES | INDICES | GRADIENTS | VALUES | KINDS | MODULES | TRAINING


def run(mistake, library, path):
    """Run the program; return the exception that it raised, or None."""
    path.write_text(mistake.source(library))
    try:
        exec(compile(path.read_text(), str(path), "exec"), {"__name__": "program"})
    except Exception as error:
        return error
    return None


@pytest.mark.parametrize("name", MISTAKES)
def test_the_message_helps(name, tmp_path):
    mistake = MISTAKES[name]
    error = run(mistake, "lampion", tmp_path / "program.py")
    assert error is not None, "the mistake went unnoticed"
    assert isinstance(error, LampionError), repr(error)
    assert isinstance(error, mistake.exception), type(error).__mro__
    message = str(error).lower()
    for word in mistake.words:
        assert any(choice.lower() in message for choice in word.split("|")), f"{word!r} in {error}"
    assert f"program.py:{mistake.line()}" in message, message
    assert error.fix, f"no advice in: {error}"


@pytest.mark.parametrize("name", [name for name in MISTAKES if MISTAKES[name].in_pytorch])
def test_it_is_a_mistake_in_pytorch_too(name, tmp_path):
    pytest.importorskip("torch")
    error = run(MISTAKES[name], "torch", tmp_path / "program.py")
    assert isinstance(error, MISTAKES[name].exception), repr(error)


def test_a_misspelt_attribute_gets_a_suggestion():
    """An AttributeError stays Python's own, since hasattr() asks for it all the time.

    Python adds "Did you mean: 'weight'?" when it prints one that says whose name was missed.
    """
    from lampion import nn

    with pytest.raises(AttributeError, match="'Linear' object has no attribute 'wieght'") as caught:
        _ = nn.Linear(2, 2).wieght
    assert caught.value.name == "wieght"
    assert "weight" in dir(caught.value.obj)


def test_an_error_survives_pickling():
    error = ShapeError("what", why="why", fix="fix", location="file.py:3")
    error.layer = "net.2 (Linear)"
    copy = pickle.loads(pickle.dumps(error))
    assert str(copy) == str(error)
    assert type(copy) is ShapeError


def test_user_location_is_the_calling_line():
    here = inspect.currentframe().f_lineno + 1
    assert user_location().endswith(f"test_errors.py:{here}")
