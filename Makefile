# Two commands do the main jobs; each installs what it needs first.
#   make run     crawl the demo hub and open the dashboard on http://127.0.0.1:7878
#   make test    every test: Rust, dashboard, browser
SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help run test check lint audit format rust-test web-test e2e sqlx eval bench clean

# A Node that scripts/setup fetched comes before an older one of the system.
export PATH := $(CURDIR)/.heirloom/node/node_modules/node/bin:$(PATH)

LISTEN ?= 127.0.0.1:7878
DEMO := .heirloom/demo
# Tests make their own databases on one throwaway cluster.
POSTGRES := target/debug/heirloom --data-dir target/test-postgres postgres --throwaway --
# Made by scripts/setup python; tests that need it say so where it is not there.
PYTHON = $(wildcard $(CURDIR)/.heirloom/python/bin/python)
NEXTEST := $(shell command -v cargo-nextest)
# What `heirloom --version` says of a release build: the package's version and the commit.
VERSION = $(shell sed -n '/^\[workspace.package\]/,/^\[/s/^version = "\(.*\)"/\1/p' Cargo.toml) ($(shell git describe --always --dirty 2>/dev/null || echo no commit))

help:
	@sed -n '2,3s/^# *//p' Makefile
	@echo 'Also: lint audit format rust-test web-test e2e eval bench sqlx'

run: web/dist/index.html
	@scripts/setup postgres
	HEIRLOOM_VERSION='$(VERSION)' cargo build --release --locked --workspace --bins
	target/release/heirloom-zoo demo $(DEMO)
	exec target/release/heirloom serve --listen $(LISTEN) --demo $(DEMO)

test: rust-test web-test e2e

rust-test: web/dist/index.html
	@scripts/setup postgres python vulkan
	cargo build --locked --workspace --all-targets
ifeq ($(NEXTEST),)
	$(if $(PYTHON),HEIRLOOM_PYTHON=$(PYTHON)) $(POSTGRES) cargo test --locked --workspace
else
	$(if $(PYTHON),HEIRLOOM_PYTHON=$(PYTHON)) $(POSTGRES) cargo nextest run --locked --workspace $(if $(CI),--profile ci)
endif

web-test: web/dist/index.html
	npm --prefix web test

# A real browser: on the real binary with the crawled demo, and on every page's empty, failing, narrow and dark states.
e2e: web/dist/index.html
	@scripts/setup postgres chromium
	cargo build --locked --workspace --all-targets
	target/debug/heirloom-zoo demo target/e2e-demo
	HEIRLOOM_BIN=$(CURDIR)/target/debug/heirloom HEIRLOOM_DEMO=$(CURDIR)/target/e2e-demo npm --prefix web run e2e
	npm --prefix web run states

lint:
	cargo fmt --all --check
	cargo clippy --locked --workspace --all-targets -- -D warnings

# Licences, sources and known vulnerabilities of dependencies.
audit:
	scripts/audit

format:
	cargo fmt --all

# Writes the offline query data that the build checks against; run it after changing a query or a migration.
sqlx:
	@scripts/setup postgres
	scripts/sqlx

eval:
	cargo run --release --locked -p heirloom-zoo -- zoo target/zoo
	cargo run --release --locked -- eval target/zoo

# Every benchmark, into one table. HEIRLOOM_BENCH_SCALE=full takes the large sizes.
bench:
	scripts/bench > docs/benchmarks.md.new
	mv docs/benchmarks.md.new docs/benchmarks.md

web/node_modules/.stamp: web/package-lock.json
	@scripts/setup node
	npm --prefix web ci --no-audit --no-fund
	@touch $@

web/dist/index.html: web/node_modules/.stamp $(shell find web/src web/public web/index.html web/*.ts web/*.json -type f 2>/dev/null)
	npm --prefix web run build
	@touch $@

clean:
	rm -rf target web/dist web/node_modules
