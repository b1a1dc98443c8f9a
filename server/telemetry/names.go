package telemetry

import (
	"strconv"

	"google.golang.org/genproto/googleapis/rpc/code"
	"google.golang.org/grpc/codes"
)

// Metrics and log lines use the names of methods and codes from gRPC's own metrics (gRFC
// A66) and OpenTelemetry: diga.integration.v1.IntegrationService/CopyTemplate, NOT_FOUND.

// other is the name of an unknown method, and of a request that is not a call.
const other = "other"

// codeNames are the names of the gRPC codes, by code.
var codeNames = func() (names [codes.Unauthenticated + 1]string) {
	for i := range names {
		names[i] = code.Code(i).String()
	}
	return names
}()

// codeName returns the name of a code, such as NOT_FOUND.
func codeName(c codes.Code) string {
	if int(c) < len(codeNames) {
		return codeNames[c]
	}
	return strconv.FormatUint(uint64(c), 10)
}
