# One short command per task. Needs: Python >= 3.11 with venv, a C compiler, git. Nothing else.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.synced
# Some images forbid bytecode, which makes every start of Python three times as slow.
export PYTHONDONTWRITEBYTECODE :=

# Most tests wait for processes: one worker more than there are processors.
WORKERS ?= $(shell expr $$(nproc) + 1)
PYTEST := $(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder

QUICK := tests/unit tests/conformance tests/component/compiler tests/component/cli tests/acceptance/test_run.py

.PHONY: demo test quick test-pythons check coverage postgres bench chaos docs kernel conformance clean setup

setup: $(STAMP)

$(STAMP): pyproject.toml uv.lock hatch_build.py src/holdfast/engine/native/zygote.c
	@echo "==> setting up $(VENV) (first time: about a minute)"
	@$(PYTHON) -c 'import sys; sys.exit("Holdfast needs Python 3.11 or newer; this is " + sys.version.split()[0] + ". Try: make PYTHON=python3.12 " + "demo") if sys.version_info < (3, 11) else None'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check "uv>=0.9"
	@VIRTUAL_ENV=$(CURDIR)/$(VENV) $(BIN)/uv sync --locked --active --all-extras --quiet
	@touch $@

demo: $(STAMP)            ## the working product with a sample workflow that has really run
	@$(BIN)/python examples/demo/demo.py $(ARGS)

check: $(STAMP)           ## formatting, lint, types, of Python and JavaScript
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/python scripts/check_javascript.py

test: $(STAMP) check      ## everything CI runs; rerun one test with: make test ARGS="-k name"
	$(BIN)/python scripts/ensure_system.py
	$(PYTEST) $(ARGS)

quick: $(STAMP) check     ## five minutes at most: checks, and the tests that find most mistakes
	$(PYTEST) $(QUICK) $(ARGS)

coverage: $(STAMP)        ## branch coverage of each package against its floor; ARGS=--raise
	$(BIN)/python scripts/ensure_system.py
	$(BIN)/python scripts/measure_coverage.py $(ARGS)

postgres: $(STAMP)        ## the platform's tests on a PostgreSQL server of their own
	$(BIN)/python scripts/postgres_tests.py $(ARGS)

.PHONY: api-fuzz
api-fuzz: $(STAMP)        ## random requests to everything that the API describes; REQUESTS=100000
	HOLDFAST_REQUESTS="$(or $(REQUESTS),100000)" $(BIN)/python -m pytest --timeout 0 -q -s tests/component/platform/test_api_fuzz.py $(ARGS)

.PHONY: projects
projects: $(STAMP)        ## 200 projects made and changed by @openfn/project itself: equal, and equal hashes
	HOLDFAST_PROJECTS="$(or $(COUNT),200)" $(BIN)/python -m pytest --timeout 0 -q tests/component/platform/test_openfn_package.py $(ARGS)

test-pythons: $(STAMP)    ## units and conformance on every CPython from 3.11 on that this machine has
	@$(BIN)/python scripts/test_pythons.py $(ARGS)

.PHONY: look
look: $(STAMP)            ## pictures of all pages, compared with those of BASE=main on this machine
	$(BIN)/python -m tests.look --base "$(or $(BASE),main)"

.PHONY: tasks
tasks: $(STAMP)           ## what people do on the page, in a real browser; VIEWS=mouse,keyboard,phone,slow
	$(BIN)/python -m tests.tasks $(if $(VIEWS),--views $(VIEWS))

conformance: $(STAMP)     ## recorded behaviour of the reference; FILE=path for any other case file
	$(BIN)/python -m tests.conformance $(FILE)

bench: $(STAMP)           ## figures; ARGS="compiler" for one group
	$(BIN)/python -m benchmarks $(ARGS)

chaos: $(STAMP)           ## random faults against real processes; SEED=… RUNS=…
	$(BIN)/python -m tests.chaos --seed "$(or $(SEED),random)" --runs "$(or $(RUNS),1000)" $(ARGS)

.PHONY: replays
replays: $(STAMP)         ## recorded runs, each replayed three times: the same bytes, no secret; SEED=… COUNT=…
	$(BIN)/python -m tests.replays --seed "$(or $(SEED),1)" --count "$(or $(COUNT),1000)"

.PHONY: boundaries
boundaries: $(STAMP)      ## runs killed at each boundary of 50 requests, and tried again; SEED=… RUNS=…
	$(BIN)/python -m tests.boundaries --seed "$(or $(SEED),1)" --runs "$(or $(RUNS),200)"

.PHONY: chaos-cluster
chaos-cluster: $(STAMP)   ## random faults against two platforms, three workers, PostgreSQL and a standby; SEED=… RUNS=…
	$(BIN)/python -m tests.cluster --seed "$(or $(SEED),random)" --runs "$(or $(RUNS),300)" $(ARGS)

.PHONY: soak
soak: $(STAMP)            ## eight hours' worth of load with kills; SEED=… RUNS=…
	$(BIN)/python -m tests.soak --seed "$(or $(SEED),1)" --runs "$(or $(RUNS),9600)"

.PHONY: lanes
lanes: $(STAMP)           ## attacks, outcomes and survival in the zygote lane (two minutes)
	HOLDFAST_TEST_LANE=zygote $(BIN)/python -m pytest -n 2 --dist loadfile tests/component/attacks \
		tests/component/engine/test_outcomes.py tests/component/engine/test_egress.py \
		tests/component/engine/test_survival.py $(ARGS)

.PHONY: fuzz
fuzz: $(STAMP)            ## foreign bytes at every door, ten minutes each; DOORS="…" SECONDS=… SEED=…
	$(BIN)/python -m tests.fuzz $(DOORS) $(if $(SECONDS),--seconds $(SECONDS)) --seed "$(or $(SEED),random)" $(ARGS)

docs: $(STAMP)            ## the documentation as a site in build/site; every link is checked
	@$(BIN)/python scripts/reference_docs.py
	@$(BIN)/python scripts/client.py
	@NO_MKDOCS_2_WARNING=1 UV_PROJECT_ENVIRONMENT=$(CURDIR)/.cache/docs $(BIN)/uv run --quiet --locked --no-dev --group docs \
		mkdocs build --quiet && echo "built: build/site/index.html"

.PHONY: deploy reference
deploy: $(STAMP)          ## what lies in deploy/, against the schemas of Kubernetes, compose and Dockerfiles
	@UV_PROJECT_ENVIRONMENT=$(CURDIR)/.cache/deploy $(BIN)/uv run --quiet --locked --no-dev --group deploy \
		python scripts/check_deploy.py --schemas

reference: $(STAMP)       ## the reference's own tests, and 200 plans through both workers; KIT=its built checkout
	$(BIN)/python -m tests.reference tests "$(KIT)" $(ARGS)
	$(BIN)/python -m tests.reference swap "$(KIT)"
	$(BIN)/python -m tests.reference fleet "$(KIT)"
	$(BIN)/python -m tests.reference replace "$(KIT)"

kernel: $(STAMP)          ## tests on a kernel with control groups of version 2, in an emulator
	$(BIN)/python scripts/on_own_kernel.py $(ARGS)

.PHONY: container
container: $(STAMP)       ## tests of walls in what a Kubernetes pod gives a process; ARGS=--plain without SYS_PTRACE
	$(BIN)/python scripts/in_container.py $(ARGS)

clean:
	rm -rf $(VENV) .demo .mypy_cache .ruff_cache .pytest_cache .hypothesis build dist
	find src tests benchmarks examples -name __pycache__ -type d -exec rm -rf {} +
