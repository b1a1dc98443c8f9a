module github.com/digate/digate/examples/go

go 1.26.0

require (
	github.com/digate/digate/client/go v0.0.0
	google.golang.org/genproto/googleapis/rpc v0.0.0-20261104224025-d1e00e9f33ab
	google.golang.org/grpc v1.85.0
	google.golang.org/protobuf v1.36.12
)

require (
	golang.org/x/net v0.60.0 // indirect
	golang.org/x/sys v0.48.0 // indirect
	golang.org/x/text v0.42.0 // indirect
)

// The example is held to the contract beside it. Your program needs no such line.
replace github.com/digate/digate/client/go => ../../client/go
