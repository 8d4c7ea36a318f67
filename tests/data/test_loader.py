"""DataLoader: the same batches as PyTorch, for any number of workers, and clean endings."""

import random
import threading
import time
import traceback

import numpy as np
import pytest

import lampion
from lampion.utils import data

torch = pytest.importorskip("torch")
reference = torch.utils.data


class Images:
    """A map-style dataset of (array, int) samples."""

    def __init__(self, count=23):
        self.pixels = np.random.default_rng(0).standard_normal((count, 2, 3)).astype(np.float32)

    def __len__(self):
        return len(self.pixels)

    def __getitem__(self, index):
        return self.pixels[index], index % 5


class Slow(Images):
    """Samples that take a different time each, so that workers overtake one another."""

    def __getitem__(self, index):
        time.sleep(random.Random(index).random() * 0.004)
        return super().__getitem__(index)


def plain(batch):
    """Turn tensors of either library into lists, with their types."""
    if isinstance(batch, (lampion.Tensor, torch.Tensor)):
        return str(batch.dtype).split(".")[1], batch.tolist()
    if isinstance(batch, dict):
        return {key: plain(value) for key, value in batch.items()}
    if isinstance(batch, (list, tuple)):
        return [plain(entry) for entry in batch]
    return batch


def batches(loader):
    return [plain(batch) for batch in loader]


def loader_threads():
    return [t for t in threading.enumerate() if t.name.startswith("lampion-data")]


def wait_for_threads_to_end():
    limit = time.monotonic() + 10
    while loader_threads() and time.monotonic() < limit:
        time.sleep(0.005)
    return not loader_threads()


OPTIONS = [
    {},
    {"batch_size": 4},
    {"batch_size": 4, "drop_last": True},
    {"batch_size": 100},
    {"batch_size": None},
    {"batch_size": 4, "sampler": [3, 1, 4, 1, 5]},
    {"batch_sampler": [[0, 2], [5], [7, 8, 9]]},
    {"batch_size": 3, "collate_fn": list},
]


@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize("workers", [0, 1, 3])
def test_batches_are_those_of_pytorch(options, workers):
    mine = data.DataLoader(Slow(), num_workers=workers, **options)
    theirs = reference.DataLoader(Images(), **options)
    assert len(mine) == len(theirs)
    expected = [str(plain(b)) for b in theirs]
    assert [str(plain(b)) for b in mine] == expected
    assert [str(plain(b)) for b in mine] == expected  # the second epoch


@pytest.mark.parametrize("workers", [0, 2])
def test_shuffle_gives_every_sample_once_and_follows_the_generator(workers):
    def order(seed, count=workers):
        generator = lampion.Generator().manual_seed(seed)
        loader = data.DataLoader(range(50), 7, shuffle=True, num_workers=count,
                                 generator=generator)
        return [[n for batch in loader for n in batch.tolist()] for _ in range(2)]

    first, second = order(1)
    assert sorted(first) == sorted(second) == list(range(50))
    assert first != second
    assert order(1) == [first, second] == order(1, 4)
    assert order(2) != [first, second]


@pytest.mark.parametrize("workers", [0, 3])
def test_default_generator_goes_on_in_the_same_way(workers):
    lampion.manual_seed(3)
    seen = batches(data.DataLoader(range(9), 2, shuffle=True, num_workers=workers))
    after = lampion.rand(2).tolist()
    lampion.manual_seed(3)
    assert seen == batches(data.DataLoader(range(9), 2, shuffle=True))
    assert after == lampion.rand(2).tolist()


def make_tensors(library):
    return (
        library.arange(20, dtype=library.float32).reshape(10, 2),
        library.arange(10) % 2 == 0,
        library.arange(10) * 3,
    )


@pytest.mark.parametrize("options", OPTIONS[:4] + OPTIONS[6:7], ids=str)
@pytest.mark.parametrize("workers", [0, 2])
def test_tensor_dataset(options, workers):
    mine = data.DataLoader(data.TensorDataset(*make_tensors(lampion)), num_workers=workers,
                           **options)
    theirs = reference.DataLoader(reference.TensorDataset(*make_tensors(torch)), **options)
    assert batches(mine) == batches(theirs)


def test_fast_path_gives_what_the_slow_path_gives():
    tensors = make_tensors(lampion)
    whole = data.TensorDataset(*tensors)
    part = data.Subset(data.Subset(whole, [9, 1, 2, 3, 7]), [0, -1, 2, 2])

    def samples(*arguments):
        return data.default_collate(*arguments)  # a function of its own: takes the slow path

    for dataset in (whole, part):
        fast = batches(data.DataLoader(dataset, 3))
        assert fast == batches(data.DataLoader(dataset, 3, collate_fn=samples))


def test_fast_path_follows_changes_of_the_tensors_and_hands_out_copies():
    tensor = lampion.zeros(4, 2)
    loader = data.DataLoader(data.TensorDataset(tensor), 4)
    (batch,) = next(iter(loader))
    tensor.add_(1)
    assert batch.tolist() == [[0, 0]] * 4
    (again,) = next(iter(loader))
    again.add_(1)
    assert tensor.tolist() == [[1, 1]] * 4


