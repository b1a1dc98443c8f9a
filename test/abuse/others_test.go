package abuse

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"

	integrationv1 "github.com/digate/digate/gen/diga/integration/v1"
)

const (
	templateID = "3c90c3cc-0d44-4b50-8888-8dd25736052a"
	copyPath   = "/v1/integration/template/" + templateID + "/copy"
	knownToken = "Bearer known-0123456789"
	// othersAddress is the address that the others call from.
	othersAddress = "127.0.0.3"
	// pace is the time between two calls of the others, and patience the deadline of
	// each.
	pace     = 10 * time.Millisecond
	patience = 5 * time.Second
)

// others are callers with a token that Diga knows. They make copies at a steady
// pace, and do not wait for earlier ones. Most calls share a few connections that
// were there before the attack; every tenth has one of its own.
type others struct {
	// copy makes a copy; n counts them.
	copy  func(ctx context.Context, n int) error
	calls sync.WaitGroup

	mu    sync.Mutex
	took  []time.Duration
	first error
	lost  int
}

// dialClient returns a client connection from a loopback address, over TLS if there is
// any.
func dialClient(over *tls.Config, from, to string) (*grpc.ClientConn, error) {
	creds := insecure.NewCredentials()
	if over != nil {
		creds = credentials.NewTLS(over.Clone())
	}
	return grpc.NewClient("passthrough:///"+to, grpc.WithTransportCredentials(creds),
		grpc.WithContextDialer(func(ctx context.Context, addr string) (net.Conn, error) { return dialFrom(ctx, from, addr) }))
}

// newOthers returns others who show an authorization and call over gRPC.
func newOthers(t *testing.T, s *target, authorization string) *others {
	t.Helper()
	return newOthersWith(t, s, authorization, named(0))
}

// newOthersWith is newOthers with their requests.
func newOthersWith(t *testing.T, s *target, authorization string, request func(n int) *integrationv1.CopyTemplateRequest) *others {
	t.Helper()
	var conns []*grpc.ClientConn
	for range 4 {
		conn, err := dialClient(s.client, othersAddress, s.GRPC)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.Close() })
		conns = append(conns, conn)
	}
	return &others{copy: func(ctx context.Context, n int) error {
		conn := conns[n%len(conns)]
		if n%10 == 0 {
			own, err := dialClient(s.client, othersAddress, s.GRPC)
			if err != nil {
				return err
			}
			defer func() { _ = own.Close() }()
			conn = own
		}
		return copyAs(ctx, conn, authorization, request(n))
	}}
}

// newRESTOthers returns others who call over REST.
func newRESTOthers(t *testing.T, s *target) *others {
	t.Helper()
	dial := func(ctx context.Context, _, to string) (net.Conn, error) { return dialFrom(ctx, othersAddress, to) }
	scheme := "http"
	if s.client != nil {
		scheme = "https"
	}
	shared := &http.Client{Transport: &http.Transport{DialContext: dial, TLSClientConfig: s.client.Clone(), MaxIdleConnsPerHost: 4}}
	t.Cleanup(shared.CloseIdleConnections)
	own := &http.Client{Transport: &http.Transport{DialContext: dial, TLSClientConfig: s.client.Clone(), DisableKeepAlives: true}}
	return &others{copy: func(ctx context.Context, n int) error {
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, scheme+"://"+s.REST+copyPath, strings.NewReader("{}"))
		if err != nil {
			return err
		}
		req.Header.Set("Authorization", knownToken)
		client := shared
		if n%10 == 0 {
			client = own
		}
		resp, err := client.Do(req)
		if err != nil {
			return err
		}
		defer func() { _ = resp.Body.Close() }()
		if _, err := io.Copy(io.Discard, resp.Body); err != nil {
			return err
		}
		if resp.StatusCode != http.StatusCreated {
			return errors.New(resp.Status)
		}
		return nil
	}}
}

// figures are the results of the others' calls.
type figures struct {
	calls, failed int
	p99           time.Duration
	first         error // of the failures
}

// during makes calls until the context ends, and returns their figures. A call that
// failed counts with the time that it took to fail.
func (o *others) during(ctx context.Context) figures {
	o.took, o.lost, o.first = nil, 0, nil
	tick := time.NewTicker(pace)
	defer tick.Stop()
	for n := 0; ; n++ {
		select {
		case <-tick.C:
			o.calls.Go(func() { o.call(n) })
			continue
		case <-ctx.Done():
		}
		break
	}
	o.calls.Wait()
	f := figures{calls: len(o.took), failed: o.lost, first: o.first}
	if slices.Sort(o.took); f.calls > 0 {
		f.p99 = o.took[f.calls*99/100]
	}
	return f
}

func (o *others) call(n int) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	began := time.Now()
	err := o.copy(ctx, n)
	took := time.Since(began)
	o.mu.Lock()
	defer o.mu.Unlock()
	o.took = append(o.took, took)
	if err != nil {
		o.lost++
		if o.first == nil {
			o.first = err
		}
	}
}
