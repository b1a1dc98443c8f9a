package postgres

import (
	"errors"
	"net"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/digate/digate/server/ledger"
)

// SQLSTATEs that have a cause of their own.
const (
	diskFull           = "53100"
	missingRight       = "42501"
	classRefusedLogin  = "28"
	classNoResources   = "53"
	classOfIntervening = "57P" // the server, or an operator, ended the session
)

// Cause returns why the store could not be used.
func Cause(err error) ledger.Cause {
	var timeout net.Error
	if e, ok := errors.AsType[*pgconn.PgError](err); ok {
		switch {
		case e.Code == readOnlyTransaction:
			return ledger.ReadOnly
		case e.Code == diskFull:
			return ledger.Full
		case e.Code == missingRight, strings.HasPrefix(e.Code, classRefusedLogin):
			return ledger.Auth
		case strings.HasPrefix(e.Code, classNoResources), strings.HasPrefix(e.Code, classOfIntervening):
			return ledger.Unreachable
		default:
			return ledger.Other
		}
	}
	if errors.As(err, &timeout) && timeout.Timeout() {
		return ledger.Timeout
	}
	if cause := ledger.CauseOf(err); cause != ledger.Other {
		return cause
	}
	return ledger.Unreachable // what is no reply of the server's is the connection's end
}
