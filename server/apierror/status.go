package apierror

import (
	"context"
	"errors"
	"strconv"
	"strings"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/protoadapt"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/digate/digate/server/exchange"
)

// The keys of ErrorInfo's metadata.
const (
	metadataOutcome    = "outcome"
	metadataHTTPStatus = "http_status"
	// metadataIntegrationIDs and metadataToolIDs are lists of ids separated by commas.
	metadataIntegrationIDs = "integration_ids"
	metadataToolIDs        = "tool_ids"
)

// GRPCStatus returns the error as a gRPC status with an ErrorInfo. It has a BadRequest if
// there are violations, and a RetryInfo if a retry is invited. Message and details take
// less than 6 KiB in encoded form. The status is built once and cached.
func (e *Error) GRPCStatus() *status.Status {
	if st := e.status.Load(); st != nil {
		return st
	}
	st := e.newStatus()
	e.status.Store(st)
	return st
}

func (e *Error) newStatus() *status.Status {
	// Errors from this package's constructors already fit. Errors from literals may not.
	fitted := Error{Message: e.Message, Violations: e.Violations}
	fitted.fit()

	metadata := map[string]string{metadataOutcome: e.outcome().String()}
	if e.HTTPStatus > 0 {
		metadata[metadataHTTPStatus] = strconv.Itoa(e.HTTPStatus)
	}
	if len(e.IntegrationIDs) > 0 {
		metadata[metadataIntegrationIDs] = strings.Join(e.IntegrationIDs, ",")
	}
	if len(e.ToolIDs) > 0 {
		metadata[metadataToolIDs] = strings.Join(e.ToolIDs, ",")
	}
	details := []protoadapt.MessageV1{&errdetails.ErrorInfo{Reason: e.Reason, Domain: e.Domain, Metadata: metadata}}
	if len(fitted.Violations) > 0 {
		bad := new(errdetails.BadRequest)
		for _, v := range fitted.Violations {
			bad.FieldViolations = append(bad.FieldViolations, &errdetails.BadRequest_FieldViolation{
				Field: v.Field, Description: v.Description, Reason: v.Reason,
			})
		}
		details = append(details, bad)
	}
	if e.RetryAfter != nil {
		details = append(details, &errdetails.RetryInfo{RetryDelay: durationpb.New(*e.RetryAfter)})
	}
	st := status.New(e.Code, fitted.Message)
	// WithDetails fails only for the code OK or for invalid UTF-8, and neither occurs.
	if detailed, err := st.WithDetails(details...); err == nil {
		return detailed
	}
	return st
}

// FromError returns err as an [Error]: the Error in its chain, else one made from its
// gRPC status, else an internal error that does not show err's text. It returns nil for
// nil.
func FromError(err error) *Error {
	if err == nil {
		return nil
	}
	if e, ok := errors.AsType[*Error](err); ok {
		return e
	}
	// status.FromError would add the text of errors that wrap the status.
	if s, ok := errors.AsType[interface {
		error
		GRPCStatus() *status.Status
	}](err); ok {
		if e := FromStatus(s.GRPCStatus()); e != nil {
			e.cause = err
			return e
		}
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return ResponseLost(err, true)
	}
	return Internal(err, exchange.Unknown)
}

// FromStatus returns the error of a status, or nil for OK. A status without an ErrorInfo
// of Diga's or digate's domain did not come from digate's service: the result has only
// its code and message, and the outcome is Unknown.
func FromStatus(st *status.Status) *Error {
	if st.Code() == codes.OK {
		return nil
	}
	e := concluded(st.Code(), ReasonOutcomeUnknown, exchange.Unknown, st.Message(), nil)
	details := st.Details()
	info := findErrorInfo(details)
	if info == nil {
		return e
	}
	e.Domain = info.Domain
	if fitsReason(info.Reason) {
		e.Reason = info.Reason
	}
	if outcome := exchange.ParseOutcome(info.Metadata[metadataOutcome]); outcome != exchange.None {
		e.Outcome = outcome
	}
	if code, err := strconv.Atoi(info.Metadata[metadataHTTPStatus]); err == nil && code > 0 && code <= maxHTTPStatus {
		e.HTTPStatus = code
	}
	e.IntegrationIDs = splitIDs(info.Metadata[metadataIntegrationIDs])
	e.ToolIDs = splitIDs(info.Metadata[metadataToolIDs])
	for _, detail := range details {
		switch d := detail.(type) {
		case *errdetails.BadRequest:
			for _, v := range d.FieldViolations {
				e.Violations = append(e.Violations, Violation{Field: v.Field, Description: v.Description, Reason: v.Reason})
			}
		case *errdetails.RetryInfo:
			e.RetryAfter = new(min(max(d.RetryDelay.AsDuration(), 0), maxRetryAfter))
		}
	}
	e.fit()
	return e
}

// splitIDs returns the first ids of a list separated by commas.
func splitIDs(list string) []string {
	if list == "" {
		return nil
	}
	all := strings.Split(list, ",")
	return all[:min(len(all), MaxIDs)]
}

func findErrorInfo(details []any) *errdetails.ErrorInfo {
	for _, detail := range details {
		if info, ok := detail.(*errdetails.ErrorInfo); ok && (info.Domain == DomainDiga || info.Domain == DomainDigate) {
			return info
		}
	}
	return nil
}
