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
.PHONY: build program run check test bench fuzz packages e2e test-systemd record setup setup-build clean

build: setup-build program

# As it is in the packages: they call this, too.
PROGRAM ?= bin/restic-exporter
program:
	$(GO) build -trimpath -ldflags='-s -w -extldflags=-Wl,-z,relro,-z,now' -o $(PROGRAM) ./cmd/restic-exporter

run: build
	bin/restic-exporter $(RECORDING)

# Without root, and without a program but Go's: what needs more is left out.
check:
	.ci/style
	$(GO) vet ./...
	$(GO) tool staticcheck ./...
	$(GO) test -short ./...

test: setup
	$(GO) test -timeout 20m -skip '^Test(Package|EndToEnd)' ./...
	CGO_ENABLED=0 $(GO) test -short ./journal ./cmd/restic-exporter
	$(MAKE) --no-print-directory e2e

# .deb and .rpm, for amd64 and arm64, each with its list of parts (SBOM), and tarballs of the static program, in dist/.
packages: setup-build
	@.ci/install binutils $(CROSS)
	GO=$(GO) deploy/package/build

# Where what the packages install stands beside journalctl: docs/performance.md.
bench: build
	@.ci/install systemd systemd-journal-remote
	CGO_ENABLED=0 $(MAKE) --no-print-directory program PROGRAM=bin/restic-exporter-static
	$(GO) run ./tools/bench $(BENCHFLAGS)

# Each target for a while; make fuzz FUZZTIME=100000000x for a night. It is a number
# of inputs: with a time, go test fails now and then when it is up (golang/go#75804).
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
# debootstrap makes in the user's cache directory, once: remove it there to have
# it anew. SUITE=forky is Debian testing.
SUITE   ?= trixie
SYSTEMD ?= TestBoot|TestLive|TestStarts|TestRecord
test-systemd: setup
	SYSTEMD_SUITE=$(SUITE) $(GO) test -count=1 -timeout 20m -run '^($(SYSTEMD))$$' \
		./internal/machine ./cmd/restic-exporter ./tools/record

# Recordings of a restic for testdata, see the README there.
record: setup
	$(GO) test -count=1 -timeout 20m -v ./tools/record -restic=$(abspath $(or $(RESTIC),$(error RESTIC=/path/to/restic))) -to=$(CURDIR)/testdata

# libsystemd's headers are all that a build needs beyond Go.
setup-build:
	@.ci/install gcc libc6-dev libsystemd-dev

setup:
	@.ci/install gcc $(PACKAGES)

clean:
	rm -rf bin dist
