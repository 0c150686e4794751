PYTHON ?= python3
PROFILE ?= smoke
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.complete
WHEELS := .wheels

unexport PYTHONPATH PYTHONHOME

.PHONY: book sweep test baselines clean

book: $(STAMP)  ## execute the notebooks that changed, build _build/html
	@$(BIN)/gsrgnn book --profile $(PROFILE)

sweep: $(STAMP)  ## run the experiments of PROFILE that have no record yet
	@$(BIN)/gsrgnn sweep $(PROFILE)

test: $(STAMP)  ## run the tests
	@$(BIN)/python -m pytest

# The wheel fits one Python and one torch, which pip's own cache does not know, and outlives `make clean`.
baselines: $(STAMP)  ## build and install torch_scatter (the extra `baselines`)
	@key=$$($(BIN)/python -c 'import sys, torch; print(f"{sys.implementation.cache_tag}-torch-{torch.__version__}")') && \
	kept=$(WHEELS)/$$key && mkdir -p $$kept && \
	{ exec 9> $$kept/.lock; if command -v flock >/dev/null; then flock 9; fi; } && \
	if ! ls $$kept/*.whl >/dev/null 2>&1; then \
		echo "building torch_scatter (once, up to ten minutes; log in $$kept/build.log) ..."; \
		rm -rf $$kept/.new; \
		$(BIN)/python -m pip wheel --no-cache-dir --no-build-isolation --no-deps --wheel-dir $$kept/.new \
			"torch_scatter>=2.1.2" > $$kept/build.log 2>&1 9>&- || { tail -n 20 $$kept/build.log; exit 1; }; \
		mv $$kept/.new/*.whl $$kept/; \
	fi && \
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps $$kept/*.whl && \
	$(BIN)/python -c 'import torch_scatter; print("torch_scatter", torch_scatter.__version__, "is installed")'

# Without the stamp an earlier installation was cut short: start from an empty environment.
$(STAMP): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(f"Python 3.11 or newer is needed, $(PYTHON) is {sys.version.split()[0]}: make PYTHON=/path/to/python3.11" if sys.version_info < (3, 11) else 0)'
	@echo "installing the versions of requirements.lock into $(VENV) (once, a few minutes) ..."
	@[ -e $(STAMP) ] || $(PYTHON) -m venv --clear $(VENV)
	@rm -f $(STAMP)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-build-isolation --no-deps -e .
	@touch $(STAMP)

clean:  ## remove everything that make made, but for the wheels
	rm -rf $(VENV) _build chapters gsrgnn.egg-info .pytest_cache .ruff_cache
