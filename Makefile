# The two commands of a fresh machine: `make image` and `make test`. Both install what is missing first, and
# only then; everything else is `swift build`.

PREFIX ?= /usr/local
RECIPE ?= recipes/browser.manifest
BUILD_FLAGS ?= --explicit-target-dependency-import-check error

# What the program is built with and calls at run time.
BUILD_PACKAGES = libarchive-dev libext2fs-dev comerr-dev libcurl4-openssl-dev libxxhash-dev pkg-config gpgv
# What the tests compare with and boot in.
TEST_PACKAGES = qemu-system-x86 gnupg libarchive-tools e2fsprogs dpkg-dev xz-utils bzip2 gzip lz4 zstd lzop \
	busybox-static python3 python3-pip uidmap openssh-client qemu-user-static cryptsetup-bin binutils nodejs \
	diffoscope-minimal
# What `make demo` boots with and looks through. The tests of the HTML pages take the same Chromium, where there is one.
DEMO_PACKAGES = qemu-system-x86 python3 iproute2 util-linux chromium
# What `make bench` measures with, and against.
BENCH_PACKAGES = mmdebstrap e2fsprogs dpkg-dev xz-utils bzip2 gzip lz4 zstd lzop diffoscope-minimal
# Where the benches work; 12 GB free.
BENCH_WORK ?= $(or $(TMPDIR),.build)

.PHONY: sbom-validators all image test build release install boot-smoke boot-faults demo equivalence bench bench-scale bench-program \
	format lint clean build-packages test-packages demo-packages bench-packages

all: release

# Builds the browser image: out/browser/.
image: release
	.build/release/rootfs-build $(RECIPE)

release: build-packages
	swift build -c release --product rootfs-build $(BUILD_FLAGS)

build: build-packages
	swift build $(BUILD_FLAGS)

test: build-packages test-packages sbom-validators
	swift build --build-tests $(BUILD_FLAGS)
	swift test --skip-build

# What the tests hold bills of materials against, beside their own rules: validators of others, which have the published
# schemas with them. Without a network there are none, and these tests say that they skip.
sbom-validators: test-packages
	@test -d .build/validators/spdx_tools || python3 -m pip install --quiet --no-warn-conflicts --retries 1 \
		--target .build/validators 'cyclonedx-python-lib[json-validation]' spdx-tools || { rm -rf .build/validators; echo "no validators of bills"; }

install: release
	install -D -m 0755 .build/release/rootfs-build $(DESTDIR)$(PREFIX)/bin/rootfs-build

# Builds the minimal image and proves that it boots.
boot-smoke: release test-packages
	.build/release/rootfs-build boot recipes/minimal.manifest

# Builds the browser image, boots it, and looks at its stream in a headless Chromium beside it, as root; some minutes
# where there is no KVM (DEMO_FLAGS=--accelerator=kvm). What was seen is in out/demo.
demo: image demo-packages
	$(if $(filter 0,$(shell id -u)),,sudo) python3 Tests/Demo/demo.py out/browser --out out/demo $(DEMO_FLAGS)

# Plants every known fault into the minimal image, and those of Node and GStreamer into the browser image, and shows that
# the boot's gate finds each: the right verdict, the cause on the console within 2 s. The good images pass three times.
boot-faults: release test-packages
	for turn in 1 2 3; do .build/release/rootfs-build boot recipes/minimal.manifest --quiet || exit 1; done
	.build/release/rootfs-build boot out/minimal --quiet --fault all
	.build/release/rootfs-build boot recipes/browser.manifest --quiet
	.build/release/rootfs-build boot out/browser --quiet --fault node-script-missing --fault icu-missing \
		--fault node-builtins-missing --fault gstreamer-missing

# Compares the packages' trees of both recipes with those that mmdebstrap makes, as root; docs/equivalence.allow has what
# may differ and why.
equivalence: release bench-program bench-packages
	.build/release/rootfs-bench equivalence --work $(BENCH_WORK)

# Builds in turn with mmdebstrap and mke2fs, as root: bench.json, and the table in the README.
bench: release bench-program bench-packages
	.build/release/rootfs-bench compare --recipe $(RECIPE) --work $(BENCH_WORK)
	.build/release/rootfs-bench compare --recipe $(RECIPE) --work $(BENCH_WORK) --diff --output bench-diff.json

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

demo-packages:
	@$(call install-missing,$(DEMO_PACKAGES))

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
