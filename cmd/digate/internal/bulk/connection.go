package bulk

import (
	"context"
	"errors"
	"net"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"

	"github.com/digate/digate/cmd/digate/internal/client"
	integrationv1 "github.com/digate/digate/gen/diga/integration/v1"
	digatev1 "github.com/digate/digate/gen/digate/v1"
)

// connectTimeout bounds the time to connect and to read about the ledger.
const connectTimeout = 20 * time.Second

// connection is one network connection to a digate, and what that server says of
// its ledger. A connection never reconnects by itself: a second one could lead
// to another server with another ledger.
type connection struct {
	client integrationv1.IntegrationServiceClient
	ledger *digatev1.GetLedgerResponse
	// records are those of the ledger.
	records digatev1.LedgerServiceClient
	md      metadata.MD
	// leaving is closed when the server takes no more calls on the connection.
	leaving chan struct{}
	close   func()
}

func connect(ctx context.Context, flags client.Flags) (*connection, error) {
	flags.Timeout = connectTimeout
	creds, err := flags.Credentials()
	if err != nil {
		return nil, err
	}
	ctx, conn, done, err := flags.Connect(ctx, grpc.WithTransportCredentials(&oneConnection{creds, new(atomic.Bool)}))
	if err != nil {
		return nil, err
	}
	records := digatev1.NewLedgerServiceClient(conn)
	ledger, err := records.GetLedger(ctx, &digatev1.GetLedgerRequest{})
	if err != nil {
		done()
		return nil, err
	}
	c := &connection{client: integrationv1.NewIntegrationServiceClient(conn), ledger: ledger, records: records, leaving: make(chan struct{})}
	c.md, _ = metadata.FromOutgoingContext(ctx)
	watch, stop := context.WithCancel(context.WithoutCancel(ctx))
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if conn.WaitForStateChange(watch, connectivity.Ready) {
			close(c.leaving)
		}
	}()
	c.close = func() {
		stop()
		<-ended
		done()
	}
	return c, nil
}

// link connects when the connection is first needed.
type link struct {
	flags client.Flags
	conn  *connection
}

func (l *link) dial(ctx context.Context) (_ *connection, err error) {
	if l.conn == nil {
		l.conn, err = connect(ctx, l.flags)
	}
	return l.conn, err
}

func (l *link) close() {
	if l.conn != nil {
		l.conn.close()
	}
}

// isLeaving reports whether another stream needs another connection.
func (c *connection) isLeaving() bool {
	select {
	case <-c.leaving:
		return true
	default:
		return false
	}
}

// oneConnection secures one connection and refuses a second.
type oneConnection struct {
	credentials.TransportCredentials
	made *atomic.Bool
}

// ClientHandshake implements [credentials.TransportCredentials].
func (o *oneConnection) ClientHandshake(ctx context.Context, authority string, raw net.Conn) (net.Conn, credentials.AuthInfo, error) {
	if o.made.Swap(true) {
		return nil, nil, errors.New("the connection was lost")
	}
	conn, info, err := o.TransportCredentials.ClientHandshake(ctx, authority, raw)
	if err != nil {
		o.made.Store(false)
	}
	return conn, info, err
}

// Clone implements [credentials.TransportCredentials].
func (o *oneConnection) Clone() credentials.TransportCredentials {
	return &oneConnection{o.TransportCredentials.Clone(), o.made}
}
