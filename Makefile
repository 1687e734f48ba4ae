# gorsyncd: `make demo` shows it at work, `make test` checks it.

VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
BIN     := build/gorsyncd
GOFLAGS_BUILD := -trimpath -tags urfave_cli_no_docs -ldflags "-s -w -X main.version=$(VERSION)"
# RACE=1 runs the tests with the race detector (needs gcc).
RACE    ?=
TESTFLAGS := $(if $(RACE),-race)
# The race detector waits for a second before each process ends; the tests start
# thousands.
export GORACE ?= atexit_sleep_ms=0
FUZZTIME ?= 60s

.PHONY: all build demo test browser-test bench crash failpoints soak fuzz protections packages packages-test check clean setup

all: build

setup:
	@.ci/setup

# A static binary in build/.
build:
	CGO_ENABLED=0 go build $(GOFLAGS_BUILD) -o $(BIN) ./cmd/gorsyncd

# Real replication to watch: two rsync modules, changes, a kill -9, a restart.
demo: setup build
	go run ./bench/demo -bin $(BIN)

# The whole suite; real rsync daemons and ssh servers on loopback ports. What
# watches trees runs one package at a time: some of these tests lower kernel
# limits that all processes share. The tests of the program wait a lot. What is
# built by a test is not seen by the cache of results, hence -count=1.
WATCHING := /(watch|bench/(crash|lab|race))$$
PROGRAM  := /cmd/gorsyncd(/e2e)?$$
test: setup
	go build $(if $(RACE),-race) ./...
	go test $(TESTFLAGS) -timeout 40m $$(go list ./... | grep -Ev '$(WATCHING)|$(PROGRAM)')
	go test $(TESTFLAGS) -count=1 -p 1 -timeout 40m $$(go list ./... | grep -E '$(WATCHING)')
	go test $(TESTFLAGS) -count=1 -p 1 -parallel 4 -timeout 40m $$(go list ./... | grep -E '$(PROGRAM)')
	$(MAKE) browser-test

# The status page in a real browser. A module of its own, so that what drives the
# browser is no dependency of the program. Pictures are kept in build/screenshots.
browser-test: setup
	cd cmd/gorsyncd/e2e/browser && go vet ./... && go test -count=1 -timeout 10m ./...

# gorsyncd as the crash harness needs it: it can be told where to kill itself.
failpoints:
	CGO_ENABLED=0 go build -tags failpoints -trimpath -o $(BIN)-failpoints ./cmd/gorsyncd

# The whole fault matrix, 50 faults a row, about 1,000 kills and 300 power cuts:
# some hours on two processors. `make test` runs each row once.
# CRASH='-row power-host -fs xfs -faults 20 -seed 7 -minutes 30' chooses.
CRASH ?= -faults 50 -lanes 4
crash: setup failpoints
	go run ./bench/crash -bin $(BIN)-failpoints -out build/crash.jsonl $(CRASH)
	go run ./bench/crash -out build/crash.jsonl -report bench/README.md

# What the daemon holds under a day's changes, made in minutes.
soak: setup build
	go run ./bench/soak -bin $(BIN) -out bench

# Races against what people use in its place, and writes bench/README.md: about
# 40 minutes on two processors that are otherwise idle. BENCH=-quick takes a few,
# BENCH='-only latency,burst -n 20' chooses.
BENCH ?=
bench: build
	@.ci/setup lsyncd=lsyncd inotifywait=inotify-tools
	go run ./bench/race -bin $(BIN) -out bench $(BENCH)
	go run ./bench/fsync -bin $(BIN) -out bench/README.md
	go run ./bench/page -bin $(BIN) -out bench/README.md

# Takes each protection against silent loss out of a copy of the source and
# demands that a test fails. Some minutes.
protections: setup
	go run ./bench/protections -out bench/README.md

# Each fuzz target in turn, FUZZTIME each.
fuzz:
	@for pkg in $$(go list ./...); do \
		for f in $$(go test -list '^Fuzz' $$pkg | grep '^Fuzz'); do \
			echo "$$pkg $$f"; go test -run '^$$' -fuzz "^$$f$$" -fuzztime $(FUZZTIME) $$pkg || exit 1; \
		done; \
	done

# deb, rpm and tar.gz for amd64 and arm64 in build/packages.
packages:
	cmd/gorsyncd/packaging/build "$(VERSION)" build/packages

# Makes them twice, checks them, and installs, upgrades and removes them in a
# Debian of its own (root, some minutes).
packages-test: setup
	@.ci/setup debootstrap=debootstrap lintian=lintian rpm=rpm file=file
	go test -count=1 -tags packages -timeout 30m ./cmd/gorsyncd/packaging

# What CI runs.
check:
	.ci/run

clean:
	rm -rf build
