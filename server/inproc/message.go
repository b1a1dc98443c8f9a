package inproc

import (
	"reflect"
	"sync"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/digate/digate/server/gostruct"
)

// handOver makes dst a message equal to src, replacing what dst held. They share
// what src points to. A nil src is an empty message, as it is on the wire.
func handOver(dst, src any) error {
	to, ok := dst.(proto.Message)
	if !ok || !to.ProtoReflect().IsValid() {
		return status.Errorf(codes.Internal, "inproc: cannot receive into %T, want a non-nil proto.Message", dst)
	}
	from, ok := src.(proto.Message)
	switch {
	case src == nil:
		proto.Reset(to)
		return nil
	case !ok:
		return status.Errorf(codes.Internal, "inproc: cannot send %T, want a proto.Message", src)
	}
	d, s := to.ProtoReflect(), from.ProtoReflect()
	if d.Descriptor() != s.Descriptor() {
		return status.Errorf(codes.Internal, "inproc: sent %T (%s) but receiving %T (%s)",
			src, s.Descriptor().FullName(), dst, d.Descriptor().FullName())
	}
	if !s.IsValid() {
		proto.Reset(to)
		return nil
	}

	a, b := reflect.ValueOf(dst), reflect.ValueOf(src)
	if a.Type() == b.Type() {
		if fields := goFields(a.Type(), d.Descriptor()); fields != nil {
			a, b = a.Elem(), b.Elem()
			for _, f := range fields {
				a.Field(f.Index).Set(b.Field(f.Index))
			}
			d.SetUnknown(s.GetUnknown())
			return nil
		}
	}
	proto.Reset(to)
	proto.Merge(to, from)
	return nil
}

// plans holds, by message type, what [gostruct.Fields] returns.
var plans sync.Map

// goFields returns the Go fields that hold all of a generated message; nil where
// only protoreflect reaches them.
func goFields(t reflect.Type, md protoreflect.MessageDescriptor) []gostruct.Field {
	if plan, ok := plans.Load(t); ok {
		return plan.([]gostruct.Field)
	}
	plan := gostruct.Fields(t, md)
	plans.Store(t, plan)
	return plan
}
