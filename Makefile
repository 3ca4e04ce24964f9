# The face of the house. `make demo` and `make test` need nothing installed but make, git and apt.
BUILD := build/release
PYTHON := /usr/bin/python3
JOBS ?= $(shell nproc)
PREFIX ?= /usr/local
SHARE = $(DESTDIR)$(PREFIX)/share
# A git repository that `make demo` reviews; empty: this one.
INPUT ?=

.PHONY: help demo build test bench format lint install install_files clean
help:
	@echo 'make demo [INPUT=/a/git/repository]  review a repository with the example fleet'
	@echo 'make build                           build/release/mainstay'
	@echo 'make test                            everything: ctest and pytest'
	@echo 'make bench                           micro benchmarks, and durable work end to end'
	@echo 'make format | lint                   clang-format | its check, the checkers, clang-tidy'
	@echo 'make install [PREFIX=/usr/local]     binary, SDK, documentation, manual page, completion'
	@echo 'make clean                           removes build/'

demo:
	@tools/install_deps build demo
	@$(MAKE) --no-print-directory $(BUILD)/build.ninja
	@cmake --build $(BUILD) --parallel $(JOBS) --target mainstay python_stubs
	@MAINSTAY_BINARY=$(CURDIR)/$(BUILD)/mainstay examples/code_review/demo $(INPUT)

build: $(BUILD)/build.ninja
	@tools/install_deps build
	@cmake --build $(BUILD) --parallel $(JOBS) --target mainstay mainstay_noop_agent python_stubs
	@echo "$(BUILD)/mainstay: $$($(BUILD)/mainstay --version)"

test:
	@tools/install_deps build test
	@$(MAKE) --no-print-directory $(BUILD)/build.ninja
	@cmake --build $(BUILD) --parallel $(JOBS)
	@tools/run_tests $(BUILD)

bench:
	@tools/install_deps build bench
	@$(MAKE) --no-print-directory $(BUILD)/build.ninja
	@cmake --build $(BUILD) --parallel $(JOBS)
	@for b in $(BUILD)/src/*_bench; do [ ! -x $$b ] || $$b || exit 1; done
	@$(BUILD)/mainstay bench work --agents 4 --agent-kind cpp --items 50000 --rate 0 --output json

$(BUILD)/build.ninja:
	@tools/install_deps build
	@cmake --preset release

format:
	@tools/install_deps ci
	@git ls-files '*.cc' '*.h' ':!examples/*/tests/samples/*' | xargs clang-format-14 -i

lint:
	@tools/install_deps build ci
	@git ls-files '*.cc' '*.h' ':!examples/*/tests/samples/*' | xargs clang-format-14 --dry-run -Werror
	@tools/check_layers
	@tools/check_style
	@tools/check_docs
	@tools/gen_errors --docs docs/errors --check
	@$(MAKE) --no-print-directory $(BUILD)/build.ninja
	@cmake --build $(BUILD) --parallel $(JOBS) --target ms_generated ms_proto
	@tools/run_tidy $(BUILD)

install: build
	@$(MAKE) --no-print-directory install_files

install_files:
	install -D -m 0755 $(BUILD)/mainstay $(DESTDIR)$(PREFIX)/bin/mainstay
	@for file in $$(cd python && find mainstay -name '*.py' -o -name '*.pyi' -o -name py.typed); do \
	  install -D -m 0644 python/$$file $(DESTDIR)$(PREFIX)/lib/mainstay/python/$$file; done
	@install -d $(SHARE)/bash-completion/completions $(SHARE)/zsh/site-functions \
	  $(SHARE)/fish/vendor_completions.d $(SHARE)/man/man1
	$(BUILD)/mainstay completion bash >$(SHARE)/bash-completion/completions/mainstay
	$(BUILD)/mainstay completion zsh >$(SHARE)/zsh/site-functions/_mainstay
	$(BUILD)/mainstay completion fish >$(SHARE)/fish/vendor_completions.d/mainstay.fish
	$(BUILD)/mainstay man >$(SHARE)/man/man1/mainstay.1
	@for file in $$(find docs -name '*.md') LICENSE README.md CHANGELOG.md; do \
	  install -D -m 0644 $$file $(DESTDIR)$(PREFIX)/share/doc/mainstay/$$file; done

clean:
	rm -rf build
