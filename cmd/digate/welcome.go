package main

import (
	"fmt"

	"github.com/digate/digate/cmd/digate/internal/client"
	"github.com/digate/digate/cmd/digate/internal/term"
)

// devAddresses are the addresses at which a client on this machine can reach dev.
type devAddresses struct {
	grpc, rest, admin, diga string
	ca                      string // file of the authority; empty without TLS
	docs                    string // the page for trying the REST side; may be empty
	control                 string // the control routes of the emulator; may be empty
}

// welcomeTemplate is the template in the example commands of dev. With the values in
// these commands, its copy needs no further setup.
const welcomeTemplate = "3c90c3cc-0d44-4b50-8888-8dd25736052a"

// welcome returns the addresses, and commands to paste. It leaves some rows of a terminal
// with 80 × 24 characters for the log. self is the command name by which a shell finds
// this program.
func welcome(at devAddresses, version, self string) string {
	addr := ""
	if at.grpc != client.DefaultAddr {
		addr = " --addr " + term.ShellWord(at.grpc)
	}
	trust, curl, between, grpcurl := "", "", "\n", "-plaintext -H 'authorization: Bearer dev' "
	if at.ca != "" {
		trust = "  export DIGATE_CA_FILE=" + term.ShellWord(at.ca) + "\n"
		between = "" // the lines about TLS need the rows
		curl = "--cacert $DIGATE_CA_FILE \\\n    "
		grpcurl = "-cacert $DIGATE_CA_FILE -H 'authorization: Bearer dev' \\\n    "
	}
	page, more := "", fmt.Sprintf("%[1]s templates list. Those that go wrong on\npurpose: %[1]s emulator --help", self)
	if at.docs != "" {
		page = fmt.Sprintf("  docs   %s (to try every operation in a browser)\n", at.docs)
		more = "on the page /docs, with those that go wrong on purpose"
	}
	control := ""
	if at.control != "" {
		control = fmt.Sprintf("  tests  %s (control of the emulator)\n", at.control)
	}
	return fmt.Sprintf(`digate %[1]s on loopback, in front of an emulator of Diga. Ctrl-C ends it.
%[14]s  gRPC   %-22[2]s  REST  %[3]s
  admin  %-22[4]s  Diga  %[5]s (the emulator)
%[16]sTry, in another terminal; any token is an account of its own:
  export DIGATE_TOKEN=dev ID=%[6]s
%[10]s  echo k-123 | %[7]s copy $ID --name first \
    --var shop=acme --api-key-file -%[8]s
%[13]s  curl -i %[11]s%[3]s/v1/integration/template/$ID/copy \
    -H 'Authorization: Bearer dev' -H 'Content-Type: application/json' \
    -d '{"name": "second", "api_key": "k-123", "variables": {"shop": "acme"}}'
%[13]s  grpcurl %[12]s-d '{"template_id": "'$ID'",
    "name": "third", "api_key": "k-123", "variables": {"shop": "acme"}}' \
    %[9]s diga.integration.v1.IntegrationService/CopyTemplate

More templates: %[15]s. Its log:
`, version, at.grpc, at.rest, at.admin, at.diga, welcomeTemplate, self, addr, term.ShellWord(at.grpc), trust, curl, grpcurl, between, page, more, control)
}
