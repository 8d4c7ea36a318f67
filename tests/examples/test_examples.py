"""Every example, shortened, as a reader runs it: its figure is far better than chance."""

import importlib.util
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
spec = importlib.util.spec_from_file_location("examples_check", EXAMPLES / "check.py")
check = importlib.util.module_from_spec(spec)
spec.loader.exec_module(check)

NEEDS_PILLOW = {"transfer", "blood_cells", "resnet_small"}  # their pictures are JPEG files
# test_lenet5.py has that one.
CHECKS = [one for one in check.CHECKS if one.name != "lenet5"]


@pytest.mark.parametrize("one", CHECKS, ids=[one.name for one in CHECKS])
def test_it_learns(one, tmp_path):
    if one.name in NEEDS_PILLOW:
        pytest.importorskip("PIL", reason="pip install 'lampion[examples]'")
    output, value = check.run(one, quick=True, folder=tmp_path)
    assert one.passes(value, quick=True), output
    assert "reference  " in output
    drawn = [*tmp_path.rglob("*.png")]
    assert drawn and all(path.stat().st_size > 50 for path in drawn)


def test_every_example_is_checked_and_listed():
    table = (EXAMPLES / "README.md").read_text(encoding="utf-8")
    for path in EXAMPLES.glob("*.py"):
        if "    report(" in path.read_text(encoding="utf-8"):
            assert path.stem in {one.name for one in check.CHECKS}
            assert f"]({path.name})" in table


def test_what_counts_as_passed():
    more, less = (check.Check("x", "f", better, 2.0, 1.0) for better in ("higher", "lower"))
    assert more.passes(2.0, quick=False) and not more.passes(1.5, quick=False)
    assert less.passes(1.0, quick=True) and not less.passes(1.5, quick=True)
    assert not more.passes(float("nan"), quick=True) and not less.passes(float("nan"), quick=True)


def test_a_failing_example_is_told(tmp_path):
    with pytest.raises(RuntimeError, match="failed"):
        check.run(check.Check("no_such_example", "f", "higher", 1.0, 1.0), quick=True)
