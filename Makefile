PYTHON ?= python3
PORT ?= 8000
DELIVERIES ?= 1000000
SEED ?= $(shell date +%s)
BIN := .venv/bin
PIP := $(BIN)/python -m pip --quiet --disable-pip-version-check
SOURCES := accounts benchmarks django_project messaging orders realtime tests manage.py

.PHONY: run test faults bench check audit format lock graphiql clean

run: .venv/run .env ## Serve the demo on http://127.0.0.1:8000, PORT=… elsewhere
	@DEBUG=$${DEBUG-1} $(BIN)/python manage.py demo $(PORT)

test: .venv/dev ## Run all tests, in three processes; ARGS="tests/realtime -k hub" for some, in one
	@mkdir -p build
ifdef ARGS
	$(BIN)/python -m pytest $(ARGS)
else
	$(BIN)/python -m pytest --numprocesses 3 --dist loadfile --no-loadscope-reorder -m "not alone"
	$(BIN)/python -m pytest -m alone
endif

faults: .venv/dev ## Kill everything again and again; DELIVERIES=… SEED=…
	CLEW_FAULTS=$(DELIVERIES) CLEW_FAULTS_SEED=$(SEED) $(BIN)/python -m pytest tests/faults $(ARGS)

bench: .venv/dev ## Measure beside the limits and the peers; ARGS="fanout --servers ours,limit-uvicorn"
	$(BIN)/python -m benchmarks $(ARGS)

check: export DEBUG = 1
check: export SECRET_KEY = check
check: .venv/dev ## Lint, types, layers, migrations, Django's checks
	$(BIN)/python -m pip check
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

audit: .venv/dev ## Ask for known vulnerabilities of what the lock files name (needs a network, and Node.js)
	$(BIN)/uv tool run pip-audit --strict --require-hashes --disable-pip -r requirements.lock -r requirements-dev.lock
	cd graphiql && npm audit
	cd tests/clients && npm audit

format: .venv/dev ## Put the source in its form
	$(BIN)/ruff check --fix $(SOURCES)
	$(BIN)/ruff format $(SOURCES)

lock: .venv/dev ## Pin the newest versions that pyproject.toml admits
	$(BIN)/uv pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes --no-header --extra project \
		--custom-compile-command "make lock" pyproject.toml -o requirements.lock
	$(BIN)/uv pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes --no-header --extra project \
		--group dev -c requirements.lock pyproject.toml -o requirements-dev.lock

graphiql: ## Rebuild static/graphiql/ from graphiql/ (needs Node.js)
	cd graphiql && npm ci && npm run build

clean: ## Remove what was made, but for the database
	rm -rf .venv build staticfiles .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .coverage

# The marker files say which of the lock files the virtual environment holds.
.venv/run: requirements.lock
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("Clew needs Python 3.11 or newer; this is %s. Name another: make PYTHON=python3.12 …" % sys.version.split()[0])'
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear .venv
	@echo "Installing what Clew needs into .venv …"
	@$(PIP) install --require-hashes -r requirements.lock
	@touch $@

.venv/dev: requirements-dev.lock .venv/run
	@echo "Installing what the tests need into .venv …"
	@$(PIP) install --require-hashes -r requirements-dev.lock
	@touch $@

# Settings of this checkout: a secret of its own. Demo mode is not among them: `make run` alone turns it on.
.env:
	@$(PYTHON) -c 'import secrets; print("SECRET_KEY=" + secrets.token_urlsafe(50))' > $@
