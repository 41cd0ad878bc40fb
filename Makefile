# `make demo` and `make test` need Python 3.11 or newer and nothing else: they make .venv and install into it.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
OUT ?= report

.PHONY: demo test check docs clean

demo: $(VENV)/.installed
	$(BIN)/reachbox reproduce all --quick --out $(OUT)

test: $(VENV)/.installed-dev
	$(BIN)/python -m pytest -n 2

check: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

docs: $(VENV)/.installed-docs
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

# torch comes first and by the constraints: the CPU build where there is one, not gigabytes of CUDA libraries.
$(VENV)/.installed: pyproject.toml constraints.txt scripts/install_torch.py
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python scripts/install_torch.py constraints.txt
	$(PIP) install --constraint constraints.txt --editable .
	touch $@

$(VENV)/.installed-dev: $(VENV)/.installed
	$(PIP) install --constraint constraints.txt --editable '.[dev]'
	touch $@

$(VENV)/.installed-docs: $(VENV)/.installed
	$(PIP) install --constraint constraints.txt --editable '.[docs]'
	touch $@

clean:
	rm -rf $(VENV) report runs build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