def test_fast_path_is_not_taken_where_a_class_reads_samples_its_own_way():
    class Doubled(data.TensorDataset):
        def __getitem__(self, index):
            return tuple(2 * entry for entry in super().__getitem__(index))

    (batch,) = next(iter(data.DataLoader(Doubled(lampion.arange(3)), 3)))
    assert batch.tolist() == [0, 2, 4]


def test_tensors_that_need_gradients_stay_in_the_graph():
    tensor = lampion.ones(3, requires_grad=True)
    (batch,) = next(iter(data.DataLoader(data.TensorDataset(tensor), 2)))
    batch.sum().backward()
    assert tensor.grad.tolist() == [1, 1, 0]


@pytest.mark.parametrize("workers", [0, 2])
def test_index_out_of_range(workers):
    dataset = data.TensorDataset(lampion.arange(3))
    with pytest.raises(IndexError, match="index 3 of a dataset with 3 samples"):
        batches(data.DataLoader(dataset, sampler=[0, 3], num_workers=workers))


# -- Streams --------------------------------------------------------------------------------------


class Stream(data.IterableDataset):
    def __init__(self, lengths):
        self.lengths = lengths

    def __iter__(self):
        info = data.get_worker_info()
        number = 0 if info is None else info.id
        return iter([100 * number + n for n in range(self.lengths[number])])


class ReferenceStream(reference.IterableDataset):
    def __init__(self, length):
        self.length = length

    def __iter__(self):
        return iter(range(self.length))


@pytest.mark.parametrize("options", [{}, {"batch_size": 3}, {"batch_size": None},
                                     {"batch_size": 3, "drop_last": True}], ids=str)
@pytest.mark.parametrize("length", [10, 0, 3])
def test_stream(options, length):
    mine = data.DataLoader(Stream([length]), **options)
    assert batches(mine) == batches(reference.DataLoader(ReferenceStream(length), **options))


@pytest.mark.parametrize("lengths, expected", [
    ([7, 7], [[0, 1, 2], [100, 101, 102], [3, 4, 5], [103, 104, 105], [6], [106]]),
    ([2, 9], [[0, 1], [100, 101, 102], [103, 104, 105], [106, 107, 108]]),
    ([9, 0, 4], [[0, 1, 2], [200, 201, 202], [3, 4, 5], [203], [6, 7, 8]]),
    ([0, 0], []),
])
def test_stream_with_workers_takes_turns(lengths, expected):
    loader = data.DataLoader(Stream(lengths), batch_size=3, num_workers=len(lengths))
    assert [batch.tolist() for batch in loader] == expected
    assert [batch.tolist() for batch in loader] == expected


def test_worker_init_fn_changes_the_workers_own_copy():
    dataset = Stream([4, 4])

    def cut(worker_id):
        info = data.get_worker_info()
        assert (info.id, info.num_workers) == (worker_id, 2)
        info.dataset.lengths = [worker_id + 1] * 2

    loader = data.DataLoader(dataset, batch_size=None, num_workers=2, worker_init_fn=cut)
    assert list(loader) == [0, 100, 101]
    assert dataset.lengths == [4, 4]


def test_stream_longer_than_it_said_warns():
    class Liar(Stream):
        def __len__(self):
            return 2

    loader = data.DataLoader(Liar([4]), batch_size=None)
    assert len(loader) == 2
    with pytest.warns(UserWarning, match="was reported to be 2"):
        list(loader)


# -- Workers: errors, endings, seeds --------------------------------------------------------------


class Broken(Images):
    def __getitem__(self, index):
        if index == 9:
            raise KeyError("sample nine is missing")
        return super().__getitem__(index)


@pytest.mark.parametrize("workers", [0, 2])
def test_an_exception_in_the_dataset_reaches_the_user_with_its_traceback(workers):
    seen = []
    with pytest.raises(KeyError, match="sample nine is missing") as caught:
        for batch in data.DataLoader(Broken(), batch_size=4, num_workers=workers):
            seen.append(batch)
    assert len(seen) == 2
    assert 'raise KeyError("sample nine is missing")' in "".join(
        traceback.format_exception(caught.value))
    assert wait_for_threads_to_end()


def test_an_exception_in_worker_init_fn_reaches_the_user():
    def fail(worker_id):
        raise OSError("no such drive")

    with pytest.raises(OSError, match="no such drive"):
        next(iter(data.DataLoader(Images(), num_workers=2, worker_init_fn=fail)))


@pytest.mark.parametrize("workers", [0, 2])
def test_a_stray_stop_iteration_does_not_end_the_epoch_silently(workers):
    class Stops(Images):
        def __getitem__(self, index):
            raise StopIteration

    with pytest.raises(RuntimeError):
        list(data.DataLoader(Stops(), num_workers=workers))


