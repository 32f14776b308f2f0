# make run    everything, ready to use            make demo   the same with sample traces
# make test   all checks and tests                make lint   only the checks     make fix   what they can mend themselves
# make lock   pin the packages again              make audit  known holes in them   make sbom, licences  what is in it
# make bench, bench-peers, bench-read, soak: speed (docs/performance.md)   make crash: durability (docs/durability.md)
# make probe: attacks   make walk: every URL, by everybody (SECURITY.md)
# Settings are environment variables: PORT=9000 make run (docs/settings.md).

PYTHON ?= python3
PYTEST_ARGUMENTS ?= -n 2 --dist loadgroup
# Where one run leaves the database file and key of its tests
TEST_DATA = .venv/test-data

.PHONY: run demo test check check-js lint fix vendor test-js node test-sqlite test-postgres test-citus chromium pgbouncer openapi bench bench-peers bench-read soak crash probe walk clients fuzz lock audit sbom licences clean

run: .venv/installed
	@exec .venv/bin/python manage.py serve

demo: .venv/installed
	@exec .venv/bin/python manage.py serve --demo

# The environment holds what the locks say, which pyproject.toml is the source of; it is installed again when they change.
PIP_INSTALL = .venv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes
.venv/installed: requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	  echo "Python 3.11 or later is needed; '$(PYTHON)' is not. Name one: make PYTHON=/path/to/python3.12 $(MAKECMDGOALS)"; exit 1; }
	@$(PYTHON) -m venv .venv || { echo "venv is missing. On Debian and Ubuntu: apt-get install python3-venv"; exit 1; }
	@echo "Installing the packages of requirements.lock …"
	@$(PIP_INSTALL) -r requirements.lock
	@touch $@

.venv/installed-dev: .venv/installed requirements-dev.lock
	@echo "Installing the packages that the tests need …"
	@$(PIP_INSTALL) -r requirements-dev.lock
	@touch $@

test: check check-js test-js test-sqlite test-postgres

test-js: node
	node --test tests/static/*.test.js

# What formats and checks scripts and styles, and what `make vendor` copies; users need neither.
node_modules/.installed: package.json package-lock.json | node
	@npm ci --ignore-scripts --no-audit --no-fund --silent
	@touch $@

check-js: node_modules/.installed
	@node_modules/.bin/biome check --error-on-warnings

lint: check check-js

fix: .venv/installed-dev node_modules/.installed
	.venv/bin/ruff check --fix .
	.venv/bin/ruff format .
	@node_modules/.bin/biome check --write

# Fonts, with their licences, from the locked packages; tests/test_vendor.py knows their digests.
FONTS = inter jetbrains-mono
VENDOR = tracing_site/static/vendor
vendor: node_modules/.installed
	@for font in $(FONTS); do mkdir -p $(VENDOR)/$$font; \
	  cp node_modules/@fontsource-variable/$$font/LICENSE node_modules/@fontsource-variable/$$font/files/$$font-latin-wght-normal.woff2 $(VENDOR)/$$font/; done
	@cd $(VENDOR) && sha256sum */* > SHA256SUMS

check: .venv/installed-dev
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy .
	.venv/bin/lint-imports
	DATA_DIR=$(TEST_DATA) .venv/bin/python manage.py makemigrations --check --dry-run
	DATA_DIR=$(TEST_DATA) .venv/bin/python manage.py spectacular --validate --fail-on-warn --file $(TEST_DATA)/openapi.yaml
	@diff docs/openapi.yaml $(TEST_DATA)/openapi.yaml || { echo "docs/openapi.yaml is old: make openapi"; exit 1; }

# Everything on SQLite, then what touches the database again on PostgreSQL: these don't, or start a database of their own.
NO_DATABASE = browser tracing_site spans/semconv traces/admin/test_captures.py mlflow_sync/test_captures.py \
  traces/otlp/test_codec.py traces/otlp/test_split.py traces/otlp/test_decode_encode.py traces/otlp/test_abuse.py

test-sqlite: .venv/installed-dev chromium pgbouncer
	DATA_DIR=$(TEST_DATA) .venv/bin/python -m pytest $(PYTEST_ARGUMENTS)

test-postgres: .venv/installed-dev
	DATA_DIR=$(TEST_DATA) .venv/bin/python -m tests.on_postgres $(PYTEST_ARGUMENTS) $(addprefix --ignore tests/,$(NO_DATABASE))

# Not part of `test`: Citus comes with no Python package. CONTRIBUTING.md says where it is looked for.
test-citus: .venv/installed-dev
	DATA_DIR=$(TEST_DATA) .venv/bin/python -m tests.on_citus

# Debian has npm in a package of its own, others bring it with Node.js.
APT_INSTALL = apt-get install -qq -y --no-install-recommends
node:
	@command -v npm >/dev/null || { \
	  echo "Installing Node.js for the tests of the pages' scripts …"; \
	  if [ "$$(id -u)" = 0 ]; then SUDO=; else SUDO="sudo -n"; fi; \
	  { $$SUDO apt-get update -qq && $$SUDO $(APT_INSTALL) nodejs && { command -v npm || $$SUDO $(APT_INSTALL) npm; }; } >/dev/null; } || { \
	  echo "The tests of the pages' scripts need Node.js 18 or later with npm: install it with your system's packages."; exit 1; }

