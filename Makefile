# Each target sets up what it needs; Python >= 3.11 and make are all it asks of the machine.
PYTHON ?= python3
UV_VERSION = 0.13.8
export UV_PROJECT_ENVIRONMENT = .venv

.PHONY: setup
setup: .venv/ready

.venv/ready: pyproject.toml uv.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "weir needs Python 3.11 or newer; set PYTHON=" >&2; exit 2; }
	@test -x .venv/bin/python || $(PYTHON) -m venv .venv || { echo "python3 -m venv failed: on Debian, apt-get install python3-venv" >&2; exit 2; }
	@.venv/bin/uv --version 2>/dev/null | grep -qF $(UV_VERSION) || .venv/bin/python -m pip install --quiet uv==$(UV_VERSION)
	@.venv/bin/uv sync --frozen --inexact --quiet
	@touch $@
