"""When work happens: at the named moments listed in lampion/trace.py, and at no other."""

import copy
import importlib
import inspect
import pickle
import threading

import numpy as np
import pytest

import lampion as torch
import lampion.nn.functional as F
from lampion import nn, optim

# `lampion.trace` is PyTorch's function of that name, the sum of a diagonal.
trace = importlib.import_module("lampion.trace")


@pytest.fixture
def pending():
    """A tensor whose values have not been computed."""
    trace.flush()
    return torch.tensor([[1.0, 2.0], [3.0, 4.0]]) * 2


def executions(action):
    """Run the action; return how many programs it ran."""
    before = trace.executions
    action()
    return trace.executions - before


READS = {
    "item": lambda x: x[0, 0].item(),
    "numpy": lambda x: x.numpy(),
    "tolist": lambda x: x.tolist(),
    "print": lambda x: str(x),
    "repr": lambda x: repr(x),
    "format": lambda x: f"{x[0, 0]:.2f}",
    "bool": lambda x: bool(x[0, 0]),
    "float": lambda x: float(x[0, 0]),
    "int": lambda x: int(x[0, 0]),
    "complex": lambda x: complex(x[0, 0]),
    "if": lambda x: 1 if x[0, 0] > 0 else 0,
    "numpy.asarray": lambda x: np.asarray(x),
    "DLPack": lambda x: np.from_dlpack(x),
    "pickle": lambda x: pickle.dumps(x),
    "in": lambda x: 3.0 in x,
    "equal": lambda x: torch.equal(x, torch.ones(2, 2)),
    "allclose": lambda x: torch.allclose(x, torch.ones(2, 2)),
}

SHAPES_FROM_VALUES = {
    "nonzero": lambda x: x.nonzero(),
    "boolean mask": lambda x: x[x > 1],
    "masked_select": lambda x: x.masked_select(x > 1),
    "unique": lambda x: x.unique(),
    "where with one argument": lambda x: torch.where(x > 1),
    "bincount": lambda x: torch.bincount(x.long().flatten()),
    "repeat_interleave": lambda x: torch.arange(4).repeat_interleave(x.long().flatten()),
    "a length": lambda x: torch.zeros(int(x[0, 0])),
}

QUIET = {
    "arithmetic": lambda x: (x + 1) * x / 3 - x**2,
    "comparison": lambda x: (x > 1) & (x < 3),
    "functions": lambda x: x.exp().sin().relu().sigmoid(),
    "reductions": lambda x: (x.sum(), x.mean(0), x.max(1), x.argmax(), x.std()),
    "matrix product": lambda x: x @ x.T,
    "shapes": lambda x: (x.shape, x.dtype, x.ndim, x.size(0), len(x), x.numel(), x.stride()),
    "views": lambda x: (x.view(-1), x[0], x[:, 1], x.T, x.unsqueeze(0), x.detach()),
    "writing": lambda x: (x.add_(1), x.__setitem__((0, 0), 5.0), x[1].mul_(2)),
    "index by integers": lambda x: x[torch.tensor([1, 0])],
    "masked writing": lambda x: x.__setitem__(x > 1, 0.0),
    "where": lambda x: torch.where(x > 1, x, 0.0),
    "sort": lambda x: (x.sort(), x.topk(1), x.cumsum(0)),
    "iteration over rows": lambda x: [row * 2 for row in x],
    "joining": lambda x: torch.cat([x, torch.stack([x[0], x[1]])]),
    "types": lambda x: (x.double(), x.long(), x.to(torch.bfloat16)),
    "clone and deepcopy": lambda x: (x.clone(), copy.deepcopy(x)),
    "random": lambda x: (torch.rand(3), torch.randn_like(x), torch.randint(5, (2,))),
    "dropout": lambda x: F.dropout(x, 0.5),
    "making a model": lambda x: nn.Sequential(nn.Linear(2, 3), nn.LayerNorm(3)),
    "loss": lambda x: F.cross_entropy(x, torch.tensor([0, 1])),
    "backward": lambda x: (torch.ones(2, 2, requires_grad=True) * x).sum().backward(),
    "grad": lambda x: torch.autograd.grad(
        (w := torch.ones(2, requires_grad=True)).pow(3).sum(), w, create_graph=True),
    "truth of None": lambda x: x is None,
    "names and flags": lambda x: (x.requires_grad, x.is_leaf, x.grad_fn, x.device, hash(x)),
}


@pytest.mark.parametrize("name", READS)
def test_reading_computes_once(pending, name):
    assert executions(lambda: READS[name](pending)) == 1
    assert executions(lambda: pending.tolist()) == 0


@pytest.mark.parametrize("name", SHAPES_FROM_VALUES)
def test_shapes_that_depend_on_values_compute(pending, name):
    assert executions(lambda: SHAPES_FROM_VALUES[name](pending)) >= 1


@pytest.mark.parametrize("name", QUIET)
def test_nothing_else_computes(pending, name):
    assert executions(lambda: QUIET[name](pending)) == 0


class TestOneMomentComputesAll:
    def test_everything_held_is_computed_together(self, pending):
        others = [pending + i for i in range(5)]
        assert executions(lambda: pending.tolist()) == 1
        assert executions(lambda: [x.tolist() for x in others]) == 0
        assert trace.pending_count() == 0

    def test_what_nobody_holds_is_not_computed(self, pending):
        assert trace.pending_count() == 1
        temporary = pending + 1
        assert trace.pending_count() == 2
        del temporary
        assert trace.pending_count() == 1

    def test_results_are_as_of_the_line_that_made_them(self, pending):
        before = pending * 10
        pending.zero_()
        after = pending * 10
        assert before.tolist() == [[20.0, 40.0], [60.0, 80.0]]
        assert after.tolist() == [[0.0, 0.0], [0.0, 0.0]]


