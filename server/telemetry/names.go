package telemetry

import (
	"strconv"

	"google.golang.org/genproto/googleapis/rpc/code"
	"google.golang.org/grpc/codes"
)

// The names of methods and codes are those of gRPC's own metrics (gRFC A66) and of
// OpenTelemetry: diga.integration.v1.IntegrationService/CopyTemplate, NOT_FOUND. They
// are the same in metrics and log lines.

// other is the name of a method that is not known, and of a request that is no call.
const other = "other"

// codeNames are the names of gRPC's codes, which are 0 and up.
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
