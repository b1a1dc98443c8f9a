package soak

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"strconv"

	"google.golang.org/protobuf/types/known/structpb"

	integrationv1 "github.com/digate/digate/gen/diga/integration/v1"
)

const (
	baseURL = "https://crm.example"
	// placeholder is that of the templates, and value is that of its variable.
	placeholder, value = "shop", "north"
	// older is the name of the integrations that there are before the first call, and
	// olderItems their number.
	older      = "older"
	olderItems = 300
)

// doErrand makes the call of an errand.
func (c *crowd) doErrand(ctx context.Context, a *told, how caller) {
	n := c.script.key(a.call)
	e := c.script.errand(n)
	if e.after {
		if id := c.created.Load(); id != nil {
			a.after = *id
		}
	}
	if how.habit == overGRPC {
		c.errandOverGRPC(ctx, a, n, e)
	} else {
		c.errandOverREST(ctx, a, n, e)
	}
	a.text = fmt.Sprintf("%s, %s", e.kind, a.text)
	if a.verdict == silence {
		a.concludeCreated()
	}
	if a.verdict == done && a.id != "" && e.kind.creates() && e.kind != createTool {
		c.created.Store(&a.id)
	}
}

// createdBefore finds the id in the failure of a call whose errand created something
// that digate could not read.
var createdBefore = regexp.MustCompile(`an earlier call with this request id created ([0-9a-f-]{36})`)

// concludeCreated takes the failure that says what an earlier call created.
func (a *told) concludeCreated() {
	if found := createdBefore.FindStringSubmatch(a.text); found != nil {
		a.verdict, a.id = done, found[1]
	}
}

// variables returns those of a copy or preview of an errand.
func (e errand) variables() map[string]any {
	if e.kind == copyResolved || e.kind == preview && e.given {
		return map[string]any{placeholder: value}
	}
	return nil
}

func requestID(n int) string { return fmt.Sprintf("errand-%d", n) }

func (c *crowd) errandOverGRPC(ctx context.Context, a *told, n int, e errand) {
	ctx, rpc := c.rpc(ctx, a.call)
	name, id := callName(n), requestID(n)
	variables, err := structpb.NewStruct(e.variables())
	if err != nil {
		a.text = err.Error()
		return
	}
	switch e.kind {
	case createTool:
		resp, failed := rpc.CreateTool(ctx, &integrationv1.CreateToolRequest{
			IntegrationId: templateID(n), Name: &name, Description: new("Lists things"), EndpointPath: new("/things"),
			Method: integrationv1.HttpMethod_HTTP_METHOD_GET, RequestId: id,
		})
		err, a.id, a.name = failed, resp.GetTool().GetHttp().GetId(), resp.GetTool().GetHttp().GetName()
	case createIntegration:
		resp, failed := rpc.CreateIntegration(ctx, &integrationv1.CreateIntegrationRequest{
			Name: &name, BaseUrl: new(baseURL), IntegrationType: integrationv1.IntegrationType_INTEGRATION_TYPE_HTTP, RequestId: id,
		})
		err, a.id, a.name = failed, resp.GetIntegration().GetId(), resp.GetIntegration().GetName()
	case copyResolved, copyUnresolved:
		resp, failed := rpc.CopyTemplate(ctx, &integrationv1.CopyTemplateRequest{
			TemplateId: templateID(n), Name: &name, Variables: variables, Unresolved: integrationv1.Unresolved_UNRESOLVED_REFUSE, RequestId: id,
		})
		err, a.id, a.name = failed, resp.GetIntegration().GetId(), resp.GetIntegration().GetName()
	case preview:
		resp, failed := rpc.PreviewCopyTemplate(ctx, &integrationv1.PreviewCopyTemplateRequest{TemplateId: templateID(n), Name: &name, Variables: variables})
		if err = failed; err == nil {
			a.comparePreview(n, e, resp.GetName(), resp.GetBaseUrl())
		}
	case streamIntegrations:
		req := &integrationv1.StreamIntegrationsRequest{Order: integrationv1.Order_ORDER_ASC, MaxItems: new(int32(e.most))}
		if e.descending {
			req.Order = integrationv1.Order_ORDER_DESC
		}
		if a.after != "" {
			req.After = &a.after
		}
		stream, failed := rpc.StreamIntegrations(ctx, req)
		for err = failed; err == nil; {
			var resp *integrationv1.StreamIntegrationsResponse
			if resp, err = stream.Recv(); err == nil {
				a.items = append(a.items, resp.GetIntegration().GetId())
			}
		}
		if errors.Is(err, io.EOF) {
			err = nil
		}
	}
	if err != nil {
		a.failedOverGRPC(ctx, err)
		return
	}
	a.verdict = done
}

