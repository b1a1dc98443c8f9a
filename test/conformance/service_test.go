package conformance

import (
	"context"
	"encoding/base64"
	"errors"
	"io"
	"slices"
	"strings"
	"time"

	statuspb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"

	conformancev1 "github.com/digate/digate/test/conformance/gen/connectrpc/conformance/v1"
)

// service is the suite's service: it responds as each request says. The words of
// service.proto are the specification.
type service struct {
	conformancev1.UnimplementedConformanceServiceServer
}

// Unary implements [conformancev1.ConformanceServiceServer].
func (service) Unary(ctx context.Context, req *conformancev1.UnaryRequest) (*conformancev1.UnaryResponse, error) {
	payload, err := unary(ctx, req.GetResponseDefinition(), []proto.Message{req})
	if err != nil {
		return nil, err
	}
	return &conformancev1.UnaryResponse{Payload: payload}, nil
}

// IdempotentUnary implements [conformancev1.ConformanceServiceServer].
func (service) IdempotentUnary(ctx context.Context, req *conformancev1.IdempotentUnaryRequest) (*conformancev1.IdempotentUnaryResponse, error) {
	payload, err := unary(ctx, req.GetResponseDefinition(), []proto.Message{req})
	if err != nil {
		return nil, err
	}
	return &conformancev1.IdempotentUnaryResponse{Payload: payload}, nil
}

// ClientStream implements [conformancev1.ConformanceServiceServer].
func (service) ClientStream(ss grpc.ClientStreamingServer[conformancev1.ClientStreamRequest, conformancev1.ClientStreamResponse]) error {
	var requests []proto.Message
	var definition *conformancev1.UnaryResponseDefinition
	for {
		req, err := ss.Recv()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		if requests == nil {
			definition = req.GetResponseDefinition()
		}
		requests = append(requests, req)
	}
	payload, err := unary(ss.Context(), definition, requests)
	if err != nil {
		return err
	}
	return ss.SendAndClose(&conformancev1.ClientStreamResponse{Payload: payload})
}

// unary returns the payload of the one response of a call.
func unary(ctx context.Context, definition *conformancev1.UnaryResponseDefinition, requests []proto.Message) (*conformancev1.ConformancePayload, error) {
	if err := grpc.SendHeader(ctx, metadataOf(definition.GetResponseHeaders())); err != nil {
		return nil, err
	}
	if err := grpc.SetTrailer(ctx, metadataOf(definition.GetResponseTrailers())); err != nil {
		return nil, err
	}
	if err := pause(ctx, definition.GetResponseDelayMs()); err != nil {
		return nil, err
	}
	info, err := infoOf(ctx, requests)
	if err != nil {
		return nil, err
	}
	if failure := definition.GetError(); failure != nil {
		return nil, failed(failure, info)
	}
	return &conformancev1.ConformancePayload{Data: definition.GetResponseData(), RequestInfo: info}, nil
}

// ServerStream implements [conformancev1.ConformanceServiceServer].
func (service) ServerStream(req *conformancev1.ServerStreamRequest, ss grpc.ServerStreamingServer[conformancev1.ServerStreamResponse]) error {
	r := responses{definition: req.GetResponseDefinition(), ss: ss, requests: []proto.Message{req}, send: func(p *conformancev1.ConformancePayload) error {
		return ss.Send(&conformancev1.ServerStreamResponse{Payload: p})
	}}
	if err := ss.SendHeader(metadataOf(r.definition.GetResponseHeaders())); err != nil {
		return err
	}
	ss.SetTrailer(metadataOf(r.definition.GetResponseTrailers()))
	return r.rest()
}

// BidiStream implements [conformancev1.ConformanceServiceServer].
func (service) BidiStream(ss grpc.BidiStreamingServer[conformancev1.BidiStreamRequest, conformancev1.BidiStreamResponse]) error {
	r := responses{ss: ss, send: func(p *conformancev1.ConformancePayload) error {
		return ss.Send(&conformancev1.BidiStreamResponse{Payload: p})
	}}
	fullDuplex := false
	for first := true; ; first = false {
		req, err := ss.Recv()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		r.requests = append(r.requests, req)
		if first {
			r.definition, fullDuplex = req.GetResponseDefinition(), req.GetFullDuplex()
			header := metadataOf(r.definition.GetResponseHeaders())
			if fullDuplex {
				err = ss.SendHeader(header)
			} else {
				err = ss.SetHeader(header)
			}
			if err != nil {
				return err
			}
			ss.SetTrailer(metadataOf(r.definition.GetResponseTrailers()))
		}
		if !fullDuplex {
			continue
		}
		if r.sent >= len(r.definition.GetResponseData()) {
			break
		}
		if err := r.next(); err != nil {
			return err
		}
		r.requests = nil
	}
	return r.rest()
}

