package copies

import (
	integrationv1 "github.com/digate/digate/gen/diga/integration/v1"
	"github.com/digate/digate/server/apierror"
)

// Method is a method whose calls the coordinator sends at most once. Each method has its
// own request ids.
type Method int8

// The methods that create something.
const (
	CopyTemplate Method = iota
	CreateIntegration
	CreateTool
)

// methodNames are the names of the methods in records and messages.
var methodNames = [...]string{CopyTemplate: "CopyTemplate", CreateIntegration: "CreateIntegration", CreateTool: "CreateTool"}

// String returns the method's name without its service.
func (m Method) String() string { return methodNames[m] }

// ParseMethod returns the method with the name. ok is false for any other name, such as
// the empty name in a record of an early version.
func ParseMethod(name string) (m Method, ok bool) {
	for m := range methodNames {
		if methodNames[m] == name {
			return Method(m), true
		}
	}
	return CopyTemplate, false
}

// FullName returns the full gRPC name of the method.
func (m Method) FullName() string {
	switch m {
	case CreateIntegration:
		return integrationv1.IntegrationService_CreateIntegration_FullMethodName
	case CreateTool:
		return integrationv1.IntegrationService_CreateTool_FullMethodName
	default:
		return integrationv1.IntegrationService_CopyTemplate_FullMethodName
	}
}

// LogName returns the full gRPC name of the method as it appears in the log.
func (m Method) LogName() string { return m.FullName()[1:] }

// LedgerName returns the method's name for [ledger.Keys.Key].
func (m Method) LedgerName() string {
	if m == CopyTemplate {
		return ""
	}
	return m.FullName()
}

// Marked reports whether [Marks] apply to the method. Tools are not marked: names are
// unique within an integration, so Diga could accept the marked name and then refuse the
// requested one.
func (m Method) Marked() bool { return m != CreateTool }

// creates returns the type of resource that the method creates.
func (m Method) creates() resourceType {
	if m == CreateTool {
		return tools{}
	}
	return integrations{}
}

// Resource returns the type of resource that the method creates, for errors.
func (m Method) Resource() apierror.Resource {
	if m == CreateTool {
		return apierror.Tool
	}
	return apierror.Integration
}
