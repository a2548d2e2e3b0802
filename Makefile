SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

GO ?= go
FUZZTIME ?= 10s
# For the tests of one package. The stories take five minutes on two quiet processors.
TIMEOUT ?= 30m
VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.8.2
GOVULNCHECK := golang.org/x/vuln/cmd/govulncheck@v1.8.0
NFPM := github.com/goreleaser/nfpm/v2/cmd/nfpm@v2.48.0
SCIMMY := target/scim/scimtest/scimmy
AXE := cmd/internal/web/testdata/axe
PICTURES := .cache/pictures
ZABBIX := target/scim/scimtest/zabbix
ZABBIXDIR := .cache/zabbix

# Packages that link the Graph SDK, themselves or in their tests. They are tested without -race and
# left out of staticcheck: either would build the SDK once more, at 5 GB and several minutes each.
WITH_SDK = $(shell $(GO) list -test -f '{{or .ForTest .ImportPath}} {{join .Deps " "}}' ./... | \
	grep -F msgraph-sdk-go/ | sed -E 's/(\.test)? .*//' | sort -u)
WITHOUT_SDK = $(filter-out $(WITH_SDK),$(shell $(GO) list ./...))

# The SDK is built with one set of flags everywhere (no cgo, no -trimpath), so that it is built once.

# One compiler per 6 GB of free memory while the SDK is built, and no more than there are processors.
SDK_JOBS := $(shell awk -v cpus="$$(nproc 2>/dev/null || echo 2)" \
	'/MemAvailable/ {n = int($$2 / 6e6); if (n > cpus) n = cpus; if (n < 1) n = 1; print n}' /proc/meminfo 2>/dev/null || echo 1)
# The race detector needs a C compiler.
RACE := $(if $(filter 1,$(shell $(GO) env CGO_ENABLED)),-race)

.PHONY: help
help: ## List the targets
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 8

.PHONY: build
build: notice ## Build bin/entrasync
	CGO_ENABLED=0 $(GO) build -p $(SDK_JOBS) -ldflags '-s -w -X main.version=$(VERSION)' -o bin/entrasync ./cmd/entrasync

.PHONY: demo
demo: build ## Build it and watch it provision a sample tenant
	bin/entrasync demo

.PHONY: test
test: notice $(SCIMMY)/node_modules/.package-lock.json $(AXE)/node_modules/.package-lock.json browser postgres mariadb slapd samba python ## Run every test, installing what they need
	$(if $(RACE),,@echo "no C compiler: testing without the race detector (apt-get install gcc libc6-dev)")
	$(GO) test $(RACE) -timeout $(TIMEOUT) $(WITHOUT_SDK)
	@rm -rf $(PICTURES) && mkdir -p $(PICTURES)
	CGO_ENABLED=0 $(GO) test -p $(SDK_JOBS) -timeout $(TIMEOUT) -artifacts -outputdir $(CURDIR)/$(PICTURES) $(WITH_SDK)
	@echo "Pictures of the consent story are in $(PICTURES)"
	@if $(ZABBIX)/install $(ZABBIXDIR); then $(MAKE) --no-print-directory zabbix; else echo "Zabbix was not tested, for the reason above"; fi
	CGO_ENABLED=0 $(GO) run ./cmd/internal/mutate -only '^(WCO4|MAT4|MAT6|CRE3)$$' -own -trust -results .cache/mutate-sample.jsonl

.PHONY: quick
quick: $(SCIMMY)/node_modules/.package-lock.json $(AXE)/node_modules/.package-lock.json browser postgres slapd python ## Test every package that does not link the Graph SDK: without the race detector, with fewer random cases and databases than make test
	@memory=/dev/shm/entrasync-$$(id -u); { mkdir -p -m 700 $$memory && [ -O $$memory ]; } 2>/dev/null || memory=$${TMPDIR:-/tmp}; \
	CGO_ENABLED=0 GOTMPDIR=$${TMPDIR:-/tmp} TMPDIR=$$memory $(GO) test -short -ldflags '-s -w' $(WITHOUT_SDK)

.PHONY: zabbix
zabbix: ## Run the stories against Zabbix 7 with its own database; installs both (Debian). Part of test where that works
	$(ZABBIX)/install $(ZABBIXDIR)
	CGO_ENABLED=0 $(GO) test -p $(SDK_JOBS) -timeout $(TIMEOUT) ./cmd/entrasync -run 'TestZabbix$$' -zabbix $(CURDIR)/$(ZABBIXDIR)

