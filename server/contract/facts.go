package contract

import (
	"errors"
	"fmt"
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	annotationsv1 "github.com/digate/digate/gen/digate/annotations/v1"
	digatev1 "github.com/digate/digate/gen/digate/v1"
	"github.com/digate/digate/server/digajson"
)

// ReplayedKey is the metadata of a response whose integration was created by an
// earlier call with the same request id: its value is then "true". In REST it is
// a header.
const ReplayedKey = "digate-replayed"

// OmittedKey is the metadata at the end of a gRPC call whose response was too large:
// the paths of the fields that were omitted, separated by commas.
const OmittedKey = "digate-omitted"

// open are the methods that need no credential, and whether each is a stream that its
// caller need not end.
var open = map[string]bool{
	"/grpc.health.v1.Health/Check":                                   false,
	"/grpc.health.v1.Health/List":                                    false,
	"/grpc.health.v1.Health/Watch":                                   true,
	"/grpc.reflection.v1.ServerReflection/ServerReflectionInfo":      true,
	"/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo": true,
}

// Health reports whether a method, by its full gRPC name, is one of the health service.
// It never needs a credential: a load balancer has none.
func Health(fullName string) bool {
	return strings.HasPrefix(fullName, "/grpc.health.v1.") && Open(fullName)
}

// Open reports whether a method, by its full gRPC name, shows nothing of Diga's: it is
// one of the health and reflection services, which have no account and may need no
// credential.
func Open(fullName string) bool {
	_, ok := open[fullName]
	return ok
}

// Endless reports whether a method, by its full gRPC name, is [Open] and a stream that
// its caller need not end.
func Endless(fullName string) bool { return open[fullName] }

// Own reports whether a method, by its full gRPC name, is one of LedgerService. Its
// calls are about the copies of other calls, so they have no outcome of their own.
func Own(fullName string) bool {
	return strings.HasPrefix(fullName, "/"+digatev1.LedgerService_ServiceDesc.ServiceName+"/")
}

// IdempotencyKey returns the field that identifies a call among those of its
// caller, nil where a request has none.
func IdempotencyKey(md protoreflect.MessageDescriptor) protoreflect.FieldDescriptor {
	for i := range md.Fields().Len() {
		fd := md.Fields().Get(i)
		if own, _ := proto.GetExtension(fd.Options(), annotationsv1.E_Field).(*annotationsv1.FieldRules); own.GetIdempotencyKey() {
			return fd
		}
	}
	return nil
}

// checkKey returns an error unless a request's idempotency key, if it has one,
// can be the header of a request and nothing else.
func checkKey(in protoreflect.MessageDescriptor) error {
	fd := IdempotencyKey(in)
	switch {
	case fd == nil:
		return nil
	case fd.Kind() != protoreflect.StringKind || fd.IsList() || fd.HasPresence():
		return fmt.Errorf("idempotency_key %q is not a plain string field", fd.Name())
	case !digajson.FacadeOnly(fd):
		return fmt.Errorf("idempotency_key %q is not facade_only", fd.Name())
	}
	for i := range in.Fields().Len() {
		other := in.Fields().Get(i)
		own, _ := proto.GetExtension(other.Options(), annotationsv1.E_Field).(*annotationsv1.FieldRules)
		if own.GetIdempotencyKey() && other != fd {
			return errors.New("more than one field is the idempotency_key")
		}
	}
	return nil
}
