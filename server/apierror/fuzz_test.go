package apierror_test

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/protobuf/proto"

	"github.com/digate/digate/server/apierror"
)

// FuzzFromResponse holds each response of Diga to what a caller relies on.
func FuzzFromResponse(f *testing.F) {
	const secret = "hunter2-s3cr3t"
	redact := func(s string) string { return strings.ReplaceAll(s, secret, "[redacted]") }
	for _, a := range bodies {
		for _, status := range []int{201, 302, 404, 422, 500, 503} {
			f.Add(status, []byte(a.body), "7", "", a.cut, true)
		}
	}
	f.Add(422, []byte(`{"detail":[{"msg":"hunter2-s3cr3t\u0000","loc":["body","hunter2-s3cr3t",1],"input":"hunter2-s3cr3t"}]}`), "Wed, 21 Oct 2026 07:28:30 GMT", "Wed, 21 Oct 2026 07:28:00 GMT", false, true)
	f.Add(503, []byte(`{"error_code":"A_B","message":"hunter2\u002ds3cr3t \ud800 \u202e\u2028"}`), "-1", "", false, false)

	f.Fuzz(func(t *testing.T, status int, body []byte, retryAfter, date string, cut, write bool) {
		r := apierror.Response{Status: status, Body: body, Header: http.Header{"Retry-After": {retryAfter}, "Date": {date}}}
		if cut {
			r.ReadErr = errors.New(secret)
		}
		e := apierror.FromResponse(r, write, redact)
		st := e.GRPCStatus()

		var info *errdetails.ErrorInfo
		retry := false
		for _, d := range st.Details() {
			switch d := d.(type) {
			case *errdetails.ErrorInfo:
				info = d
			case *errdetails.RetryInfo:
				retry = true
				if wait := d.RetryDelay.AsDuration(); wait < 0 || wait.Hours() > 24 {
					t.Errorf("a delay of %v", wait)
				}
			}
		}
		outcome := info.GetMetadata()["outcome"]
		if outcome != "REJECTED" && outcome != "UNKNOWN" {
			t.Errorf("outcome %q", outcome)
		}
		if write && outcome == "UNKNOWN" && retry {
			t.Error("a write in doubt invites a retry")
		}
		if info.GetReason() == "" || (info.GetDomain() != "diga.io" && info.GetDomain() != "digate") {
			t.Errorf("ErrorInfo %v", info)
		}
		wire, err := proto.Marshal(st.Proto())
		if err != nil {
			t.Fatal(err)
		}
		if n := grpcMessageLen(st.Message()) + base64.StdEncoding.EncodedLen(len(wire)); n >= wireLimit {
			t.Errorf("message and details take %d bytes", n)
		}
		texts := []string{st.Message(), info.GetReason()}
		for _, v := range e.Violations {
			texts = append(texts, v.Field, v.Description, v.Reason)
		}
		for _, text := range texts {
			if !utf8.ValidString(text) || strings.ContainsFunc(text, unicode.IsControl) {
				t.Errorf("text %q", text)
			}
		}
		if got, want := publicHalf(apierror.FromStatus(st)), publicHalf(e); !reflect.DeepEqual(got, want) {
			t.Errorf("read back:\n     %+v\nnot  %+v", got, want)
		}

		a := e.REST(nil)
		if a.Status < 400 || a.Status > 599 || !json.Valid(a.Body) || a.Header.Get("Digate-Outcome") != outcome {
			t.Errorf("REST response %d %s %v", a.Status, a.Body, a.Header)
		}
		if e.Relayable() && (!json.Valid(body) || !utf8.Valid(body) || cut || a.Status != status) {
			t.Errorf("relays HTTP %d %q", status, body)
		}
		if strings.Contains(e.Error()+string(wire)+string(a.Body), secret) {
			t.Errorf("a secret shows in %q", wire)
		}
	})
}

// grpcMessageLen is the length of a message in percent-encoding, as gRPC's
// protocol has it: printable ASCII but for the percent sign stays.
func grpcMessageLen(s string) int {
	n := 0
	for _, b := range []byte(s) {
		if b >= 0x20 && b <= 0x7e && b != '%' {
			n++
		} else {
			n += 3
		}
	}
	return n
}
