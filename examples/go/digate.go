package main

import (
	"context"
	"errors"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	integrationv1 "github.com/digate/digate/client/go/diga/integration/v1"
)

// This file is to be copied: what became of a call of digate that failed, and a copy
// that is made once.

// outcome returns what happened on Diga's side when a call failed: NOT_SENT, REJECTED,
// DONE or UNKNOWN. An error without an outcome does not come from digate: the connection
// was lost, or a proxy failed the call. It counts as UNKNOWN. The error of one copy of a
// bulk stream is status.ErrorProto of its google.rpc.Status.
func outcome(err error) string {
	if info, ok := detail[*errdetails.ErrorInfo](err); ok && info.GetMetadata()["outcome"] != "" {
		return info.GetMetadata()["outcome"]
	}
	return "UNKNOWN"
}

// retryDelay returns after what time to try again. It returns false if digate named
// none.
func retryDelay(err error) (time.Duration, bool) {
	info, ok := detail[*errdetails.RetryInfo](err)
	return info.GetRetryDelay().AsDuration(), ok
}

// violations returns the names of the fields whose values were refused.
func violations(err error) (fields []string) {
	bad, _ := detail[*errdetails.BadRequest](err)
	for _, v := range bad.GetFieldViolations() {
		fields = append(fields, v.GetField())
	}
	return fields
}

// copyOnce makes one integration, however often the request has to be sent. The request
// has a request id. Store it with your own record of the job before the first call, so
// that the job can be repeated after a crash too. Until the context ends, the call is
// repeated if digate names a delay, or if the result was lost. It returns the last error:
// UNKNOWN then means that a person has to look.
func copyOnce(ctx context.Context, client integrationv1.IntegrationServiceClient, request *integrationv1.CopyTemplateRequest, opts ...grpc.CallOption) (*integrationv1.CopyTemplateResponse, error) {
	if request.GetRequestId() == "" {
		return nil, errors.New("a copy without a request id must not be repeated")
	}
	for pause := 200 * time.Millisecond; ; pause *= 2 {
		response, err := client.CopyTemplate(ctx, request, opts...)
		if err == nil {
			return response, nil
		}
		delay, again := retryDelay(err)
		// ABORTED is digate's own UNKNOWN: an earlier call with this id was sent.
		if !again && outcome(err) == "UNKNOWN" && status.Code(err) != codes.Aborted {
			delay, again = pause, true
		}
		if end, ok := ctx.Deadline(); !again || ok && time.Until(end) <= delay {
			return nil, err
		}
		select {
		case <-time.After(delay):
		case <-ctx.Done():
			return nil, err
		}
	}
}

// detail returns the detail of an error that has the type.
func detail[T any](err error) (found T, ok bool) {
	for _, d := range status.Convert(err).Details() {
		if found, ok = d.(T); ok {
			return found, true
		}
	}
	return found, false
}
