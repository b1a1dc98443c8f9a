package gateway

import (
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"

	integrationv1 "github.com/digate/digate/gen/diga/integration/v1"
	"github.com/digate/digate/server/apierror"
	"github.com/digate/digate/server/contract"
)

// headerIdempotencyKey is the header with the request id of a call.
const headerIdempotencyKey = "Idempotency-Key"

// idempotencyField is the name of the Idempotency-Key header in errors.
const idempotencyField = "idempotency-key"

// requestIDField is the field of the contract that REST clients set by the header
// Idempotency-Key.
var requestIDField = contract.IdempotencyKey((*integrationv1.CopyTemplateRequest)(nil).ProtoReflect().Descriptor()).Name()

// setRequestID copies the Idempotency-Key of a request to its message, if the message has
// a field for it.
func setRequestID(keys []string, m protoreflect.Message) error {
	if len(keys) == 0 {
		return nil
	}
	fd := m.Descriptor().Fields().ByName(requestIDField)
	if fd == nil {
		return nil
	}
	key := unquoted(keys[0])
	if len(keys) > 1 || key == "" {
		return apierror.InvalidRequest(apierror.Violation{
			Field: idempotencyField, Description: "must be one value, not empty", Reason: "VALUE_ERROR",
		})
	}
	m.Set(fd, protoreflect.ValueOfString(key))
	return nil
}

// unquoted returns a key without the quotes of a structured field's string (RFC 9651,
// 3.3.3), which draft-ietf-httpapi-idempotency-key-header requires. It returns any other
// text unchanged.
func unquoted(key string) string {
	inner, ok := strings.CutPrefix(key, `"`)
	if !ok {
		return key
	}
	if inner, ok = strings.CutSuffix(inner, `"`); !ok {
		return key
	}
	var b strings.Builder
	for i := 0; i < len(inner); i++ {
		switch c := inner[i]; {
		case c == '\\' && i+1 < len(inner) && (inner[i+1] == '"' || inner[i+1] == '\\'):
			i++
			b.WriteByte(inner[i])
		case c == '"' || c == '\\':
			return key
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}
