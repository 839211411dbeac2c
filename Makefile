# The verbs of this project; CI runs the same ones. `make` alone lists them.
MAKEFLAGS += --no-print-directory
.DEFAULT_GOAL := help
.PHONY: setup up build test lint bench bench-quick chaos openapi clean help setup-tests ui check rust-tests js-tests e2e

# What `make up` passes on, e.g. make up ARGS="--port 9000 --open"
ARGS ?=

setup: ## Bring what is missing: nats-server and PostgreSQL into .tools/, npm packages
	@python3 scripts/setup.py

up: build ## Build everything, start it and print the URL
	@cargo run --quiet --release -p scaledtest-server -- up $(ARGS)

build: ui ## Build the UI and the release binary, target/release/scaledtest
	@cargo build --release -p scaledtest-server

test: setup-tests ui ## Everything CI checks: lint, Rust and npm tests, browser journeys
	@$(MAKE) check
	@$(MAKE) rust-tests
	@$(MAKE) js-tests
	@$(MAKE) e2e

lint: ui ## Formatting, clippy, types, eslint
	@$(MAKE) check

bench: build ## All measurements (minutes); a table, and target/bench.json
	@cargo run --quiet --release -p scaledtest-bench -- full

bench-quick: build ## The same with less data, for a first impression
	@cargo run --quiet --release -p scaledtest-bench -- quick

chaos: ui ## kill -9 of server, PostgreSQL and nats-server under load: nothing acknowledged may be lost
	@cargo test -p scaledtest-server --test chaos

openapi: ui ## Write openapi.json from the code, and the SDK's types from it
	@mkdir -p target
	@cargo run --quiet -p scaledtest-server -- openapi > target/openapi.json
	@mv target/openapi.json openapi.json
	@npm run --silent generate -w sdk

clean: ## Remove what was built and installed here (not the data in .scaledtest/)
	@cargo clean
	@rm -rf ui/dist sdk/dist node_modules ui/node_modules sdk/node_modules e2e/node_modules .tools/npm.sha256
	@rm -rf e2e/test-results e2e/playwright-report

help: ## This list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

# --- parts of the verbs above ---

setup-tests:
	@python3 scripts/setup.py --tests

# The server embeds ui/dist, so the UI is built before anything that builds the server.
ui: setup
	@npm run --silent build

check:
	@cargo fmt --all --check
	@cargo clippy --workspace --all-targets --quiet -- -D warnings
	@npm run --silent lint

rust-tests:
	@cargo test --workspace --quiet

js-tests:
	@npm test --silent

e2e:
	@cargo build --quiet -p scaledtest-server
	@SCALEDTEST_BIN=$${SCALEDTEST_BIN:-$${CARGO_TARGET_DIR:-target}/debug/scaledtest} npm run --silent e2e
