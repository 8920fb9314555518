# Crier's verbs. `make help` lists them.
PYTHON ?= python3
BIN := .venv/bin
USERS_PATH := $(PATH)
export PATH := $(CURDIR)/$(BIN):$(CURDIR)/node_modules/.bin:$(PATH)
export CDK_DISABLE_CLI_TELEMETRY := true
unexport PYTHONDONTWRITEBYTECODE  # else each process that a test starts compiles what it imports
CONNECTIONS ?= 3000
STAGE ?= dev
CDK := $(BIN)/node node_modules/aws-cdk/bin/cdk --no-notices
SETTINGS ?=
CUT_AFTER ?=
CONTEXT := -c stage=$(STAGE) $(foreach one,$(SETTINGS),-c '$(one)')
PYTEST := $(BIN)/python -m pytest -n 3 --dist loadfile  # many of them mostly wait
HALF_OF_UNITS := $(addprefix tests/unit/,access bench broadcasting crier stacks)  # as to the time
EXPECTED := expected Python 3.11 or newer; name one with PYTHON=…

define CHECK_PYTHON
@command -v $(PYTHON) >/dev/null || { echo "Error: $(PYTHON) is not there, $(EXPECTED)"; exit 1; }
@$(PYTHON) -c '' >/dev/null 2>&1 || { echo "Error: $(PYTHON) does not run, $(EXPECTED)"; exit 1; }
@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
  echo "Error: $(PYTHON) is $$($(PYTHON) --version 2>&1), $(EXPECTED)"; exit 1; }
endef

define RUN_LOCALLY
@trap 'kill $$! 2>/dev/null' INT TERM; PATH="$(USERS_PATH)" \
  $(BIN)/crier local $(foreach one,$(SETTINGS),--setting '$(one)') $(1) \
    $(if $(CUT_AFTER),--cut-after-seconds $(CUT_AFTER)) & \
  while kill -0 $$! 2>/dev/null; do wait $$!; ended=$$?; done; \
  case $$ended in 130|143) ;; *) exit $$ended; esac  # Ctrl-C is no error of make
endef

.DEFAULT_GOAL := help
.PHONY: help setup aws-cli demo local demo-page test faults soak check check-untested check-format check-units check-units-1 check-units-2 check-types check-synth bench bench-quick bench-plots bench-setup page-picture web-setup simulate scale promises door synth deploy destroy clean

help: ## List the verbs
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/\1|\2/' | awk -F'|' '{printf "  make %-12s %s\n", $$1, $$2}'

demo: setup ## Deploy locally, connect CONNECTIONS=3000 clients, broadcast once, prove it
	@$(BIN)/crier demo --connections $(CONNECTIONS)

local: setup ## Run the app on the local AWS until Ctrl-C; SETTINGS="NAME=VALUE …", CUT_AFTER=
	$(call RUN_LOCALLY)

demo-page: setup ## The same, with a broadcast a second to see in the page whose URL it prints
	$(call RUN_LOCALLY,--broadcast-every 1)

test: setup aws-cli bench-setup web-setup ## Pass all tests, on the local AWS too
	$(PYTEST) tests/wire -n 1  # by themselves: they time real sockets, and nothing may hold these up
	$(PYTEST) --ignore=tests/wire

faults: setup ## Put in faults: kills, crashes, refused and lost calls (5 minutes)
	$(PYTEST) tests/faults

soak: setup ## Churn clients with faults on for SECONDS=300, then cut 500 for 180; SEED= repeats
	@$(BIN)/python -m bench soak --seconds $(or $(SECONDS),300) $(if $(SEED),--seed $(SEED))
	@$(BIN)/python -m bench storm --seconds $(or $(SECONDS),180) $(if $(SEED),--seed $(SEED))

check: setup web-setup check-format ## The quick gate: format, lint, types, unit tests, synth
	@$(MAKE) --no-print-directory -j3 check-units check-types check-synth

check-untested: setup web-setup check-format  # what `make test` does not do
	@$(MAKE) --no-print-directory -j2 check-types check-synth

check-format:
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	cd web && node_modules/.bin/biome ci --error-on-warnings . ../tests/web

check-types:  # a minute when nothing is cached, and then on one core only
	$(BIN)/mypy
	web/node_modules/.bin/tsc --project web

check-synth:
	$(CDK) synth --quiet -c stage=prod -c auth=ticket

check-units: check-units-1 check-units-2  # of pytest-xdist's workers each collects all tests

check-units-1:
	$(BIN)/python -m pytest -q $(HALF_OF_UNITS)

check-units-2:
	$(BIN)/python -m pytest -q tests/unit $(addprefix --ignore=,$(HALF_OF_UNITS))

bench: bench-setup ## Measure everything, judge the targets, renew plots and documents (25 minutes)
	@$(BIN)/python -m bench compare
	@$(BIN)/python -m bench plots
	@$(BIN)/python -m bench documents

bench-quick: bench-setup ## A short benchmark (some 3 minutes)
	@$(BIN)/python -m bench compare --quick

bench-plots: setup ## Draw the plots of the latest benchmark
	@$(BIN)/python -m bench plots

