PYTHONS := 3.11 3.12 3.13 3.14
PROFILE ?= smoke
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.complete
BEGUN := $(VENV)/.incomplete
WHEELS := .wheels
PARALLEL := -n logical --maxprocesses 4 --dist loadfile

unexport PYTHONPATH PYTHONHOME

.PHONY: book site slides pdf sweep test test-all baselines clean

book: $(STAMP)  ## execute the notebooks that changed, build _build/html
	@$(BIN)/gsrgnn book --profile $(PROFILE)

site: book  ## and pack the pages into one file, _build/gsrgnn-book-VERSION.tar.gz
	@$(BIN)/python -m gsrgnn.book.site.archive

slides: book  ## and say where the first five chapters are slides; they are part of the book
	@ls -1 _build/html/slides/*.html

pdf: book  ## and print the pages into one file, _build/gsrgnn-book-VERSION.pdf (with chromium)
	@$(BIN)/python -m gsrgnn.book.site.pdf

sweep: $(STAMP)  ## run the experiments of PROFILE that have no record yet
	@$(BIN)/gsrgnn sweep $(PROFILE)

test: $(STAMP)  ## run the tests, but for the long ones
	@$(BIN)/python -m pytest $(PARALLEL) -m "not slow"

test-all: test  ## run the long ones too
	@$(BIN)/python -m pytest $(PARALLEL) -m slow

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

# An installation that was cut short is started again from nothing; a .venv that make did not make is kept, with the torch
# that is in it. TORCH is what pip installs before the rest: a wheel, or torch==... with options.
$(STAMP): requirements.lock pyproject.toml
	@kept=; [ -e $(BEGUN) ] || [ ! -e $(BIN)/python ] || kept=$(BIN)/python; \
	for python in $${kept:-$(or $(PYTHON),python3 $(PYTHONS:%=python%))}; do \
		if $$python -c 'import ensurepip, sys; sys.exit("%d.%d" % sys.version_info[:2] not in "$(PYTHONS)".split())' \
			>/dev/null 2>&1; then \
			echo "installing the versions of requirements.lock into $(VENV) with $$python (once, a few minutes) ..."; \
			if [ -n "$$kept" ]; then $$python -m ensurepip >/dev/null; else $$python -m venv --clear $(VENV); fi; \
			exit; \
		fi; \
	done; \
	first=$${kept:-$(or $(PYTHON),python3)}; \
	echo "Python $(firstword $(PYTHONS)) to $(lastword $(PYTHONS)) with venv (Debian: apt install python3-venv) is needed," \
		"$$first is $$($$first -c 'import sys; print(sys.version.split()[0])' 2>/dev/null || echo missing):" \
		"make PYTHON=/path/to/python3.11"; \
	exit 1
	@touch $(BEGUN)
	@rm -f $(STAMP)
	@$(if $(TORCH),$(BIN)/python -m pip install --quiet --disable-pip-version-check $(TORCH))
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-build-isolation --no-deps -e .
	@mv $(BEGUN) $(STAMP)

clean:  ## remove everything that make made, but for the wheels
	rm -rf $(VENV) _build build dist chapters gsrgnn.egg-info .pytest_cache .mypy_cache .ruff_cache
