package apierror_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/digate/digate/server/apierror"
)

// wireLimit is what message and details may take in a trailer, encoded.
const wireLimit = 6 << 10

// oversized are errors that would not fit into a trailer.
func oversized() map[string]*apierror.Error {
	entries := func(n int, msg string) string {
		entry := fmt.Sprintf(`{"type":"string_too_short_and_a_long_kind_of_type","loc":["body","variables","%s",3],"msg":"%s"}`, msg, msg)
		return `{"detail":[` + strings.Repeat(entry+",", n-1) + entry + `]}`
	}
	envelope := func(message string) string {
		return `{"error_code":"` + strings.Repeat("A", 63) + `","message":"` + message + `"}`
	}
	own := make([]apierror.Violation, 5000)
	for i := range own {
		own[i] = apierror.Violation{Field: strings.Repeat("日", 400), Description: strings.Repeat("%", 5000), Reason: strings.Repeat("A", 63)}
	}
	errs := map[string]*apierror.Error{
		"own violations":         apierror.InvalidRequest(own...),
		"own percent signs":      apierror.InvalidRequest(slices.Repeat([]apierror.Violation{{Field: "a", Description: strings.Repeat("%", 5000)}}, 100)...),
		"own message":            apierror.MissingCredential(strings.Repeat("€", 100_000)),
		"one violation too many": apierror.InvalidRequest(own[:6]...),
	}
	for name, body := range map[string]string{
		"10,000 entries":             entries(10_000, "m"),
		"10,000 non-ASCII entries":   entries(10_000, "日本"),
		"100 long entries":           entries(100, strings.Repeat("a", 2000)),
		"100 long non-ASCII entries": entries(100, strings.Repeat("日", 2000)),
		"one endless entry":          entries(1, strings.Repeat("日", 1<<15)),
		"a lot, in megabytes":        envelope(strings.Repeat("a", 4<<20)),
		"a lot of non-ASCII":         envelope(strings.Repeat("日", 1<<15)),
		"a lot of emoji":             envelope(strings.Repeat("🙂", 1<<15)),
		"a lot of percent signs":     envelope(strings.Repeat("%", 1<<15)),
		"a lot of invalid UTF-8":     envelope(strings.Repeat("\xff", 1<<15)),
		"a lot of detail":            `{"detail":"` + strings.Repeat("é", 1<<15) + `"}`,
	} {
		r := response(503, body)
		r.Header = http.Header{"Retry-After": {"86399"}}
		errs[name] = apierror.FromResponse(r, false, nil)
		if strings.HasPrefix(name, "a lot") {
			errs[name+", no verdict"] = apierror.FromResponse(response(200, body), true, nil)
		}
	}
	return errs
}

// serve ends every gRPC call with the error that fail returns, and with
// trailers of a usual size.
func serve(t *testing.T, fail func() error) (addr string) {
	t.Helper()
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	srv := grpc.NewServer(grpc.UnknownServiceHandler(func(_ any, stream grpc.ServerStream) error {
		stream.SetTrailer(metadata.Pairs(
			"grpc-retry-pushback-ms", "-1", "x-request-id", strings.Repeat("r", 255), "traceparent", strings.Repeat("t", 55)))
		return fail()
	}))
	done := make(chan error, 1)
	go func() { done <- srv.Serve(lis) }()
	t.Cleanup(func() {
		srv.Stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return lis.Addr().String()
}

func TestGRPCStatus_Oversized_FitsIntoTrailersAndSaysWhatWasCut(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var current atomic.Pointer[apierror.Error]
	addr := serve(t, func() error { return current.Load() })
	conn, err := grpc.NewClient(addr, grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithMaxHeaderListSize(8<<10))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	raw := newRawClient(t)

	for name, e := range oversized() {
		current.Store(e)
		err := conn.Invoke(ctx, "/any.Service/Method", new(emptypb.Empty), new(emptypb.Empty))
		got := publicHalf(apierror.FromError(err))
		if want := publicHalf(e); !reflect.DeepEqual(got, want) {
			t.Errorf("%s: the client read\n     %+v\nnot  %+v", name, got, want)
		}
		last := got.Message
		if n := len(got.Violations); n > 0 {
			last = got.Violations[n-1].Description
		}
		if !strings.HasSuffix(last, "… [cut]") {
			t.Errorf("%s: no mark at the end of %q", name, last)
		}
		if n := raw.trailerSize(ctx, t, addr); n >= wireLimit || n < 1500 {
			t.Errorf("%s: message and details take %d bytes", name, n)
		}
	}
}

func TestInvalidRequest_TooManyViolations_CountsTheOthers(t *testing.T) {
	const n = 10_000
	var body strings.Builder
	for i := range n {
		fmt.Fprintf(&body, `,{"loc":["body","f%d"],"msg":"m%d","type":"some_type"}`, i, i)
	}
	for name, e := range map[string]*apierror.Error{
		"diga": apierror.FromResponse(response(422, `{"detail":[`+body.String()[1:]+`]}`), true, nil),
		"own":  apierror.InvalidRequest(make([]apierror.Violation, n)...),
	} {
		kept := len(e.Violations) - 1
		if want := fmt.Sprintf("%d more … [cut]", n-kept); kept < 10 || e.Violations[kept].Description != want {
			t.Errorf("%s: %d kept, then %q, want %q", name, kept, e.Violations[kept].Description, want)
		}
		if name == "diga" && (e.Violations[kept-1].Field != fmt.Sprintf("f%d", kept-1) || e.Message != "f0: m0 (and 9999 more)") {
			t.Errorf("got %+v, %q", e.Violations[kept-1], e.Message)
		}
	}
}

func TestInvalidRequest_WhatJustFits_IsNotCut(t *testing.T) {
	var violations []apierror.Violation
	for n := 1; ; n++ {
		violations = append(violations, apierror.Violation{Field: "a", Description: "b", Reason: "SOME_REASON"})
		got := apierror.InvalidRequest(violations...).Violations
		if reflect.DeepEqual(got, violations) {
			continue
		}
		if n < 50 || len(got) >= n || !strings.HasSuffix(got[len(got)-1].Description, "more … [cut]") {
			t.Errorf("of %d violations: %d, the last %+v", n, len(got), got[len(got)-1])
		}
		return
	}
}

// rawClient calls gRPC methods with net/http, to see what is on the wire.
type rawClient struct{ http.Client }

func newRawClient(t *testing.T) *rawClient {
	transport := &http.Transport{Protocols: new(http.Protocols)}
	transport.Protocols.SetUnencryptedHTTP2(true)
	t.Cleanup(transport.CloseIdleConnections)
	return &rawClient{http.Client{Transport: transport}}
}

// trailerSize returns the size of message and details as they were received,
// before any decoding.
func (c *rawClient) trailerSize(ctx context.Context, t *testing.T, addr string) int {
	t.Helper()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+addr+"/any.Service/Method", bytes.NewReader(make([]byte, 5)))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/grpc")
	req.Header.Set("Te", "trailers")
	resp, err := c.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		t.Fatal(err)
	}
	trailer := resp.Trailer
	if trailer.Get("Grpc-Status") == "" { // a response of trailers alone
		trailer = resp.Header
	}
	if trailer.Get("Grpc-Status-Details-Bin") == "" || trailer.Get("Grpc-Message") == "" {
		t.Fatalf("no status in %v", trailer)
	}
	return len(trailer.Get("Grpc-Message")) + len(trailer.Get("Grpc-Status-Details-Bin"))
}
