"""The runner of the benchmarks: what a measurement is, and what the tables say."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"
sys.path.insert(0, str(BENCHMARKS))

import report  # noqa: E402 - the path is known from here on
import run  # noqa: E402


def result(median, memory=10.0, first=1.0):
    return {"median": median, "fastest": median / 2, "memory": memory, "first": first}


def row(name="xor", training=True, ours=1e-3, threads=(4e-3, 2e-3), kept=3e-3):
    made = report.Row(name, "a case", training, None)
    for n, step in enumerate(threads, 1):
        made.add(f"threads {n}", [result(step), result(step)])
    made.add("kept", [result(kept)])
    made.add("lampion", [result(ours, 5.0, 2.0), result(ours, 7.0, 0.5)])
    return made


def test_the_ratio_is_against_the_faster_number_of_threads():
    assert row().ratio() == pytest.approx(2.0)
    assert row().ratio("kept") == pytest.approx(3.0)
    assert row().ratio("compiled") is None
    ours = row().ways["lampion"]
    assert (ours.cold, ours.warm, ours.memory) == (2.0, 0.5, 6.0)


def test_without_pytorch_there_is_no_ratio():
    made = report.Row("xor", "", True, None)
    made.add("lampion", [result(4.0), result(2.0)])
    assert made.ways["lampion"].step == 3.0 and made.ratio() is None
    assert "4e+03" not in report.text([made]) and "-" in report.text([made])


def test_tables():
    broken = report.Row("other", "a case", True, None, trouble="lampion: StateError: no")
    rows = [row(), row("predict", False, ours=8e-3), broken]
    plain = report.text(rows, heading=True, summary=rows)
    assert "other                 lampion: StateError: no" in plain
    assert "training: 2.00 times the speed of PyTorch" in plain
    assert "prediction: 0.25 times" in plain and "not timed: other" in plain
    assert "all: 0.71 times" in plain  # the geometric mean of 2 and 1/4
    table = [line for line in report.markdown(rows).splitlines() if line.startswith("|")]
    assert len(table) == 5 and len({line.count("|") for line in table}) == 1


def test_a_table_takes_the_place_of_the_one_before():
    page = f"words\n{report.BEGIN}\nold\n{report.END}\nmore\n"
    once = report.inserted(page, "new")
    assert "old" not in once and once.startswith("words") and once.endswith("more\n")
    assert report.inserted(once, "new") == once
    assert report.inserted("no marks", "new") == "new\n"
    assert report.BEGIN in (BENCHMARKS / "README.md").read_text(encoding="utf-8")


def worker(*arguments):
    environment = {"PYTHONPATH": str(BENCHMARKS.parent / "src"), "PATH": ""}
    done = subprocess.run([sys.executable, str(BENCHMARKS / "worker.py"), *arguments],
                          capture_output=True, text=True, env=environment, timeout=120)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_a_worker_measures():
    found = worker("lampion", "xor", "--steps", "3", "--busy", "--threads", "1")
    assert found["steps"] == 3 and 0 < found["fastest"] <= found["median"] < 10
    assert found["peak"] >= found["memory"] >= 0 and found["import"] > 0
    losses = worker("lampion", "xor", "--check", "3")["losses"]
    assert len(losses) == 3 and losses[2] != losses[0]


def test_a_worker_tells_what_it_cannot_run():
    assert "KeyError" in worker("lampion", "no such case")["error"]


def test_cases_are_chosen_by_name():
    def names(*wishes):
        return [case.name for case in run.chosen(wishes)]

    assert names("xor", "predict-mlp-*") == ["xor", "predict-mlp-1", "predict-mlp-64"]
    assert len(names()) == len(run.CASES)
    with pytest.raises(SystemExit, match="no case is called zebra"):
        run.chosen(["zebra"])
