package ledgerservice

import (
	"google.golang.org/protobuf/types/known/timestamppb"

	digatev1 "github.com/digate/digate/gen/digate/v1"
	"github.com/digate/digate/server/copies"
	"github.com/digate/digate/server/ledger"
)

// methodOf returns the method in a request.
func methodOf(m digatev1.Method) copies.Method {
	switch m {
	case digatev1.Method_METHOD_CREATE_INTEGRATION:
		return copies.CreateIntegration
	case digatev1.Method_METHOD_CREATE_TOOL:
		return copies.CreateTool
	default:
		return copies.CopyTemplate
	}
}

// CandidateMessages returns the candidates of a call in doubt as messages.
func CandidateMessages(m copies.Method, found []copies.Candidate) (out []*digatev1.Candidate) {
	for _, c := range found {
		candidate := &digatev1.Candidate{Name: c.Name, CreateTime: c.Created}
		if m == copies.CreateTool {
			candidate.ToolId = c.ID
		} else {
			candidate.IntegrationId = c.ID
		}
		out = append(out, candidate)
	}
	return out
}

// Message returns a record as a message.
func Message(m copies.Method, requestID string, r ledger.Record) *digatev1.Copy {
	states := map[ledger.State]digatev1.Copy_State{
		ledger.Claimed: digatev1.Copy_STATE_CLAIMED, ledger.Sending: digatev1.Copy_STATE_SENDING,
		ledger.Done: digatev1.Copy_STATE_DONE, ledger.Unknown: digatev1.Copy_STATE_UNKNOWN,
	}
	c := &digatev1.Copy{
		RequestId: requestID, State: states[r.State], ClaimTime: timestamppb.New(r.ClaimedAt), Record: r.Key.RecordName(),
	}
	switch m {
	case copies.CreateIntegration:
		c.Method, c.IntegrationId = digatev1.Method_METHOD_CREATE_INTEGRATION, r.CreatedID
	case copies.CreateTool:
		c.Method, c.ParentIntegrationId, c.ToolId = digatev1.Method_METHOD_CREATE_TOOL, r.ParentID, r.CreatedID
	default:
		c.Method, c.TemplateId, c.IntegrationId = digatev1.Method_METHOD_COPY_TEMPLATE, r.ParentID, r.CreatedID
	}
	return c
}
