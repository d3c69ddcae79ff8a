# The two commands of a fresh machine: `make image` and `make test`. Both install what is missing first, and
# only then; everything else is `swift build`.

PREFIX ?= /usr/local
RECIPE ?= recipes/browser.manifest
BUILD_FLAGS ?= --explicit-target-dependency-import-check error

# What the program is built with and calls at run time.
BUILD_PACKAGES = libarchive-dev libext2fs-dev comerr-dev libcurl4-openssl-dev libxxhash-dev pkg-config gpgv
# What the tests compare with and boot in.
TEST_PACKAGES = qemu-system-x86 gnupg libarchive-tools e2fsprogs dpkg-dev xz-utils bzip2 gzip lz4 zstd lzop \
	busybox-static python3 uidmap

.PHONY: all image test build release install boot-smoke format lint clean build-packages test-packages

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