chromium:
	@test -n "$$CHROMIUM" || command -v chromium >/dev/null || command -v chromium-browser >/dev/null || { \
	  echo "Installing Chromium for the browser tests …"; \
	  if [ "$$(id -u)" = 0 ]; then apt-get update -qq && apt-get install -qq -y --no-install-recommends chromium fonts-dejavu-core; \
	  else sudo -n apt-get update -qq && sudo -n apt-get install -qq -y --no-install-recommends chromium fonts-dejavu-core; fi >/dev/null; } || { \
	  echo "The browser tests need Chromium: install it with your system's packages, or set CHROMIUM to its path."; exit 1; }

pgbouncer:
	@test -n "$$PGBOUNCER" || PATH="$$PATH:/usr/sbin" command -v pgbouncer >/dev/null || { \
	  echo "Installing PgBouncer for the tests …"; \
	  if [ "$$(id -u)" = 0 ]; then apt-get update -qq && apt-get install -qq -y --no-install-recommends pgbouncer; \
	  else sudo -n apt-get update -qq && sudo -n apt-get install -qq -y --no-install-recommends pgbouncer; fi >/dev/null; } || { \
	  echo "The tests need PgBouncer: install it with your system's packages, or set PGBOUNCER to its path."; exit 1; }

openapi: .venv/installed-dev
	DATA_DIR=$(TEST_DATA) .venv/bin/python manage.py spectacular --validate --fail-on-warn --file docs/openapi.yaml

bench: .venv/installed-dev
	@.venv/bin/python -m benchmarks.ingest

bench-peers: .venv/installed-dev
	@.venv/bin/python -m benchmarks.peers

bench-read: .venv/installed-dev
	@.venv/bin/python -m benchmarks.read

soak: .venv/installed-dev
	@.venv/bin/python -m benchmarks.soak

crash: .venv/installed-dev
	@.venv/bin/python -m benchmarks.crash --kills 200
	@.venv/bin/python -m benchmarks.crash --sigterm 20

# Every page of docs/clients as printed, with the real packages; CLIENTS="litellm codex" for some.
clients: .venv/installed-dev
	@.venv/bin/python -m tests.clients $(CLIENTS)

probe: .venv/installed-dev
	@.venv/bin/python -m benchmarks.probe --database sqlite
	@.venv/bin/python -m benchmarks.probe --database postgresql

# Every URL × everybody × every method; `make test` walks a part of it.
walk: .venv/installed-dev
	WALK=whole DATA_DIR=$(TEST_DATA) .venv/bin/python -m pytest tests/walk

# Coverage-guided, a minute each; atheris has wheels for Linux only, so the tests do without it.
fuzz: .venv/installed-dev
	@.venv/bin/python -m pip install --quiet --disable-pip-version-check atheris
	@mkdir -p $(TEST_DATA)
	@for target in protobuf json gzip; do DATA_DIR=$(TEST_DATA) DJANGO_SETTINGS_MODULE=tracing_site.settings \
	  .venv/bin/python -m tests.fuzz $$target -max_total_time=60 -max_len=4096 || exit 1; done

# Pins and hashes for every Python from 3.11 on and every platform; no address of an index stands in them. What is pinned
# stays as long as it fits; `make lock UPGRADE=--upgrade` takes the newest, UPGRADE="--upgrade-package django" one.
# docs/supply-chain.md says what to do where .venv can't be made, because the lock does not fit pyproject.toml.
UV ?= .venv/bin/uv
LOCK = $(UV) pip compile pyproject.toml --quiet --universal --python-version 3.11 --generate-hashes --no-annotate \
  --custom-compile-command "make lock" $(UPGRADE)
lock:
	@$(LOCK) --output-file requirements.lock
	@$(LOCK) --extra dev --extra otel --constraint requirements.lock --output-file requirements-dev.lock

audit: .venv/installed-dev
	@.venv/bin/pip-audit --strict --disable-pip --require-hashes --requirement requirements.lock --progress-spinner off $(AUDIT) || { \
	  echo "Not clean, or not looked at: a list of packages above names known holes, an error of the connection means that"; \
	  echo "the database of PyPI can't be reached from here: look on a machine that reaches it, or try AUDIT='-s osv'."; exit 1; }

sbom: .venv/installed-dev
	@.venv/bin/cyclonedx-py requirements requirements.lock --output-reproducible --output-file sbom.json
	@echo "sbom.json"

licences: .venv/installed-dev
	@.venv/bin/pip-licenses --from=mixed --order=license \
	  --packages $$(sed -n 's/^\([A-Za-z0-9_.-]*\)==.*/\1/p' requirements.lock)

clean:
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
