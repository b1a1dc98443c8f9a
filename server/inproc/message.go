package inproc

import (
	"reflect"
	"sync"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
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
		if fields := shallow(a.Type(), d.Descriptor()); fields != nil {
			a, b = a.Elem(), b.Elem()
			for _, i := range fields {
				a.Field(i).Set(b.Field(i))
			}
			d.SetUnknown(s.GetUnknown())
			return nil
		}
	}
	proto.Reset(to)
	proto.Merge(to, from)
	return nil
}

// plans holds, by message type, the []int that shallow returns.
var plans sync.Map

// shallow returns the struct fields that hold a generated message's fields; nil if
// it cannot account for each of them (opaque and dynamic messages, extensions).
//
// Assigning these fields is what a program may do itself. Assigning whole structs
// is not: they hold bookkeeping that protobuf writes atomically even while the
// message is only read, so that would race on a reply that several calls share.
// Going through protoreflect would be proper too, but costs more than a deep copy.
func shallow(t reflect.Type, md protoreflect.MessageDescriptor) []int {
	if plan, ok := plans.Load(t); ok {
		return plan.([]int)
	}
	plan := shallowPlan(t, md)
	plans.Store(t, plan)
	return plan
}

func shallowPlan(t reflect.Type, md protoreflect.MessageDescriptor) []int {
	if t.Kind() != reflect.Pointer || t.Elem().Kind() != reflect.Struct || md.ExtensionRanges().Len() > 0 {
		return nil
	}
	want := md.Fields().Len()
	for i := range md.Oneofs().Len() {
		if o := md.Oneofs().Get(i); !o.IsSynthetic() {
			want -= o.Fields().Len() - 1 // its members share one struct field
		}
	}
	plan := make([]int, 0, want)
	for i := range t.Elem().NumField() {
		f := t.Elem().Field(i)
		if !f.IsExported() {
			continue
		}
		_, field := f.Tag.Lookup("protobuf")
		_, oneof := f.Tag.Lookup("protobuf_oneof")
		if !field && !oneof {
			return nil
		}
		plan = append(plan, i)
	}
	if len(plan) != want {
		return nil
	}
	return plan
}
