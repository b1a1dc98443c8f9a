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

// ReplayedKey is the metadata key of a response whose integration was created by an
// earlier call with the same request id. Its value is then "true". In REST it is a
// header.
const ReplayedKey = "digate-replayed"

// OmittedKey is the trailer key of a gRPC response that was too large. Its value is the
// paths of the omitted fields, separated by commas.
const OmittedKey = "digate-omitted"

// open are the methods that need no credential. The value reports whether the method is a
// stream that its caller need not end.
var open = map[string]bool{
	"/grpc.health.v1.Health/Check":                                   false,
	"/grpc.health.v1.Health/List":                                    false,
	"/grpc.health.v1.Health/Watch":                                   true,
	"/grpc.reflection.v1.ServerReflection/ServerReflectionInfo":      true,
	"/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo": true,
}

// Health reports whether a method, by its full gRPC name, belongs to the health service.
// It never needs a credential, because a load balancer has none.
func Health(fullName string) bool {
	return strings.HasPrefix(fullName, "/grpc.health.v1.") && Open(fullName)
}

// Open reports whether a method, by its full gRPC name, belongs to the health or
// reflection service. These return no data of Diga, need no account, and may need no
// credential.
func Open(fullName string) bool {
	_, ok := open[fullName]
	return ok
}

// Endless reports whether a method, by its full gRPC name, is [Open] and a stream that
// its caller need not end.
func Endless(fullName string) bool { return open[fullName] }

// Own reports whether a method, by its full gRPC name, belongs to LedgerService. Its
// calls are about the copies of other calls, so they have no outcome of their own.
func Own(fullName string) bool {
	return strings.HasPrefix(fullName, "/"+digatev1.LedgerService_ServiceDesc.ServiceName+"/")
}

// IdempotencyKey returns the field that identifies a call among the calls of its caller,
// or nil if the message has none.
func IdempotencyKey(md protoreflect.MessageDescriptor) protoreflect.FieldDescriptor {
	for i := range md.Fields().Len() {
		fd := md.Fields().Get(i)
		if own, _ := proto.GetExtension(fd.Options(), annotationsv1.E_Field).(*annotationsv1.FieldRules); own.GetIdempotencyKey() {
			return fd
		}
	}
	return nil
}

// checkKey returns an error unless the idempotency key of a request, if there is one, can
// be sent as a header.
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
