package integration_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/encoding/protojson"

	integrationv1 "github.com/digate/digate/gen/diga/integration/v1"
	"github.com/digate/digate/server/apierror"
	"github.com/digate/digate/server/exchange"
	"github.com/digate/digate/server/integration"
	"github.com/digate/digate/server/upstream"
)

// slow is an upstream that takes its time for a template, and for ever for a copy.
type slow struct {
	template time.Duration
	copied   bool
}

func (s *slow) Call(ctx context.Context, call upstream.Call) error {
	after := (<-chan time.Time)(nil)
	switch call.Method {
	case integrationv1.IntegrationService_GetTemplate_FullMethodName:
		after = time.After(s.template)
	case integrationv1.IntegrationService_CopyTemplate_FullMethodName:
		s.copied = true
	}
	select {
	case <-after:
		return protojson.Unmarshal([]byte(`{"template":{"id":"`+uuid+`","name":"t","template":{"base_url":"https://x"}}}`), call.Response)
	case <-ctx.Done():
		return apierror.ResponseLost(ctx.Err(), true)
	}
}

// The look at a template and the copy share the time that a copy alone has.
func TestUnresolvedRefuse_SlowDiga_HasTheTimeOfOneCall(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		template time.Duration
		outcome  exchange.Outcome
	}{
		"the copy is sent":       {700 * time.Millisecond, exchange.Unknown},
		"the template is silent": {time.Hour, exchange.NotSent},
	} {
		synctest.Test(t, func(t *testing.T) {
			up := &slow{template: c.template}
			s, err := newService(up, func(c *integration.Config) { c.Timeout = time.Second })
			if err != nil {
				t.Fatal(err)
			}
			began := time.Now()
			_, err = s.CopyTemplate(t.Context(), &integrationv1.CopyTemplateRequest{TemplateId: uuid, Unresolved: integrationv1.Unresolved_UNRESOLVED_REFUSE})
			e := apierror.FromError(err)
			if took := time.Since(began); e == nil || e.Code != codes.DeadlineExceeded || e.Outcome != c.outcome || took != time.Second {
				t.Errorf("%s: %v after %v", name, err, took)
			}
			if up.copied != (c.outcome == exchange.Unknown) {
				t.Errorf("%s: the copy was sent: %v", name, up.copied)
			}
		})
	}
}
