package copies

import (
	integrationv1 "github.com/digate/digate/gen/diga/integration/v1"
	"github.com/digate/digate/server/apierror"
)

// Method is a method whose calls the coordinator carries at most once. Each method
// has request ids of its own.
type Method int8

// The methods that create something.
const (
	CopyTemplate Method = iota
	CreateIntegration
	CreateTool
)

// methodNames are the names of the methods as records and people have them.
var methodNames = [...]string{CopyTemplate: "CopyTemplate", CreateIntegration: "CreateIntegration", CreateTool: "CreateTool"}

// String returns the method's name without that of its service.
func (m Method) String() string { return methodNames[m] }

// ParseMethod returns the method with the name. ok is false for every other name,
// such as the empty one in a record of a digate that did not write it.
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

// LogName returns the full gRPC name of the method as log lines have it.
func (m Method) LogName() string { return m.FullName()[1:] }

// LedgerName returns the name of the method in the ledger's keys, as
// [ledger.Keys.Key] takes it.
func (m Method) LedgerName() string {
	if m == CopyTemplate {
		return ""
	}
	return m.FullName()
}

// Marked reports whether [Marks] mark the calls of the method. A tool is not marked:
// no two tools of an integration have one name, so that Diga could take a marked name
// and then refuse the one that was asked for.
func (m Method) Marked() bool { return m != CreateTool }

// creates returns the resources that the method creates one of.
func (m Method) creates() shown {
	if m == CreateTool {
		return tools{}
	}
	return integrations{}
}

// Resource returns what a call of the method creates.
func (m Method) Resource() apierror.Resource {
	if m == CreateTool {
		return apierror.Tool
	}
	return apierror.Integration
}
