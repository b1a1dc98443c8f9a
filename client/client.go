// Package client holds the contract that callers take along: the .proto files and a
// descriptor set, without what only digate reads. They are generated from the contract
// (make client-contract), and so is the Go module in client/go.
package client

import "embed"

// Files are the files of the contract: those of proto, as they are imported, and
// contract.binpb, the descriptor set of all of them.
//
//go:embed proto contract.binpb
var Files embed.FS
