package server_test

import (
	"encoding/json"
	"math"
	"strings"
	"testing"
	"time"

	digatev1 "github.com/digate/digate/gen/digate/v1"
	"github.com/digate/digate/server"
)

// An operator who gives a command the longest time that there is must not settle a call
// whose server may still be sending it.
func TestOwnerGone_LongestTime_IsStillLong(t *testing.T) {
	t.Parallel()
	if gone := server.OwnerGone(math.MaxInt64); gone < 24*time.Hour {
		t.Errorf("the server of a call counts as gone after %v", gone)
	}
}

// An operator finds the record of a log line by the record's name, and a caller
// learns that name from the request id. The request id is in no log line.
func TestLedgerRecord_LogLineAndGetCopy_NameTheSameRecord(t *testing.T) {
	t.Parallel()
	const requestID = "order-4711-of-a-customer"
	up := newScripted(t)
	up.will(respond(201, nil, full))
	d := start(t, up.url())
	if _, e := d.copyRPC(t, withID(requestID)); e != nil {
		t.Fatal(e)
	}
	got, err := digatev1.NewLedgerServiceClient(d.conn).GetCopy(withToken(t.Context(), token), &digatev1.GetCopyRequest{RequestId: requestID})
	if err != nil {
		t.Fatal(err)
	}
	d.stop()
	<-d.ended
	logged := ""
	for line := range strings.Lines(d.log.String()) {
		if strings.Contains(line, requestID) {
			t.Errorf("the request id is in the log: %s", line)
		}
		var call struct {
			Method string `json:"method"`
			Record string `json:"ledger_record"`
		}
		if json.Unmarshal([]byte(line), &call) == nil && strings.HasSuffix(call.Method, "/CopyTemplate") && call.Record != "" {
			logged = call.Record
		}
	}
	if name := got.GetCopy().GetRecord(); len(name) != 64 || logged != name {
		t.Errorf("the log names %q, GetCopy %q", logged, name)
	}
}
