# make demo: set up and run the main job    make test: set up and test
# make check: linters and types             make bench: figures (needs ../shared/data)
# make faults: everything that can be broken, 15 minutes      make soak: an hour of failing cameras
# make lock, newest, oldest: the versions   make dist: sdist and wheel      make fresh: all of it
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
CONSTRAINTS := constraints.txt

RUN := $(VENV)/.run
DEV := $(VENV)/.dev
LOCKED := pyproject.toml --extra dev --extra bench --group build
UV := build/uv/bin/uv
NATIVE := native/CMakeLists.txt $(wildcard native/src/*.* native/src/simd/*)

.PHONY: demo test check bench faults soak sanitize drivers profile arm64 sample-data setup clean force
.PHONY: lock newest oldest dist fresh docs pictures

setup: $(DEV)

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed, this is %d.%d; say make PYTHON=python3.12" % sys.version_info[:2])'
	$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); echo 'no venv: sudo apt-get install python3-venv'; exit 1; }

# the editable install knows each module by its place: when one moved, it is made anew
$(VENV)/modules.txt: force | $(BIN)/python
	@find stereo calib -name '*.py' | LC_ALL=C sort > $@.new
	@if cmp -s $@.new $@; then rm $@.new; else mv $@.new $@; fi

$(RUN): tools/setup.py stereo/system.py pyproject.toml $(CONSTRAINTS) $(NATIVE) $(VENV)/modules.txt
	@$(BIN)/python tools/setup.py run -c $(CONSTRAINTS)
	@touch $@

$(DEV): $(RUN)
	@$(BIN)/python tools/setup.py dev -c $(CONSTRAINTS)
	@touch $@

demo: $(RUN)
	$(BIN)/stereo demo -o demo_output

test: $(DEV)
	$(BIN)/python -m pytest -n auto

check: $(DEV)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

lock: $(UV)  # the newest versions become the known-good ones: commit what `make test` approves of
	$(UV) pip compile -q --universal --python-version 3.11 --upgrade $(LOCKED) -o $(CONSTRAINTS) \
		--annotation-style line --custom-compile-command 'make lock'

newest:  # do today's releases work?
	rm -rf build/newest
	$(MAKE) test VENV=build/newest CONSTRAINTS=/dev/null

oldest: $(UV)  # do the lowest versions that pyproject.toml allows?
	rm -rf build/oldest
	$(UV) pip compile -q --resolution lowest-direct $(LOCKED) -o build/oldest.txt
	$(MAKE) test VENV=build/oldest CONSTRAINTS=build/oldest.txt

$(UV):
	$(PYTHON) -m venv build/uv
	build/uv/bin/python -m pip install -q --disable-pip-version-check uv

bench: $(DEV)
	$(BIN)/python benchmarks/accuracy.py
	$(BIN)/python benchmarks/speed.py
	$(BIN)/python benchmarks/stages.py

faults: $(DEV)  # files, bombs, kill -9, disks, live sources: tried, survived, failed
	PYTHONPATH=tests $(BIN)/python -m faults $(FAULTS)

SOAK_MINUTES ?= 60
soak: $(DEV)  # two failing cameras; memory, descriptors, threads, wrong pairs
	$(BIN)/python benchmarks/soak.py --minutes $(SOAK_MINUTES)

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

sample-data: $(DEV)
	$(BIN)/python -m stereo.synthetic sample_data
	$(BIN)/python tools/pack_sample.py

dist:  # sdist and manylinux wheel, the wheel tried in an empty environment
	tools/dist.sh

fresh:  # the two commands on a minimal Debian (RELEASE=bookworm or trixie); root, a few minutes
	tools/fresh.sh

docs: $(DEV)  # the site, in site/: open site/index.html, no server needed
	@$(BIN)/python -c 'import material, mkdocstrings, latex2mathml' 2>/dev/null \
		|| $(BIN)/python -c 'import tomllib; print(*tomllib.load(open("pyproject.toml", "rb"))["project"]["optional-dependencies"]["docs"], sep="\n")' \
		| $(BIN)/python -m pip install -q --disable-pip-version-check -c $(CONSTRAINTS) -r /dev/stdin
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict

pictures: $(DEV)  # docs/pictures/ anew, from sample_data; needs Debian's chromium
	$(BIN)/python tools/pictures.py

clean:
	rm -rf $(VENV) demo_output build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
