.DEFAULT_GOAL := help
CONTROLLER := $(CURDIR)/bin/spillway-controller
IMAGE ?= ghcr.io/spillway-dev/spillway-controller
GEN := go tool -modfile=tools/gen/go.mod controller-gen
TESTSUM := go tool -modfile=tools/test/go.mod gotestsum --format testname
LINT := go tool -modfile=tools/lint/go.mod golangci-lint
# Packages with unit tests: all but the end-to-end tests, which need a fleet.
UNIT = $$(go list ./... | grep -v /e2e)
# The version that `spillway version` says, where git knows one.
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null)

# One set of flags for everything, so that the controller, the tests and the fleet's Kubernetes share compiled packages.
export GOFLAGS := $(strip $(GOFLAGS) -trimpath)

.PHONY: help build demo demo-down test test-unit test-e2e conformance bench bench-streams lint generate verify image clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

build: ## Compile the CLI and the controller into bin/
	go build -ldflags "-X main.version=$(VERSION)" -o bin/spillway ./cmd/spillway
	go build -o $(CONTROLLER) ./cmd/spillway-controller

demo: build ## Start three clusters, burst a Job and a Deployment, show what happened (first run: about 7 minutes)
	SPILLWAY_CONTROLLER=$(CONTROLLER) go run ./hack/demo

demo-down: ## End the demo's clusters and remove what they left
	@test -x bin/spillway || go build -o bin/spillway ./cmd/spillway
	bin/spillway down --name demo

test: test-unit test-e2e ## Run all tests

test-unit: ## Run the tests that need no cluster
	go test $(UNIT)

# A scenario that fails is run once more, on a fleet of its own and on a machine that is less busy: what fails then has
# failed. The summary names both, last, below the logs.
test-e2e: build ## Run the end-to-end tests on fleets of their own
	SPILLWAY_E2E=1 SPILLWAY_CONTROLLER=$(CONTROLLER) $(TESTSUM) --rerun-fails=1 --rerun-fails-max-failures=8 \
		--packages=./e2e/... -- -count=1 -timeout 60m

FOCUS ?= ci
conformance: build ## Let Kubernetes' own tests judge: directly and through Spillway (FOCUS=ci or local; Linux, root)
	SPILLWAY_CONTROLLER=$(CONTROLLER) go run ./conformance -focus=$(FOCUS) $(ARGS)

bench: build ## Measure against a plain kube-scheduler, check the limits and write docs/benchmarks.md
	SPILLWAY_CONTROLLER=$(CONTROLLER) go run ./bench -check -write

bench-streams: build ## Measure exec, cp, logs and port-forward on real containers (Linux, root) and write docs/benchmarks-streams.md
	SPILLWAY_CONTROLLER=$(CONTROLLER) go run ./bench/streams -check -write

lint: ## Run the linters, import rules included
	$(LINT) run

generate: ## Write deepcopy functions and CRDs anew from the Go types
	$(GEN) object paths=./pkg/apis/...
	$(GEN) crd paths=./pkg/apis/... output:crd:dir=deploy/crds

verify: generate ## Check that generated files, formatting and go.mod are up to date
	git diff --exit-code -- pkg/apis deploy/crds
	@unformatted=$$(gofmt -l $$(git ls-files '*.go')); test -z "$$unformatted" || { echo "run gofmt -w on: $$unformatted"; exit 1; }
	go mod tidy -diff

image: ## Build the controller's container image (IMAGE=name:tag)
	docker build -t $(IMAGE) .

clean: ## Remove what build made
	rm -rf bin
