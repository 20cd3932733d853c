# Decklog's tasks. `make help` lists them; every other task first makes the tools it needs (.venv, from hashes).
SHELL := /bin/sh
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

PYTHON ?= python3
VENV := .venv
PY := $(VENV)/bin/python
STAMP := $(VENV)/.installed
UV := 0.13.9
# Runs a module of Python's so that Ctrl-C ends it at once, without a stack of its frames.
RUN := -c 'import runpy, signal, sys; signal.signal(signal.SIGINT, signal.SIG_DFL); runpy.run_module(sys.argv.pop(1), run_name="__main__", alter_sys=True)'

# What was given on this command line, as opposed to inherited: only these may point at somebody's cluster.
GIVEN := CONTEXT KUBECONFIG DEMO DECKLOG_KAFKA DECKLOG_POSTGRES DECKLOG_STATE
export DECKLOG_GIVEN := $(strip $(foreach name,$(GIVEN),$(if $(filter command,$(firstword $(origin $(name)))),$(name))))

# Compiling every module anew at every start costs seconds; some images ask for that.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help up down status logs restart clean tour test check test-stack-up test-stack-down prove-promises prove-tampers proto compile bench venv

help: ## List the tasks
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-18s %s\n", $$1, $$2}' Makefile
	@printf '\n%s\n' "  make up CONTEXT=NAME      use a cluster of your kubeconfig; nothing is created in it without DEMO=1"
	@printf '%s\n' "  make up DECKLOG_KAFKA=host:port DECKLOG_POSTGRES=postgresql://…   use servers that you have"
	@printf '%s\n' "  make up DECKLOG_STATE=FOLDER   another state folder than .decklog"

up: venv ## Set everything up, start it, say how to use it
	@$(PY) -m deploy.local up

down: venv ## Stop everything that `make up` started
	@$(PY) -m deploy.local down

status: venv ## Show every part of the running stack
	@$(PY) -m deploy.local status

logs: venv ## Follow the logs (NAME=kafka: one part)
	@$(PY) -m deploy.local logs $(NAME)

restart: venv ## Start one part again (NAME=audit), with the settings in .decklog/NAME.env
	@$(PY) -m deploy.local restart $(or $(NAME),$(error Say which part: make restart NAME=audit))

clean: venv ## Stop, and remove the state folder and the demo's namespaces
	@$(PY) -m deploy.local clean

tour: venv ## Play the whole story on the running stack
	@$(PY) -m deploy.local.tour

check: venv ## Format, lint, types, contracts, generated code, fast tests
	@$(PY) .ci/checks.py

test: venv ## Set up a stack of its own and pass every test
	@$(PY) .ci/everything.py

test-stack-up: venv ## Keep a test stack running in .decklog/test; pytest then uses it
	@$(PY) -m deploy.local --profile test --state .decklog/test up

test-stack-down: venv ## Stop and remove that test stack
	@$(PY) -m deploy.local --profile test --state .decklog/test clean

prove-promises: venv ## Break each promise on purpose and require its test to fail
	@$(PY) tests/promises/prove.py

prove-tampers: venv ## Tamper with a log of 100,000 leaves and require each to be named
	@DECKLOG_TAMPER_LEAVES=100000 $(PY) -m pytest tests/tampers -q -s -p no:xdist

compile: venv ## Compile what every event passes through, or say what is missing for it (see decklog/native)
	@$(PY) -m decklog.native.build

bench: venv ## Measure what the README claims
	@$(PY) -m bench

proto: venv ## Generate the Python code of the wire contract
	@$(PY) proto/generate.py

# --- the tools -------------------------------------------------------------------------------------------------------
# The stamp is written last and holds what was installed, so an interrupted install is done again.
venv:
	@sh deploy/local/preflight.sh $(PYTHON)
	@want="$$({ echo $(UV); cat requirements.lock pyproject.toml; } | $(PYTHON) -c 'import hashlib, sys; print(hashlib.sha256(sys.stdin.buffer.read()).hexdigest())')"; \
	if [ "$$(cat $(STAMP) 2>/dev/null)" != "$$want" ]; then \
	  rm -f $(STAMP); echo "installing the Python tools into $(VENV) (about half a minute the first time)"; \
	  $(VENV)/bin/uv --version >/dev/null 2>&1 || { $(PYTHON) $(RUN) venv --clear $(VENV) && $(PY) $(RUN) pip install --quiet uv==$(UV); } || exit 1; \
	  $(VENV)/bin/uv pip sync --quiet --compile-bytecode --python $(PY) --require-hashes requirements.lock && \
	  $(VENV)/bin/uv pip install --quiet --python $(PY) --no-deps --editable . && \
	  echo "$$want" > $(STAMP).part && mv $(STAMP).part $(STAMP) || exit 1; \
	fi
	@$(PY) -m decklog.native.build --if-possible
