package doctor

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"google.golang.org/protobuf/proto"

	integrationv1 "github.com/digate/digate/gen/diga/integration/v1"
	"github.com/digate/digate/server"
	"github.com/digate/digate/server/apierror"
	"github.com/digate/digate/server/authn"
	"github.com/digate/digate/server/config"
	"github.com/digate/digate/server/contract"
	"github.com/digate/digate/server/exchange"
	"github.com/digate/digate/server/secret"
	"github.com/digate/digate/server/upstream"
)

// upstreamProbe reads from Diga with the server's own client.
type upstreamProbe struct {
	client     *upstream.Client
	tokens     []credential // at least one
	driftFails bool         // as the settings make serve behave
}

// open makes the client. The client does not retry, so that every failure shows.
func (p *upstreamProbe) open(c *config.Config, tokens []credential, version string) error {
	cfg, err := server.UpstreamConfig(*c, version)
	if err != nil {
		return err
	}
	cfg.MaxAttempts, cfg.BreakerDelay, cfg.Drift = 1, 0, upstream.DriftLog
	methods, err := contract.Load(contract.Integration())
	if err != nil {
		return err
	}
	p.tokens, p.driftFails = tokens, c.Upstream.Drift == upstream.DriftFail
	p.client, err = upstream.New(cfg, methods)
	return err
}

func (p *upstreamProbe) close() {
	if p.client != nil {
		p.client.Close()
	}
}

// call makes one call and returns its exchange. Responses hold data of customers:
// doctor counts items and shows none.
func (p *upstreamProbe) call(ctx context.Context, token secret.String, method string, req, resp proto.Message) (*exchange.Exchange, error) {
	ctx, ex := exchange.NewContext(authn.NewContext(ctx, &authn.Principal{Credential: token}))
	err := p.client.Call(ctx, upstream.Call{Method: method, Request: req, Response: resp})
	return ex, err
}

// reach makes one call with each token. It goes on after a token that Diga refuses, and
// ends at any other failure, which concerns all tokens.
func (p *upstreamProbe) reach(ctx context.Context) finding {
	var (
		begun   = time.Now()
		refused []string
		first   finding
		status  int
	)
	for _, c := range p.tokens {
		ex, err := p.call(ctx, c.token, integrationv1.IntegrationService_ListTemplates_FullMethodName,
			&integrationv1.ListTemplatesRequest{Limit: proto.Int32(1)}, new(integrationv1.ListTemplatesResponse))
		switch {
		case err == nil:
			status = ex.Status
		case c.account == "" || !refusesCredential(err):
			return callFailed(ex, err)
		default:
			if refused == nil {
				first = callFailed(ex, err)
			}
			refused = append(refused, c.account)
		}
	}
	took := round(time.Since(begun))
	switch {
	case refused != nil:
		return failed(fmt.Sprintf("%s (%s)", first.Found, some(refused)),
			"replace the token of each account that is named: the file of accounts says where it is")
	case len(p.tokens) > 1:
		return ok("HTTP %d to a list of templates for each of %d accounts in %s, connecting included", status, len(p.tokens), took)
	default:
		return ok("HTTP %d to a list of templates in %s, connecting included", status, took)
	}
}

// refusesCredential reports whether Diga refused the credential of a call.
func refusesCredential(err error) bool {
	status := apierror.FromError(err).HTTPStatus
	return status == http.StatusUnauthorized || status == http.StatusForbidden
}

// callFailed returns why a call to Diga failed.
func callFailed(ex *exchange.Exchange, err error) finding {
	e := apierror.FromError(err)
	switch {
	case refusesCredential(err):
		return failed(fmt.Sprintf("Diga is reachable and refuses the credential: HTTP %d, %s", e.HTTPStatus, e.Reason),
			"give a token that Diga accepts for this request, in DIGATE_TOKEN or --token-file")
	case e.Domain == apierror.DomainDiga:
		return failed(fmt.Sprintf("Diga is reachable and responds with HTTP %d, %s: %s", e.HTTPStatus, e.Reason, e.Message),
			"the error comes from Diga itself: try again, or ask Diga")
	case ex.Status != 0:
		return failed(fmt.Sprintf("something responds with HTTP %d, but not as Diga does: %s", ex.Status, e.Message),
			"check --upstream-url, its path included. The response may come from a proxy or a sign-in page")
	default:
		return failed(e.Message+" ("+ex.Cause+")", "try again; if that does not help, check proxies and firewalls between this machine and Diga")
	}
}

// contract looks for fields in which Diga's responses differ from the contract. It reads
// them with the first token.
func (p *upstreamProbe) contract(ctx context.Context) finding {
	templates, integrations := new(integrationv1.ListTemplatesResponse), new(integrationv1.ListIntegrationsResponse)
	var drift []string
	for _, list := range []struct {
		what, method string
		req, resp    proto.Message
	}{
		{"templates", integrationv1.IntegrationService_ListTemplates_FullMethodName, &integrationv1.ListTemplatesRequest{Limit: proto.Int32(5)}, templates},
		{"integrations", integrationv1.IntegrationService_ListIntegrations_FullMethodName, &integrationv1.ListIntegrationsRequest{Limit: proto.Int32(5)}, integrations},
	} {
		ex, err := p.call(ctx, p.tokens[0].token, list.method, list.req, list.resp)
		if err != nil {
			return callFailed(ex, err)
		}
		for _, d := range ex.Drift {
			drift = append(drift, list.what+" "+d.String())
		}
	}
	read := fmt.Sprintf("%d templates and %d integrations", len(templates.GetData()), len(integrations.GetData()))
	if drift != nil {
		found := "in " + read + " these fields differ from the contract: " + some(drift)
		if p.driftFails {
			return failed(found, "with --drift=fail, serve fails such reads; a newer digate may know these fields")
		}
		return warn(found, "serve leaves these fields out and goes on; a newer digate may know them")
	}
	return ok("%s, all as in the contract", read)
}
