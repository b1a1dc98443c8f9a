package gateway

import (
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/digate/digate/server/apierror"
)

// idempotencyField is how an error names the Idempotency-Key header.
const idempotencyField = "idempotency-key"

// requestIDField is the contract's name for what REST calls Idempotency-Key.
const requestIDField protoreflect.Name = "request_id"

// setRequestID hands a request's Idempotency-Key over to its message, where
// that has a field for it.
func setRequestID(keys []string, v any) error {
	msg, ok := v.(proto.Message)
	if !ok || len(keys) == 0 {
		return nil
	}
	m := msg.ProtoReflect()
	fd := m.Descriptor().Fields().ByName(requestIDField)
	if fd == nil {
		return nil
	}
	if len(keys) > 1 || keys[0] == "" {
		return apierror.InvalidRequest(apierror.Violation{
			Field: idempotencyField, Description: "must be one value, not empty", Reason: "VALUE_ERROR",
		})
	}
	m.Set(fd, protoreflect.ValueOfString(keys[0]))
	return nil
}