def test_leaving_the_loop_early_ends_the_threads():
    loader = data.DataLoader(Slow(200), batch_size=2, num_workers=3)
    for _batch in loader:
        break
    assert wait_for_threads_to_end()
    iterator = iter(loader)
    next(iterator)
    del iterator
    assert wait_for_threads_to_end()


def test_several_iterators_at_once():
    loader = data.DataLoader(range(12), batch_size=3, num_workers=2)
    pairs = [(a.tolist(), b.tolist()) for a, b in zip(loader, loader, strict=True)]
    assert [a for a, _ in pairs] == [b for _, b in pairs] == [
        [0, 1, 2], [3, 4, 5], [6, 7, 8], [9, 10, 11]]
    nested = [(a.item(), b.item()) for a in data.DataLoader(range(2), num_workers=1)
              for b in data.DataLoader(range(2), num_workers=1)]
    assert nested == [(0, 0), (0, 1), (1, 0), (1, 1)]


def test_persistent_workers_start_once():
    started = []
    loader = data.DataLoader(Images(), batch_size=4, num_workers=2, persistent_workers=True,
                             worker_init_fn=started.append)
    first = str(batches(loader))
    for _ in loader:
        break
    assert str(batches(loader)) == first
    assert sorted(started) == [0, 1]
    assert len(loader_threads()) == 2
    del loader
    assert wait_for_threads_to_end()


def test_timeout():
    release = threading.Event()

    class Stuck(Images):
        def __getitem__(self, index):
            release.wait(10)
            return index

    with pytest.raises(RuntimeError, match="timed out after 0.05 seconds"):
        next(iter(data.DataLoader(Stuck(), num_workers=1, timeout=0.05)))
    release.set()
    assert wait_for_threads_to_end()


def test_workers_have_seeds_of_their_own_that_follow_the_generator():
    class Seeds(Images):
        def __getitem__(self, index):
            return data.get_worker_info().seed

    def seeds():
        generator = lampion.Generator().manual_seed(5)
        loader = data.DataLoader(Seeds(4), num_workers=2, generator=generator)
        return [[seed.item() for seed in loader] for _ in range(2)]

    (a, b, c, d), second = seeds()
    assert (a, b) == (c, d) and b == a + 1
    assert second[0] not in (a, b)
    assert seeds() == [[a, b, c, d], second]
    assert data.get_worker_info() is None


def test_chance_in_workers_follows_the_seed_and_leaves_the_main_program_alone():
    class Noise(Images):
        def __getitem__(self, index):
            time.sleep(random.Random(index).random() * 0.002)
            return lampion.rand(1)

    def draw():
        lampion.manual_seed(4)
        noise = [batch.tolist() for batch in data.DataLoader(Noise(12), num_workers=3)]
        return noise, lampion.rand(3).tolist()

    first = draw()
    assert draw() == first
    assert len({str(batch) for batch in first[0]}) == 12
    lampion.manual_seed(4)
    list(data.DataLoader(Images(12), num_workers=3))
    assert lampion.rand(3).tolist() == first[1]


def test_the_usual_way_to_seed_a_worker():
    seeds = []

    def seed_worker(worker_id):
        seeds.append((worker_id, lampion.initial_seed()))
        assert lampion.initial_seed() == data.get_worker_info().seed
        lampion.manual_seed(worker_id)

    before = lampion.initial_seed()
    list(data.DataLoader(Images(4), num_workers=2, worker_init_fn=seed_worker))
    (_, a), (_, b) = sorted(seeds)
    assert b == a + 1 and lampion.initial_seed() == before


@pytest.mark.parametrize("options", [
    {"num_workers": -1},
    {"timeout": -1},
    {"prefetch_factor": 2},
    {"persistent_workers": True},
    {"multiprocessing_context": "fork"},
    {"num_workers": 1, "prefetch_factor": -1},
    {"sampler": [0], "shuffle": True},
    {"batch_sampler": [[0]], "batch_size": 2},
    {"batch_sampler": [[0]], "shuffle": True},
    {"batch_sampler": [[0]], "drop_last": True},
    {"batch_size": None, "drop_last": True},
    {"batch_size": 0},
    {"batch_size": 2.5},
    {"drop_last": "yes"},
], ids=str)
def test_arguments_that_pytorch_refuses(options):
    with pytest.raises(ValueError):
        reference.DataLoader(Images(), **options)
    with pytest.raises(ValueError):
        data.DataLoader(Images(), **options)


@pytest.mark.parametrize("options", [{"shuffle": True}, {"sampler": [0]},
                                     {"batch_sampler": [[0]]}], ids=str)
def test_a_stream_has_its_own_order(options):
    with pytest.raises(ValueError, match="DataLoader with IterableDataset"):
        data.DataLoader(Stream([3]), **options)


def test_settings_cannot_be_changed_later():
    loader = data.DataLoader(Images())
    with pytest.raises(ValueError, match="should not be set after"):
        loader.batch_size = 3


def test_timeout_needs_workers():
    with pytest.raises(ValueError, match="nobody to wait for"):
        iter(data.DataLoader(Images(), timeout=1))
