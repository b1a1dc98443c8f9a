package gateway

import (
	"strings"

	"google.golang.org/protobuf/proto"

	integrationv1 "github.com/digate/digate/gen/diga/integration/v1"
)

// headerUnresolved is the header in which a caller says what to do with a copy whose
// placeholders do not all get values.
const headerUnresolved = "Digate-Unresolved"

// unresolvedField is the name of the header in errors.
const unresolvedField = "digate-unresolved"

// setUnresolved copies the Digate-Unresolved of a request to its message, if the message
// has a field for it.
func setUnresolved(values []string, m proto.Message) error {
	req, ok := m.(*integrationv1.CopyTemplateRequest)
	if !ok || len(values) == 0 {
		return nil
	}
	unresolved, ok := parseUnresolved(values[0])
	if !ok || len(values) > 1 {
		return wrong(unresolvedField, "must be allow or refuse", "ENUM")
	}
	req.Unresolved = unresolved
	return nil
}

// parseUnresolved parses allow or refuse, in any case.
func parseUnresolved(text string) (integrationv1.Unresolved, bool) {
	switch strings.ToLower(text) {
	case "allow":
		return integrationv1.Unresolved_UNRESOLVED_ALLOW, true
	case "refuse":
		return integrationv1.Unresolved_UNRESOLVED_REFUSE, true
	default:
		return integrationv1.Unresolved_UNRESOLVED_UNSPECIFIED, false
	}
}
