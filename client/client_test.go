package client_test

import (
	"bytes"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"

	"github.com/digate/digate/client"
	integrationv1 "github.com/digate/digate/gen/diga/integration/v1"
	digatev1 "github.com/digate/digate/gen/digate/v1"
	"github.com/digate/digate/internal/need"
)

// own are the files of the contract that callers need.
func own() []protoreflect.FileDescriptor {
	return []protoreflect.FileDescriptor{
		integrationv1.File_diga_integration_v1_integration_proto,
		integrationv1.File_diga_integration_v1_integration_service_proto,
		integrationv1.File_diga_integration_v1_preview_proto,
		integrationv1.File_diga_integration_v1_stream_proto,
		integrationv1.File_diga_integration_v1_template_proto,
		integrationv1.File_diga_integration_v1_tool_proto,
		digatev1.File_digate_v1_ledger_service_proto,
	}
}

// descriptorSet returns the descriptor set for callers.
func descriptorSet(t *testing.T) *descriptorpb.FileDescriptorSet {
	t.Helper()
	raw, err := client.Files.ReadFile("contract.binpb")
	if err != nil {
		t.Fatal(err)
	}
	return readSet(t, raw)
}

// readSet reads a descriptor set as a program does that knows no options but protobuf's.
func readSet(t *testing.T, raw []byte) *descriptorpb.FileDescriptorSet {
	t.Helper()
	set := new(descriptorpb.FileDescriptorSet)
	if err := (proto.UnmarshalOptions{Resolver: new(protoregistry.Types)}).Unmarshal(raw, set); err != nil {
		t.Fatal(err)
	}
	return set
}