.PHONY: check
check: build ## Formatting, go vet, staticcheck, tidy modules, licences, modules with a newer version, bounds of memory, writes and requests, known vulnerabilities
	@unformatted=$$(git ls-files -co --exclude-standard '*.go' | xargs gofmt -l); \
	if [ -n "$$unformatted" ]; then echo "not formatted, run gofmt -w on:"; echo "$$unformatted"; exit 1; fi
	CGO_ENABLED=0 $(GO) vet -p $(SDK_JOBS) ./...
	@$(MAKE) --no-print-directory portable
	$(GO) run $(STATICCHECK) $(WITHOUT_SDK)
	$(GO) mod tidy -diff
	@mkdir -p .cache
	CGO_ENABLED=0 $(GO) run ./cmd/internal/release -licences bin/entrasync > .cache/licences.txt
	@$(GO) list -m -f '{{if not (or .Indirect .Main)}}{{.Path}}{{end}}' all | grep . | while read -r module; do \
		$(GO) list -m -u -f '{{with .Update}}{{$$.Path}} {{$$.Version}} is behind {{.Version}}{{end}}' $$module 2>/dev/null || true; done | grep . || true
	CGO_ENABLED=0 $(GO) run ./cmd/internal/bench -users 2000 -check
	@echo "$(GO) run $(GOVULNCHECK) -C cmd/entrasync -scan module"
	@out=$$($(GO) run $(GOVULNCHECK) -C cmd/entrasync -scan module 2>&1) && echo "$$out" || case "$$out" in \
		*"exit status 3"*) echo "$$out"; exit 1;; \
		*vuln.go.dev*) echo "known vulnerabilities were not checked: vuln.go.dev cannot be reached";; \
		*) echo "$$out"; exit 1;; esac

# The systems besides Linux that the program runs on. Compiling the Graph SDK for each takes minutes and 5 GB, so what links
# it is left to make release, and to a test of cmd/internal/structure that finds names of one operating system.
SYSTEMS ?= darwin/amd64 darwin/arm64 windows/amd64 windows/arm64

.PHONY: portable
portable: ## Compile and vet for macOS and Windows what does not link the Graph SDK (SYSTEMS=darwin/arm64)
	@for system in $(SYSTEMS); do \
		echo "go vet for $$system"; \
		CGO_ENABLED=0 GOOS=$${system%/*} GOARCH=$${system#*/} $(GO) vet -p $(SDK_JOBS) $(WITHOUT_SDK) || exit 1; done

BENCH_USERS ?= 10000,100000

.PHONY: bench
bench: build ## Measure reading, a first sync, a change and nothing to do; compare with the floor and the SDK's typed models (BENCH_USERS=10000,100000)
	@mkdir -p .cache
	CGO_ENABLED=0 $(GO) run -p $(SDK_JOBS) ./cmd/internal/bench -users $(BENCH_USERS) -json .cache/bench.json
	CGO_ENABLED=0 $(GO) test -p $(SDK_JOBS) -run '^$$' -bench 'Benchmark(Typed)?Round$$' -benchmem ./graphsync/msgraph

.PHONY: microbench
microbench: notice ## Run every benchmark, each in the package it measures
	$(GO) test -p 1 -run '^$$' -bench . -benchmem ./...

.PHONY: mutate
mutate: notice ## Put faults into the safety code one by one and see whether tests notice (hours); resume with MUTATE=-resume
	CGO_ENABLED=0 $(GO) run ./cmd/internal/mutate $(MUTATE)

.PHONY: fuzz
fuzz: ## Run each fuzz target for FUZZTIME (default 10s)
	@git grep -n --untracked -oE '^func Fuzz\w+' -- '*_test.go' | while IFS=: read -r file _ name; do \
		echo "$$file $${name#func }"; \
		$(GO) test -run '^$$' -fuzz "^$${name#func }\$$" -fuzztime $(FUZZTIME) "./$$(dirname "$$file")"; done

RELEASE_PLATFORMS ?= linux/amd64 linux/arm64 darwin/amd64 darwin/arm64 windows/amd64 windows/arm64
# Without the paths of this machine the programs are the same wherever they are built. Each platform compiles the Graph SDK
# once. RELEASE_FLAGS= takes what make build has compiled: the same bytes only in the same folders.
RELEASE_FLAGS ?= -trimpath

.PHONY: release
release: notice ## Pack programs, an image, module lists and checksums into dist (RELEASE_PLATFORMS=linux/amd64); publishes nothing
	rm -rf dist
	@for platform in $(RELEASE_PLATFORMS); do \
		system=$${platform%/*}; arch=$${platform#*/}; suffix=; [ $$system != windows ] || suffix=.exe; echo "building for $$platform"; \
		CGO_ENABLED=0 GOOS=$$system GOARCH=$$arch $(GO) build -p $(SDK_JOBS) $(RELEASE_FLAGS) -buildvcs=false -ldflags '-s -w -buildid= -X main.version=$(VERSION)' \
			-o dist/$${system}_$$arch/entrasync$$suffix ./cmd/entrasync || exit 1; done
	@$(MAKE) --no-print-directory packages
	CGO_ENABLED=0 $(GO) run ./cmd/internal/release -version $(VERSION)
	@if [ -n "$${MINISIGN_KEY:-}" ]; then minisign -S -s "$$MINISIGN_KEY" -m dist/SHA256SUMS; else echo "dist/SHA256SUMS is not signed: MINISIGN_KEY names no key"; fi

