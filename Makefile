# `make demo` and `make test` set up .venv by themselves, from a bare clone.
PYTHON ?= python3
BIN := .venv/bin
CUDA := $(shell command -v nvidia-smi >/dev/null 2>&1 && nvidia-smi >/dev/null 2>&1 && \
  (nvidia-smi | grep -q "CUDA Version: 13" && echo ,cuda13 || echo ,cuda12))
CHECK := $(if $(CUDA),,$(shell command -v nvidia-smi >/dev/null 2>&1 || echo ,cuda-check))
BACKENDS := numpy,numba,checked$(if $(CUDA),$(shell echo ,cupy),)
FORCED := $(addprefix tests/test_,ops.py layers.py models.py optim.py attention.py gradcheck.py random.py)
WORKERS ?= $(shell nproc 2>/dev/null || echo 2)

.PHONY: demo test lint bench bench-gpu check-gpu clean

.venv/.base: pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed") if sys.version_info < (3, 11) else 0'
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install -q -e '.[numba,examples$(CUDA)]'
	touch $@

.venv/.test: .venv/.base
	$(BIN)/python -m pip install -q -e '.[numba,examples,test,dev$(CUDA)$(CHECK)]'
	touch $@

demo: .venv/.base
	$(BIN)/python examples/train_digits.py --compare

test: .venv/.test lint
	@test -n "$$POLYTENSOR_TUTORIALS" || echo "POLYTENSOR_TUTORIALS is not set: the reference documents are skipped"
	@$(BIN)/python -c 'import torch' 2>/dev/null || echo "PyTorch is not installed: the oracle tests are skipped (pip install 'polytensor[oracle]')"
	$(BIN)/python -m pytest -q -n $(WORKERS) --polytensor-backends=$(BACKENDS)
	@for form in serial parallel; do echo "Numba's kernels for large arrays on arrays of every size, $$form:"; \
	  $(BIN)/python -m pytest -q -n $(WORKERS) --polytensor-backends=numba --numba-kernels=$$form $(FORCED) || exit 1; done

lint: .venv/.test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# BENCH="--quick", "--groups large,matmul", "--publish NAME" (writes README.md's table and benchmarks/results/NAME.*)
bench: .venv/.test
	$(BIN)/python -c 'import torch' 2>/dev/null || $(BIN)/python -m pip install -q -e '.[oracle]'
	env -u OPENBLAS_CORETYPE -u OPENBLAS_L2_SIZE $(BIN)/python benchmarks/compare.py $(BENCH)

# GPU="--budget 300", "--groups gemm,steps", "--out folder"; without a GPU: GPU="--device cpu --budget 60 --out benchmarks/out"
bench-gpu: .venv/.test
	$(BIN)/python benchmarks/gpu.py $(GPU)

# GPU="--check suite,memcheck --out folder"
check-gpu: .venv/.test
	$(BIN)/python benchmarks/gpu.py $(or $(GPU),--check)

clean:
	rm -rf .venv *.egg-info .pytest_cache .mypy_cache .ruff_cache