// comparePreview notes how a preview is not that of its request.
func (a *told) comparePreview(n int, e errand, name, url string) {
	want := "https://<<" + placeholder + ">>.example"
	if e.given {
		want = "https://" + value + ".example"
	}
	if name != callName(n) || url != want {
		a.wrong = fmt.Sprintf("a preview of %q, %q, want %q, %q", name, url, callName(n), want)
	}
}

func (c *crowd) errandOverREST(ctx context.Context, a *told, n int, e errand) {
	if e.kind == streamIntegrations {
		c.streamOverREST(ctx, a, e)
		return
	}
	body := map[string]any{"name": callName(n)}
	header := map[string]string{"Idempotency-Key": requestID(n)}
	if variables := e.variables(); variables != nil {
		body["variables"] = variables
	}
	var path string
	switch e.kind {
	case createTool:
		path = "/v1/integration/" + templateID(n) + "/tool"
		maps.Copy(body, map[string]any{"description": "Lists things", "endpoint_path": "/things", "method": "GET"})
	case createIntegration:
		path = "/v1/integration"
		maps.Copy(body, map[string]any{"base_url": baseURL, "integration_type": "HTTP"})
	case preview:
		path, header = "/v1/integration/template/"+templateID(n)+":previewCopy", nil
	default:
		path = restPath(n)
		header["Digate-Unresolved"] = "refuse"
	}
	b, _ := json.Marshal(body) // texts
	response, ok := c.send(ctx, a, http.MethodPost, path, b, header)
	if !ok {
		return
	}
	if response.status/100 != 2 {
		a.failedOverREST(response)
		return
	}
	var shown struct {
		ID, Name string
		BaseURL  string `json:"base_url"`
	}
	if err := json.Unmarshal(response.body, &shown); err != nil {
		a.text += ": " + err.Error()
		return
	}
	a.verdict = done
	if e.kind == preview {
		a.comparePreview(n, e, shown.Name, shown.BaseURL)
		return
	}
	a.id, a.name = shown.ID, shown.Name
}

// streamOverREST reads a stream. What was read of one that its caller ended counts as
// well.
func (c *crowd) streamOverREST(ctx context.Context, a *told, e errand) {
	query := url.Values{"order": {"asc"}, "max_items": {strconv.Itoa(e.most)}}
	if e.descending {
		query.Set("order", "desc")
	}
	if a.after != "" {
		query.Set("after", a.after)
	}
	response, err := c.exchange(ctx, a.call, http.MethodGet, "/v1/integration:stream?"+query.Encode(), nil, nil)
	a.text = fmt.Sprintf("REST: %d, %v", response.status, err)
	if err != nil {
		a.verdict = gaveUp(ctx)
	} else if response.status != http.StatusOK {
		a.failedOverREST(response)
		a.text += fmt.Sprintf(" %.200s", response.body)
		return
	}
	for text := range bytes.Lines(response.body) {
		var line struct {
			Integration *struct{ ID string }
			Summary     *struct{ Items int }
			Outcome     string
		}
		if !bytes.HasSuffix(text, []byte("\n")) {
			break // cut short
		}
		switch err := json.Unmarshal(text, &line); {
		case err != nil:
			a.wrong = fmt.Sprintf("the line %.100q: %v", text, err)
		case line.Integration != nil:
			a.items = append(a.items, line.Integration.ID)
		case line.Summary != nil:
			a.verdict = done
			if line.Summary.Items != len(a.items) {
				a.wrong = fmt.Sprintf("a summary of %d items after %d", line.Summary.Items, len(a.items))
			}
		default:
			a.verdict = outcomes[line.Outcome]
			a.text += fmt.Sprintf(" %.200s", text)
		}
	}
}
