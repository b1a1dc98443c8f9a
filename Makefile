# The tools are Go modules of their own under tools/, pinned there and fetched
# by the Go toolchain; nothing else needs to be installed.
export GOWORK := off
export GOFLAGS ?= -buildvcs=false

BUF    := go tool -modfile=tools/buf/go.mod buf
LINTER := go tool -modfile=tools/golangci/go.mod golangci-lint
MUTATE := go tool -modfile=tools/gremlins/go.mod gremlins

BINARY  ?= bin/digate
VERSION ?= $(shell git describe --tags --match 'v[0-9]*' --always --dirty 2>/dev/null)

# What `make breaking` compares the contract with: the last release, else the
# commit before this one.
AGAINST ?= $(shell git describe --tags --match 'v[0-9]*' --abbrev=0 HEAD^ 2>/dev/null || git rev-parse --verify --quiet HEAD^)

.PHONY: help
help: ## list the targets
	@awk -F':.*## ' '/^[a-z0-9-]+:.*## / {name[++n] = $$1; what[n] = $$2; if (length($$1) > w) w = length($$1)} \
		END {for (i = 1; i <= n; i++) printf "  %-" w "s  %s\n", name[i], what[i]}' $(MAKEFILE_LIST)

.PHONY: build
build: ## build bin/digate, static and stripped, with its version
	CGO_ENABLED=0 go build -ldflags "-s -w -X main.linked=$(VERSION)" -o $(BINARY) ./cmd/digate

.PHONY: release
release: ## build the archives of a release, for every platform, in dist/ (PLATFORMS, DIST)
	go run ./deploy/release -version "$(VERSION)" $(if $(PLATFORMS),-platforms "$(PLATFORMS)") -output "$(or $(DIST),dist)"

.PHONY: release-twice
release-twice: ## build a platform's release twice, in two folders, and compare them (PLATFORMS)
	deploy/release/twice $(PLATFORMS)

.PHONY: image-context
image-context: ## put what the container image consists of into a folder (CONTEXT)
	@mkdir -p "$(CONTEXT)"
	$(MAKE) --no-print-directory build BINARY="$(CONTEXT)/digate"
	cp -L /etc/ssl/certs/ca-certificates.crt "$(CONTEXT)/"

.PHONY: image
image: CONTEXT := bin/image
image: image-context ## build the container image with buildah (IMAGE, its name)
	buildah build --timestamp "$$(git log -1 --format=%ct)" --file deploy/Containerfile --tag "$(or $(IMAGE),digate:$(VERSION))" bin/image

.PHONY: image-test
image-test: ## build the container image, run its root as its user, and call it
	deploy/image-test

.PHONY: test
test: ## run every test with the race detector, and those that count allocations without it
	go test -race ./...
	go test -run Allocations $$(git grep -l 'func TestAllocations' -- '*_test.go' | xargs -n1 dirname | sort -u | sed 's,^,./,')

.PHONY: generate
generate: ## regenerate the code, and the OpenAPI document, from the protos
	$(BUF) generate
	$(BUF) generate --template bench/peers/buf.gen.yaml
	$(BUF) generate --template test/conformance/buf.gen.yaml
	@mkdir -p bin
	$(BUF) build --output bin/contract.binpb
	go run ./server/openapi/generate <bin/contract.binpb
	$(MAKE) --no-print-directory client-contract

.PHONY: client-contract
client-contract: ## write the contract that callers take along, and its Go module, in client/
	@mkdir -p bin client/proto/google/rpc
	$(BUF) build --output bin/contract.binpb
	rm -rf client/proto/diga client/proto/digate client/go/diga client/go/digate
	cd tools/clientcontract && go run . -packages diga.integration.v1,digate.v1 -output ../../client/proto <../../bin/contract.binpb
	$(BUF) format --write --exclude-path client/proto/google client
	cp third_party/proto/google/rpc/status.proto third_party/proto/google/rpc/error_details.proto client/proto/google/rpc
	$(BUF) build client --as-file-descriptor-set --exclude-source-info --output client/contract.binpb
	$(BUF) generate --template client/buf.gen.yaml