class TestTraining:
    @pytest.fixture
    def parts(self):
        model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))
        return model, optim.Adam(model.parameters(), lr=0.01)

    def step(self, model, optimizer):
        optimizer.zero_grad()
        loss = F.cross_entropy(model(torch.ones(3, 4)), torch.tensor([0, 1, 1]))
        loss.backward()
        optimizer.step()
        return loss

    def test_a_step_is_one_program(self, parts):
        self.step(*parts)
        for _ in range(3):
            assert executions(lambda: self.step(*parts)) == 1

    def test_the_loss_came_with_the_step(self, parts):
        loss = self.step(*parts)
        assert executions(loss.item) == 0

    def test_weights_and_gradients_came_with_the_step(self, parts):
        self.step(*parts)
        model = parts[0]
        assert executions(lambda: [p.tolist() for p in model.parameters()]) == 0
        assert executions(lambda: [p.grad.tolist() for p in model.parameters()]) == 0

    def test_evaluation_waits_for_the_reader(self, parts):
        self.step(*parts)
        model = parts[0]
        total = torch.zeros(())

        def evaluate():
            nonlocal total
            with torch.no_grad():
                for _ in range(4):
                    total = total + (model(torch.ones(3, 4)).argmax(1) == 1).sum()

        assert executions(evaluate) == 0
        assert executions(total.item) == 1


class TestBudget:
    def test_a_long_record_is_computed_in_between(self):
        trace.flush()
        values, size = trace.Budget.values, trace.Budget.bytes
        trace.set_budget(values=50)
        try:
            kept = []
            assert executions(lambda: kept.extend(torch.ones(2) * i for i in range(20))) == 0
            assert executions(lambda: kept.extend(torch.ones(2) * i for i in range(20))) >= 1
            assert kept[39].tolist() == [19.0, 19.0]
        finally:
            trace.set_budget(values, size)

    def test_many_bytes_are_computed_in_between(self):
        trace.flush()
        values, size = trace.Budget.values, trace.Budget.bytes
        trace.set_budget(bytes=1 << 16)
        try:
            kept = []
            assert executions(
                lambda: kept.extend(torch.ones(1 << 12) * i for i in range(8))) >= 1
        finally:
            trace.set_budget(values, size)


class TestSharedMemory:
    def test_operations_on_numpy_memory_run_at_once(self):
        trace.flush()
        array = np.ones(2, np.float32)
        shared = torch.from_numpy(array)
        results = []
        assert executions(lambda: results.append(shared * 2)) == 1
        array[:] = 9
        assert results[0].tolist() == [2.0, 2.0]

    def test_a_copy_is_lazy_again(self):
        shared = torch.from_numpy(np.ones(2, np.float32))
        copied = shared.clone()
        trace.flush()
        assert executions(lambda: (copied * 2).exp()) == 0


def test_threads_may_record_and_read_at_the_same_time():
    results = {}

    def work(number):
        total = torch.zeros(3)
        for step in range(100):
            total += torch.full((3,), float(number)) * step
            results[number] = total.tolist()

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == {number: [4950.0 * number] * 3 for number in range(4)}


class TestFailure:
    """Mistakes that only the values show are found when the values are computed."""

    def lookup(self, *rows):
        """A pending lookup in a table of two rows."""
        return F.embedding(torch.tensor(rows) + 0, torch.ones(2, 2))

    def test_the_rest_stays_computable(self):
        good, bad = torch.ones(3) * 2, self.lookup(7)
        assert good.tolist() == [2.0, 2.0, 2.0]
        for _ in range(2):
            with pytest.raises(IndexError, match="7"):
                bad.tolist()
        assert (good + 1).tolist() == [3.0, 3.0, 3.0]

    def test_the_error_names_the_line_that_recorded_it(self):
        line = inspect.currentframe().f_lineno + 1
        bad = F.embedding(torch.tensor([7]) + 0, torch.ones(2, 2))
        with pytest.raises(IndexError, match=f"test_laziness.py:{line}"):
            bad.tolist()

    def test_a_failed_step_leaves_the_last_good_one(self):
        def train(*batches):
            torch.manual_seed(0)
            model = nn.Sequential(nn.Linear(2, 4), nn.BatchNorm1d(4), nn.Linear(4, 3))
            optimizer = optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
            for labels in batches:
                try:
                    optimizer.zero_grad()
                    scores = model(torch.eye(2))
                    # Labels that count from 1: whether they fit shows in their values alone.
                    F.cross_entropy(scores, torch.tensor(labels) - 1).backward()
                    optimizer.step()
                except IndexError as error:
                    assert "test_laziness.py" in str(error)
            return [p.tolist() for p in model.parameters()]

        assert train([1, 3], [2, 9], [3, 2]) == train([1, 3], [3, 2])

    def test_what_was_written_before_the_mistake_stays(self):
        total = torch.zeros(2)
        total += 1
        total += 2
        total += self.lookup(7)[0]
        total *= 10
        with pytest.raises(IndexError):
            total.tolist()
        assert total.tolist() == [3.0, 3.0]

    def test_an_earlier_mistake_is_not_forgotten(self):
        first, second = torch.zeros(2), torch.zeros(2)
        first += self.lookup(5)[0]
        second += self.lookup(6)[0]
        with pytest.raises(IndexError, match="6"):
            second.tolist()
        with pytest.raises(IndexError, match="5"):
            first.tolist()
