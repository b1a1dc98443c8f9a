package server_test

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"net/http"
	"strings"
	"testing"

	integrationv1 "github.com/digate/digate/gen/diga/integration/v1"
	"github.com/digate/digate/test/await"
)

// One fact has one reason, whichever route it meets.
func TestREST_BodyThatBreaksOff_HasOneReasonOnEveryRoute(t *testing.T) {
	t.Parallel()
	up := newScripted(t)
	d := start(t, up.url())
	for _, path := range []string{"/v1/integration/template/" + templateID + "/copy", "/v1/integration/template:bulkCopy", "/v1/integration"} {
		c := connect(t, d.HTTPAddr())
		fmt.Fprintf(c, "POST %s HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Length: 100\r\n\r\n{", path, token)
		if err := c.CloseWrite(); err != nil {
			t.Fatal(err)
		}
		resp, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil {
			t.Fatal(err)
		}
		got := read(t, resp)
		if got.status != 422 || got.header.Get("Digate-Outcome") != "NOT_SENT" || !strings.Contains(got.body, `"type":"body_incomplete","loc":["body"]`) {
			t.Errorf("%s: %d %s", path, got.status, got.body)
		}
	}
	if got := up.received(); len(got) != 0 {
		t.Errorf("Diga received %v", got)
	}
}

// gRPC has told the caller by itself. Nothing was sent, which the line says.
func TestGRPC_MessageThatBreaksOff_IsNoUnknownOutcome(t *testing.T) {
	t.Parallel()
	d := start(t, newScripted(t).url())
	calls := 0
	for _, method := range []string{copyTemplate, integrationv1.IntegrationService_BulkCopyTemplate_FullMethodName} {
		for name, message := range map[string][]byte{
			"in its header":               {0, 0},
			"in its text":                 append(binary.BigEndian.AppendUint32([]byte{0}, 100), 1, 2, 3),
			"compressed without a method": append(binary.BigEndian.AppendUint32([]byte{1}, 3), 1, 2, 3),
		} {
			f := dialRaw(t, d.GRPCAddr())
			f.open(1, method, false)
			if err := f.WriteData(1, true, message); err != nil {
				t.Fatal(err)
			}
			f.end(1)
			calls++
			line := `"method":"` + method[1:] + `","code":"InvalidArgument","outcome":"NOT_SENT"`
			await.Value(t, d.log.written((calls-1)%3+1, line), "a line about a message that breaks off "+name)
		}
	}
}
