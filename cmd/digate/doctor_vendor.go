package main

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
	methods "github.com/digate/digate/server/contract"
	"github.com/digate/digate/server/exchange"
	"github.com/digate/digate/server/secret"
	"github.com/digate/digate/server/upstream"
)

// vendorSide asks the vendor as the server does, for what changes nothing.
type vendorSide struct {
	client     *upstream.Client
	token      secret.String
	driftFails bool // in serve
}

// open makes the client. It tries nothing again, so that what is wrong shows.
func (v *vendorSide) open(c *config.Config, token secret.String) error {
	cfg, err := server.UpstreamConfig(*c, version())
	if err != nil {
		return err
	}
	cfg.MaxAttempts, cfg.BreakerDelay, cfg.Strict = 1, 0, false
	known, err := methods.Load(methods.Integration())
	if err != nil {
		return err
	}
	v.token, v.driftFails = token, c.Drift == config.DriftFail
	v.client, err = upstream.New(cfg, known)
	return err
}

func (v *vendorSide) close() {
	if v.client != nil {
		v.client.Close()
	}
}

// call returns what passed; its response, which holds other people's
// data, is of use only to count by.
func (v *vendorSide) call(ctx context.Context, method string, req, resp proto.Message) (*exchange.Exchange, error) {
	ctx, ex := exchange.NewContext(authn.NewContext(ctx, &authn.Principal{Upstream: v.token}))
	err := v.client.Call(ctx, upstream.Call{Method: method, Request: req, Response: resp})
	return ex, err
}

func (v *vendorSide) reach(ctx context.Context) finding {
	begun := time.Now()
	ex, err := v.call(ctx, integrationv1.IntegrationService_ListTemplates_FullMethodName,
		&integrationv1.ListTemplatesRequest{Limit: proto.Int32(1)}, new(integrationv1.ListTemplatesResponse))
	if err != nil {
		return unwell(ex, err)
	}
	return ok("HTTP %d to a list of templates in %s, connecting included", ex.Status, round(time.Since(begun)))
}

// unwell says why the vendor did not give what was asked for.
func unwell(ex *exchange.Exchange, err error) finding {
	e := apierror.FromError(err)
	switch {
	case e.HTTPStatus == http.StatusUnauthorized || e.HTTPStatus == http.StatusForbidden:
		return failed(fmt.Sprintf("reachable, credential refused: HTTP %d, %s", e.HTTPStatus, e.Reason),
			"give a token that Diga accepts for this, in DIGATE_TOKEN or --token-file")
	case e.Domain == apierror.DomainDiga:
		return failed(fmt.Sprintf("reachable, and answers HTTP %d, %s: %s", e.HTTPStatus, e.Reason, e.Message),
			"Diga itself says so: try again, or ask Diga")
	case ex.Status != 0:
		return failed(fmt.Sprintf("something answers HTTP %d, but not as Diga does: %s", ex.Status, e.Message),
			"is --upstream-url right, its path too? A proxy or a sign-in page may stand in between")
	default:
		return failed(e.Message+" ("+ex.Cause+")", "try again; if it stays so, look at what stands between")
	}
}

// contract looks for fields in which the answers leave the contract.
func (v *vendorSide) contract(ctx context.Context) finding {
	templates, integrations := new(integrationv1.ListTemplatesResponse), new(integrationv1.ListIntegrationsResponse)
	var drift []string
	for _, list := range []struct {
		what, method string
		req, resp    proto.Message
	}{
		{"templates", integrationv1.IntegrationService_ListTemplates_FullMethodName, &integrationv1.ListTemplatesRequest{Limit: proto.Int32(5)}, templates},
		{"integrations", integrationv1.IntegrationService_ListIntegrations_FullMethodName, &integrationv1.ListIntegrationsRequest{Limit: proto.Int32(5)}, integrations},
	} {
		ex, err := v.call(ctx, list.method, list.req, list.resp)
		if err != nil {
			return unwell(ex, err)
		}
		for _, d := range ex.Drift {
			drift = append(drift, list.what+" "+d.String())
		}
	}
	seen := fmt.Sprintf("%d templates and %d integrations", len(templates.GetData()), len(integrations.GetData()))
	if drift != nil {
		found := "in " + seen + " not as the contract says: " + some(drift)
		if v.driftFails {
			return failed(found, "--drift=fail makes serve fail such reads; a newer digate may know these fields")
		}
		return warn(found, "serve leaves these fields out and goes on; a newer digate may know them")
	}
	return ok("%s, all as the contract says", seen)
}