func resolved(t *testing.T, set *descriptorpb.FileDescriptorSet) *protoregistry.Files {
	t.Helper()
	files, err := protodesc.NewFiles(set)
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// What callers take along is the contract but for its options: the same services,
// methods, messages, fields and enums.
func TestContract_WithoutOptions_IsTheServers(t *testing.T) {
	t.Parallel()
	files := resolved(t, descriptorSet(t))
	for _, fd := range own() {
		theirs, err := files.FindFileByPath(fd.Path())
		if err != nil {
			t.Error(err)
			continue
		}
		got, want := bare(protodesc.ToFileDescriptorProto(theirs)), bare(protodesc.ToFileDescriptorProto(fd))
		if len(want.GetMessageType()) == 0 || !proto.Equal(got, want) {
			t.Errorf("%s is\n%s\nwant\n%s", fd.Path(), prototext.Format(got), prototext.Format(want))
		}
	}
}

// bare returns a file without its imports and options, but for those options that
// change what is sent or what a generator does with a message.
func bare(fd *descriptorpb.FileDescriptorProto) *descriptorpb.FileDescriptorProto {
	fd = proto.CloneOf(fd)
	fd.Options, fd.Dependency, fd.SourceCodeInfo = nil, nil, nil
	strip := func(options protoreflect.Message) {
		options.SetUnknown(nil)
		options.Range(func(f protoreflect.FieldDescriptor, _ protoreflect.Value) bool {
			if !slices.Contains([]protoreflect.Name{"map_entry", "packed", "deprecated", "idempotency_level", "allow_alias"}, f.Name()) {
				options.Clear(f)
			}
			return true
		})
	}
	var walk func(m protoreflect.Message)
	walk = func(m protoreflect.Message) {
		m.Range(func(f protoreflect.FieldDescriptor, v protoreflect.Value) bool {
			switch {
			case f.Message() == nil:
			case f.IsList():
				for i := range v.List().Len() {
					walk(v.List().Get(i).Message())
				}
			case f.Name() == "options":
				if strip(v.Message()); proto.Size(v.Message().Interface()) == 0 {
					m.Clear(f)
				}
			default:
				walk(v.Message())
			}
			return true
		})
	}
	walk(fd.ProtoReflect())
	return fd
}

// An option that another program must know to read the contract, or that protoc 3.21
// refuses, is not there, and neither is a file that only such options need.
func TestContract_Options_AreThoseThatEveryGeneratorKnows(t *testing.T) {
	t.Parallel()
	known := []protoreflect.Name{
		"allow_alias", "cc_enable_arenas", "deprecated", "go_package", "idempotency_level", "java_multiple_files", "java_outer_classname",
		"java_package", "map_entry", "objc_class_prefix", "packed", "csharp_namespace", "php_namespace", "ruby_package", "swift_prefix",
	}
	for _, fd := range descriptorSet(t).GetFile() {
		if !strings.HasPrefix(fd.GetName(), "diga/integration/v1/") && !strings.HasPrefix(fd.GetName(), "google/") && fd.GetName() != "digate/v1/ledger_service.proto" {
			t.Errorf("the contract has %s", fd.GetName())
		}
		if strings.HasPrefix(fd.GetName(), "google/api/") {
			t.Errorf("the contract has %s", fd.GetName())
		}
		var walk func(m protoreflect.Message)
		walk = func(m protoreflect.Message) {
			isOptions := strings.HasSuffix(string(m.Descriptor().Name()), "Options")
			if len(m.GetUnknown()) > 0 {
				t.Errorf("%s: options that protobuf does not have: %v", fd.GetName(), m)
			}
			m.Range(func(f protoreflect.FieldDescriptor, v protoreflect.Value) bool {
				if isOptions && !slices.Contains(known, f.Name()) {
					t.Errorf("%s: option %s", fd.GetName(), f.Name())
				}
				switch {
				case f.Message() == nil:
				case f.IsList():
					for i := range v.List().Len() {
						walk(v.List().Get(i).Message())
					}
				default:
					walk(v.Message())
				}
				return true
			})
		}
		walk(fd.ProtoReflect())
	}
}

// Every comment of the contract is there, in its order.
func TestContract_Comments_AreKept(t *testing.T) {
	t.Parallel()
	for _, fd := range own() {
		theirs, err := client.Files.ReadFile("proto/" + fd.Path())
		if err != nil {
			t.Error(err)
			continue
		}
		ours, err := os.ReadFile(filepath.Join("..", "proto", filepath.FromSlash(fd.Path())))
		if err != nil {
			t.Fatal(err)
		}
		rest := comments(theirs)
		kept := 0
		for _, line := range comments(ours) {
			i := slices.Index(rest, line)
			if i < 0 {
				t.Errorf("%s lacks the comment %q, or has it elsewhere", fd.Path(), line)
				break
			}
			rest = rest[i+1:]
			kept++
		}
		if kept == 0 {
			t.Errorf("%s: no comments", fd.Path())
		}
	}
}

func comments(file []byte) (lines []string) {
	for line := range strings.Lines(string(file)) {
		if line = strings.TrimSpace(line); strings.HasPrefix(line, "//") {
			lines = append(lines, line)
		}
	}
	return lines
}

// protoc of Debian 12 and Ubuntu 24.04 (3.21) reads the files, and finds in them what the
// descriptor set has.
func TestFiles_Protoc_MakesTheDescriptorSetOfThem(t *testing.T) {
	t.Parallel()
	out := filepath.Join(t.TempDir(), "set")
	protoc(t, "--include_imports", "--descriptor_set_out="+out)
	raw, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	made := make(map[string]*descriptorpb.FileDescriptorProto)
	for _, fd := range readSet(t, raw).GetFile() {
		made[fd.GetName()] = fd
	}
	files := protoFiles(t)
	for _, want := range descriptorSet(t).GetFile() {
		if !slices.Contains(files, want.GetName()) { // one of protobuf's own, which protoc has in its version
			continue
		}
		if got := made[want.GetName()]; !proto.Equal(got, want) {
			t.Errorf("protoc makes of %s\n%s\nwant\n%s", want.GetName(), prototext.Format(got), prototext.Format(want))
		}
	}
}

// protoFiles returns the names of the .proto files, as they are imported.
func protoFiles(t *testing.T) (names []string) {
	t.Helper()
	err := fs.WalkDir(client.Files, "proto", func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			names = append(names, strings.TrimPrefix(path, "proto/"))
		}
		return err
	})
	if err != nil || len(names) < 9 {
		t.Fatal(names, err)
	}
	return names
}

// protoc runs protoc on all files, with the given arguments.
func protoc(t *testing.T, args ...string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), need.Program(t, "protoc"), append(append([]string{"-I", "proto"}, args...), protoFiles(t)...)...)
	if out, err := cmd.CombinedOutput(); err != nil || len(bytes.TrimSpace(out)) > 0 {
		t.Fatalf("%s: %v\n%s", cmd, err, out)
	}
}
