# Everything that a fresh Debian 12 with Go, git and make needs is set up here:
# `make run`, `make check` and `make test` are all there is to know.

GO        ?= go
SHELL     := /bin/bash
RECORDING := testdata/0.19.1/second-run-prune.export

# What the tests run for real, as Debian's packages.
PACKAGES := libsystemd-dev libc6-dev systemd systemd-sysv systemd-container debootstrap systemd-journal-remote dbus-user-session \
	libpam-systemd procps groff-base restic prometheus prometheus-node-exporter \
	prometheus-alertmanager victoria-metrics nginx-light iproute2 rclone openssh-server openssh-client jsonnet shellcheck lintian \
	exim4-daemon-light msmtp postgresql openssl curl jq moreutils strace iputils-ping xz-utils lz4 zstd rpm zsh fish piuparts $(CROSS)

# To build the packages of the other architecture.
CROSS := $(if $(filter aarch64,$(shell uname -m)),gcc-x86-64-linux-gnu libc6-dev-amd64-cross,gcc-aarch64-linux-gnu libc6-dev-arm64-cross)

.DEFAULT_GOAL := build
.PHONY: build program run check test race bench fuzz packages e2e test-systemd record setup setup-build clean

build: setup-build program

# The program as it is in the packages, which also use this.
PROGRAM ?= bin/restic-exporter
program:
	$(GO) build -trimpath -ldflags='-s -w -extldflags=-Wl,-z,relro,-z,now' -o $(PROGRAM) ./cmd/restic-exporter

run: build
	bin/restic-exporter $(RECORDING)

# This needs Go alone, and not root. Tests that need more are skipped.
check:
	.ci/style
	$(GO) vet ./...
	$(GO) tool staticcheck ./...
	$(GO) test -short ./...

test: setup
	$(GO) test -timeout 20m -skip '^Test(Package|EndToEnd)' ./...
	CGO_ENABLED=0 $(GO) test -short -skip '$(HEAVY)' ./journal ./cmd/restic-exporter
	$(MAKE) --no-print-directory e2e

# Tests that read many recordings, or run the program as it is: in every build they do the
# same, with one goroutine.
HEAVY := ^TestHostile|^Test(Mutations|DoesLittle|Transcripts|Completions)$$|^TestFormats$$/^0\.(9|1[1-7])

# The race detector. Only with a store do several goroutines work on a run, and those tests
# need no systemd. Some of the live tests run the program with the detector, too.
race: setup
	$(GO) test -race -timeout 20m -short -skip '$(HEAVY)' ./parser ./journal ./invocation ./metrics ./textfile ./cmd/restic-exporter
	$(GO) test -race -timeout 20m -run '^TestLive$$/^(many units|from outside|rotation)$$' ./cmd/restic-exporter

# .deb and .rpm, for amd64 and arm64, each with its list of parts (SBOM), and tarballs of the static program, in dist/.
packages: setup-build
	@.ci/install binutils $(CROSS)
	GO=$(GO) deploy/package/build

# Compares the program that the packages install with journalctl: docs/performance.md.
bench: build
	@.ci/install systemd systemd-journal-remote
	CGO_ENABLED=0 $(MAKE) --no-print-directory program PROGRAM=bin/restic-exporter-static
	$(GO) run ./tools/bench $(BENCHFLAGS)

# Each target for a while; use make fuzz FUZZTIME=100000000x for a night. FUZZTIME is a
# number of inputs: with a time, go test sometimes fails at its end (golang/go#75804).
FUZZTIME ?= 150000x
fuzz: setup-build
	@for package in parser journal invocation metrics textfile; do \
		for target in $$($(GO) test ./$$package -list '^Fuzz' | grep '^Fuzz'); do \
			echo "$$target, $(FUZZTIME)"; \
			out=$$($(GO) test ./$$package -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 10x) || \
				{ echo "$$out"; exit 1; }; \
			tail -n 2 <<<"$$out"; \
		done || exit 1; \
	done

# The whole system, from the timer to the mail, in a systemd booted for it.
e2e: setup build packages
	$(GO) test -count=1 -timeout 20m -v -run '^Test(Package|EndToEnd)' ./deploy

# The live tests on another Debian's systemd and restic, in a root that
# debootstrap makes in the user's cache directory, once: remove it there to make it
# again. SUITE=forky is Debian testing.
SUITE   ?= trixie
SYSTEMD ?= TestBoot|TestLive|TestStarts|TestRecord
test-systemd: setup
	SYSTEMD_SUITE=$(SUITE) $(GO) test -count=1 -timeout 20m -run '^($(SYSTEMD))$$' \
		./internal/machine ./cmd/restic-exporter ./tools/record

# Makes recordings of a restic for testdata, see the README there.
record: setup
	$(GO) test -count=1 -timeout 20m -v ./tools/record -restic=$(abspath $(or $(RESTIC),$(error RESTIC=/path/to/restic))) -to=$(CURDIR)/testdata

# libsystemd's headers are all that a build needs beyond Go.
setup-build:
	@.ci/install gcc libc6-dev libsystemd-dev

setup:
	@.ci/install gcc $(PACKAGES)

clean:
	rm -rf bin dist
