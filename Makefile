# `make` prints the targets. CONFIG chooses the run: make train CONFIG=configs/tiny.yaml
SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# a GPU that torch would see: nvidia-smi lists one and CUDA_VISIBLE_DEVICES does not hide all
GPU := $(shell [ "$${CUDA_VISIBLE_DEVICES-all}" = "" ] || [ "$${CUDA_VISIBLE_DEVICES-all}" = "-1" ] || nvidia-smi -L 2>/dev/null | grep -c GPU | grep -v '^0$$')
CONFIG ?= configs/$(if $(GPU),parsbert,compact).yaml
MODEL ?= models/published/compact
VERSIONS ?= 5.0 5.10 5.23 5.24
NAME := $(basename $(notdir $(CONFIG)))
RUN := runs/$(NAME)
# the weak labels: the run's own, another run's that it names, or none where it learns from hand labels
OUTPUT := $(filter-out $(RUN)/weak.jsonl,$(shell sed -n 's/^ *output: *//p' $(CONFIG) 2>/dev/null))
WEAK := $(if $(shell grep '^data:' $(CONFIG) 2>/dev/null),$(VENV)/.installed,$(or $(OUTPUT),$(RUN)/weak.jsonl))
# the files that the run's articles, a list on one line, are in, so that a new one is labelled too
ARTICLES := $(shell find -H $$(sed -n 's/^ *articles: *\[\(.*\)\].*/\1/p' $(CONFIG) 2>/dev/null | tr ',' ' ') seeds/articles -type f 2>/dev/null | sed 's/ /\\ /g' | sort -u)
# the files of labels by hand that the run names, each list of them on one line
BY_HAND := $(wildcard $(shell sed -n 's/^ *\(train\|held_out\|test\|written\|gold\): *\[*\([^]\#]*\).*/\2/p' $(CONFIG) 2>/dev/null | tr ',' ' '))
# the published networks that it begins with
NETWORKS := $(wildcard $(addsuffix /SHA256SUMS,$(shell sed -n 's/^ *\(network\|source\): *//p' $(CONFIG) 2>/dev/null)))

.PHONY: help setup annotate train evaluate compare predict publish corpora release doors bench bench-train lint test clean

help: ## print the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

setup: $(VENV)/.installed ## install everything into .venv

$(VENV)/.installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install -q --disable-pip-version-check -c constraints.txt torch
	$(BIN)/pip install -q --disable-pip-version-check -c constraints.txt -e '.[compact,corpora,html,onnx,ray,serve,dev]'
	@touch $@

annotate: $(WEAK) ## label the articles weakly and report on each labelling function

$(RUN)/weak.jsonl: $(VENV)/.installed $(CONFIG) $(ARTICLES) seeds/gold.jsonl $(wildcard models/*.py annotate/*.py annotate/functions/*.py annotate/lexicons/*.txt annotate/reviews*.jsonl)
	$(BIN)/python -m annotate --config $(CONFIG)

$(OUTPUT): ; @echo 'error: $@: not there; make annotate CONFIG=configs/$(notdir $(patsubst %/,%,$(dir $@))).yaml' >&2; exit 2

train: $(RUN)/report.json $(RUN)/published/config.json ## train, evaluate and show a prediction; parsbert with a GPU, compact without
	@echo "Up to date: $(RUN)/report.json; figures in $(RUN)/report.txt, the model in $(RUN)/published/"

$(RUN)/report.json $(RUN)/published/config.json &: $(CONFIG) $(WEAK) $(BY_HAND) $(NETWORKS) $(wildcard models/*.py train/*.py train/*.md annotate/functions/base.py annotate/lexicons/*.txt)
	@echo "CONFIG=$(CONFIG) $(if $(filter command line environment,$(origin CONFIG)),(as given),$(if $(GPU),(a GPU was found),(no GPU was found: the compact encoder)))"
	$(BIN)/python -m train --config $(CONFIG)

evaluate: $(WEAK) ## leave-one-article-out figures on the seeds, three seeds
	$(BIN)/python -m train.cross_validate --config $(CONFIG)

compare: $(WEAK) ## rules, label models and students in one table; more with GOLD="FILE …" and MODELS="NAME=FOLDER …"
	$(BIN)/python -m annotate.compare --config $(CONFIG) $(GOLD:%=--gold %)
	$(BIN)/python -m train.compare --config $(CONFIG) $(GOLD:%=--gold %) $(MODELS:%=--model %)

predict: $(VENV)/.installed ## read the first seed article with the published model
	$(BIN)/predict --input $(firstword $(sort $(wildcard seeds/articles/*.txt)))

publish: $(RUN)/report.json ## replace models/published/NAME by this run's model; onto the hub with PUSH_TO=OWNER/NAME, REVISION=TAG
	$(BIN)/python -m train.publish $(RUN) --to models/published/$(NAME) --onnx
	$(BIN)/python -m train.publish --verify models/published/$(NAME)
	$(if $(PUSH_TO),$(BIN)/python -m train.publish models/published/$(NAME) --push-to $(PUSH_TO) $(REVISION:%=--revision %))

corpora: $(VENV)/.installed ## fetch the public text of configs/corpora.yaml into corpora/ (60 MB)
	$(BIN)/python -m annotate.fetch

release: ## train the published model anew: seeds, licensed news in corpora/, what was read and written, half of the layers
	@test -e corpora || { echo 'error: corpora: no such folder; run make corpora' >&2; exit 2; }
	$(MAKE) train CONFIG=configs/compact-news.yaml
	$(MAKE) train CONFIG=configs/compact-reviewed.yaml
	$(MAKE) train CONFIG=configs/compact-half.yaml
	$(BIN)/python -m train.publish runs/compact-half --to models/published/compact --onnx
	$(BIN)/python -m train.publish --verify models/published/compact

doors: $(VENV)/.installed ## every way to call a published folder, under VERSIONS="5.0 5.10 5.23 5.24" of transformers; DIR=FOLDER for another than a tiny one
	$(BIN)/python tests/doors/doors.py $(DIR) --versions $(VERSIONS) --json .doors/table.json

bench-train: $(VENV)/.installed ## plain Trainer against the recipe of configs/parsbert.yaml, and joint training against two runs
	$(BIN)/python -m benchmarks.train
	$(MAKE) annotate CONFIG=configs/compact-seeds.yaml
	$(BIN)/python -m benchmarks.joint --config configs/compact-seeds.yaml --output benchmarks/results/joint-short.json train.epochs=8 augment.copies=1

bench: $(VENV)/.installed ## stock pipelines and our engines on this CPU, in turns (an hour); MODEL=FOLDER, MODELS="NAME=FOLDER …", GOLD="FILE …", OPTIONS=--quick
	$(BIN)/python -m benchmarks.predict $(MODEL) --random-bert $(MODELS:%=--models %) $(GOLD:%=--gold %) $(OPTIONS)

lint: $(VENV)/.installed ## ruff and mypy
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

test: $(VENV)/.installed ## the whole suite
	$(BIN)/python -m pytest

clean: ## remove runs and caches (not .venv)
	rm -rf runs build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis *.egg-info
	find . -name __pycache__ -not -path './.venv/*' -prune -exec rm -rf {} +