.PHONY: viewer
viewer: ## write Swagger UI's files anew from the npm package that is recorded (VIEWER=5.36.0 records another version)
	go run ./server/openapi/viewer/update $(if $(VIEWER),-version "$(VIEWER)")

.PHONY: viewer-is-clean
viewer-is-clean: ## prove that Swagger UI's files are what the npm package has
	$(MAKE) --no-print-directory viewer
	git diff --exit-code --stat -- server/openapi/viewer/swagger-ui

.PHONY: lint
lint: ## lint the protos
	$(BUF) lint
	$(BUF) format --diff --exit-code proto

.PHONY: breaking
breaking: ## compare the contract with the last release or commit
	@if [ -z "$(AGAINST)" ]; then echo "breaking: no earlier commit to compare with"; \
	elif [ -z "$$(git ls-tree --name-only $(AGAINST) -- proto buf.yaml)" ]; then echo "breaking: $(AGAINST) has no contract to compare with"; \
	else set -x; $(BUF) breaking --against ".git#ref=$(AGAINST)"; fi
	@if [ -z "$(AGAINST)" ] || [ -z "$$(git ls-tree --name-only $(AGAINST) -- client/buf.yaml)" ]; then echo "breaking: no earlier client contract to compare with"; \
	else set -x; $(BUF) breaking client --against ".git#ref=$(AGAINST),subdir=client"; fi

.PHONY: vet
vet: ## go vet and golangci-lint, of bench/peers too
	go vet ./...
	$(LINTER) run ./...
	cd bench/peers && go vet ./... && $(subst tools/,../../tools/,$(LINTER)) run ./...

.PHONY: cross
cross: ## vet the code and its tests as other systems compile them
	CGO_ENABLED=0 GOOS=darwin GOARCH=arm64 go vet ./...
	CGO_ENABLED=0 GOOS=windows GOARCH=amd64 go vet ./...

GENERATED := gen client bench/peers/gen test/conformance/gen server/openapi/openapi.json docs/openapi.yaml

.PHONY: generate-is-clean
generate-is-clean: ## prove that the generated code is what the protos generate
	$(MAKE) --no-print-directory generate
	git diff --exit-code --stat -- $(GENERATED)
	@test -z "$$(git ls-files --others --exclude-standard -- $(GENERATED))"

.PHONY: conformance
conformance: ## the suites of others: protovalidate's rules, connectrpc's for gRPC, h2spec (UPDATE=1 writes docs/conformance.md)
	cd tools/protovalidate && go test ./...
	go test -count=1 -timeout 15m -v -run TestSuites ./test/conformance -conformance $(if $(UPDATE),-conformance.update)

.PHONY: client-modules
client-modules: ## the tests of what makes client/, and vet of its Go module and the example that imports it (modules of their own)
	cd tools/clientcontract && go vet ./... && go test ./...
	cd client/go && go vet ./...
	cd examples/go && go vet ./...

.PHONY: openapi
openapi: ## hold the OpenAPI document to a server, with a validator of others (a module of its own)
	cd tools/openapi && go test ./...

.PHONY: schemathesis
schemathesis: ## have Schemathesis make requests of the OpenAPI document and send them to digate dev (SEED, another number for others)
	test/schemathesis/install
	go test -count=1 -timeout 10m -v ./test/schemathesis -schemathesis $(if $(SEED),-schemathesis.seed $(SEED))

.PHONY: manifests
manifests: ## hold deploy/kubernetes to the types of Kubernetes and to the settings (a module of its own)
	cd tools/kubernetes && go test ./...

.PHONY: peers
peers: ## run the tests of bench/peers (a module of its own)
	cd bench/peers && go test ./...

.PHONY: bench
bench: ## run the benchmarks
	go test -run '^$$' -bench . -benchmem ./...

