# Every target works from a fresh clone with git, make and Python 3.11 or newer.
# Paths are relative, so that a checkout's path may hold spaces.
.DEFAULT_GOAL := help
SHELL := /bin/sh
P88 := .venv/bin/p88
PYTHON ?= python3

.PHONY: help run test lab docs bench bench-full bench-identity clean setup lint types unit lock

help: ## list these
	@echo "Project88Hub. Begin with: make run"
	@sed -n 's/^\([a-z-]*\):.*## /  make \1|/p' $(MAKEFILE_LIST) | while IFS='|' read -r name text; do printf '%-16s %s\n' "$$name" "$$text"; done

run: setup ## set up, start the sandbox, bring two timing partners through the whole path
	@$(P88) demo

test: setup .venv-lab/ready ## all tests, linters and the type check
	@scripts/check

lab: setup .venv-lab/ready ## JupyterLab on the published data
	@$(P88) lab

docs: setup ## build and serve the dbt docs site, the gate's data docs linked from it
	@$(P88) docs

bench: setup .venv-bench/ready ## measure loading against the stock loader, dlt and bare COPY (half an hour)
	@.venv/bin/python -m benchmarks.loading

bench-full: setup ## measure a full season: load, build, gate, publish (half an hour, 60 GB of disk)
	@.venv/bin/python -m benchmarks.full

bench-identity: setup .venv-bench/ready ## measure how often the linkage of people is right, beside other tools, and how it grows (an hour)
	@.venv/bin/python -m benchmarks.identity
	@.venv/bin/python -m benchmarks.identity --scale

clean: ## remove local state: servers, database, logs, environments
	@scripts/clean

setup: .venv/ready ## make the environment from the lock

.venv/ready: requirements.lock requirements-uv.lock pyproject.toml $(wildcard extract/*/pyproject.toml) load/target-hub/pyproject.toml scripts/setup
	@PYTHON="$(PYTHON)" scripts/setup .venv requirements.lock editable

.venv-lab/ready: requirements-lab.lock requirements-uv.lock scripts/setup
	@PYTHON="$(PYTHON)" scripts/setup .venv-lab requirements-lab.lock

.venv-bench/ready: requirements-bench.lock requirements-uv.lock scripts/setup
	@PYTHON="$(PYTHON)" scripts/setup .venv-bench requirements-bench.lock

lint: setup ## ruff and sqlfluff
	@scripts/check lint

types: setup ## mypy
	@scripts/check types

unit: setup ## pytest
	@scripts/check unit

lock: setup ## make the lock files anew from requirements*.in
	@for name in requirements requirements-lab requirements-bench requirements-uv; do \
		.venv/bin/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
			--custom-compile-command "make lock" $$name.in -o $$name.lock; done
