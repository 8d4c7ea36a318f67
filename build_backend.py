"""setuptools, which needs what lampion needs when it builds a wheel: kernels are compiled into it.

An editable installation compiles nothing, and so needs nothing more.
"""

from setuptools import build_meta
from setuptools.build_meta import *  # noqa: F403 - the hooks of PEP 517

RUNNING = ["numpy>=2.0", "llvmlite>=0.44", "safetensors>=0.8"]  # as in pyproject.toml


def get_requires_for_build_wheel(config_settings=None):
    return [*build_meta.get_requires_for_build_wheel(config_settings), *RUNNING]
