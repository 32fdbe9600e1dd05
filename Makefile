# A thin face over Meson. `make help` lists what there is.
BUILD        ?= build
PREFIX       ?= /usr/local
DESTDIR      ?=
FUZZ_SECONDS ?= 30
STORM_EXCHANGES ?= 1000000
JOBS         ?= $(shell nproc 2>/dev/null || echo 2)
CONFIG       ?= examples/demo.yaml
# Those of the processes' tests that go through most of the code.
RELEASE_TESTS ?= test_engine or test_http or test_tls or test_truth or test_sdk_python

BACKSTAY = $(BUILD)/src/daemon/backstay
RELEASE  = $(BUILD)/release/backstay
SOURCES  = $(shell find src scripts meson.build -type f)

.PHONY: all release deps run test test-release install asan fuzz storm bench bench-cache test-real clean help

# The program alone; the tests are built by `make test`.
all: $(BUILD)/build.ninja
	@ninja -C $(BUILD) -j $(JOBS) src/daemon/backstay

$(BUILD)/build.ninja:
	@meson setup -Dtests=false $(BUILD) >$(BUILD).log 2>&1 || { cat $(BUILD).log; exit 1; }
	@rm -f $(BUILD).log

# Two builds and some seconds of load between them: what is installed and measured.
release: $(RELEASE)

$(RELEASE): $(SOURCES) | $(BUILD)/build.ninja
	@ninja -C $(BUILD) -j $(JOBS) bench/bench-load bench/bench-backend >/dev/null
	@sh scripts/release.sh $(BUILD) $(JOBS)

deps:
	@sh scripts/install-deps.sh run

# What is missing for the build is installed first, since `all` needs it.
run: deps
	@$(MAKE) --no-print-directory all
	@exec $(BACKSTAY) run -c $(CONFIG)

test:
	@sh scripts/install-deps.sh run test
	@sh scripts/install-deps.sh --optional sdk
	@$(MAKE) --no-print-directory $(BUILD)/build.ninja
	@meson configure $(BUILD) -Dtests=true
	@ninja -C $(BUILD) -j $(JOBS)
	@python3 scripts/run-tests.py --build $(BUILD) --jobs $(JOBS) --e2e

test-release: release
	@sh scripts/install-deps.sh run test
	@sh scripts/install-deps.sh --optional sdk
	@BUILD=$(BUILD) BACKSTAY=$(abspath $(RELEASE)) bash tests/e2e/run.sh -k "$(RELEASE_TESTS)"

asan:
	@sh scripts/install-deps.sh run test
	@test -f $(BUILD)/asan/build.ninja || meson setup $(BUILD)/asan \
		-Db_sanitize=address,undefined -Db_lundef=false >/dev/null
	@ninja -C $(BUILD)/asan -j $(JOBS)
	@python3 scripts/run-tests.py --build $(BUILD)/asan --jobs $(JOBS) --slow

fuzz:
	@sh scripts/install-deps.sh run test fuzz
	@test -f $(BUILD)/fuzz/build.ninja || CC=clang meson setup $(BUILD)/fuzz -Dfuzzing=true \
		-Db_sanitize=address,undefined -Db_lundef=false >/dev/null
	@sh scripts/fuzz.sh $(BUILD)/fuzz $(FUZZ_SECONDS) $(JOBS)

storm:
	@sh scripts/install-deps.sh run test
	@$(MAKE) --no-print-directory $(BUILD)/build.ninja
	@meson configure $(BUILD) -Dtests=true
	@sh scripts/storm.sh $(BUILD) $(STORM_EXCHANGES) $(JOBS)

bench: release
	@sh scripts/install-deps.sh run bench
	@BUILD=$(BUILD) sh bench/run.sh

bench-cache: release
	@sh scripts/install-deps.sh run bench
	@BUILD=$(BUILD) sh bench/run.sh cache

test-real: all
	@sh scripts/install-deps.sh --optional test sdk
	@BUILD=$(BUILD) BACKSTAY=$(BACKSTAY) sh tests/real/run.sh

install: release
	@install -D -m 755 $(RELEASE) $(DESTDIR)$(PREFIX)/bin/backstay
	@install -D -m 644 deploy/backstay.yaml $(DESTDIR)$(PREFIX)/share/backstay/backstay.yaml
	@install -d $(DESTDIR)$(PREFIX)/lib/systemd/system
	@sed 's|@PREFIX@|$(PREFIX)|g' deploy/backstay.service \
		>$(DESTDIR)$(PREFIX)/lib/systemd/system/backstay.service
	@echo "installed $(DESTDIR)$(PREFIX)/bin/backstay"

clean:
	@rm -rf $(BUILD)

help:
	@echo "make                 build the program: $(BACKSTAY)"
	@echo "make run             install what the build needs, build, and run $(CONFIG)"
	@echo "make test            install what tests need, build, and run every suite"
	@echo "make release         build $(RELEASE), tuned for what it does most: what is installed"
	@echo "make test-release    the processes' main tests on it"
	@echo "make asan            the same suites under AddressSanitizer and UBSan"
	@echo "make fuzz            each fuzz target for FUZZ_SECONDS ($(FUZZ_SECONDS)), with clang"
	@echo "make storm           STORM_EXCHANGES ($(STORM_EXCHANGES)) simulated exchanges while all kinds of things fail"
	@echo "make bench           measure beside nginx, HAProxy and LLM gateways"
	@echo "make bench-cache     measure kept answers beside those of nginx and Varnish"
	@echo "make test-real       chat with a real model behind the proxy"
	@echo "make install         to PREFIX ($(PREFIX)), below DESTDIR"
	@echo "make clean           remove $(BUILD)/"
