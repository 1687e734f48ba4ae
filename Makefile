# gorsyncd: `make demo` shows it at work, `make test` checks it.

VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
BIN     := build/gorsyncd
GOFLAGS_BUILD := -trimpath -ldflags "-s -w -X main.version=$(VERSION)"
# RACE=1 runs the tests with the race detector (needs gcc).
RACE    ?=
TESTFLAGS := $(if $(RACE),-race)
FUZZTIME ?= 60s

.PHONY: all build demo test bench crash fuzz check clean setup

all: build

setup:
	@.ci/setup

# A static binary in build/.
build:
	CGO_ENABLED=0 go build $(GOFLAGS_BUILD) -o $(BIN) ./cmd/gorsyncd

# Real replication to watch: two rsync modules, changes, a kill -9, a restart.
demo: setup build
	go run ./bench/demo -bin $(BIN)

# The whole suite; real rsync daemons and ssh servers on loopback ports. One
# package at a time: some tests lower kernel limits that all processes share.
test: setup
	go test $(TESTFLAGS) -p 1 -timeout 14m ./...

# The long form of the crash test that `make test` runs briefly.
crash: setup
	GORSYNCD_KILLS=200 go test -count=1 -timeout 3h -run 'TestKill' -v ./cmd/gorsyncd/e2e

# Measures and writes bench/README.md.
bench: setup build
	go run ./bench/latency -bin $(BIN) -out bench/README.md

# Each fuzz target in turn, FUZZTIME each.
fuzz:
	@for pkg in $$(go list ./...); do \
		for f in $$(go test -list '^Fuzz' $$pkg | grep '^Fuzz'); do \
			echo "$$pkg $$f"; go test -run '^$$' -fuzz "^$$f$$" -fuzztime $(FUZZTIME) $$pkg || exit 1; \
		done; \
	done

# What CI runs.
check:
	.ci/run

clean:
	rm -rf build
