// Command example copies templates through digate, and shows what became of each call.
package main

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/structpb"

	integrationv1 "github.com/digate/digate/client/go/diga/integration/v1"
)

const template = "3c90c3cc-0d44-4b50-8888-8dd25736052a"

// Copying these goes wrong on purpose in `digate dev`.
const (
	missing      = "99999999-9999-4999-8999-999999999999"
	rateLimited  = "00000000-0000-4000-8000-000000000429"
	noResponse   = "00000000-0000-4000-8000-000000000601"
	responseLost = "00000000-0000-4000-8000-000000000603"
	busyOnce     = "00000000-0000-4000-8000-000000000608"
)

func main() {
	if err := run(); err != nil {
		log.Fatal(err)
	}
}

func run() error {
	conn, err := connect()
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	client := integrationv1.NewIntegrationServiceClient(conn)
	ctx, cancel := context.WithTimeout(caller(context.Background()), time.Minute)
	defer cancel()
	for _, show := range []func(context.Context, integrationv1.IntegrationServiceClient) error{failures, once, reads, bulk, stream, rateLimit} {
		if err := show(ctx, client); err != nil {
			return err
		}
	}
	return nil
}

// connect returns a connection: over TLS if there is an authority to trust. With a
// certificate of its own, a client needs no token where digate has a file of accounts.
func connect() (*grpc.ClientConn, error) {
	// The service config repeats reads, and never a write.
	config, err := os.ReadFile("../../docs/service-config.json")
	if err != nil {
		return nil, err
	}
	creds := insecure.NewCredentials()
	if file := os.Getenv("DIGATE_CA_FILE"); file != "" {
		authorities, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		settings := &tls.Config{RootCAs: x509.NewCertPool()}
		settings.RootCAs.AppendCertsFromPEM(authorities)
		if file := os.Getenv("DIGATE_CERT_FILE"); file != "" {
			certificate, err := tls.LoadX509KeyPair(file, os.Getenv("DIGATE_KEY_FILE"))
			if err != nil {
				return nil, err
			}
			settings.Certificates = []tls.Certificate{certificate}
		}
		creds = credentials.NewTLS(settings)
	}
	address := cmp.Or(os.Getenv("DIGATE_ADDR"), "127.0.0.1:9090")
	return grpc.NewClient(address, grpc.WithTransportCredentials(creds), grpc.WithDefaultServiceConfig(string(config)))
}

// caller adds who calls: a token, and an account where the caller has several.
func caller(ctx context.Context) context.Context {
	if token := os.Getenv("DIGATE_TOKEN"); token != "" {
		ctx = metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+token)
	}
	if account := os.Getenv("DIGATE_ACCOUNT"); account != "" {
		ctx = metadata.AppendToOutgoingContext(ctx, "digate-account", account)
	}
	return ctx
}

func copyOf(template, name string) *integrationv1.CopyTemplateRequest {
	key := "k-123"
	return &integrationv1.CopyTemplateRequest{
		TemplateId: template, Name: &name, ApiKey: &key,
		Variables: &structpb.Struct{Fields: map[string]*structpb.Value{"shop": structpb.NewStringValue("acme")}},
	}
}

func copyWithID(template, name string) *integrationv1.CopyTemplateRequest {
	request := copyOf(template, name)
	request.RequestId = rand.Text()
	return request
}

// within makes a copy with a deadline of its own.
func within(ctx context.Context, d time.Duration, client integrationv1.IntegrationServiceClient, request *integrationv1.CopyTemplateRequest) (*integrationv1.CopyTemplateResponse, error) {
	ctx, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	return client.CopyTemplate(ctx, request)
}

// failures shows what became of copies that fail.
func failures(ctx context.Context, client integrationv1.IntegrationServiceClient) error {
	copied, err := within(ctx, 10*time.Second, client, copyOf(template, "my shop"))
	if err != nil {
		return err
	}
	fmt.Println("copied:", copied.GetIntegration().GetName())
	_, err = within(ctx, 10*time.Second, client, copyOf(missing, "none"))
	fmt.Println("no such template:", outcome(err))
	_, err = within(ctx, 10*time.Second, client, copyOf("x", "none"))
	fmt.Println("bad template id:", outcome(err), strings.Join(violations(err), " "))
	_, err = within(ctx, 500*time.Millisecond, client, copyOf(noResponse, "none"))
	fmt.Println("no response in time:", outcome(err))
	return nil
}

// once shows copies that are repeated safely.
func once(ctx context.Context, client integrationv1.IntegrationServiceClient) error {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	request := copyWithID(template, "once")
	first, err := copyOnce(ctx, client, request)
	if err != nil {
		return err
	}
	again, err := copyOnce(ctx, client, request)
	if err != nil {
		return err
	}
	if first.GetIntegration().GetId() != again.GetIntegration().GetId() {
		return errors.New("one request id made two integrations")
	}
	fmt.Println("copied twice with one request id: one integration")
	late, err := copyOnce(ctx, client, copyWithID(busyOnce, "late"))
	if err != nil {
		return err
	}
	fmt.Println("copied after a 503:", late.GetIntegration().GetName())
	_, err = copyOnce(ctx, client, copyWithID(responseLost, "lost"))
	fmt.Println("response lost:", outcome(err))
	return nil
}

// reads shows a read, which the service config repeats.
func reads(ctx context.Context, client integrationv1.IntegrationServiceClient) error {
	got, err := client.GetTemplate(ctx, &integrationv1.GetTemplateRequest{TemplateId: template})
	if err != nil {
		return err
	}
	fmt.Println("template:", got.GetTemplate().GetName())
	return nil
}

// bulk sends copies on one stream. Many of them would have to be sent while results are
// received: digate waits for a client that takes none.
func bulk(ctx context.Context, client integrationv1.IntegrationServiceClient) error {
	copies, err := client.BulkCopyTemplate(ctx)
	if err != nil {
		return err
	}
	for _, one := range []string{template, missing, template} {
		if err := copies.Send(&integrationv1.BulkCopyTemplateRequest{Copy: copyWithID(one, "bulk")}); err != nil {
			break // the reason is what Recv returns
		}
	}
	if err := copies.CloseSend(); err != nil {
		return err
	}
	for {
		result, err := copies.Recv()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if failed := result.GetError(); failed != nil {
			fmt.Println("one of the bulk copies:", outcome(status.ErrorProto(failed)))
		}
		if summary := result.GetSummary(); summary != nil {
			fmt.Printf("bulk: %d of %d done\n", summary.GetDone(), summary.GetTotal())
		}
	}
}

// stream reads a list to its end.
func stream(ctx context.Context, client integrationv1.IntegrationServiceClient) error {
	language, most := "en", int32(3)
	templates, err := client.StreamTemplates(ctx, &integrationv1.StreamTemplatesRequest{Language: &language, MaxItems: &most})
	if err != nil {
		return err
	}
	for n := 0; ; n++ {
		_, err := templates.Recv()
		if errors.Is(err, io.EOF) {
			fmt.Printf("streamed: %d templates\n", n)
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// rateLimit shows how long Diga wants to be left alone.
func rateLimit(ctx context.Context, client integrationv1.IntegrationServiceClient) error {
	_, err := within(ctx, 10*time.Second, client, copyOf(rateLimited, "none"))
	delay, _ := retryDelay(err)
	fmt.Printf("rate limit: %s, again in %.0f s\n", outcome(err), delay.Seconds())
	return nil
}