.PHONY: soak
soak: ## ten thousand calls per mix through every fault, and the table of docs/reliability.md
	go test -count=1 -timeout 20m -v -run TestSoak ./test/soak -soak.calls 10000

.PHONY: crash
crash: ## kill -9 of digate, a replica and PostgreSQL under bulk load, and the table of docs/crash.md
	go test -count=1 -timeout 20m -v -run TestCrash ./test/crash -crash.items 800 -crash.rounds 20

.PHONY: rolling
rolling: ## restart two replicas with a PostgreSQL ledger in turns, under load and behind a balancer
	go test -count=1 -timeout 10m -v -run TestRolling ./test/rolling -rolling.rounds 12 -rolling.delay 2s

.PHONY: abuse
abuse: ## what strangers can do to digate and to a bare grpc-go server, and the table of docs/abuse.md
	go test -count=1 -timeout 25m -v -run TestAbuse ./test/abuse -abuse.whole

.PHONY: clients
clients: ## call digate with the gRPC libraries of other languages (installs them below bin)
	test/clients/install $(CLIENTS)
	go test -count=1 -timeout 15m -v ./test/clients -clients

.PHONY: examples
examples: ## run the clients in examples/ as their READMEs say (EXAMPLES, the directories of some of them)
	go test -count=1 -timeout 30m -v ./test/examples -examples -only "$(EXAMPLES)"

.PHONY: browser
browser: PICTURES := $(CURDIR)/bin/pictures
browser: ## use the status page and the page at /docs, and draw the diagrams, in headless Chromium (pictures in bin/pictures)
	test/browser/install
	go test -count=1 -timeout 5m -v -run TestPage ./server/status -status.browser -status.pictures "$(PICTURES)"
	go test -count=1 -timeout 15m -v ./test/browser -browser -browser.pictures "$(PICTURES)"

.PHONY: bulk
bulk: ## a hundred thousand copies in one stream per kind of ledger, and the tables of docs/bulk.md
	go test -count=1 -timeout 20m -v -run TestRun ./bench/bulk -bulk.items 100000

.PHONY: bench-admission
bench-admission: ## what digate lets through to a Diga that is well, overloaded or recovering, and the tables of docs/admission.md
	go test -count=1 -timeout 10m -v -run TestRun ./bench/admission -admission.whole

.PHONY: bench-peers
bench-peers: ARGS ?= -tls false,true
bench-peers: ## what a call costs through digate and through what could be used instead (ARGS: cd bench/peers && go doc)
	cd bench/peers && go run . $(ARGS)

.PHONY: performance
performance: ## measure and write docs/performance.md with its curves (SECTIONS=peers,size for some of it)
	cd bench/peers && go test -count=1 -timeout 1h -v -run TestPage -measure $(or $(SECTIONS),all) .

.PHONY: mutants
mutants: ## change a package's code in small ways, one at a time, and list the changes that its tests miss (PKG)
	@test -n "$(PKG)" || { echo "mutants: name a package, such as PKG=./server/secret" >&2; exit 2; }
	$(MUTATE) unleash --workers 1 --timeout-coefficient 20 $(PKG)

.PHONY: fuzz
fuzz: ## fuzz every parser for a while (FUZZTIME each)
	test/fuzz/run $(or $(FUZZTIME),30s)

.PHONY: fuzz-smoke
fuzz-smoke: ## try 5,000 inputs on every parser, without the coverage that guides make fuzz
	test/fuzz/run 5000x unguided

.PHONY: vulnerabilities
vulnerabilities: ## look for the known vulnerabilities that the program reaches, where vuln.go.dev can be reached
	tools/govulncheck/run

.PHONY: outdated
outdated: ## list the Go modules that have a newer version, and the folders that require them
	tools/outdated

.PHONY: check
check: generate-is-clean lint breaking vet conformance client-modules peers test ## everything that must hold before a change lands
