package digajson_test

import (
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/fieldmaskpb"

	"github.com/digate/digate/server/digajson"
)

func protoString(s string) protoreflect.Value { return protoreflect.ValueOfString(s) }

// patch returns the Patch of a protojson text, whose mask has these paths.
func patch(t *testing.T, text string, paths ...string) proto.Message {
	m := fromPlain(t, descriptor("Patch"), text)
	fd := descriptor("Patch").Fields().ByName("update_mask")
	m.ProtoReflect().Set(fd, protoreflect.ValueOfMessage((&fieldmaskpb.FieldMask{Paths: paths}).ProtoReflect()))
	return m
}

func TestUpdateMask_OfARequest_IsTheKeysThatWereThere(t *testing.T) {
	c := compile(t, descriptor("Patch"), digajson.Exclude("integration_id"))
	for text, want := range map[string]string{ // what it holds, in protojson
		`{}`:            `{"update_mask":""}`,
		`{"name":null}`: `{"update_mask":"name"}`,
		`{"name":"x"}`:  `{"update_mask":"name","name":"x"}`,
		`{"name":""}`:   `{"update_mask":"name","name":""}`,
		`{"on":false,"title":"","headers":{},"tags":[]}`:                    `{"update_mask":"title,on,headers,tags"}`,
		`{"tags":null,"name":null}`:                                         `{"update_mask":"name,tags"}`,
		`{"st":{"a":1},"mood":"GOOD"}`:                                      `{"update_mask":"st,mood","st":{"a":1},"mood":"MOOD_GOOD"}`,
		`{"zzz":1,"integration_id":"i","update_mask":["title"],"name":"x"}`: `{"update_mask":"name","name":"x"}`,
		`{"leaf":{"note":"n"}}`:                                             `{"update_mask":"leaf","leaf":{"note":"n"}}`,
	} {
		m := newMessage("Patch")
		if err := c.UnmarshalRequest([]byte(text), m); err != nil || plain(t, m) != want {
			t.Errorf("%s: got %s, %v, want %s", text, plain(t, m), err, want)
		}
	}
	// A response is no update.
	wantResponse(t, c, newMessage("Patch"), `{"name":"x"}`, `{"name":"x"}`)
}

func TestUpdateMask_WritesJustTheFieldsThatItNames(t *testing.T) {
	c := compile(t, descriptor("Patch"), digajson.Exclude("integration_id"))
	for _, tt := range []struct {
		text  string
		paths []string
		want  string
	}{
		{`{"name":"x","title":"t"}`, nil, `{"name":"x","title":"t"}`},
		{`{}`, nil, `{}`},
		{`{"name":"x","title":"t"}`, []string{"title"}, `{"title":"t"}`},
		{`{"name":"x"}`, []string{"title", "name"}, `{"name":"x","title":null}`},
		{`{}`, []string{"name", "name"}, `{"name":null}`},
		{`{"name":"","ob":false}`, []string{"name", "ob"}, `{"name":"","ob":false}`},
		{`{}`, []string{"title", "on", "ob", "n", "d", "headers", "tags", "st", "mood", "plain_mood", "leaf"},
			`{"title":null,"on":false,"ob":null,"n":0,"d":0,"headers":null,"tags":null,"st":null,"mood":null,"plain_mood":null,"leaf":null}`},
		{`{"mood":0}`, []string{"mood"}, `{"mood":null}`},
		{`{"headers":{"a":"b"},"tags":["t"],"leaf":{"id":"x"}}`, []string{"headers", "tags", "leaf"}, `{"headers":{"a":"b"},"tags":["t"],"leaf":{"id":"x"}}`},
		{`{"integration_id":"i","name":"x"}`, []string{"*"}, `{"name":"x","title":null,"on":false,"ob":null,"n":0,"d":0,"headers":null,"tags":null,"st":null,"mood":null,"plain_mood":null,"leaf":null}`},
	} {
		got, err := c.AppendRequest(nil, patch(t, tt.text, tt.paths...))
		wantWritten(t, strings.Join(tt.paths, ","), got, err, tt.want)
	}
	for _, path := range []string{"nope", "headers.a", "integration_id", "update_mask", "", "Name", "leaf.id"} {
		_, err := c.AppendRequest(nil, patch(t, `{"name":"x"}`, "name", path))
		wantError(t, path, err, "update_mask", "unknown_field")
		if err != nil && !strings.Contains(err.Error(), path) {
			t.Errorf("%s is not named: %v", path, err)
		}
	}
	_, err := c.AppendRequest(nil, patch(t, `{}`, strings.Repeat("x", 1<<20)+"\n"))
	if err == nil || len(err.Error()) > 200 || strings.Contains(err.Error(), "\n") {
		t.Errorf("got %.300v", err)
	}
}

func TestUpdateMask_AbsentNullValue_TravelsToTheByte(t *testing.T) {
	c := compile(t, descriptor("Patch"), digajson.Exclude("integration_id"))
	for _, text := range []string{
		`{}`, `{"name":null}`, `{"name":""}`, `{"name":"x"}`, `{"title":null}`, `{"title":"x"}`, `{"on":false}`, `{"on":true}`, `{"ob":null}`, `{"ob":false}`,
		`{"n":0}`, `{"n":5}`, `{"d":0}`, `{"headers":null}`, `{"headers":{"a":"b"}}`, `{"tags":null}`, `{"tags":["a"]}`, `{"st":null}`, `{"st":{}}`, `{"mood":null}`, `{"mood":"GOOD"}`,
		`{"name":"x","title":null,"headers":null,"mood":"own spelling","leaf":null}`,
	} {
		m := newMessage("Patch")
		if err := c.UnmarshalRequest([]byte(text), m); err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		got, err := c.AppendRequest(nil, m)
		wantWritten(t, text, got, err, text)
	}
}
