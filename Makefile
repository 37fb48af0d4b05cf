# The front: each target installs what is missing (tools/deps.sh says what and why), builds, and does its work.
# The build itself is meson's; `meson setup build && ninja -C build` works as ever.

BUILD ?= build
PREFIX ?=
DESTDIR ?=
FUZZ_SECONDS ?= 60
export BUILD PREFIX DESTDIR FUZZ_SECONDS

.DEFAULT_GOAL := build
.PHONY: help deps build run test bench lint fuzz install uninstall clean

help:
	@echo 'make build       build/claude-sandbox, which runs from the build tree'
	@echo 'make run         build, then open a sandbox here; without a terminal: show what a sandbox holds and hides'
	@echo 'make test        every test (as root also everything as an ordinary user), sanitizers, fuzz corpora, lint'
	@echo 'make bench       measure; writes bench/RESULTS.md'
	@echo 'make lint        clang-tidy, cppcheck, shellcheck, the edges between rooms'
	@echo 'make fuzz        each fuzzer for FUZZ_SECONDS=60 seconds'
	@echo 'make install     PREFIX=/usr/local DESTDIR='
	@echo 'make uninstall   what install put there (same PREFIX and DESTDIR)'
	@echo 'make clean       remove what was built'

deps:
	@tools/deps.sh build

build: deps
	@tools/build.sh

run: build
	@tools/deps.sh run
	@tools/run.sh

test:
	@tools/deps.sh build run test lint
	@tools/build.sh -Dtests=enabled
	@tests/run.sh

bench:
	@tools/deps.sh build run bench
	@tools/build.sh
	@bench/run.sh

lint:
	@tools/deps.sh build test lint
	@tools/build.sh
	@tools/lint.sh

fuzz:
	@tools/deps.sh build test
	@tools/fuzz.sh

install: deps
	@tools/build.sh $(if $(PREFIX),--prefix=$(PREFIX))
	@tools/install.sh install

uninstall:
	@tools/install.sh uninstall

clean:
	rm -rf $(BUILD) build-*
