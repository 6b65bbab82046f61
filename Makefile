# `make help` lists the commands. Everything runs in .venv, which the first command makes.
PYTHON ?= python3
PROFILE ?= cpu
JOBS ?= 2
VENV := .venv
BIN := $(VENV)/bin
export PATH := $(CURDIR)/$(BIN):$(PATH)
export PYTHONWARNINGS ?= ignore
# where it is set, every process compiles the library anew
unexport PYTHONDONTWRITEBYTECODE
# glibc: keep freed memory for the next tensor; giving it back and asking again costs a third of a
# generator's time
export MALLOC_MMAP_THRESHOLD_ ?= 1073741824
export MALLOC_TRIM_THRESHOLD_ ?= 4294967296
READY := $(VENV)/.ready
# Where torch brings no Triton: its interpreter and compiler are enough to test the kernels without
# a GPU.
TRITON := 3.6.0
PIP = $(BIN)/pip install --no-compile --progress-bar off -q
SNAKEMAKE = snakemake --snakefile workflow/Snakefile --cores $(JOBS) --quiet rules \
  --rerun-incomplete --keep-going
# tests/kernels.py forks the kernels: six seconds of a core less for each chapter
NOTEBOOKS = PYTHONPATH=tests:$(PYTHONPATH) pytest -vv -p kernels --nbmake --nbmake-timeout=300 notebooks

.DEFAULT_GOAL := help
.PHONY: help setup book test bench study pages status publish site pdf check verify lint clean

help: ## this list
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10
	@echo "Variables: PROFILE=smoke|cpu|gpu|paper (now $(PROFILE)), JOBS=parallel runs (now $(JOBS)), PYTHON (now $(PYTHON))"

setup: $(READY) ## make .venv and install everything, pinned

# --no-compile: bytecode is written when a module is first imported; of all of them at once it takes two minutes.
# Three parts at once, torch is one, and nothing to resolve, as the lock names every package: half the time.
# A torch with CUDA brings packages of its own, which its second line fetches.
# The last line but one keeps kernels from warning on every run of a chapter that TCP on this machine
# is not encrypted.
$(READY): requirements.lock pyproject.toml
	@command -v $(PYTHON) >/dev/null || { echo "$(PYTHON) not found: install Python 3.11, 3.12 or 3.13, or name one, as in make setup PYTHON=python3.12"; exit 1; }
	@$(PYTHON) -c '' || { echo "$(PYTHON) does not run: see its message above, or name another, as in make setup PYTHON=python3.12"; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' || { echo "$(PYTHON) is not Python 3.11, 3.12 or 3.13: name one, as in make setup PYTHON=python3.12"; exit 1; }
	@echo "setting up $(VENV): downloads 1 GB of packages with a CPU build of torch, 3 GB with CUDA; takes some minutes and says nothing meanwhile"
	$(PYTHON) -m venv $(VENV)
	@grep '^torch' requirements.lock > $(VENV)/part0.txt
	@grep -v '^torch' requirements.lock | awk '{ print > ("$(VENV)/part" 1 + NR % 2 ".txt") }'
	@pids=; for part in 0 1 2; do $(PIP) --no-deps -r $(VENV)/part$$part.txt & pids="$$pids $$!"; done; for pid in $$pids; do wait $$pid || exit 1; done
	$(PIP) -c requirements.lock -r $(VENV)/part0.txt
	$(PIP) --no-deps -e .
	@$(BIN)/python -c 'import triton' 2>/dev/null || $(BIN)/pip install -q triton==$(TRITON) || echo "no Triton here: tests of GPU kernels are left out"
	$(BIN)/python -m ipykernel install --sys-prefix --name python3 --display-name "Python 3" >/dev/null
	@mkdir -p $(VENV)/etc/ipython && echo 'c.IPKernelApp.log_level = "ERROR"' > $(VENV)/etc/ipython/ipython_kernel_config.py
	@touch $(READY)

book: $(READY) ## run every chapter at the smoke size and build the book into _build/html
	$(SNAKEMAKE) chapters --config profile=smoke
	python -m synthlearn.site.build --chapters _build/chapters/smoke --out _build

test: $(READY) ## run the tests, the examples of docstrings and every notebook
	pytest -n 2 --dist worksteal --doctest-modules tests lib/synthlearn
	$(NOTEBOOKS) -n 2 --dist worksteal || $(NOTEBOOKS) --last-failed  # two kernels may pick one port

bench: $(READY) ## measure generators and views against reference loops, training against the hardware
	python -m benchmarks $(BENCH)

study: $(READY) ## run the rows of PROFILE that have no fresh record, JOBS at a time, then its chapters
	$(SNAKEMAKE) rows --config profile=$(PROFILE)
	$(SNAKEMAKE) chapters --config profile=$(PROFILE)

pages: $(READY) ## execute all chapters of PROFILE anew, from the records that are there, for publish
	rm -rf _build/chapters/$(PROFILE)
	$(SNAKEMAKE) chapters --config profile=$(PROFILE)

status: $(READY) ## show fresh, stale and missing records of PROFILE
	@python -m synthlearn status --profile $(PROFILE)

publish: $(READY) ## put the executed chapters of PROFILE into results/pages
	python -m synthlearn.site.build --publish $(PROFILE)

site: $(READY) ## build the HTML from the published pages, running nothing
	python -m synthlearn.site.build --chapters results/pages --out _build

pdf: $(READY) ## print the built site into one PDF, _build/book.pdf
	python -m synthlearn.site.pdf _build/html _build/book.pdf

check: $(READY) ## look at the built site: links, alternative texts, size; in Chromium at three widths: letters, contrast, tables, sliders, console, search
	python -m synthlearn.site.check _build/html --shots _build/shots

verify: $(READY) ## compare PROFILE's records with their starts run again, or those of CHAPTER with whole runs; it says what each was asked
	python -m synthlearn verify --profile $(PROFILE) $(if $(CHAPTER),--whole --chapter $(CHAPTER))

lint: $(READY) ## check style, types, spelling and notebook pairs
	ruff check .
	ruff format --check .
	mypy
	codespell
	python -m synthlearn.site.pairs

clean: ## remove what can be made again, but not .venv
	rm -rf _build runs .snakemake
