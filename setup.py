"""The one step of building that pyproject.toml cannot say: compile common kernels into the wheel.

An editable installation (`pip install -e .`) skips it, and compiles when it runs.
"""

import os
import subprocess
import sys
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py


class BuildWithKernels(build_py):
    """Copy the sources, then let lampion's own emitter compile what common networks need."""

    def run(self):
        super().run()
        if self.editable_mode:
            return
        library = Path(self.build_lib).resolve()
        script = Path(__file__).resolve().parent / "compile_ahead.py"
        # The copied sources: their digest is part of the key of all code.
        environment = {**os.environ, "PYTHONPATH": str(library), "PYTHONDONTWRITEBYTECODE": "1"}
        place = library / "lampion" / "cpu" / "compiled"
        subprocess.run([sys.executable, str(script), str(place)], check=True, env=environment)


setup(cmdclass={"build_py": BuildWithKernels})
