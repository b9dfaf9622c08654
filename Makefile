# Two commands on a fresh machine: `make demo` and `make test`. They need Python 3.11 or newer and make, nothing else.

PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
FOR    ?= 30
WORKERS ?= 2

# A video and a model of your own: make demo VIDEO=gate.mp4 MODEL=yolo.onnx
DEMO_OPTIONS = --for $(FOR) $(if $(VIDEO),--video '$(VIDEO)') $(if $(MODEL),--model '$(MODEL)')

.PHONY: help demo setup test test-slow test-torch test-all lint format bench reference lock clean

help: ## Show what can be made
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(VENV)/.demo ## Run the whole fleet for FOR=30 seconds, on VIDEO= and MODEL= if given
	@$(BIN)/vss demo $(DEMO_OPTIONS)

setup: $(VENV)/.dev ## Prepare .venv with everything the tests need

test: $(VENV)/.dev ## Run the tests (under 15 minutes)
	$(BIN)/pytest -n $(WORKERS) --durations 25 -m "not slow"

test-slow: $(VENV)/.dev ## Run the suites that take longer
	$(BIN)/pytest -n $(WORKERS) -m slow

test-torch: $(VENV)/.torch ## Run the tests of PyTorch's models (installs it: 5 GB on Linux)
	$(BIN)/pytest -n $(WORKERS) tests/torch

test-all: test test-slow test-torch ## Run all tests

lint: $(VENV)/.dev ## Check style and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(VENV)/.dev ## Lay the code out
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(VENV)/.dev ## Measure the fleet on this machine; MODEL= and VIDEO= if given
	$(BIN)/vss bench detect $(if $(VIDEO),--video '$(VIDEO)') $(if $(MODEL),--model '$(MODEL)')

reference: $(VENV)/.dev ## Write the generated parts of docs/ anew
	$(BIN)/python scripts/make_reference.py

lock: ## Resolve the dependencies anew into requirements/ (needs uv)
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --upgrade \
		--extra cpu --extra local pyproject.toml requirements/build.in --output-file requirements/demo.txt
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --upgrade \
		--extra cpu --extra local --extra dev pyproject.toml requirements/build.in --output-file requirements/dev.txt
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --upgrade \
		--extra cpu --extra local --extra dev --extra torch --extra train --constraint requirements/dev.txt \
		pyproject.toml requirements/build.in --output-file requirements/torch.txt

clean: ## Remove what the tools left behind (data of `vss up` stays)
	rm -rf build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "error: $(PYTHON) is older than 3.11; name a newer one: make PYTHON=python3.12 …" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)

# A file a set of packages: made anew when its lock file changes. The larger set holds the smaller one.
$(VENV)/.demo: requirements/demo.txt pyproject.toml | $(BIN)/python
	@test -f $(VENV)/.dev || echo "installing the packages of the demo into $(VENV): a minute or two, and only once …"
	@test -f $(VENV)/.dev || $(BIN)/pip install --disable-pip-version-check --require-hashes -r requirements/demo.txt
	@$(BIN)/pip install --disable-pip-version-check --quiet --no-build-isolation --no-deps --editable .
	@touch $@

$(VENV)/.dev: requirements/dev.txt pyproject.toml | $(BIN)/python
	@$(BIN)/pip install --disable-pip-version-check --require-hashes -r requirements/dev.txt
	@$(BIN)/pip install --disable-pip-version-check --quiet --no-build-isolation --no-deps --editable .
	@touch $@

# Everything but these tests has to work without PyTorch, so it comes last, when the others have run.
$(VENV)/.torch: requirements/torch.txt pyproject.toml | $(VENV)/.dev
	@test -f $@ || echo "installing PyTorch into $(VENV): on Linux its CUDA build, 3 GB to fetch and 5 GB on disk, once …"
	@$(BIN)/pip install --disable-pip-version-check --quiet --require-hashes -r requirements/torch.txt
	@touch $@
