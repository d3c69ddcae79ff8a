# The two commands of a fresh machine: `make image` and `make test`. Both install what is missing first, and
# only then; everything else is `swift build`.

PREFIX ?= /usr/local
RECIPE ?= recipes/browser.manifest
BUILD_FLAGS ?= --explicit-target-dependency-import-check error

# What the program is built with and calls at run time.
BUILD_PACKAGES = libarchive-dev libext2fs-dev comerr-dev libcurl4-openssl-dev libxxhash-dev pkg-config gpgv
# What the tests compare with and boot in.
TEST_PACKAGES = qemu-system-x86 gnupg libarchive-tools e2fsprogs dpkg-dev xz-utils bzip2 gzip lz4 zstd lzop \
	busybox-static python3 uidmap cryptsetup-bin binutils
# What `make bench` measures with, and against.
BENCH_PACKAGES = mmdebstrap e2fsprogs dpkg-dev xz-utils bzip2 gzip lz4 zstd lzop
# What the tests of the HTML pages look with; they are passed over where there is none (300 MB).
REPORT_PACKAGES = chromium
# Where the benches work; 12 GB free.
BENCH_WORK ?= $(or $(TMPDIR),.build)

.PHONY: all image test build release install boot-smoke equivalence bench bench-scale bench-program format lint clean \
	build-packages test-packages report-packages bench-packages

all: release

# Builds the browser image: out/browser/.
image: release
	.build/release/rootfs-build $(RECIPE)

release: build-packages
	swift build -c release --product rootfs-build $(BUILD_FLAGS)

build: build-packages
	swift build $(BUILD_FLAGS)

test: build-packages test-packages
	swift build --build-tests $(BUILD_FLAGS)
	swift test --skip-build

install: release
	install -D -m 0755 .build/release/rootfs-build $(DESTDIR)$(PREFIX)/bin/rootfs-build

# Boots the minimal image under QEMU until its login prompt and its service's first line were seen.
boot-smoke: release test-packages
	.build/release/rootfs-build recipes/minimal.manifest
	.build/release/rootfs-build boot out/minimal

# Compares the packages' trees of both recipes with those that mmdebstrap makes, as root; docs/equivalence.allow has what
# may differ and why.
equivalence: release bench-program bench-packages
	.build/release/rootfs-bench equivalence --work $(BENCH_WORK)

# Builds in turn with mmdebstrap and mke2fs, as root: bench.json, and the table in the README.
bench: release bench-program bench-packages
	.build/release/rootfs-bench compare --recipe $(RECIPE) --work $(BENCH_WORK)

# How time and memory grow with the size of a tree and of an archive.
bench-scale: bench-program
	.build/release/rootfs-bench scale --work $(BENCH_WORK)

bench-program: build-packages
	swift build -c release --product rootfs-bench $(BUILD_FLAGS)

format:
	swift format --in-place --recursive Package.swift Sources Tests

lint:
	swift format lint --strict --recursive Package.swift Sources Tests

clean:
	rm -rf .build

# apt-get runs only when dpkg misses one of the packages.
build-packages:
	@$(call install-missing,$(BUILD_PACKAGES))

test-packages:
	@$(call install-missing,$(TEST_PACKAGES))

report-packages:
	@$(call install-missing,$(REPORT_PACKAGES))

bench-packages:
	@$(call install-missing,$(BENCH_PACKAGES))

define install-missing
missing=""; \
for package in $(1); do \
	dpkg-query -W -f '$${db:Status-Status}' $$package 2>/dev/null | grep -qx installed || missing="$$missing $$package"; \
done; \
if [ -n "$$missing" ]; then \
	echo "installing:$$missing"; \
	sudo=""; [ "$$(id -u)" = 0 ] || sudo=sudo; \
	$$sudo apt-get update -qq && \
	$$sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $$missing; \
fi
endef
