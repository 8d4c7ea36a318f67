"""Workers as processes, and what an error says of the sample that it came from."""

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

import lampion
from lampion.utils import data

ROOT = Path(__file__).resolve().parent.parent.parent

# What the programs below have in common. They are processes of their own, for forks and threads.
PROGRAM = """
import os, random, sys, time
import numpy as np
import lampion as torch
from lampion.utils.data import DataLoader, Dataset, IterableDataset, get_worker_info

class Squares(Dataset):
    def __init__(self, count=10):
        self.count = count
    def __len__(self):
        return self.count
    def __getitem__(self, index):
        return torch.tensor([index, index * index]), os.getpid()

class Broken(Squares):
    def __getitem__(self, index):
        if index == 5:
            raise KeyError("no picture")
        return super().__getitem__(index)

class Chance(Squares):
    def __getitem__(self, index):
        return torch.rand(1).item(), random.random(), np.random.rand()

class Stream(IterableDataset):
    def __iter__(self):
        info = get_worker_info()
        yield from range(info.id, 9, info.num_workers)

class Dies(Squares):
    def __getitem__(self, index):
        os._exit(3)

def note(worker_id):
    Squares.note = worker_id

def main(method):
"""


def prepared(body, method):
    """Return a program with the body of `main(method)`, and how to run it."""
    program = PROGRAM + textwrap.indent(textwrap.dedent(body), "    ") + (
        "\nif __name__ == '__main__':\n    main(sys.argv[1])\n")
    path = os.pathsep.join([str(ROOT / "src"), os.environ.get("PYTHONPATH", "")])
    return program, {"env": {**os.environ, "PYTHONPATH": path}, "capture_output": True,
                     "text": True, "timeout": 120}


@pytest.fixture
def output(tmp_path):
    def of(body, method="fork"):
        if method == "fork" and not hasattr(os, "fork"):
            pytest.skip("this system has no fork")
        program, options = prepared(body, method)
        (tmp_path / "program.py").write_text(program)
        result = subprocess.run(
            [sys.executable, "-W", "ignore", "program.py", method], cwd=tmp_path, **options)
        assert result.returncode == 0, result.stderr
        return result.stdout

    return of


def test_processes_started_anew(output):
    assert output("""\
        loader = DataLoader(Squares(), batch_size=3, num_workers=1, worker_init_fn=note,
                            multiprocessing_context=method)
        print([x.tolist() for x, _ in loader] == [
            x.tolist() for x, _ in DataLoader(Squares(), batch_size=3)])
    """, "spawn") == "True\n"


def test_processes_read_what_the_main_program_would(output):
    assert output("""\
        loader = DataLoader(Squares(), batch_size=3, num_workers=2, worker_init_fn=note,
                            multiprocessing_context=method, persistent_workers=True)
        for epoch in range(2):
            batches = list(loader)
            assert [x.tolist() for x, _ in batches] == [
                x.tolist() for x, _ in DataLoader(Squares(), batch_size=3)]
        processes = {pid for _, pids in batches for pid in pids.tolist()}
        print(len(processes), os.getpid() in processes)

        stream = DataLoader(Stream(), batch_size=2, num_workers=2, multiprocessing_context=method,
                            persistent_workers=True)
        for epoch in range(2):
            print(sorted(n for batch in stream for n in batch.tolist()))

        loader = DataLoader(Chance(4), batch_size=1, num_workers=2, multiprocessing_context=method)
        torch.manual_seed(1)
        first = [[x.item() for x in batch] for batch in loader]
        torch.manual_seed(1)
        assert [[x.item() for x in batch] for batch in loader] == first
        print(len({x for batch in first for x in batch}))

        for batch in DataLoader(Squares(100), num_workers=2, multiprocessing_context=method):
            break  # leaving early leaves nothing hanging
    """).split("\n")[:4] == ["2 False", str([*range(9)]), str([*range(9)]), "12"]


def test_errors_in_processes_carry_sample_and_traceback(output):
    shown = output("""\
        import traceback
        try:
            list(DataLoader(Broken(), batch_size=4, num_workers=2, multiprocessing_context=method))
        except KeyError as error:
            print("".join(traceback.format_exception(error)))
        try:
            list(DataLoader(Dies(), num_workers=1, multiprocessing_context=method))
        except RuntimeError as error:
            print(error)
    """)
    assert "no picture" in shown and "in sample 5 of Broken" in shown
    assert "in the batch of samples 4, 5, 6, 7 of Broken" in shown
    assert 'raise KeyError("no picture")' in shown and "worker process 1" in shown
    assert "exited unexpectedly with exit code 3" in shown


def test_an_unknown_way_to_start():
    with pytest.raises(ValueError, match="spawn"):
        data.DataLoader([1], num_workers=1, multiprocessing_context="sporn")


class Uneven(data.Dataset):
    def __len__(self):
        return 20

    def __getitem__(self, index):
        return lampion.ones(3 if index == 13 else 2)


@pytest.mark.parametrize("workers", [0, 2])
def test_errors_name_sample_and_batch(workers):
    class Broken(Uneven):
        def __getitem__(self, index):
            raise OSError("disk")

    with pytest.raises(OSError, match="disk") as caught:
        list(data.DataLoader(Broken(), batch_size=12, num_workers=workers))
    assert caught.value.__notes__ == [
        "  in sample 0 of Broken",
        "  in the batch of samples 0, 1, 2, 3, 4, 5, 6, 7 and 4 more of Broken"]
    with pytest.raises(RuntimeError, match="equal size") as caught:
        list(data.DataLoader(Uneven(), batch_size=4, num_workers=workers))
    assert "12, 13, 14, 15" in caught.value.__notes__[0]
    with pytest.raises(OSError) as caught:
        list(data.DataLoader(Broken(), batch_size=None, num_workers=workers))
    assert caught.value.__notes__ == ["  in sample 0 of Broken"]


def test_the_place_programs_take_collate_from():
    from lampion.utils.data._utils.collate import default_collate

    assert default_collate is data.default_collate
