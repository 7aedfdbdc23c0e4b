# make reproduce   train the article's two VAEs on MNIST, draw all its figures, write the explorer
# make figures     draw the article's figures from your trained models, or else the package's
# make explore     write the explorer, an interactive page of the latent space: explorer.html
# make lessons     open the notebooks in JupyterLab
# make site        build the site from docs, the lessons and the figures: site/index.html
# make kit         build what a teacher needs: slides, handout, plans, quiz, notebooks, film: kit/index.html
# make test        run the quick tests (a few minutes)
# make test-all    run all tests
# make coverage    run all tests, and list the lines that none of them runs
# make crash       kill trainings wherever they touch the disk, and see that nothing is lost
# make fuzz        give it bad files, command lines and arguments by the thousand
# make mutants     change the code in one place at a time, and see that a test fails
# make soak        train, measure and resume for long, and see that nothing grows
# make chainer-suite  run Chainer programs on every Python here, by the compat layer
# make burda       train the VAE of Burda et al. on binarized MNIST, and estimate ln p(x) (STAGES=1 to 8: 5)
# make lint        run the linter, the formatter and the type checker
# make bench       time a training step and an evaluation beside Chainer's, PyTorch's and JAX's (QUICK=1: less)
# make gpu-check   test, train and time on the GPU
# make dist        build the wheels that pip installs: this package's and Chainer's, into dist/
# make             print these lines
# Each sets up .venv first. Python 3.9 to 3.15; to use another than python3: make PYTHON=python3.12 ...
# make reproduce EPOCHS=10 SEED=1 GPU=0 LABELS=ja   (GPU: installs CuPy for the driver's CUDA, too)

PYTHON ?= python3
VENV   ?= .venv
EPOCHS ?= 100
GPU    ?= -1
SEED   ?= 0
STAGES ?= 5
LABELS ?= en
N      ?= 20

BIN := $(VENV)/bin
CHAINER := chainer==7.8.1

comma := ,

# One process for each core, but no more than memory is there for; each takes whole files of tests.
PYTEST := $(BIN)/python -m pytest --numprocesses auto --maxprocesses 4 --dist loadfile

# $(call pip,REQUIREMENTS), without build isolation because Chainer's build needs an old setuptools.
# An older pip (Python 3.9 comes with 23.0) can take hours to choose versions, from an index that does
# not say which Python each version needs.
pip = $(BIN)/python -m pip install -qq --disable-pip-version-check --no-build-isolation $(1) || { \
  echo "make: pip could not set up $(VENV), for the reason above; it needs a network and 1.5 GB of disk" >&2; exit 2; }

# The CUDA that the driver knows, as nvidia-smi says it.
CUDA ?= $(if $(shell nvidia-smi 2>/dev/null | grep 'CUDA Version: 12'),cuda12,cuda13)

.DEFAULT_GOAL := help

.PHONY: help install reproduce figures explore lessons notebooks site kit always test test-all coverage crash fuzz mutants \
  soak burda bench gpu-check dist address lint matrix chainer-suite clean
.DELETE_ON_ERROR:

help:
	@sed -n '/^#/!q; s/^# //p' Makefile

install: $(VENV)/installed

