# Two commands set everything up: `make demo` and `make test`. `make help` lists the rest.
SHELL := /bin/bash
.DEFAULT_GOAL := help
export CARGO_TARGET_DIR ?= $(HOME)/.cache/novacron/target
VENV ?= $(HOME)/.cache/novacron/venv
BIN := $(CARGO_TARGET_DIR)/debug/novacron
# The libvirt provider links libvirt, so it is built where libvirt's development files are.
FEATURES := $(shell pkg-config --exists libvirt 2>/dev/null && echo --features novacron/libvirt)

.PHONY: help
help: ## Lists the commands.
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: demo
demo: build ## Moves a VM from a sandboxed AWS to this host and back, and proves that no byte changed.
	@exec $(BIN) demo $(DEMO_ARGS)

.PHONY: build
build: ## Builds the executable.
	@tools/check-rust.sh
	cargo build --locked -p novacron $(FEATURES)

.PHONY: setup
setup: ## Installs what the tests need: Debian packages (root or sudo) and a Python environment.
	@tools/setup.sh $(VENV)

# A second make, because the set-up may install libvirt's development files.
.PHONY: test
test: setup ## Installs what the tests need, then runs all of them.
	@$(MAKE) --no-print-directory run-tests

.PHONY: run-tests
run-tests:
	@tools/check-rust.sh
	@tools/test.sh $(VENV) $(FEATURES)

.PHONY: check
check: ## Format, lints, and the licences, sources and known faults of dependencies.
	@tools/check-rust.sh
	cargo fmt --all --check
	cargo clippy --locked --workspace --exclude novacron-provider-libvirt --all-targets -- -D warnings
	$(if $(FEATURES),cargo clippy --locked -p novacron-provider-libvirt --all-targets -- -D warnings)
	@tools/check-deny.sh

.PHONY: fuzz
fuzz: ## Fuzzes each parser of bytes from outside: FUZZ="target …" and SECONDS_EACH=60 to choose.
	@fuzz/run.sh $(or $(SECONDS_EACH),60) $(FUZZ)

.PHONY: doc
doc: ## The documentation of every crate, without warnings.
	RUSTDOCFLAGS="-D warnings" cargo doc --locked --no-deps --workspace --exclude novacron-provider-libvirt

.PHONY: bench
bench: build ## Measures the numbers of docs/specification.md beside the named tools.
	@bench/run.sh $(BENCH)

.PHONY: clean
clean: ## Removes what was built and installed for this project.
	rm -rf $(CARGO_TARGET_DIR) $(VENV)
