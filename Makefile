# make demo: set up and run the main job    make test: set up and test
# make check: linters and types             make bench: figures (needs ../shared/data)
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: demo test check bench sanitize drivers profile arm64 sample-data docs pictures setup clean

setup: $(STAMP)

$(STAMP): pyproject.toml $(wildcard native/CMakeLists.txt native/src/*)
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(0 if (3, 11) <= v <= (3, 13) else "Python 3.11 to 3.13 is needed, this is %d.%d; say make PYTHON=python3.12" % v)'
	$(PYTHON) -m venv $(VENV) || { echo 'no venv: sudo apt-get install python3-venv'; exit 1; }
	$(BIN)/python -m pip install -q --disable-pip-version-check -e '.[dev]'
	@$(BIN)/stereo doctor > $(VENV)/doctor.txt || { cat $(VENV)/doctor.txt; exit 1; }
	@touch $@

demo: $(STAMP)
	$(BIN)/stereo demo -o demo_output

test: $(STAMP)
	$(BIN)/python -m pytest -n auto

check: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: $(STAMP)
	$(BIN)/python benchmarks/accuracy.py
	$(BIN)/python benchmarks/speed.py
	$(BIN)/python benchmarks/stages.py

sanitize:  # address and undefined-behaviour checks of the native matcher
	native/sanitize.sh

drivers:
	cmake -S native -B build/drivers -DSTEREO_DRIVERS=ON >/dev/null
	cmake --build build/drivers --parallel 2 >/dev/null

profile: drivers  # cycles of each kernel of the native matcher
	build/drivers/profile

arm64: drivers  # the same bits on ARM64? Needs g++-aarch64-linux-gnu and qemu-user
	cmake -S native -B build/arm64 -DSTEREO_DRIVERS=ON -DCMAKE_SYSTEM_NAME=Linux \
		-DCMAKE_SYSTEM_PROCESSOR=aarch64 -DCMAKE_CXX_COMPILER=aarch64-linux-gnu-g++ \
		-DCMAKE_EXE_LINKER_FLAGS=-static >/dev/null
	cmake --build build/arm64 --parallel 2 >/dev/null
	build/drivers/stress > build/drivers/bits
	qemu-aarch64 build/arm64/stress | diff build/drivers/bits -

sample-data: $(STAMP)
	$(BIN)/python -m stereo.synthetic sample_data

docs: $(STAMP)  # the site, in site/: open site/index.html, no server needed
	@$(BIN)/python -c 'import mkdocs, material, mkdocstrings, latex2mathml' 2>/dev/null \
		|| $(BIN)/python -m pip install -q --disable-pip-version-check -e '.[docs]'
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict

pictures: $(STAMP)  # docs/pictures/ anew, from sample_data; needs Debian's chromium
	$(BIN)/python tools/pictures.py

clean:
	rm -rf $(VENV) demo_output build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
