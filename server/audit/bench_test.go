package audit_test

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/digate/digate/server/audit"
)

var usual = &audit.Entry{
	Kind: "call", Protocol: "grpc", Peer: "192.0.2.1:43210", Method: "diga.integration.v1.IntegrationService/CopyTemplate",
	Account: "acme", Caller: "billing", By: audit.ByToken, TemplateID: "3c90c3cc-0d44-4b50-8888-8dd25736052a", IntegrationID: "0b6a0f43-3e5e-4c53-9d5b-6f0f6f3b2f11",
	LedgerRecord: "8358dcff3bcda879a25b22207dc0a1f5242cee472cd76543f4b2ae7cc4975108", XRequestID: "R23PFGUMXUCQ47Z23W3FWKX77M",
	Code: "OK", Outcome: "DONE", UpstreamStatus: 201, Attempts: 1, Duration: 20 * time.Millisecond,
}

func benchmarkLog(b *testing.B) *audit.Log {
	b.Helper()
	l, err := audit.Open(audit.Settings{Path: filepath.Join(b.TempDir(), "audit.log"), Required: true}, "v", newSeen())
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(l.Close)
	b.ReportAllocs()
	return l
}

func BenchmarkEnd(b *testing.B) {
	l := benchmarkLog(b)
	for b.Loop() {
		l.End(0, usual)
	}
}

func BenchmarkBegin(b *testing.B) {
	l := benchmarkLog(b)
	for b.Loop() {
		if _, err := l.Begin(b.Context(), usual); err != nil {
			b.Fatal(err)
		}
	}
}
