package server_test

import (
	"encoding/json"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"

	integrationv1 "github.com/digate/digate/gen/diga/integration/v1"
	digatev1 "github.com/digate/digate/gen/digate/v1"
	"github.com/digate/digate/server/exchange"
)

// Diga's ids are UUIDs. Whatever else a success has for an id, the integration was
// created, and a call with the request id again hears so.
func TestCopyTemplate_OddID_IsReplayed(t *testing.T) {
	t.Parallel()
	up := newScripted(t)
	d := start(t, up.url())
	records := digatev1.NewLedgerServiceClient(d.conn)
	for name, id := range map[string]string{
		"newline": "a\nb", "zero": "a\x00b", "quotes": `"a"`, "signs": "a?b#c%25,", "parenthesis": "(a)", "255 bytes": strings.Repeat("x", 255),
	} {
		quoted, _ := json.Marshal(id)
		up.will(respond(201, nil, `{"id":`+string(quoted)+`,"name":"n"}`))
		for i := range 2 {
			if got, err := d.copyRPC(t, &integrationv1.CopyTemplateRequest{TemplateId: templateID, RequestId: name}); err != nil || got.GetId() != id {
				t.Errorf("%s, call %d: %q, %v", name, i, got.GetId(), err)
			}
		}
		if rest := d.copyREST(t, templateID, `{}`, "Idempotency-Key", name); rest.status != 201 || rest.header.Get("Digate-Replayed") != "true" {
			t.Errorf("%s over REST: %d %v %s", name, rest.status, rest.header, rest.body)
		}
		got, err := records.GetCopy(withToken(t.Context(), token), &digatev1.GetCopyRequest{RequestId: name})
		if err != nil || got.GetCopy().GetState() != digatev1.Copy_STATE_DONE || got.GetCopy().GetIntegrationId() != id {
			t.Errorf("%s in the ledger: %v, %v", name, got, err)
		}
	}
}

// An id that is too long for the ledger is the caller's at first. Later calls hear
// that the copy was made, and nothing is in doubt.
func TestCopyTemplate_IDThatIsTooLongForTheLedger_IsDone(t *testing.T) {
	t.Parallel()
	up := newScripted(t)
	d := start(t, up.url())
	for name, id := range map[string]string{"long": strings.Repeat("x", 256), "huge": strings.Repeat("x", 3<<20), "escapes": strings.Repeat("\x00", 200)} {
		quoted, _ := json.Marshal(id)
		body := `{"id":` + string(quoted) + `,"name":"n"}`
		up.will(respond(201, nil, body))
		if rest := d.copyREST(t, templateID, `{}`, "Idempotency-Key", name); rest.status != 201 || rest.body != body {
			t.Errorf("%s: %d %.100s", name, rest.status, rest.body)
		}
		wantREST(t, d.copyREST(t, templateID, `{}`, "Idempotency-Key", name), 409, "DONE", "ALREADY_CREATED")
		_, err := d.copyRPC(t, &integrationv1.CopyTemplateRequest{TemplateId: templateID, RequestId: name})
		if err == nil || err.Code != codes.AlreadyExists || err.Outcome != exchange.Done || !strings.Contains(err.Message, "too long") || len(err.IntegrationIDs) > 0 {
			t.Errorf("%s: %v", name, err)
		}
		up.one(t)
		got, getErr := digatev1.NewLedgerServiceClient(d.conn).GetCopy(withToken(t.Context(), token), &digatev1.GetCopyRequest{RequestId: name})
		if getErr != nil || got.GetCopy().GetState() != digatev1.Copy_STATE_DONE || got.GetCopy().GetIntegrationId() != "" {
			t.Errorf("%s in the ledger: %.200v, %v", name, got, getErr)
		}
		up.will(respond(201, nil, body))
		if got, err := d.copyRPC(t, withID(name+" over gRPC")); err != nil || got.GetId() != id {
			t.Errorf("%s: %.20q, %v", name, got.GetId(), err)
		}
		up.one(t)
	}
}

// Ids of any length that a doubt could be about leave room for the verdict.
func TestCopyTemplate_HugeIDsOfCandidates_AreNotInTheError(t *testing.T) {
	t.Parallel()
	up := newScripted(t)
	d := start(t, up.url())
	up.will(raw("", true))
	if _, err := d.copyRPC(t, withID("r")); err == nil || err.Outcome != exchange.Unknown {
		t.Fatal(err)
	}
	up.will(respond(200, nil, `{"data":[`+full+`,{"id":"`+strings.Repeat("x", 1<<20)+`"},{"id":"a\u0000,b"}],"has_more":false}`))
	_, err := d.copyRPC(t, withID("r"))
	if err == nil || err.Code != codes.Aborted || err.Outcome != exchange.Unknown || len(err.IntegrationIDs) != 0 {
		t.Errorf("%v", err)
	}
}