# A version that dpkg and rpm can compare: 1.2.0, 1.2.0+3+g6e7594f after it, 0.0.0~6e7594f where there is no tag.
PACKAGE_VERSION = $(subst -,+,$(if $(filter v%,$(VERSION)),$(VERSION:v%=%),0.0.0~$(VERSION)))

.PHONY: packages
packages: ## Pack the Linux programs that lie in dist as deb and rpm
	@mkdir -p dist/package
	@for unit in entrasync.service entrasync-sync.service entrasync-sync.timer; do \
		sed 's#/usr/local/bin/#/usr/bin/#' configs/systemd/$$unit > dist/package/$$unit; done
	@gzip -9nc configs/man/entrasync.1 > dist/package/entrasync.1.gz
	@for shell in bash zsh fish; do CGO_ENABLED=0 $(GO) run -p $(SDK_JOBS) ./cmd/entrasync completion $$shell > dist/package/completion.$$shell || exit 1; done
	@for arch in amd64 arm64; do [ -x dist/linux_$$arch/entrasync ] || continue; \
		CGO_ENABLED=0 $(GO) run ./cmd/internal/release -licences dist/linux_$$arch/entrasync > dist/package/THIRD_PARTY_LICENSES.txt || exit 1; \
		for packager in deb rpm; do \
			SOURCE_DATE_EPOCH=$$(git log -1 --format=%ct) DIST=dist ARCH=$$arch PACKAGE_VERSION='$(PACKAGE_VERSION)' \
				$(GO) run $(NFPM) package --config configs/package/nfpm.yaml --packager $$packager \
				--target dist/entrasync_$(patsubst v%,%,$(VERSION))_linux_$$arch.$$packager || exit 1; done; done

.PHONY: clean
clean: ## Remove what was built or installed here
	rm -rf bin dist .cache $(SCIMMY)/node_modules $(AXE)/node_modules

.PHONY: notice
notice:
	@echo "The first build compiles the Microsoft Graph SDK: 3 to 13 minutes and 5 GB of memory. Later ones take seconds."

# The SCIM server that the tests provision into, and the accessibility rules for the status page.
%/node_modules/.package-lock.json: %/package-lock.json | npm
	@echo "Installing the npm packages that tests use, in $*"
	cd $* && npm ci --no-audit --no-fund
	@touch $@

.PHONY: npm
npm:
	@command -v node >/dev/null && command -v npm >/dev/null || $(call install,nodejs npm,a SCIM server and the accessibility rules that tests use)

.PHONY: browser
browser:
	@command -v chromium >/dev/null || command -v chromium-browser >/dev/null || command -v google-chrome >/dev/null || \
		$(call install,chromium,the browser that the pages are tested in)

.PHONY: python
python:
	@command -v python3 >/dev/null || $(call install,python3,a reference program for targets of type exec is written in it)

# The tests start it themselves, under the user that the package makes.
.PHONY: postgres
postgres:
	@ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || command -v initdb >/dev/null || \
		$(call install,postgresql,the database that the state is tested in)

.PHONY: mariadb
mariadb:
	@command -v mariadbd >/dev/null || [ -x /usr/sbin/mariadbd ] || \
		$(call install,mariadb-server,a database that targets of type sql are tested with)

# The tests start one of their own. Its package starts no service in runlevel 1.
.PHONY: slapd
slapd: export RUNLEVEL = 1
slapd:
	@command -v slapd >/dev/null || [ -x /usr/sbin/slapd ] || \
		$(call install,slapd,the directory that targets of type ldap are tested with)

# Active Directory as Samba has it. Its tests are for root, and say so where they were not run.
.PHONY: samba
samba: export RUNLEVEL = 1
samba:
	@[ "$$(id -u)" != 0 ] || [ -d /usr/share/samba/setup/ad-schema -a -x /usr/sbin/samba ] || \
		$(call install,samba samba-ad-dc samba-ad-provision samba-dsdb-modules samba-vfs-modules winbind,Active Directory that targets of type ldap are tested with)

# install packages, for what
install = if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		echo "Installing $(1): $(2)"; \
		apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qqy --no-install-recommends $(1); \
	else \
		echo "missing: $(2); apt-get install $(1)" >&2; exit 1; \
	fi
