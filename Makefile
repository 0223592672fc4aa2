# The commands of this repository. `make test` is all that CI needs of it.

.PHONY: test servers check dist cost load chaos fuzz

# Every test, also those that `cargo test` ignores because they need extra software: real MCP servers and tools of others
# (Node 20 or later, npm, and Python 3.11 or later with venv), nginx, and Chromium (CHROMIUM names it, or /usr/bin/chromium).
test: servers
	cargo test --locked -- --include-ignored

# The pinned real servers, and tools of others, into the ignored folders tests/*/.installed.
servers:
	tests/real/install
	tests/outside/install

# What is asked of every change beside the tests.
check:
	cargo fmt --check
	cargo clippy --locked --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --locked --no-deps

# An archive with the binary for this platform, and its checksum, into dist/.
dist:
	deploy/dist

# Instructions per call (needs valgrind), and a minute at 256 connections (needs wrk).
cost:
	benches/cost
load:
	benches/load

# Ten minutes of faults, and a report; docs/chaos.md keeps the last one.
chaos:
	benches/chaos

# Every fuzz target for so long. Installs cargo-fuzz into target/ where there is none.
FUZZ_SECONDS ?= 600
fuzz:
	fuzz/run $(FUZZ_SECONDS)
