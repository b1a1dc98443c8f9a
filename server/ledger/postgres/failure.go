package postgres

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/jackc/pgx/v5/pgconn"
)

// openError is the failure to open a database, or to connect to one again. It names the
// host and the database.
// It does not name user and password, which the driver's own text may quote.
type openError struct {
	hosts    []string
	database string
	pooler   bool // a pooler is between digate and the database
	err      error
}

func openFailure(config *pgconn.Config, pooler bool, err error) error {
	hosts := []string{address(config.Host, config.Port)}
	for _, f := range config.Fallbacks {
		if a := address(f.Host, f.Port); !slices.Contains(hosts, a) {
			hosts = append(hosts, a)
		}
	}
	return &openError{hosts, config.Database, pooler, err}
}

// protocolViolation is the SQLSTATE of a pooler's own refusal.
const protocolViolation = "08P01"

func address(host string, port uint16) string { return net.JoinHostPort(host, strconv.Itoa(int(port))) }

func (e *openError) Error() string {
	database := "the default database"
	if e.database != "" {
		database = fmt.Sprintf("database %q", e.database)
	}
	cause, check := e.cause()
	if check != "" {
		check = "; " + check
	}
	return fmt.Sprintf("cannot open %s of PostgreSQL at %s: %s%s", database, strings.Join(e.hosts, ", "), cause, check)
}

func (e *openError) Unwrap() error { return e.err }

// cause returns what went wrong, without user and password, and what to check. The
// latter may be empty.
func (e *openError) cause() (cause, check string) {
	const network = "check host and port, that the database runs and accepts connections from this machine (firewall, pg_hba.conf), and sslmode"
	if refused, ok := errors.AsType[*pgconn.PgError](e.err); ok {
		if e.pooler && refused.Code == protocolViolation {
			return "the connection pooler refuses a transaction", "set its pool_mode to transaction or session"
		}
		switch refused.Code[:min(2, len(refused.Code))] {
		case "28": // the server's text names the user
			return "the login was refused (SQLSTATE " + refused.Code + ")", "check user, password and pg_hba.conf"
		case "3D":
			return "there is no such database (SQLSTATE " + refused.Code + ")", "check the name, or create the database"
		case "42":
			return "the schema could not be used (SQLSTATE " + refused.Code + ")", "check that the user may create tables in it, or that digate's tables are there"
		}
		switch refused.Code {
		case "53300": // the server's text may name the user
			return "the server has no free connection (SQLSTATE 53300)", "raise its max_connections, or lower pool_max_conns in the URL"
		case "57P03":
			return "the server is starting or stopping (SQLSTATE 57P03)", "see the database's log"
		default:
			return "the server reported SQLSTATE " + refused.Code, "see the database's log"
		}
	}
	if connect, ok := errors.AsType[*pgconn.ConnectError](e.err); ok { // its text begins with the user
		if text := e.connection(); text != "" {
			return text, network
		}
		// One line for each address and, where sslmode allows both, for each kind of
		// connection.
		lines := slices.Compact(strings.Split(connect.Unwrap().Error(), "\n"))
		return strings.Join(lines, "; "), network
	}
	if timeout := net.Error(nil); errors.As(e.err, &timeout) || errors.Is(e.err, context.Canceled) {
		return e.err.Error(), network
	}
	return e.err.Error(), ""
}

// connection returns in a few words why the host could not be reached. It returns
// nothing if there are several hosts, or if the reason is another one.
func (e *openError) connection() string {
	var dns *net.DNSError
	var timeout net.Error
	switch {
	case len(e.hosts) > 1:
		return ""
	case errors.As(e.err, &dns) && dns.IsNotFound:
		return "the host name does not resolve"
	case errors.Is(e.err, syscall.ECONNREFUSED):
		return "the connection was refused"
	case errors.As(e.err, &timeout) && timeout.Timeout():
		return "no reply in time"
	default:
		return ""
	}
}

// callFailure returns the failure of a call to an open ledger. If the call got no
// connection, it says so as the failure to open a database does.
func callFailure(err error) error {
	if connect, ok := errors.AsType[*pgconn.ConnectError](err); ok {
		return openFailure(connect.Config, false, err)
	}
	return fmt.Errorf("postgres: %w", err)
}
