package gateway

import (
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"

	integrationv1 "github.com/digate/digate/gen/diga/integration/v1"
	"github.com/digate/digate/server/apierror"
	"github.com/digate/digate/server/contract"
)

// headerIdempotencyKey is the header that identifies a call among those of its caller.
const headerIdempotencyKey = "Idempotency-Key"

// idempotencyField is how an error names the Idempotency-Key header.
const idempotencyField = "idempotency-key"

// requestIDField is the contract's name for what REST calls Idempotency-Key.
var requestIDField = contract.IdempotencyKey((*integrationv1.CopyTemplateRequest)(nil).ProtoReflect().Descriptor()).Name()

// setRequestID hands a request's Idempotency-Key over to its message, where
// that has a field for it.
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

// unquoted returns the key without the quotes of a structured field's string (RFC
// 9651, 3.3.3), which draft-ietf-httpapi-idempotency-key-header asks for. Any other
// text is the key itself.
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
