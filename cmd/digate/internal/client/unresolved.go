package client

import integrationv1 "github.com/digate/digate/gen/diga/integration/v1"

// Unresolved returns the value of --unresolved as the contract has it.
func Unresolved(flag string) integrationv1.Unresolved {
	return map[string]integrationv1.Unresolved{
		"allow": integrationv1.Unresolved_UNRESOLVED_ALLOW, "refuse": integrationv1.Unresolved_UNRESOLVED_REFUSE,
	}[flag]
}
