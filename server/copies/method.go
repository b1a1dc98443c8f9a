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

// LedgerName returns the name of the method in the ledger's keys, as
// [ledger.Keys.Key] takes it.
func (m Method) LedgerName() string {
	if m == CopyTemplate {
		return ""
	}
	return m.FullName()
}

// creates returns the resources that the method creates one of.
func (m Method) creates() shown {
	if m == CreateTool {
		return tools{}
	}
	return integrations{}
}

// resource returns what errors call that which the method creates.
func (m Method) resource() apierror.Resource {
	if m == CreateTool {
		return apierror.Tool
	}
	return apierror.Integration
}
