# Everything that a fresh Debian 12 with Go, git and make needs is set up here:
# `make run` and `make test` are all there is to know.

GO        ?= go
SHELL     := /bin/bash
RECORDING := testdata/0.19.1/second-run-prune.export

# What the tests run for real, as Debian's packages.
PACKAGES := libsystemd-dev libc6-dev systemd systemd-sysv systemd-container systemd-journal-remote dbus-user-session \
	libpam-systemd procps groff-base restic prometheus prometheus-node-exporter \
	prometheus-alertmanager jsonnet shellcheck lintian exim4-daemon-light

.DEFAULT_GOAL := build
.PHONY: build run test setup setup-build clean

build: setup-build
	$(GO) build -trimpath -o bin/restic-exporter ./cmd/restic-exporter

run: build
	bin/restic-exporter $(RECORDING)

test: setup
	$(GO) test -timeout 20m ./...
	CGO_ENABLED=0 $(GO) test ./journal ./cmd/restic-exporter -short

# libsystemd's headers are all that a build needs beyond Go.
setup-build:
	@.ci/install gcc libc6-dev libsystemd-dev

setup:
	@.ci/install gcc $(PACKAGES)

clean:
	rm -rf bin dist
