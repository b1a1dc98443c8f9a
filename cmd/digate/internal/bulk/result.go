package bulk

import (
	"maps"
	"slices"
	"strings"

	"google.golang.org/genproto/googleapis/rpc/code"

	integrationv1 "github.com/digate/digate/gen/diga/integration/v1"
	"github.com/digate/digate/server/apierror"
	"github.com/digate/digate/server/exchange"
	"github.com/digate/digate/server/preview"
)

// The outcomes of a row.
const (
	rowDone     = "DONE"
	rowReplayed = "REPLAYED" // done by an earlier run
	rowNotSent  = "NOT_SENT"
	rowRejected = "REJECTED"
	rowUnknown  = "UNKNOWN"
	rowExisting = "EXISTING" // left as Diga has it already
)

// words are the outcomes as people say them.
var words = map[string]string{
	rowDone: "made", rowReplayed: "made by an earlier run", rowNotSent: "not made", rowRejected: "refused by Diga", rowUnknown: "in doubt", rowExisting: "there already",
}

// The reasons that the command itself gives.
const (
	reasonInvalidRow      = "INVALID_ROW"
	reasonNotBegun        = "NOT_BEGUN"
	reasonNoResponse      = "NO_RESPONSE"
	reasonRetentionPassed = "RETENTION_PASSED"
	reasonUnfinished      = "UNFINISHED"
	reasonChanged         = "ROW_CHANGED"
	reasonOtherSecret     = "OTHER_SECRET"
	reasonGone            = "ROW_GONE"
	reasonNotCreated      = "NOT_CREATED"
	reasonExisting        = "EXISTS_ALREADY"
)

// rowResult is what happened to a row. It holds no secret.
type rowResult struct {
	Line          int    `json:"line"`
	Key           string `json:"key"`
	Name          string `json:"name"`
	RequestID     string `json:"request_id"`
	Outcome       string `json:"outcome"`
	IntegrationID string `json:"integration_id"`
	// Missing names what the integration lacked when it was made.
	Missing string `json:"missing"`
	Code    string `json:"code"`
	Reason  string `json:"reason"`
	Message string `json:"message"`
}

// resultOf returns the result of a row without its outcome.
func resultOf(r *row) rowResult {
	return rowResult{Line: r.line, Key: r.key, Name: shortName(r.copy.GetName()), RequestID: r.copy.GetRequestId()}
}

// failed sets the result of a row to which the server responded with an error.
func (r *rowResult) failed(e *apierror.Error) {
	r.Code, r.Reason, r.Message = code.Code(e.Code).String(), e.Reason, e.Message
	if e.Outcome == exchange.Unknown {
		r.Message = whatFailed(e)
	}
	switch e.Outcome {
	case exchange.Done:
		r.Outcome = rowReplayed
		if len(e.IntegrationIDs) > 0 {
			r.IntegrationID = e.IntegrationIDs[0]
		}
	case exchange.NotSent:
		r.Outcome = rowNotSent
	case exchange.Rejected:
		r.Outcome = rowRejected
	default:
		r.Outcome = rowUnknown
	}
}

// mayEnd reports whether another run can learn what became of a row in doubt,
// because its copy may still be under way.
func (r *rowResult) mayEnd() bool {
	switch r.Code {
	case "UNAVAILABLE", "DEADLINE_EXCEEDED", "CANCELLED":
		return true
	}
	return r.Reason == reasonNoResponse
}

// missingIn names what an integration still lacks: only names, no values. It is
// empty if the integration needs no setup.
func missingIn(in *integrationv1.Integration) string {
	if !in.GetRequiresSetup() {
		return ""
	}
	var missing []string
	if in.GetAuthType() == integrationv1.AuthType_AUTH_TYPE_API_KEY && in.GetAuthKey() == "" {
		missing = append(missing, "api key")
	}
	names := make(map[string]bool)
	for _, text := range append(slices.Collect(maps.Values(in.GetHeaders())), in.GetBaseUrl()) {
		for _, name := range preview.NamesIn(text) {
			names["<<"+name+">>"] = true
		}
	}
	missing = append(missing, slices.Sorted(maps.Keys(names))...)
	if len(missing) == 0 {
		return "values in its tools"
	}
	return strings.Join(missing, ", ")
}
