PYTHON ?= python3
PROFILE ?= smoke
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.complete

unexport PYTHONPATH PYTHONHOME

.PHONY: book test clean

book: $(STAMP)  ## execute the notebooks that changed, build _build/html
	@$(BIN)/gsrgnn book --profile $(PROFILE)

test: $(STAMP)  ## run the tests
	@$(BIN)/python -m pytest

# Without the stamp an earlier installation was cut short: start from an empty environment.
$(STAMP): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(f"Python 3.11 or newer is needed, $(PYTHON) is {sys.version.split()[0]}: make PYTHON=/path/to/python3.11" if sys.version_info < (3, 11) else 0)'
	@echo "installing the versions of requirements.lock into $(VENV) (once, a few minutes) ..."
	@[ -e $(STAMP) ] || $(PYTHON) -m venv --clear $(VENV)
	@rm -f $(STAMP)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-build-isolation --no-deps -e .
	@touch $(STAMP)

clean:  ## remove everything that make made
	rm -rf $(VENV) _build chapters gsrgnn.egg-info .pytest_cache .ruff_cache
