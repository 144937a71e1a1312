PYTHON ?= python3
PORT ?= 8000
DELIVERIES ?= 1000000
SEED ?= $(shell date +%s)
NEWEST ?= $(shell .ci/pythons 3.12 | tail -n 1)
VENV ?= .venv
BIN := $(VENV)/bin
# Installs exactly what a lock file names, whatever the pip that came with Python would do. Packages
# that the file no longer names go; pip, setuptools and uv itself stay.
UV := UV_PYTHON_DOWNLOADS=never $(BIN)/uv
SYNC := $(UV) pip sync --quiet --require-hashes --python $(BIN)/python
LOCK := $(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --custom-compile-command "make lock"
FAILED := { echo "uv could not install. It does not read the settings of pip: UV_DEFAULT_INDEX names another index, UV_SYSTEM_CERTS=1 takes the certificates of this machine." >&2; exit 1; }
# The Python that the virtual environment must have: one that the caller names, else whichever it has.
NAMED := $(if $(filter file,$(origin PYTHON)),$(BIN)/python,$(PYTHON))
SOURCES := accounts benchmarks django_project messaging orders realtime tests manage.py

.PHONY: help run test test-newest test-install faults bench check audit format lock graphiql clean FORCE

help: ## Print this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-14s%s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

run: $(VENV)/run .env ## Serve the demo on http://127.0.0.1:8000, PORT=… elsewhere
	@DEBUG=$${DEBUG-1} $(BIN)/python manage.py demo $(PORT)

test: $(VENV)/dev ## Run all tests, in three processes; ARGS="tests/realtime -k hub" for some, in one
ifdef ARGS
	$(BIN)/python -m pytest $(ARGS)
else
	$(BIN)/python -m pytest --numprocesses 3 --dist loadfile --no-loadscope-reorder -m "not alone"
	$(BIN)/python -m pytest -m alone
endif

test-newest: ## Run what depends on Python or Django with the newest Python found, in build/newest; NEWEST=python3.13
	@test -n "$(NEWEST)" || { echo "There is no Python 3.12 or newer here. Name one: make test-newest NEWEST=…" >&2; exit 1; }
	$(MAKE) build/newest/dev VENV=build/newest PYTHON=$(NEWEST)
	build/newest/bin/python -c 'import django, sys; print("Python", sys.version.split()[0], "and Django", django.__version__)'
	build/newest/bin/python -m pytest --numprocesses 3 --dist loadfile --no-loadscope-reorder -m "not alone" \
		$(addprefix --ignore=tests/,benchmarks clients faults harness) $(ARGS)

test-install: ## Install both lock files from nothing, with the oldest pip and newer packages to be had (needs a network)
	@$(PYTHON) tests/installation.py

faults: $(VENV)/dev ## Kill everything again and again; DELIVERIES=… SEED=…
	CLEW_FAULTS=$(DELIVERIES) CLEW_FAULTS_SEED=$(SEED) $(BIN)/python -m pytest tests/faults $(ARGS)

bench: $(VENV)/dev ## Measure beside the limits and the peers; ARGS="fanout --servers ours,limit-uvicorn"
	$(BIN)/python -m benchmarks $(ARGS)

check: export DEBUG = 1
check: export SECRET_KEY = check
check: $(VENV)/dev ## Lint, types, layers, migrations, Django's checks
	$(UV) pip check --python $(BIN)/python
	$(BIN)/ruff check $(SOURCES)
	$(BIN)/ruff format --check $(SOURCES)
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python manage.py makemigrations --check --dry-run
	$(BIN)/python manage.py print_schema --check schema.graphql
	$(BIN)/python manage.py check
	@# As docs/settings.md has it outside demo mode.
	env -i PATH="$$PATH" CLEW_ENV_FILE=/dev/null SECRET_KEY="$$($(BIN)/python -c 'import secrets; print(secrets.token_urlsafe(50))')" \
		ALLOWED_HOSTS=chat.example.org DATABASE_URL=postgres://clew@localhost/clew REDIS_URL=redis://localhost \
		$(BIN)/python manage.py check --deploy --fail-level WARNING

audit: $(VENV)/dev ## Ask for known vulnerabilities of what the lock files name (needs a network, and Node.js)
	$(UV) tool run --python $(BIN)/python pip-audit --strict --require-hashes --disable-pip -r requirements.lock -r requirements-dev.lock -r requirements-uv.lock
	cd graphiql && npm audit
	cd tests/clients && npm audit

format: $(VENV)/dev ## Put the source in its form
	$(BIN)/ruff check --fix $(SOURCES)
	$(BIN)/ruff format $(SOURCES)

lock: $(VENV)/uv ## Pin the newest versions that pyproject.toml admits
	$(LOCK) --upgrade --group uv -o requirements-uv.lock
	$(LOCK) --upgrade --extra project pyproject.toml -o requirements.lock
	$(LOCK) --upgrade --extra project --group dev -c requirements.lock pyproject.toml -o requirements-dev.lock

graphiql: ## Rebuild static/graphiql/ from graphiql/ (needs Node.js)
	cd graphiql && npm ci && npm run build

clean: ## Remove what was made, but for the database
	rm -rf .venv build staticfiles .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .coverage

# The marker files say which of the lock files the virtual environment holds.
$(VENV)/run: requirements.lock $(VENV)/uv
	@echo "Installing what Clew needs into $(VENV) …"
	@$(SYNC) requirements.lock || $(FAILED)
	@touch $@

$(VENV)/dev: requirements-dev.lock $(VENV)/run
	@echo "Installing what the tests need into $(VENV) …"
	@$(SYNC) requirements-dev.lock || $(FAILED)
	@touch $@

# The only package that the pip there installs: one wheel, without dependencies.
$(VENV)/uv: requirements-uv.lock $(VENV)/made
	@$(BIN)/python -m pip --quiet --disable-pip-version-check install --no-compile --only-binary :all: \
		--require-hashes -r requirements-uv.lock
	@touch $@

# Made anew if its Python has gone, is too old, or is not the one that the caller names.
$(VENV)/made: FORCE
	@$(BIN)/python -c 'import sys, pip; assert sys.version_info >= (3, 11)' 2>/dev/null && [ "$$($(BIN)/python -V)" = "$$($(NAMED) -V)" ] || { \
		$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("Clew needs Python 3.11 or newer; this is %s. Name another: make PYTHON=python3.12 …" % sys.version.split()[0])' \
		&& echo "Making $(VENV) …" && $(PYTHON) -m venv --clear $(VENV); }
	@[ -e $@ ] || touch $@

# Settings of this checkout: a secret of its own. Demo mode is not among them: `make run` alone turns it on.
.env:
	@umask 077; $(PYTHON) -c 'import secrets; print("SECRET_KEY=" + secrets.token_urlsafe(50))' > $@
