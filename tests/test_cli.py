"""The command line: `lampion info`, and `lampion run` with its check of names."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from lampion import version
from lampion.cli import check, info, scan

ROOT = Path(__file__).resolve().parent.parent


def command(*arguments, cwd=None, launcher=("-m", "lampion_command")):
    """Run the command in a process of its own."""
    path = os.pathsep.join([str(ROOT / "src"), os.environ.get("PYTHONPATH", "")])
    return subprocess.run(
        [sys.executable, *launcher, *map(str, arguments)],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": path.rstrip(os.pathsep)},
        capture_output=True,
        text=True,
        timeout=120,
    )


@pytest.fixture
def run(tmp_path):
    """Write a script and run it: `run(source, *arguments, options=...)`."""

    def write_and_run(source, *arguments, options=(), name="script.py"):
        (tmp_path / name).write_text(textwrap.dedent(source))
        return command("run", *options, name, *arguments, cwd=tmp_path)

    return write_and_run


def names(source):
    """Return `name` of every use in a source text, in order."""
    tree = ast.parse(textwrap.dedent(source))
    return [use.name for use in scan.uses_in_tree(tree, "script.py")]


# -- the command itself ---


def test_help_loads_neither_lampion_nor_numpy():
    code = (
        "import sys, lampion_command\n"
        "try: lampion_command.main(['--help'])\n"
        "except SystemExit: pass\n"
        "print('loaded:', sorted({'lampion', 'numpy'} & set(sys.modules)))"
    )
    result = command(launcher=("-c", code))
    assert "info" in result.stdout and "run" in result.stdout
    assert result.stdout.endswith("loaded: []\n")


@pytest.mark.parametrize("launcher", [("-m", "lampion"), ("-m", "lampion_command")])
def test_both_ways_to_call_it(launcher):
    result = command("info", launcher=launcher)
    assert result.returncode == 0, result.stderr
    assert result.stdout.startswith("lampion:")


def test_info_says_what_a_bug_report_needs():
    facts = dict(info.facts())
    assert facts["lampion"].startswith(version.__version__)
    for name in ("python", "numpy", "processor", "vector sets", "backend", "settings", "pillow"):
        assert facts[name]


def test_no_command_is_an_error_with_usage():
    result = command()
    assert result.returncode == 2
    assert "usage: lampion" in result.stderr


# -- scan: which names a program uses ---


def test_names_are_found_however_they_are_imported():
    assert names("import torch\ntorch.nn.Linear(1, 2)") == ["torch", "torch.nn.Linear"]
    assert names("import torch.nn as nn\nnn.Linear") == ["torch.nn", "torch.nn.Linear"]
    assert names("from torch import nn as n\nn.ReLU()") == ["torch.nn", "torch.nn.ReLU"]
    assert names("from torch.nn import ReLU") == ["torch.nn.ReLU"]
    assert names("import torch.optim.adam\ntorch.optim.SGD")[1] == "torch.optim.SGD"
    assert names("import lampion as torch\ntorch.ones") == ["torch", "torch.ones"]
    assert names("import torch\nF = torch.nn.functional\nF.relu")[-1] == "torch.nn.functional.relu"


def test_what_hangs_on_a_call_is_not_a_name_of_torch():
    assert names("import torch\ntorch.ones(3).foo()") == ["torch", "torch.ones"]


def test_names_bound_anew_are_not_taken_for_imports():
    assert names("from torch.utils import data\ndef f(data): return data.foo") == [
        "torch.utils.data"
    ]
    assert names("from torch import nn\ndef f():\n nn = 3\n return nn.foo") == ["torch.nn"]
    assert names("from torch import nn\n[nn.foo for nn in x]") == ["torch.nn"]
    assert names("from torch import optim\noptim = optim.Adam(p)\noptim.foo()") == [
        "torch.optim",
        "torch.optim.Adam",
    ]


def test_a_local_import_counts_in_its_function_only():
    assert names("def f():\n import torch\n torch.a\ntorch.b") == ["torch", "torch.a"]


def test_guards_are_recognised():
    source = """\
    import torch
    try:
        from torch.cuda.amp import nothing
    except ImportError:
        nothing = None
    if torch.cuda.is_available():
        torch.cuda.nvtx.range_push("a")
    if hasattr(torch, "compile"):
        torch.compile_more()
    if not torch.cuda.is_available():
        torch.really()
    x = torch.cuda.foo() if torch.cuda.is_available() else torch.bar()
    """
    tree = ast.parse(textwrap.dedent(source))
    guarded = {use.name: bool(use.guard) for use in scan.uses_in_tree(tree, "script.py")}
    assert guarded["torch.cuda.amp.nothing"]
    assert guarded["torch.cuda.nvtx.range_push"]
    assert guarded["torch.compile_more"]
    assert guarded["torch.cuda.foo"]
    assert not guarded["torch.really"]
    assert not guarded["torch.bar"]


def test_local_modules_are_followed(tmp_path):
    (tmp_path / "parts").mkdir()
    (tmp_path / "parts" / "__init__.py").write_text("from .inner import x")
    (tmp_path / "parts" / "inner.py").write_text("import torch\nx = torch.inner_name")
    (tmp_path / "helper.py").write_text("import torch\nimport script\ntorch.helper_name")
    (tmp_path / "script.py").write_text("import helper\nfrom parts import x")
    uses = scan.uses_in_program(str(tmp_path / "script.py"))
    assert {use.name for use in uses} == {"torch", "torch.inner_name", "torch.helper_name"}


def test_a_broken_local_module_does_not_stop_the_scan(tmp_path):
    (tmp_path / "helper.py").write_text("def (")
    (tmp_path / "script.py").write_text("import helper, torch\ntorch.ones")
    uses = scan.uses_in_program(str(tmp_path / "script.py"))
    assert [use.name for use in uses] == ["torch", "torch.ones"]


# -- check: which of them are missing ---


@pytest.mark.parametrize(
    ("wanted", "missing", "nearest"),
    [
        ("torch.nn.Linear", "", ""),
        ("torch.nn.functional.relu", "", ""),
        ("torch.optim.lr_scheduler.StepLR", "", ""),
        ("torch.utils.data.DataLoader", "", ""),
        ("torch.cuda.is_available", "", ""),
        ("torch.backends.cudnn.benchmark", "", ""),
        ("torch.Tensor.add_", "", ""),
        ("torch.nn.Linaer", "torch.nn.Linaer", "lampion.nn.Linear"),
        ("torch.crossentropy", "torch.crossentropy", "lampion.nn.functional.cross_entropy"),
        ("torch.nowhere.at.all", "torch.nowhere", ""),
        ("torch.Tensor.no_such_method_", "torch.Tensor.no_such_method_", ""),
    ],
)
def test_missing_names(wanted, missing, nearest):
    found = check.missing_names([scan.Use(wanted, "script.py", 1)])
    assert [item.name for item in found] == ([missing] if missing else [])
    if nearest:
        assert found[0].nearest == nearest


# -- run ---


def test_torch_means_lampion(run):
    result = run("""\
        import sys
        import torch, torch.nn as nn, torch.nn.functional as F
        from torch import optim
        from torch.optim import lr_scheduler
        from torch.utils.data import DataLoader
        from torch.nn import Linear
        from torch.autograd import Variable
        import lampion, lampion.nn
        assert torch is lampion and nn is lampion.nn and Linear is lampion.nn.Linear
        assert sys.modules["torch.nn"] is sys.modules["lampion.nn"]
        assert lampion.nn.__name__ == lampion.nn.__spec__.name == "lampion.nn"
        assert not hasattr(sys.modules["lampion.errors"], "__path__")
        layer = nn.Linear(3, 2)
        layer(torch.ones(4, 3)).sum().backward()
        print(tuple(layer.weight.grad.shape))
    """)
    assert result.returncode == 0, result.stderr
    assert result.stdout == "(2, 3)\n"


def test_the_script_sees_what_python_would_show_it(tmp_path, run):
    source = """\
        import os, pickle, sys
        import neighbour
        class Local: pass
        assert isinstance(pickle.loads(pickle.dumps(Local())), Local)
        print([sys.argv, __name__, os.path.basename(__file__), os.path.isabs(__file__),
               os.path.basename(sys.path[0]) == os.path.basename(os.getcwd()), neighbour.value,
               sys.modules["__main__"].Local is Local])
    """
    (tmp_path / "neighbour.py").write_text("value = 7")
    arguments = ["--epochs", "3", "-h", "--force"]
    result = run(source, *arguments)
    python = subprocess.run(
        [sys.executable, "script.py", *arguments], cwd=tmp_path, capture_output=True, text=True
    )
    assert python.returncode == 0, python.stderr
    assert (result.returncode, result.stdout) == (0, python.stdout), result.stderr


@pytest.mark.parametrize(
    ("ending", "status"),
    [
        ("", 0),
        ("sys.exit(0)", 0),
        ("sys.exit(7)", 7),
        ("sys.exit()", 0),
        ("sys.exit('no such file')", 1),
        ("raise ValueError('wrong')", 1),
        ("raise KeyboardInterrupt", 130),
    ],
)
def test_exit_status(run, ending, status):
    result = run(f"import sys\nimport torch\nprint('reached')\n{ending}\n")
    assert result.stdout == "reached\n"
    assert result.returncode == status
    assert ("no such file" in result.stderr) == ("no such file" in ending)


def test_traceback_shows_the_users_frames_and_the_error(run):
    result = run("""\
        import torch
        def forward(a, b):
            return a @ b
        forward(torch.ones(2, 3), torch.ones(2, 3))
    """)
    assert result.returncode == 1
    lines = result.stderr.splitlines()
    places = [line.strip() for line in lines if line.strip().startswith("File ")]
    assert [place.split('"')[1] for place in places] == ["script.py", "script.py"]
    assert "ShapeError" in result.stderr and "return a @ b" in result.stderr
    assert "report it" not in result.stderr


def test_full_traceback_on_demand(run):
    source = "import torch\ntorch.ones(2, 3) @ torch.ones(2, 3)\n"
    assert "lampion" + os.sep not in run(source).stderr.replace("lampion.errors", "")
    assert "lampion" + os.sep in run(source, options=["--full-traceback"]).stderr


def test_an_exception_hook_of_the_program_is_used(run):
    result = run("""\
        import sys
        sys.excepthook = lambda kind, error, trace: print("caught:", error)
        raise ValueError("wrong")
    """)
    assert (result.returncode, result.stdout) == (1, "caught: wrong\n")


def test_missing_names_are_listed_and_nothing_runs(run):
    result = run("""\
        print("ran")
        import torch
        from torch import nn
        import torch.nowhere as nowhere
        net = nn.Linaer(3, 2)
        if torch.cuda.is_available():
            torch.cuda.nvtx.mark("x")
    """)
    assert result.returncode == 2
    assert result.stdout == ""
    assert "script.py uses 2 names that lampion does not have" in result.stderr
    assert "script.py:4" in result.stderr and "torch.nowhere" in result.stderr
    assert "script.py:5" in result.stderr and "nearest: lampion.nn.Linear" in result.stderr
    assert "harmless" in result.stderr and "torch.cuda.nvtx" in result.stderr
    assert "lampion run --force script.py" in result.stderr


def test_force_runs_until_the_name_is_needed(run):
    source = "import torch\nprint('ran')\ntorch.no_such_function()\n"
    result = run(source, options=["--force"])
    assert (result.returncode, result.stdout) == (1, "ran\n")
    assert "no_such_function" in result.stderr


def test_harmless_names_do_not_stop_the_program(run):
    result = run("""\
        import torch
        if torch.cuda.is_available():
            torch.cuda.nvtx.mark("x")
        torch.backends.cudnn.benchmark = True
        torch.backends.cudnn.some_new_switch = True
        print(torch.cuda.is_available(), torch.cuda.device_count(), torch.backends.cudnn.benchmark)
    """)
    assert (result.returncode, result.stdout) == (0, "False 0 True\n"), result.stderr


def test_check_only(run):
    assert run("import torch\nprint('ran')\n", options=["--check"]).stdout.startswith("script.py:")
    assert run("import torch\ntorch.nowhere\n", options=["--check"]).returncode == 2


def test_a_missing_script_gets_a_hint(tmp_path):
    (tmp_path / "train.py").write_text("")
    result = command("run", "trian.py", cwd=tmp_path)
    assert result.returncode == 2
    assert "there is no file trian.py; did you mean train.py?" in result.stderr
    assert "Traceback" not in result.stderr
    assert "is a folder" in command("run", ".", cwd=tmp_path).stderr


def test_a_syntax_error_looks_as_in_python(run):
    result = run("import torch\nx = = 3\n")
    assert result.returncode == 1
    assert 'File "script.py", line 2' in result.stderr and "SyntaxError" in result.stderr
    assert "lampion" not in result.stderr


def test_packages_built_on_torch_are_refused_clearly(run):
    result = run("import torch\nimport torchaudio\n")
    assert result.returncode == 1
    assert "built on PyTorch itself" in result.stderr


def test_torchvision_means_lampions_vision(run):
    result = run("""\
        import sys
        import torch, torchvision, torchvision.datasets
        import torchvision.transforms as transforms
        from torchvision import datasets, models, utils
        from torchvision.transforms import functional as F, v2
        from torchvision.transforms.functional import hflip
        from torchvision.models.resnet import BasicBlock
        from torchvision.ops import nms
        import lampion.vision, lampion.models
        assert torchvision is lampion.vision and transforms is lampion.vision.transforms
        assert sys.modules["torchvision.datasets"] is lampion.vision.datasets
        assert BasicBlock is lampion.models.resnet.BasicBlock and torchvision.models is models
        prepare = transforms.Compose([transforms.CenterCrop(32), transforms.Normalize(0, 1)])
        net = torchvision.models.resnet18(weights=None, num_classes=3)
        print(tuple(net(prepare(torch.zeros(2, 3, 40, 40))).shape))
    """)
    assert result.returncode == 0, result.stderr
    assert result.stdout == "(2, 3)\n"


def test_missing_names_of_torchvision_are_listed(run):
    result = run("""\
        import torch
        from torchvision import transforms, models
        transforms.RandomHorizontalFlop()
        models.swin_t()
        from torchvision.datasets import Kinetics
    """)
    assert result.returncode == 2 and result.stdout == ""
    for name, nearest in (("transforms.RandomHorizontalFlop", "RandomHorizontalFlip"),
                          ("models.swin_t", ""), ("datasets.Kinetics", "")):
        line = next(line for line in result.stderr.splitlines() if f"torchvision.{name}" in line)
        assert nearest in line


def test_torchtext_means_lampions_text(run):
    result = run("""\
        import torch, torchtext
        from torchtext.data.utils import get_tokenizer
        from torchtext.vocab import build_vocab_from_iterator
        import torchtext.transforms as T
        tokenizer = get_tokenizer("basic_english")
        vocab = build_vocab_from_iterator([tokenizer("Here we are.")], specials=["<unk>"])
        vocab.set_default_index(vocab["<unk>"])
        print(vocab(tokenizer("we were here")), torchtext.vocab.Vocab is type(vocab))
    """)
    assert result.returncode == 0, result.stderr
    assert result.stdout == "[4, 0, 3] True\n"
    missing = run("from torchtext.vocab import GloVe, FastTextt\n")
    assert missing.returncode == 2 and "torchtext.vocab.GloVe" in missing.stderr
