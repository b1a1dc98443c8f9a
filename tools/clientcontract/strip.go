package main

import (
	"fmt"
	"slices"

	"google.golang.org/genproto/googleapis/api/annotations"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"
)

// kept are the options that remain: those that change what a generator makes, and those
// that tell a caller something. All of them are older than protoc 3.21.
var kept = map[protoreflect.Name]bool{
	"allow_alias":          true,
	"csharp_namespace":     true,
	"deprecated":           true,
	"go_package":           true,
	"idempotency_level":    true,
	"java_multiple_files":  true,
	"java_outer_classname": true,
	"java_package":         true,
	"map_entry":            true,
	"objc_class_prefix":    true,
	"packed":               true,
	"php_namespace":        true,
	"ruby_package":         true,
	"swift_prefix":         true,
}

// required is the last line of the comment of a field that a request must set, and that
// Diga promises in a response.
const required = " REQUIRED.\n"

// typeOwners returns the name of the file that declares each type.
func typeOwners(set *descriptorpb.FileDescriptorSet) map[string]string {
	owners := make(map[string]string)
	for _, fd := range set.GetFile() {
		var add func(prefix string, messages []*descriptorpb.DescriptorProto, enums []*descriptorpb.EnumDescriptorProto)
		add = func(prefix string, messages []*descriptorpb.DescriptorProto, enums []*descriptorpb.EnumDescriptorProto) {
			for _, e := range enums {
				owners[prefix+"."+e.GetName()] = fd.GetName()
			}
			for _, m := range messages {
				name := prefix + "." + m.GetName()
				owners[name] = fd.GetName()
				add(name, m.GetNestedType(), m.GetEnumType())
			}
		}
		add("."+fd.GetPackage(), fd.GetMessageType(), fd.GetEnumType())
	}
	return owners
}

// strip removes the options that are not kept from a file, and the imports that nothing
// uses then. Extensions are options of others' messages, so a file that declares one is an
// error.
func strip(fd *descriptorpb.FileDescriptorProto, owners map[string]string) error {
	if len(fd.GetExtension()) > 0 {
		return fmt.Errorf("declares the extension %s, which callers have no use for", fd.GetExtension()[0].GetName())
	}
	s := &stripper{file: fd, owners: owners, used: make(map[string]bool)}
	s.options(fd.GetOptions())
	for i, m := range fd.GetMessageType() {
		s.message(m, 4, int32(i))
	}
	for _, e := range fd.GetEnumType() {
		s.enum(e)
	}
	for _, service := range fd.GetService() {
		s.options(service.GetOptions())
		for _, m := range service.GetMethod() {
			s.options(m.GetOptions())
			s.use(m.GetInputType())
			s.use(m.GetOutputType())
		}
	}
	fd.Dependency = slices.DeleteFunc(fd.Dependency, func(name string) bool { return !s.used[name] })
	fd.PublicDependency, fd.WeakDependency = nil, nil
	return nil
}

// stripper strips one file.
type stripper struct {
	file   *descriptorpb.FileDescriptorProto
	owners map[string]string
	used   map[string]bool // the files whose types are used
}

// use notes that the file uses a type.
func (s *stripper) use(name string) {
	if owner := s.owners[name]; owner != "" {
		s.used[owner] = true
	}
}

// message strips a message. The path is where it is in the file, as source locations
// write it.
func (s *stripper) message(m *descriptorpb.DescriptorProto, path ...int32) {
	s.options(m.GetOptions())
	for i, f := range m.GetField() {
		behavior, _ := proto.GetExtension(f.GetOptions(), annotations.E_FieldBehavior).([]annotations.FieldBehavior)
		if slices.Contains(behavior, annotations.FieldBehavior_REQUIRED) {
			s.sayRequired(append(slices.Clone(path), 2, int32(i)))
		}
		s.options(f.GetOptions())
		s.use(f.GetTypeName())
	}
	for _, o := range m.GetOneofDecl() {
		s.options(o.GetOptions())
	}
	for _, e := range m.GetEnumType() {
		s.enum(e)
	}
	for i, nested := range m.GetNestedType() {
		s.message(nested, append(slices.Clone(path), 3, int32(i))...)
	}
}

func (s *stripper) enum(e *descriptorpb.EnumDescriptorProto) {
	s.options(e.GetOptions())
	for _, v := range e.GetValue() {
		s.options(v.GetOptions())
	}
}

// sayRequired adds to the comment of the field at a path that the field is required.
func (s *stripper) sayRequired(path []int32) {
	for _, l := range s.file.GetSourceCodeInfo().GetLocation() {
		if slices.Equal(l.GetPath(), path) {
			l.LeadingComments = proto.String(l.GetLeadingComments() + required)
		}
	}
}

// options removes the options that are not kept.
func (s *stripper) options(options proto.Message) {
	m := options.ProtoReflect()
	if !m.IsValid() {
		return
	}
	m.SetUnknown(nil)
	m.Range(func(f protoreflect.FieldDescriptor, _ protoreflect.Value) bool {
		if f.IsExtension() || !kept[f.Name()] {
			m.Clear(f)
		}
		return true
	})
}
