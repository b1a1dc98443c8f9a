package apierror_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	spb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/protoadapt"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/digate/digate/server/apierror"
	"github.com/digate/digate/server/exchange"
)

// overTheWire is what a status is after it was sent.
func overTheWire(t *testing.T, st *status.Status) *status.Status {
	t.Helper()
	b, err := proto.Marshal(st.Proto())
	if err != nil {
		t.Fatal(err)
	}
	p := new(spb.Status)
	if err := proto.Unmarshal(b, p); err != nil {
		t.Fatal(err)
	}
	return status.FromProto(p)
}

func TestFromStatus_WhatWasSent_IsWhatIsRead(t *testing.T) {
	errs := map[string]*apierror.Error{
		"later": {Code: codes.Aborted, Reason: "OUTCOME_UNKNOWN", Domain: "digate", Outcome: exchange.Unknown, Message: "in doubt"},
		"done":  {Code: codes.AlreadyExists, Reason: "SOME_REASON", Domain: "digate", Outcome: exchange.Done, Message: "m"},
	}
	for _, c := range conclusions() {
		errs[c.name] = c.err
	}
	for _, a := range bodies {
		for _, code := range []int{0, 42, 100, 201, 302, 400, 404, 422, 429, 500, 502, 503, 600, 999} {
			for _, write := range []bool{true, false} {
				r := apierror.Response{Status: code, Header: http.Header{"Retry-After": {"3600"}}, Body: []byte(a.body)}
				if a.cut {
					r.ReadErr = io.ErrUnexpectedEOF
				}
				errs[fmt.Sprint(a.name, code, write)] = apierror.FromResponse(r, write, nil)
			}
		}
	}
	for name, e := range errs {
		got, want := publicHalf(apierror.FromStatus(overTheWire(t, e.GRPCStatus()))), publicHalf(e)
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s:\n got %+v\nwant %+v", name, got, want)
		}
	}
}

func TestFromStatus_StatusOfAStranger_IsUnknownWhateverItSays(t *testing.T) {
	retry := &errdetails.RetryInfo{RetryDelay: durationpb.New(time.Second)}
	tests := map[string][]protoadapt.MessageV1{
		"no details":           nil,
		"RetryInfo alone":      {retry},
		"another's ErrorInfo":  {&errdetails.ErrorInfo{Reason: "X_Y", Domain: "mesh.example", Metadata: map[string]string{"outcome": "NOT_SENT", "http_status": "404"}}, retry},
		"our ErrorInfo, empty": {&errdetails.ErrorInfo{Domain: "digate"}},
		"our ErrorInfo, odd":   {&errdetails.ErrorInfo{Domain: "digate", Reason: "x y", Metadata: map[string]string{"outcome": "not_sent", "http_status": "1000"}}},
		"our ErrorInfo, odder": {&errdetails.ErrorInfo{Domain: "digate", Reason: strings.Repeat("A", 64), Metadata: map[string]string{"outcome": "", "http_status": "-1"}}},
	}
	for name, details := range tests {
		st, err := status.New(codes.Unavailable, "no\x1b[31m\nhealthy upstream").WithDetails(details...)
		if err != nil {
			t.Fatal(err)
		}
		want := public{
			Code: codes.Unavailable, Reason: "OUTCOME_UNKNOWN", Domain: "digate", Outcome: "UNKNOWN",
			Message: "no [31m healthy upstream", RetryUnsafe: true,
		}
		if got := publicHalf(apierror.FromStatus(st)); !reflect.DeepEqual(got, want) {
			t.Errorf("%s:\n got %+v\nwant %+v", name, got, want)
		}
	}
}

func TestFromStatus_HostileRetryInfo_IsBounded(t *testing.T) {
	for _, test := range []struct {
		sent *durationpb.Duration
		want time.Duration
	}{
		{nil, 0},
		{durationpb.New(-time.Hour), 0},
		{&durationpb.Duration{Seconds: 1 << 62}, 24 * time.Hour},
	} {
		st, err := status.New(codes.Unavailable, "m").WithDetails(
			&errdetails.ErrorInfo{Reason: "X_Y", Domain: "digate", Metadata: map[string]string{"outcome": "NOT_SENT"}},
			&errdetails.RetryInfo{RetryDelay: test.sent})
		if err != nil {
			t.Fatal(err)
		}
		if e := apierror.FromStatus(st); e.RetryAfter == nil || *e.RetryAfter != test.want {
			t.Errorf("%v: got %v, want %v", test.sent, publicHalf(e).RetryAfter, test.want)
		}
	}
}