$(VENV)/installed: setup.py pyproject.toml $(wildcard chainer_vae/kernels/*.[ch])
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 9) <= sys.version_info < (3, 16))' || { \
	  echo "make: Python 3.9 to 3.15 is needed, and $(PYTHON) is" \
	    "$$($(PYTHON) --version 2>/dev/null || echo missing); for example: make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; exit 2; }
	@echo "setting up $(VENV); this takes a minute or two"
	$(PYTHON) -m venv $(VENV)
	@$(call pip,"pip>=25.1" "setuptools>=77$(comma)<81" wheel)
	@$(call pip,$(CHAINER))
	@$(call pip,--editable ".[test]")
	@touch $@

$(VENV)/installed-$(CUDA): $(VENV)/installed
	@$(call pip,--editable ".[test$(comma)$(CUDA)]")
	@touch $@

INSTALLED := $(VENV)/installed $(if $(filter-out -%,$(GPU)),$(VENV)/installed-$(CUDA))

# Before the training: en or ja.
ifneq ($(filter-out en ja,$(LABELS)),)
  $(error LABELS=$(LABELS) is neither en nor ja)
endif
# Of the variables above, which a mistyped one would leave as they are.
$(foreach variable,EPOCH LABEL LANG SEEDS GPUS,$(if $(filter command line,$(origin $(variable))),\
  $(error there is no variable $(variable); there are EPOCHS, SEED, GPU and LABELS)))

reproduce: runs/z20-seed$(SEED) runs/z2-seed$(SEED)
	$(BIN)/chainer-vae figures --lang $(LABELS) --gpu $(GPU) --run-z20 $< --run-z2 $(word 2,$^)
	$(BIN)/chainer-vae explore --run-z20 $< --run-z2 $(word 2,$^)

# An existing run resumes up to EPOCHS.
runs/z%-seed$(SEED): $(INSTALLED) always
	@[ -e "$@/config.json" ] && folder=--resume || folder=--out; \
	$(BIN)/chainer-vae train $$folder "$@" --epoch $(EPOCHS) --dimz $* --gpu $(GPU) \
	  --seed $(SEED) $(if $(filter 2,$*),--snapshots) --dim-h 500 --act softplus --C 1 --k 1 --batchsize 100

figures: $(INSTALLED)
	$(BIN)/chainer-vae figures --lang $(LABELS) --gpu $(GPU)

explore: $(INSTALLED)
	$(BIN)/chainer-vae explore

lessons: install
	@$(call pip,--editable ".[test$(comma)lessons]")
	$(BIN)/jupyter lab notebooks

# Makes the notebooks from notebooks/lessons, and runs them.
notebooks: install
	$(BIN)/python scripts/build_notebooks.py

site: install
	@$(call pip,--editable ".[test$(comma)site]")
	$(BIN)/python scripts/build_site.py

kit: install
	@$(call pip,--editable ".[test$(comma)kit]")
	$(BIN)/python scripts/build_kit.py --lang $(LABELS)

test: install
	$(PYTEST) -m "not slow"

test-all: install
	@$(call pip,--editable ".[test$(comma)site$(comma)kit]")
	$(PYTEST)

# What is left uncovered on purpose is marked "no cover" in the code, with the reason.
coverage: install
	@$(call pip,--editable ".[dev$(comma)test]")
	$(BIN)/coverage erase
	$(BIN)/coverage run -m pytest
	$(BIN)/coverage combine --quiet
	$(BIN)/coverage report

# PyTorch and JAX are installed for the comparison.
bench: install
	@$(call pip,--editable ".[test$(comma)bench]")
	$(BIN)/python benchmarks/bench.py $(if $(QUICK),--quick) --out runs/bench.json

# WHEELS is a folder of wheels, for a machine without a network; everything else, such as CuPy, must
# be installed there: see docs/en/gpu.md.
ifdef WHEELS
gpu-check:
	$(PYTHON) -m pip install --quiet --no-index --no-deps --upgrade --target $(VENV)-wheels $(WHEELS)/*.whl
	PYTHONPATH="$(CURDIR)/$(VENV)-wheels" $(PYTHON) scripts/gpu_check.py
else
gpu-check: $(VENV)/installed-$(CUDA)
	$(BIN)/python scripts/gpu_check.py
endif

dist: install
	rm -rf dist
	$(BIN)/python -m pip wheel --quiet --no-deps --no-build-isolation --wheel-dir dist $(CHAINER)
	$(BIN)/python -m build --no-isolation --outdir dist .
	CHAINER_VAE_PURE=1 $(BIN)/python -m build --wheel --no-isolation --outdir dist .

# Writes the repository's address into README, docs, notebooks and setup.py, for REPOSITORY.
address:
	$(PYTHON) scripts/set_address.py '$(subst ','\'',$(REPOSITORY))'

# Each writes its part of results/trust.md.
crash: install
	$(BIN)/python tests/crash.py

fuzz: install
	$(BIN)/python tests/fuzz.py

# MODULES: only these, such as "latent runs/run"; N: of each, or 0 for all; ONLY: known or sample.
mutants: install
	@$(call pip,"cosmic-ray>=8.7$(comma)<9")
	$(BIN)/python tests/mutants.py -n $(N) --seed $(SEED) $(if $(MODULES),--modules $(MODULES)) \
	  $(if $(ONLY),--only $(ONLY))

soak: install
	$(BIN)/python tests/soak.py

burda: install
	$(BIN)/python scripts/burda.py --stages $(STAGES)

lint: install
	@$(call pip,--editable ".[dev]")
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/mypy --platform win32

# All tests on every Python found here, and the quick ones with its oldest NumPy.
matrix:
	$(PYTHON) tests/matrix.py

# Programs under the compat layer, on the Pythons that are here; PYTHONS: only these.
chainer-suite:
	$(PYTHON) tests/chainer_suite.py $(PYTHONS)

clean:
	rm -rf $(VENV) $(VENV)-wheels dist build site kit *.egg-info .pytest_cache .ruff_cache .mypy_cache .coverage*
