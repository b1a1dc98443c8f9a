package digajson_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"slices"
	"testing"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/digate/digate/server/digajson"
)

// plain returns what a message holds in protojson, which shares no code with
// ours: populated fields only, its own forms of enums and 64-bit integers.
func plain(t testing.TB, m proto.Message) string {
	t.Helper()
	b, err := protojson.MarshalOptions{UseProtoNames: true, AllowPartial: true}.Marshal(m)
	if err != nil {
		t.Fatalf("protojson: %v", err)
	}
	var out bytes.Buffer
	if err := json.Compact(&out, b); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// fromPlain returns the message that protojson reads from text.
func fromPlain(t testing.TB, md protoreflect.MessageDescriptor, text string) proto.Message {
	t.Helper()
	m := newMessage(string(md.Name()))
	if err := protojson.Unmarshal([]byte(text), m); err != nil {
		t.Fatalf("protojson: %v", err)
	}
	return m
}

// wantRead reads JSON strictly and leniently and wants the same of both.
func wantRead(t *testing.T, c *digajson.Codec, newMessage func() proto.Message, text, want string) {
	t.Helper()
	m := newMessage()
	if err := c.UnmarshalRequest([]byte(text), m); err != nil {
		t.Errorf("request %s: %v", text, err)
	} else if got := plain(t, m); got != want {
		t.Errorf("request %s:\n got %s\nwant %s", text, got, want)
	}
	wantResponse(t, c, newMessage(), text, want)
}

// unmarshalResponse returns the drift as text.
func unmarshalResponse(c *digajson.Codec, data []byte, m proto.Message) (drift []string, err error) {
	found, err := c.UnmarshalResponse(data, m)
	for _, d := range found {
		drift = append(drift, d.String())
	}
	return drift, err
}

// wantResponse reads JSON leniently and wants just this drift.
func wantResponse(t *testing.T, c *digajson.Codec, m proto.Message, text, want string, wantDrift ...string) {
	t.Helper()
	drift, err := unmarshalResponse(c, []byte(text), m)
	if err != nil {
		t.Errorf("response %s: %v", text, err)
		return
	}
	if got := plain(t, m); got != want {
		t.Errorf("response %s:\n got %s\nwant %s", text, got, want)
	}
	if !slices.Equal(drift, wantDrift) {
		t.Errorf("response %s: drift\n got %q\nwant %q", text, drift, wantDrift)
	}
}

// wantRefused reads JSON strictly and wants it refused.
func wantRefused(t *testing.T, c *digajson.Codec, m proto.Message, text, field, kind string) {
	t.Helper()
	err := c.UnmarshalRequest([]byte(text), m)
	wantError(t, text, err, field, kind)
}

func wantError(t *testing.T, what string, err error, field, kind string) {
	t.Helper()
	var e *digajson.Error
	if !errors.As(err, &e) {
		t.Errorf("%s: got %T %v, want an error of kind %s", what, err, err, kind)
		return
	}
	if e.Field() != field || e.Kind != kind {
		t.Errorf("%s: got %q %s (%s), want %q %s", what, e.Field(), e.Kind, e.Message, field, kind)
	}
	if e.Message == "" {
		t.Errorf("%s: no message", what)
	}
}

// wantField wants a string in an object.
func wantField(t *testing.T, object []byte, err error, key, want string) {
	t.Helper()
	if err != nil {
		t.Errorf("%s: %v", want, err)
		return
	}
	var got map[string]any
	if err := json.Unmarshal(object, &got); err != nil || got[key] != want {
		t.Errorf("%s: got %v (%v), want %s", key, got[key], err, want)
	}
}