func TestFromStatus_ManyIntegrations_AreReadUpToTheBound(t *testing.T) {
	st, err := status.New(codes.Aborted, "m").WithDetails(&errdetails.ErrorInfo{
		Domain: "digate", Reason: "A", Metadata: map[string]string{"integration_ids": strings.Repeat("a,", 100) + "a"},
	})
	if err != nil {
		t.Fatal(err)
	}
	if got := apierror.FromStatus(st).IntegrationIDs; len(got) != apierror.MaxIDs {
		t.Errorf("%d integrations", len(got))
	}
}

func TestFromStatus_OK_IsNil(t *testing.T) {
	if e := apierror.FromStatus(status.New(codes.OK, "")); e != nil {
		t.Errorf("got %v", e)
	}
	if e := apierror.FromStatus(nil); e != nil {
		t.Errorf("got %v", e)
	}
}

func TestFromError(t *testing.T) {
	ours := apierror.RouteNotFound()
	tests := []struct {
		name    string
		err     error
		code    codes.Code
		reason  string
		outcome string
		message string
	}{
		{"our own", ours, codes.NotFound, "ROUTE_NOT_FOUND", "NOT_SENT", ours.Message},
		{"our own, wrapped", fmt.Errorf("private: %w", ours), codes.NotFound, "ROUTE_NOT_FOUND", "NOT_SENT", ours.Message},
		{"its status", ours.GRPCStatus().Err(), codes.NotFound, "ROUTE_NOT_FOUND", "NOT_SENT", ours.Message},
		{"its status, wrapped", fmt.Errorf("private: %w", ours.GRPCStatus().Err()), codes.NotFound, "ROUTE_NOT_FOUND", "NOT_SENT", ours.Message},
		{"plain status", status.Error(codes.PermissionDenied, "no"), codes.PermissionDenied, "OUTCOME_UNKNOWN", "UNKNOWN", "no"},
		{"plain error", errors.New("private"), codes.Internal, "INTERNAL_ERROR", "UNKNOWN", "digate failed internally"},
		{"status of no failure", okError{}, codes.Internal, "INTERNAL_ERROR", "UNKNOWN", "digate failed internally"},
		{"deadline", fmt.Errorf("private: %w", context.DeadlineExceeded), codes.DeadlineExceeded, "OUTCOME_UNKNOWN", "UNKNOWN",
			"the deadline passed before Diga's response came; the request may have been carried out"},
		{"cancelled", context.Canceled, codes.Canceled, "OUTCOME_UNKNOWN", "UNKNOWN",
			"the call was cancelled before Diga's response came; the request may have been carried out"},
	}
	for _, test := range tests {
		e := apierror.FromError(test.err)
		if e.Code != test.code || e.Reason != test.reason || e.Outcome.String() != test.outcome || e.Message != test.message {
			t.Errorf("%s: got %+v", test.name, publicHalf(e))
		}
	}
	if e := apierror.FromError(nil); e != nil {
		t.Errorf("nil: got %v", e)
	}
}

// okError is an error whose status says that there is none.
type okError struct{}

func (okError) Error() string              { return "private" }
func (okError) GRPCStatus() *status.Status { return nil }

func TestGRPCStatus_CalledAtOnce_IsOneStatus(t *testing.T) {
	e := apierror.FromResponse(response(422, bodies[4].body), true, nil)
	want := e.GRPCStatus().Proto()
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if !proto.Equal(e.GRPCStatus().Proto(), want) {
				t.Error("another status")
			}
		})
	}
	wg.Wait()
}

func TestGRPCStatus_LiteralThatDoesNotFit_StillHasItsDetails(t *testing.T) {
	e := &apierror.Error{
		Code: codes.Aborted, Reason: "OUTCOME_UNKNOWN", Domain: "digate",
		Message:    strings.Repeat("é\xff\n", 10_000),
		Violations: []apierror.Violation{{Field: "a\xff", Description: "\x00", Reason: "no reason"}},
	}
	got := apierror.FromStatus(e.GRPCStatus())
	if got.Reason != "OUTCOME_UNKNOWN" || got.Outcome != exchange.Unknown || len(got.Message) > 1000 ||
		!reflect.DeepEqual(got.Violations, []apierror.Violation{{Field: "a\ufffd"}}) {
		t.Errorf("got %+v", publicHalf(got))
	}
}
