package main

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

	integrationv1 "github.com/digate/digate/gen/diga/integration/v1"
	digatev1 "github.com/digate/digate/gen/digate/v1"
)

// linkTimeout bounds connecting, and asking for the ledger.
const linkTimeout = 20 * time.Second

// bulkLink is one connection to a digate, and what its ledger promises. Another
// connection may lead to another server with another ledger, so a link never
// makes a second one.
type bulkLink struct {
	client integrationv1.IntegrationServiceClient
	ledger *digatev1.GetLedgerResponse
	md     metadata.MD
	// leaving is closed when the server takes no further calls on it.
	leaving chan struct{}
	close   func()
}

func openBulkLink(ctx context.Context, flags clientFlags) (*bulkLink, error) {
	flags.Timeout = linkTimeout
	creds, err := flags.credentials()
	if err != nil {
		return nil, err
	}
	ctx, conn, done, err := flags.connect(ctx, grpc.WithTransportCredentials(&oneConnection{creds, new(atomic.Bool)}))
	if err != nil {
		return nil, err
	}
	ledger, err := digatev1.NewLedgerServiceClient(conn).GetLedger(ctx, &digatev1.GetLedgerRequest{})
	if err != nil {
		done()
		return nil, err
	}
	l := &bulkLink{client: integrationv1.NewIntegrationServiceClient(conn), ledger: ledger, leaving: make(chan struct{})}
	l.md, _ = metadata.FromOutgoingContext(ctx)
	watch, stop := context.WithCancel(context.WithoutCancel(ctx))
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if conn.WaitForStateChange(watch, connectivity.Ready) {
			close(l.leaving)
		}
	}()
	l.close = func() {
		stop()
		<-ended
		done()
	}
	return l, nil
}

// isLeaving says whether another link is needed for another stream.
func (l *bulkLink) isLeaving() bool {
	select {
	case <-l.leaving:
		return true
	default:
		return false
	}
}

// oneConnection refuses to secure a second connection.
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
