"""Datasets and samplers behave as PyTorch's."""

import pytest

import lampion
from lampion.utils import data

torch = pytest.importorskip("torch")
reference = torch.utils.data
BOTH = pytest.mark.parametrize("library", [lampion, torch], ids=["lampion", "pytorch"])


@BOTH
def test_tensor_dataset(library):
    dataset = library.utils.data.TensorDataset(library.arange(6).reshape(3, 2), library.ones(3))
    assert len(dataset) == 3
    x, y = dataset[-1]
    assert (x.tolist(), y.item()) == ([4, 5], 1)
    assert [t.shape[0] for t in dataset[1:]] == [2, 2]
    with pytest.raises((ValueError, AssertionError)):
        library.utils.data.TensorDataset(library.ones(3), library.ones(2))


@BOTH
def test_stack_dataset(library):
    stack = library.utils.data.StackDataset
    pairs = stack([1, 2, 3], "abc")
    assert (pairs[1], len(pairs)) == ((2, "b"), 3)
    assert pairs.__getitems__([2, 0]) == [(3, "c"), (1, "a")]
    named = stack(x=[1, 2], y=library.utils.data.Subset("abc", [2, 1]))
    assert named[0] == {"x": 1, "y": "c"}
    assert named.__getitems__([1, 0]) == [{"x": 2, "y": "b"}, {"x": 1, "y": "c"}]
    for wrong in (lambda: stack(), lambda: stack([1], x=[1]), lambda: stack([1], [1, 2])):
        with pytest.raises(ValueError):
            wrong()


@BOTH
def test_stack_dataset_checks_what_a_dataset_returns(library):
    class Forgetful(library.utils.data.Dataset):
        def __len__(self):
            return 2

        def __getitems__(self, indices):
            return [1]

    with pytest.raises(ValueError):
        library.utils.data.StackDataset(Forgetful()).__getitems__([0, 1])


@BOTH
def test_concat_dataset(library):
    Dataset = library.utils.data.Dataset

    class Letters(Dataset):
        def __init__(self, text):
            self.text = text

        def __len__(self):
            return len(self.text)

        def __getitem__(self, index):
            return self.text[index]

    both = Letters("ab") + Letters("") + Letters("cde")
    assert len(both) == 5
    assert [both[i] for i in (0, 1, 2, 4, -1, -5)] == list("abceea")
    with pytest.raises(ValueError):
        both[-6]
    with pytest.raises(IndexError):
        both[5]
    assert list(library.utils.data.ConcatDataset([[1], [2]])) == [1, 2]
    with pytest.raises((ValueError, AssertionError)):
        library.utils.data.ConcatDataset([])
    with pytest.raises(NotImplementedError):
        Dataset()[0]


@BOTH
def test_chain_dataset(library):
    class Count(library.utils.data.IterableDataset):
        def __iter__(self):
            return iter([1, 2])

        def __len__(self):
            return 2

    chain = Count() + Count()
    assert (list(chain), len(chain)) == ([1, 2, 1, 2], 4)
    with pytest.raises((ValueError, AssertionError)):
        list(library.utils.data.ChainDataset([[1]]))
    with pytest.raises((ValueError, AssertionError)):
        library.utils.data.ConcatDataset([Count()])


@BOTH
def test_subset(library):
    Subset = library.utils.data.Subset
    part = Subset(Subset("abcdef", [5, 3, 1]), [2, 0])
    assert (list(part), len(part), part.__getitems__([1, 0])) == (["b", "f"], 2, ["f", "b"])

    class Halfway(Subset):
        def __getitem__(self, index):
            return 1

    with pytest.raises(NotImplementedError):
        Halfway("abc", [0])


@BOTH
@pytest.mark.parametrize("lengths, expected", [
    ([3, 7], [3, 7]),
    ([0.5, 0.5], [5, 5]),
    ([1 / 3, 1 / 3, 1 / 3], [4, 3, 3]),
    ([0.75, 0.25], [8, 2]),
    ([10, 0], [10, 0]),
])
def test_random_split(library, lengths, expected):
    generator = library.Generator().manual_seed(1)
    parts = library.utils.data.random_split(range(10), lengths, generator=generator)
    assert [len(part) for part in parts] == expected
    assert sorted(n for part in parts for n in part) == list(range(10))
    again = library.utils.data.random_split(
        range(10), lengths, generator=library.Generator().manual_seed(1))
    assert [list(part) for part in parts] == [list(part) for part in again]


