# One word per task; `make help` lists them. Arguments of the program: make demo ARGS="--port 8080 --lang en"
ARGS ?=
export UV_PYTHON_DOWNLOADS = never
.DEFAULT_GOAL := help
.PHONY: demo test lint format lock bench soak help

demo: ## open a living community at http://localhost:8000
	@uv=$$(deploy/bootstrap.sh) || exit 1; \
	[ -d .venv ] || echo "parvis: installing packages into .venv"; \
	"$$uv" run --quiet --no-dev parvis demo $(ARGS) || { code=$$?; [ $$code = 130 ] || exit $$code; }

test: ## every check: lint, types, plugins alone, both databases, browser
	@deploy/check.sh

lint: ## ruff and mypy alone
	@deploy/check.sh environment lint format types

format: ## put the code into shape
	@uv=$$(deploy/bootstrap.sh) && "$$uv" run --quiet ruff check --fix-only && "$$uv" run --quiet ruff format

lock: ## resolve all packages anew and write their exact versions
	@uv=$$(deploy/bootstrap.sh) && "$$uv" run --no-project --quiet python deploy/lock.py "$$uv" $(ARGS)

bench: ## speed and memory, as ratios
	@uv=$$(deploy/bootstrap.sh) && exec "$$uv" run --quiet python -m bench $(ARGS)

soak: ## an hour of mixed load, watching memory and errors
	@uv=$$(deploy/bootstrap.sh) && exec "$$uv" run --quiet python -m bench.soak $(ARGS)

help: ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' Makefile
