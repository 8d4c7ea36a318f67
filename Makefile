# make            what can be made
# make demo       trains LeNet-5 on handwritten digits (up to five minutes on two cores)
# make PYTHON=python3.12 test    chooses the interpreter
#
# Needs Python 3.11 or newer and make; everything else goes into .venv.

PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11 python; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
VENV := .venv
RUN := $(VENV)/bin/python

.DEFAULT_GOAL := help
.PHONY: help demo test lint format bench parity examples clean

help:
	@echo "make demo      train LeNet-5 on the digits in data/mnist, show its mistakes, save the model"
	@echo "make examples  run every program in examples/ in full, check its figure (half an hour)"
	@echo "make test      run the tests"
	@echo "make lint      check style and types"
	@echo "make format    let ruff sort imports and the like"
	@echo "make bench     run the benchmarks"
	@echo "make parity    run PyTorch's own test inventory against lampion (needs PyTorch)"
	@echo "make clean     remove .venv and everything built"

$(RUN):
	@test -n "$(PYTHON)" || { echo "lampion needs Python 3.11 or newer: make PYTHON=/path/to/python3.11"; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "$(PYTHON) is older than Python 3.11: make PYTHON=/path/to/python3.11"; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || \
		{ echo "$(PYTHON) has no venv module (on Debian and Ubuntu: apt install python3-venv)"; exit 1; }
	@echo "==> making $(VENV) with $(PYTHON)"
	@$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: pyproject.toml | $(RUN)
	@echo "==> installing lampion into $(VENV)"
	@$(RUN) -m pip install --quiet --disable-pip-version-check --editable .
	@touch $@

$(VENV)/.installed-dev: pyproject.toml | $(RUN)
	@echo "==> installing lampion and its development tools into $(VENV)"
	@$(RUN) -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@ $(VENV)/.installed

demo: $(VENV)/.installed
	@echo "==> training LeNet-5: examples/lenet5.py"
	@$(RUN) examples/lenet5.py

examples: $(VENV)/.installed
	@$(RUN) -m pip install --quiet --disable-pip-version-check --editable '.[examples]'
	@$(RUN) examples/check.py

test: $(VENV)/.installed-dev
	@echo "==> python -m pytest -n 2"
	@$(RUN) -c 'import torch' 2>/dev/null || \
		echo "    (comparisons with PyTorch are skipped; to run them: $(RUN) -m pip install torch==2.13.0)"
	@$(RUN) -m pytest -n 2

lint: $(VENV)/.installed-dev
	@echo "==> ruff check, mypy"
	@$(RUN) -m ruff check .
	@$(RUN) -m mypy

format: $(VENV)/.installed-dev
	@echo "==> ruff check --fix"
	@$(RUN) -m ruff check --fix .

bench: $(VENV)/.installed
	@echo "==> benchmarks/import_time.py"
	@$(RUN) benchmarks/import_time.py
	@echo "==> benchmarks/run.py (python benchmarks/run.py --help: single cases, shorter rounds)"
	@$(RUN) benchmarks/run.py

parity: $(VENV)/.installed-dev
	@echo "==> python -m tests.parity (--help: single entries, a report file)"
	@$(RUN) -m tests.parity --jobs 2

clean:
	rm -rf $(VENV) build dist src/*.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis runs
