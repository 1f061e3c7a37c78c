# Backfill's commands. They need Python >= 3.11, git and make; the rest is installed into .venv.

SHELL := /bin/sh
.DEFAULT_GOAL := help
.SUFFIXES:
export PATH := $(PATH):/usr/local/bin:/usr/local/sbin:/usr/sbin:/sbin

ARGS ?=
JOBS ?= 2
PYTHON ?=
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready-run
READY_DEV := $(VENV)/.ready-dev
INSTALL = $(BIN)/uv $(UV_CERTS) pip install -q --python $(BIN)/python

.PHONY: help demo test fuzz check oracle lock clean

help: ## list these commands
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1|\2/p' $(MAKEFILE_LIST) | while IFS='|' read -r a b; \
		do printf '%-16s %s\n' "$$a" "$$b"; done

demo: $(READY) ## start everything on this machine and run two backfills (ARGS=--exit: end by itself)
	@if [ "$$(uname)" = Linux ]; then leash="$(BIN)/python backfill/embedded/leash.py $$PPID 15 - -"; fi; \
	exec $$leash $(BIN)/backfill demo $(ARGS)

test: $(READY_DEV) ## run all tests (ARGS passes through to pytest)
	@status=0; \
	$(BIN)/python -m pytest -n $(JOBS) --dist worksteal --ignore tests/e2e tests $(ARGS) || status=$$?; \
	$(BIN)/python -m pytest tests/e2e $(ARGS) || status=$$?; \
	exit $$status

fuzz: $(READY_DEV) ## send many requests to every route, as every role (ARGS="--examples 500 --seed 7")
	$(BIN)/python -m tests.fuzz $(ARGS)

check: $(READY_DEV) ## check format, style, types, layers and migrations
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	@folder=$$(mktemp -d) && trap 'rm -rf "$$folder"' EXIT \
		&& export BACKFILL_DATABASE_URL="sqlite:///$$folder/check.db" \
		&& $(BIN)/alembic upgrade head && $(BIN)/alembic check

oracle: $(READY_DEV) ## compare partitions with those of the Dagster package (its own temporary environment)
	$(BIN)/python -m tests.oracle.compare $(ARGS)

lock: $(VENV)/.uv ## resolve the lock files again from pyproject.toml (ARGS=--upgrade: to the newest)
	$(BIN)/uv $(UV_CERTS) pip compile -q pyproject.toml --universal --python-version 3.11 \
		--all-extras --custom-compile-command 'make lock' $(ARGS) -o requirements-dev.lock
	$(BIN)/uv $(UV_CERTS) pip compile -q pyproject.toml --universal --python-version 3.11 \
		--extra examples -c requirements-dev.lock --custom-compile-command 'make lock' $(ARGS) \
		-o requirements.lock

clean: ## remove what the commands made: .venv, .backfill, caches
	rm -rf $(VENV) .backfill dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# -- installing ---------------------------------------------------------------------------------

UV_VERSION = $(shell sed -n 's/^uv==\([0-9.]*\).*/\1/p' requirements-dev.lock)

# Certificates: the system's where it has a bundle (a company's own authority is only there).
UV_CERTS = $(if $(wildcard /etc/ssl/certs/ca-certificates.crt /etc/pki/tls/certs/ca-bundle.crt \
	/etc/ssl/cert.pem),--system-certs)

$(READY): requirements.lock pyproject.toml $(VENV)/.uv
	@echo "Installing from requirements.lock into $(VENV)"
	@$(INSTALL) -r requirements.lock
	@$(INSTALL) --no-deps -e .
	@touch $@

$(READY_DEV): requirements-dev.lock pyproject.toml $(VENV)/.uv
	@echo "Installing from requirements-dev.lock into $(VENV)"
	@$(INSTALL) -r requirements-dev.lock
	@$(INSTALL) --no-deps -e .
	@touch $@ $(READY)

$(VENV)/.uv: .ci/venv
	@PYTHON='$(PYTHON)' .ci/venv $(VENV) $(UV_VERSION)
	@touch $@