// responses are the responses of a stream, as its first request defines them.
type responses struct {
	definition *conformancev1.StreamResponseDefinition
	ss         grpc.ServerStream
	send       func(*conformancev1.ConformancePayload) error
	requests   []proto.Message // that no response has shown
	sent       int
}

// next sends a response. The first has all that is known of the call, the others only
// the requests that came since.
func (r *responses) next() error {
	if err := pause(r.ss.Context(), r.definition.GetResponseDelayMs()); err != nil {
		return err
	}
	info, err := infoOf(r.ss.Context(), r.requests)
	if err != nil {
		return err
	}
	switch {
	case r.sent == 0:
	case len(r.requests) > 0:
		info = &conformancev1.ConformancePayload_RequestInfo{Requests: info.GetRequests()}
	default:
		info = nil
	}
	r.requests = nil
	payload := &conformancev1.ConformancePayload{Data: r.definition.GetResponseData()[r.sent], RequestInfo: info}
	r.sent++
	return r.send(payload)
}

// rest sends the responses that are left, and returns the end of the stream.
func (r *responses) rest() error {
	for r.sent < len(r.definition.GetResponseData()) {
		if err := r.next(); err != nil {
			return err
		}
	}
	failure := r.definition.GetError()
	if failure == nil {
		return nil
	}
	if r.sent > 0 {
		return failed(failure, nil)
	}
	info, err := infoOf(r.ss.Context(), r.requests)
	if err != nil {
		return err
	}
	return failed(failure, info)
}

// failed returns the error of a call. Info, if there is any, is one of its details.
func failed(failure *conformancev1.Error, info *conformancev1.ConformancePayload_RequestInfo) error {
	details := slices.Clone(failure.GetDetails())
	if info != nil {
		detail, err := anypb.New(info)
		if err != nil {
			return err
		}
		details = append(details, detail)
	}
	return status.ErrorProto(&statuspb.Status{Code: int32(failure.GetCode()), Message: failure.GetMessage(), Details: details})
}

// infoOf returns what a call's handler knows of it.
func infoOf(ctx context.Context, requests []proto.Message) (*conformancev1.ConformancePayload_RequestInfo, error) {
	info := new(conformancev1.ConformancePayload_RequestInfo)
	for _, req := range requests {
		packed, err := anypb.New(req)
		if err != nil {
			return nil, status.Error(codes.Internal, err.Error())
		}
		info.Requests = append(info.Requests, packed)
	}
	if deadline, ok := ctx.Deadline(); ok {
		info.TimeoutMs = new(max(time.Until(deadline), 0).Milliseconds())
	}
	md, _ := metadata.FromIncomingContext(ctx)
	for name, values := range md {
		if isBinary(name) {
			values = slices.Clone(values)
			for i := range values {
				values[i] = base64.RawStdEncoding.EncodeToString([]byte(values[i]))
			}
		}
		info.RequestHeaders = append(info.RequestHeaders, &conformancev1.Header{Name: name, Value: values})
	}
	return info, nil
}

// metadataOf returns a header as metadata. A binary value that is not in base64 is taken
// as it is.
func metadataOf(header []*conformancev1.Header) metadata.MD {
	md := make(metadata.MD, len(header))
	for _, h := range header {
		name := strings.ToLower(h.GetName())
		for _, value := range h.GetValue() {
			if isBinary(name) {
				if b, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(value, "=")); err == nil {
					value = string(b)
				}
			}
			md[name] = append(md[name], value)
		}
	}
	return md
}

func isBinary(name string) bool { return strings.HasSuffix(name, "-bin") }

// pause waits as long as a response is to be delayed.
func pause(ctx context.Context, ms uint32) error {
	if ms == 0 {
		return nil
	}
	select {
	case <-time.After(time.Duration(ms) * time.Millisecond):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