@BOTH
def test_random_split_refuses(library):
    for lengths in ([3, 3], [0.5, 0.2], [-0.5, 1.5]):
        with pytest.raises(ValueError):
            library.utils.data.random_split(range(10), lengths)
    with pytest.warns(UserWarning, match="Length of split at index 1 is 0"):
        library.utils.data.random_split(range(2), [1.0, 0.0])


@BOTH
def test_samplers(library):
    d = library.utils.data
    assert list(d.SequentialSampler("abc")) == [0, 1, 2]
    random = d.RandomSampler(range(70))
    assert sorted(random) == list(range(70)) and len(random) == 70
    assert list(random) != list(random)
    more = list(d.RandomSampler(range(3), num_samples=8))
    assert sorted(more[:3]) == sorted(more[3:6]) == [0, 1, 2] and len(more) == 8
    drawn = list(d.RandomSampler(range(3), replacement=True, num_samples=99))
    assert len(drawn) == 99 and set(drawn) == {0, 1, 2}
    seeded = d.RandomSampler(range(9), generator=library.Generator().manual_seed(2))
    again = d.RandomSampler(range(9), generator=library.Generator().manual_seed(2))
    assert list(seeded) == list(again)
    chosen = d.SubsetRandomSampler([5, 7, 9])
    assert sorted(chosen) == [5, 7, 9] and len(chosen) == 3
    weighted = d.WeightedRandomSampler([0.0, 1.0, 3.0], 400)
    counts = [list(weighted).count(n) for n in range(3)]
    assert counts[0] == 0 and counts[1] < counts[2] and len(weighted) == 400
    assert sorted(d.WeightedRandomSampler([1, 2, 3], 3, replacement=False)) == [0, 1, 2]


@BOTH
@pytest.mark.parametrize("size", [1, 2, 3, 4, 7])
@pytest.mark.parametrize("drop_last", [False, True])
def test_batch_sampler(library, size, drop_last):
    batches = library.utils.data.BatchSampler(range(6), size, drop_last)
    expected = [list(range(i, min(i + size, 6))) for i in range(0, 6, size)]
    if drop_last:
        expected = [batch for batch in expected if len(batch) == size]
    assert list(batches) == expected
    assert len(batches) == len(expected)


@pytest.mark.parametrize("size, replicas", [(10, 2), (11, 3), (2, 5), (7, 1)])
@pytest.mark.parametrize("drop_last", [False, True])
def test_distributed_sampler(size, replicas, drop_last):
    def shares(library, **settings):
        return [library.utils.data.distributed.DistributedSampler(
            range(size), replicas, rank, drop_last=drop_last, **settings)
            for rank in range(replicas)]

    mine, theirs = (shares(library, shuffle=False) for library in (lampion, torch))
    assert [list(share) for share in mine] == [list(share) for share in theirs]
    assert [len(share) for share in mine] == [len(share) for share in theirs]
    orders = []
    for epoch in (0, 1, 0):
        shuffled = shares(lampion)
        for share in shuffled:
            share.set_epoch(epoch)
        orders.append([list(share) for share in shuffled])
        everything = [n for share in orders[-1] for n in share]
        assert len(everything) == len(mine[0]) * replicas
        assert drop_last or set(everything) == set(range(size))
    assert orders[0] == orders[2]


@BOTH
def test_distributed_sampler_refuses(library):
    sampler = library.utils.data.distributed.DistributedSampler
    with pytest.raises((RuntimeError, ValueError)):
        sampler(range(3))
    with pytest.raises(ValueError):
        sampler(range(3), 2, 2)


@BOTH
def test_samplers_refuse(library):
    d = library.utils.data
    wrong = [
        lambda: d.RandomSampler([]),
        lambda: d.RandomSampler([1], num_samples=0),
        lambda: d.WeightedRandomSampler([1.0], 0),
        lambda: d.WeightedRandomSampler([1.0], True),
        lambda: d.WeightedRandomSampler([[1.0]], 1),
        lambda: d.WeightedRandomSampler([1.0], 1, replacement=1),
        lambda: d.BatchSampler([1], 0, False),
        lambda: d.BatchSampler([1], 1, 0),
    ]
    for build in wrong:
        with pytest.raises(ValueError):
            build()
    with pytest.raises(TypeError):
        d.RandomSampler([1], replacement=0)
    with pytest.raises(NotImplementedError):
        iter(d.Sampler())


def test_names_in_the_submodules():
    from lampion.utils.data import dataloader, dataset, sampler

    for module in (dataloader, dataset, sampler):
        assert all(getattr(module, name) is getattr(data, name) for name in module.__all__)
    assert set(data.__all__) - {"WorkerInfo"} <= set(reference.__all__)