page-picture: setup ## Take the picture of the page in README.md, by Chromium (1 minute)
	@$(BIN)/python -m bench page-picture

simulate: setup ## Simulate the shared pace in virtual time, draw its plots (2 minutes)
	@$(BIN)/python -m bench simulate

scale: setup ## Count what a broadcast to 3,000, 30,000, 1,000,000 costs (3 minutes)
	@$(BIN)/python -m bench scale

promises: setup ## Measure what throttling, freezes, refusals and outages cost (5 minutes)
	@$(BIN)/python -m bench promises

door: setup ## Measure what it costs to be let in (3 minutes)
	@$(BIN)/python -m bench door

synth: setup ## Make the template of STAGE=dev or prod in cdk.out; SETTINGS="NAME=VALUE …"
	$(CDK) synth --quiet $(CONTEXT)

deploy: setup ## Deploy STAGE=dev or prod to your AWS account; SETTINGS="NAME=VALUE …"
	$(CDK) deploy $(CONTEXT)

destroy: setup ## Delete STAGE=dev or prod from your AWS account; SETTINGS as it was deployed
	$(CDK) destroy $(CONTEXT)

clean: ## Delete everything that was installed or built here
	rm -rf .venv .venv-aiobotocore .venv-aws-cli node_modules bench/peers/node_modules web/node_modules build cdk.out .mypy_cache .ruff_cache .pytest_cache .hypothesis .coverage

setup: .venv/.ready .venv/.crier node_modules/.ready build/jwt-wheels/.ready ## Install what is needed, inside this folder

aws-cli: .venv-aws-cli/.ready ## Install the AWS CLI, inside this folder

bench-setup: setup .venv-aiobotocore/.ready bench/peers/node_modules/.ready ## Install the benchmark's peers, inside this folder

.venv/.ready: requirements.txt requirements-dev.txt constraints.txt
	$(CHECK_PYTHON)
	@echo "Installing the Python packages (about a minute) …"
	@$(PYTHON) -m venv --clear .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt || { \
	  echo "Error: the Python packages could not be installed: is the package index reachable? (pip config list, pip index versions boto3)"; exit 1; }
	@touch $@

.venv/.crier: pyproject.toml .venv/.ready
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-build-isolation --no-deps --editable . || { \
	  echo "Error: the command crier could not be installed from this folder"; exit 1; }
	@touch $@

node_modules/.ready: package.json package-lock.json .venv/.ready
	@echo "Installing the CDK CLI …"
	@$(BIN)/npm ci --silent || { \
	  echo "Error: the npm packages could not be installed: is the npm registry reachable? (npm ping)"; exit 1; }
	@touch $@

build/jwt-wheels/.ready: requirements-jwt-layer.txt .venv/.ready
	@echo "Fetching the authorizer's libraries, for Lambda …"
	@rm -rf build/jwt-wheels
	@if $(BIN)/python -m pip download --quiet --disable-pip-version-check --no-deps --require-hashes \
	  --retries 1 --timeout 10 \
	  --platform manylinux2014_aarch64 --implementation cp --python-version 3.13 --only-binary :all: \
	  --dest build/jwt-wheels --requirement requirements-jwt-layer.txt; then touch $@; else \
	  echo "Note: they could not be fetched; only a deploy with auth=jwt needs them, and tries again"; fi

.venv-aws-cli/.ready: requirements-aws-cli.txt
	$(CHECK_PYTHON)
	@echo "Installing the AWS CLI …"
	@$(PYTHON) -m venv --clear .venv-aws-cli
	@.venv-aws-cli/bin/python -m pip install --quiet --disable-pip-version-check -r requirements-aws-cli.txt || { \
	  echo "Error: the AWS CLI could not be installed: is the package index reachable?"; exit 1; }
	@touch $@

.venv-aiobotocore/.ready: bench/requirements-aiobotocore.txt
	$(CHECK_PYTHON)
	@echo "Installing aiobotocore …"
	@$(PYTHON) -m venv --clear .venv-aiobotocore
	@.venv-aiobotocore/bin/python -m pip install --quiet --disable-pip-version-check -r bench/requirements-aiobotocore.txt || { \
	  echo "Error: aiobotocore could not be installed: is the package index reachable?"; exit 1; }
	@touch $@

web-setup: setup web/node_modules/.ready ## Install what checks the JavaScript client, inside this folder

web/node_modules/.ready: web/package.json web/package-lock.json .venv/.ready
	@echo "Installing TypeScript, Biome and other clients …"
	@$(BIN)/npm ci --silent --ignore-scripts --prefix web || { \
	  echo "Error: the npm packages could not be installed: is the npm registry reachable? (npm ping)"; exit 1; }
	@touch $@

bench/peers/node_modules/.ready: bench/peers/package.json bench/peers/package-lock.json .venv/.ready
	@echo "Installing the AWS SDKs for JavaScript …"
	@$(BIN)/npm ci --silent --ignore-scripts --prefix bench/peers || { \
	  echo "Error: the npm packages could not be installed: is the npm registry reachable? (npm ping)"; exit 1; }
	@touch $@
