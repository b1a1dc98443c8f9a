package server_test

import (
	"cmp"
	"context"
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"

	"github.com/digate/digate/server"
	"github.com/digate/digate/server/config"
	"github.com/digate/digate/server/telemetry/export/exporttest"
)

// traced runs a server whose spans go to the collector.
func traced(t *testing.T, c *exporttest.Collector, url string, change ...func(*config.Config)) *digate {
	t.Helper()
	cfg := settings(t, url)
	for _, f := range change {
		f(&cfg)
	}
	return serveWith(t, cfg, server.Options{Getenv: c.Getenv()})
}

// serveTraced is traced with more variables.
func serveTraced(t *testing.T, c *exporttest.Collector, url string, variables ...string) *digate {
	t.Helper()
	return serveWith(t, settings(t, url), server.Options{Getenv: c.Getenv(variables...)})
}

// spans ends the server and returns the spans of its calls.
func (d *digate) spans(t *testing.T, c *exporttest.Collector) spans {
	t.Helper()
	d.stop()
	if err := d.wait(); err != nil {
		t.Fatal(err)
	}
	all := spans(c.Spans())
	all.see()
	return all
}

type spans []*tracepb.Span

// tree returns the spans as text: a line for each, with what is below it indented, and
// with the values of some attributes.
func (all spans) tree(attributes ...string) string {
	var b strings.Builder
	known := make(map[string]bool)
	for _, s := range all {
		known[string(s.GetSpanId())] = true
	}
	var below func(parent string, indent string)
	line := func(s *tracepb.Span, indent string) {
		fmt.Fprintf(&b, "%s%s: %s", indent, kindOf(s), s.GetName())
		for _, key := range attributes {
			if v, ok := attribute(s, key); ok {
				fmt.Fprintf(&b, " %s=%s", key[strings.LastIndexByte(key, '.')+1:], v)
			}
		}
		if s.GetStatus().GetCode() == tracepb.Status_STATUS_CODE_ERROR {
			failed, _ := attribute(s, "error.type")
			b.WriteString(" failed " + failed)
		}
		b.WriteByte('\n')
		below(string(s.GetSpanId()), indent+"  ")
	}
	below = func(parent, indent string) {
		for _, s := range all {
			if string(s.GetParentSpanId()) == parent {
				line(s, indent)
			}
		}
	}
	for _, s := range all {
		if !known[string(s.GetParentSpanId())] {
			line(s, "")
		}
	}
	return b.String()
}

// named returns the span with a name. There must be one.
func (all spans) named(t *testing.T, name string) *tracepb.Span {
	t.Helper()
	found := slices.DeleteFunc(slices.Clone(all), func(s *tracepb.Span) bool { return s.GetName() != name })
	if len(found) != 1 {
		t.Fatalf("%d spans are named %s:\n%s", len(found), name, all.tree())
	}
	return found[0]
}

// attribute returns the value of an attribute as text, and reports whether there is one.
func attribute(s *tracepb.Span, key string) (string, bool) {
	for _, a := range s.GetAttributes() {
		if a.GetKey() == key {
			return textOf(a.GetValue()), true
		}
	}
	return "", false
}

func textOf(v *commonpb.AnyValue) string {
	switch v.GetValue().(type) {
	case *commonpb.AnyValue_IntValue:
		return strconv.FormatInt(v.GetIntValue(), 10)
	case *commonpb.AnyValue_BoolValue:
		return strconv.FormatBool(v.GetBoolValue())
	default:
		return v.GetStringValue()
	}
}

func traceID(s *tracepb.Span) string { return hex.EncodeToString(s.GetTraceId()) }
func spanID(s *tracepb.Span) string  { return hex.EncodeToString(s.GetSpanId()) }

// wantTree holds the tree of spans to a text, whose lines begin after as many tabs as its
// first.
func wantTree(t *testing.T, got, want string) {
	t.Helper()
	lines := strings.Split(strings.Trim(want, "\n\t"), "\n")
	for i := range lines {
		lines[i] = strings.TrimLeft(lines[i], "\t")
	}
	if want := strings.Join(lines, "\n"); strings.TrimSpace(got) != want {
		t.Errorf("the spans are\n%s\nwant\n%s", got, cmp.Or(want, "none"))
	}
}

// callInEveryWay makes a call on each protocol, a copy of a bulk stream, and a copy that
// its caller leaves, all of them with a traceparent.
func (d *digate) callInEveryWay(t *testing.T, up *scripted, parent string) {
	t.Helper()
	up.will(respond(201, nil, full))
	ctx := withParent(withToken(t.Context(), token), parent)
	if _, err := d.copyCtx(ctx, withID("a call")); err != nil {
		t.Fatal(err)
	}
	if rest := d.copyREST(t, templateID, `{}`, "traceparent", parent); rest.status != 201 {
		t.Fatal(rest)
	}
	stream := d.bulk(withParent(t.Context(), parent), t)
	must(t, stream.Send(item(templateID, "an item")))
	must(t, stream.CloseSend())
	if _, summary, err := drain(stream); err != nil || summary.GetDone() != 1 {
		t.Fatal(summary, err)
	}
	arrived, release := copiesWait(up)
	ctx, leave := context.WithCancel(ctx)
	go func() { <-arrived; leave() }()
	if _, err := d.copyCtx(ctx, withID("left")); err == nil {
		t.Fatal("no failure")
	}
	d.log.await(t, 1, `"code":"CANCELLED"`) // the server knows that it left
	close(release)
	d.log.await(t, 1, `"kind":"detached_call"`)
}

// linesWith returns the lines of a log that have a text.
func linesWith(log, text string) []string {
	return slices.DeleteFunc(strings.Split(log, "\n"), func(l string) bool { return !strings.Contains(l, text) })
}
