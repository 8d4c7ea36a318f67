"""Training among forks, threads, interruptions and exits: right numbers, no crash, no deadlock."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import lampion

pytestmark = pytest.mark.skipif(os.name != "posix", reason="forks and signals of POSIX")

# What every program below begins with: a training that two threads of the pool share.
TRAINING = """
import os, signal, sys, threading
import lampion as torch

torch.set_num_threads(2)

def data():
    generator = torch.Generator().manual_seed(3)
    x = torch.randn(64, 40, generator=generator)
    return x, (x.sum(1, keepdim=True) > 0).float()

class Training:
    def __init__(self):
        generator = torch.Generator().manual_seed(1)
        self.x, self.y = data()
        self.network = torch.nn.Sequential(
            torch.nn.Linear(40, 300), torch.nn.Tanh(), torch.nn.Linear(300, 1))
        with torch.no_grad():
            for p in self.network.parameters():
                p.copy_(torch.randn(*p.shape, generator=generator) * 0.1)
        self.optimizer = torch.optim.Adam(self.network.parameters(), lr=1e-3)
    def step(self):
        self.optimizer.zero_grad()
        loss = torch.nn.functional.mse_loss(self.network(self.x), self.y)
        loss.backward()
        self.optimizer.step()
        return loss.item()
    def steps(self, count):
        return [self.step() for _ in range(count)]

EXPECTED = Training().steps(12)
"""


@pytest.fixture(scope="module", autouse=True)
def environment(tmp_path_factory):
    """Programs import the lampion under test, and compile each kernel once for all tests."""
    with pytest.MonkeyPatch.context() as patch:
        room = Path(lampion.__file__).parents[1]
        patch.setenv("PYTHONPATH", f"{room}{os.pathsep}{os.environ.get('PYTHONPATH', '')}")
        patch.setenv("LAMPION_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


def run(body: str, expected: int = 0) -> str:
    done = subprocess.run([sys.executable, "-X", "faulthandler", "-c", TRAINING + body], text=True,
                          capture_output=True, timeout=120, check=False)
    assert done.returncode == expected, done.stderr
    return done.stdout


def test_children_train_on():
    """A fork in the middle of a training: parent and child both go on with the same numbers."""
    run("""
training = Training()
seen = training.steps(4)
children = []
for _ in range(3):
    child = os.fork()
    if not child:
        os._exit(0 if seen + training.steps(8) == EXPECTED else 1)
    children.append(child)
assert seen + training.steps(8) == EXPECTED
assert [os.waitpid(child, 0)[1] for child in children] == [0, 0, 0]
""")


def test_a_fork_before_anything_was_read():
    run("""
training = Training()
training.steps(2)
training.optimizer.zero_grad()
loss = torch.nn.functional.mse_loss(training.network(training.x), training.y)
child = os.fork()
loss.backward()
training.optimizer.step()
same = [loss.item()] + training.steps(3) == EXPECTED[2:6]
if not child:
    os._exit(0 if same else 1)
assert same and os.waitpid(child, 0)[1] == 0
""")


def test_forks_while_another_thread_trains():
    run("""
done = []
def other():
    done.append(all(Training().steps(12) == EXPECTED for _ in range(15)))
thread = threading.Thread(target=other)
thread.start()
codes = []
while thread.is_alive() and len(codes) < 12:
    child = os.fork()
    if not child:
        signal.alarm(60)  # a deadlock ends the child
        os._exit(0 if Training().steps(12) == EXPECTED else 1)
    codes.append(os.waitpid(child, 0)[1])
thread.join()
assert done == [True] and codes and not any(codes), (done, codes)
""")


def test_processes_of_multiprocessing():
    run("""
import multiprocessing
def work(number):
    return Training().steps(12) == EXPECTED
with multiprocessing.get_context("fork").Pool(2) as pool:
    assert all(pool.map(work, range(4)))
""")


def test_threads_that_train_at_the_same_time():
    run("""
found = []
def train():
    found.append(Training().steps(12) == EXPECTED)
for _ in range(4):
    threads = [threading.Thread(target=train) for _ in range(3)]
    for thread in threads:
        thread.start()
    train()
    for thread in threads:
        thread.join(60)
assert found == [True] * 16, found
""")


def test_a_model_that_threads_share():
    """Predictions with one network from several threads are those of one thread."""
    run("""
training = Training()
training.steps(3)
with torch.no_grad():
    expected = training.network(training.x).tolist()
wrong = []
def predict():
    with torch.no_grad():
        for _ in range(30):
            if training.network(training.x).tolist() != expected:
                wrong.append(1)
threads = [threading.Thread(target=predict) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join(60)
assert not wrong
""")


INTERRUPTED = """
import itertools, random
weight = torch.zeros(300, 300, requires_grad=True)
optimizer = torch.optim.SGD([weight], lr=1.0)
ones = torch.ones(300, 300)
dice = random.Random(0)
signal.signal(signal.SIGALRM, lambda *_: (_ for _ in ()).throw(KeyboardInterrupt()))
done = interruptions = 0
while interruptions < 150:
    # Python drops an exception raised in a destructor or a weak reference's callback: then again.
    signal.setitimer(signal.ITIMER_REAL, dice.uniform(2e-4, 6e-3), 0.5)
    try:
        while True:
            optimizer.zero_grad()
            (weight * ones).sum().backward()
            optimizer.step()
            done += 1
    except KeyboardInterrupt:
        interruptions += 1
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
"""


def test_interruptions_leave_everything_usable():
    """Whenever it comes, an interruption loses at most the step that it hit."""
    run(INTERRUPTED + """
numbers = set(weight.detach().flatten().tolist())
assert len(numbers) == 1, sorted(numbers)[:5]
steps = -numbers.pop()
assert done <= steps <= done + interruptions, (done, steps, interruptions)
assert Training().steps(12) == EXPECTED
""")


@pytest.mark.parametrize("ending", ["sys.exit(3)", "raise SystemExit(3)", "os._exit(3)"])
def test_an_exit_while_threads_train(ending):
    run(f"""
def train():
    while True:
        Training().steps(5)
for _ in range(2):
    threading.Thread(target=train, daemon=True).start()
Training().steps(3)
{ending}
""", 3)


def test_an_exit_with_work_recorded_and_destructors_that_compute():
    run("""
training = Training()
class Late:
    def __del__(self):
        training.step()
late = Late()
loss = training.network(training.x).sum()
""")


@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT", "SIGKILL"])
def test_a_signal_ends_a_training_at_once(name):
    process = subprocess.Popen(
        [sys.executable, "-c", TRAINING + "print('go', flush=True)\nTraining().steps(10 ** 9)"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "go\n"
    time.sleep(0.1)
    process.send_signal(getattr(signal, name))
    _, trouble = process.communicate(timeout=30)
    assert process.returncode == -getattr(signal, name)
    assert ("KeyboardInterrupt" in trouble) == (name == "SIGINT")
