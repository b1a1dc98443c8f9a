package digajson_test

import (
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"

	integrationv1 "github.com/digate/digate/gen/diga/integration/v1"
	"github.com/digate/digate/server/digajson"
)

// Each is measured beside protojson doing the same work in its own dialect.

func copyRequest(b testing.TB, variables bool) *integrationv1.CopyTemplateRequest {
	m := &integrationv1.CopyTemplateRequest{
		Name: proto.String("Customer desk"), ApiKey: proto.String("sk-1234567890abcdef"), BaseUrl: proto.String("https://api.example.com/v2/shop"),
	}
	if variables {
		var err error
		m.Variables, err = structpb.NewStruct(map[string]any{
			"region": "eu-west-1", "retries": 3, "debug": true, "tags": []any{"a", "b"}, "limits": map[string]any{"rps": 1.5, "burst": 10},
		})
		if err != nil {
			b.Fatal(err)
		}
	}
	return m
}

func copyCodec(b testing.TB) *digajson.Codec {
	return compile(b, (&integrationv1.CopyTemplateRequest{}).ProtoReflect().Descriptor(), digajson.Exclude("template_id"))
}

func fullIntegration(b testing.TB) *integrationv1.Integration {
	m := new(integrationv1.Integration)
	if _, err := integrationCodec(b).UnmarshalResponse([]byte(full), m); err != nil {
		b.Fatal(err)
	}
	return m
}

func BenchmarkAppendRequest(b *testing.B) {
	for _, name := range []string{"plain", "struct"} {
		m := copyRequest(b, name == "struct")
		c := copyCodec(b)
		b.Run("digajson/"+name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := c.AppendRequest(nil, m); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run("protojson/"+name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := (protojson.MarshalOptions{UseProtoNames: true}).Marshal(m); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkAppendResponse(b *testing.B) {
	m := fullIntegration(b)
	c := integrationCodec(b)
	b.Run("digajson", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := c.AppendResponse(nil, m); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("protojson", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := (protojson.MarshalOptions{UseProtoNames: true, EmitDefaultValues: true}).Marshal(m); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkUnmarshalRequest(b *testing.B) {
	for _, name := range []string{"plain", "struct"} {
		c := copyCodec(b)
		text, err := c.AppendRequest(nil, copyRequest(b, name == "struct"))
		if err != nil {
			b.Fatal(err)
		}
		b.Run("digajson/"+name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if err := c.UnmarshalRequest(text, new(integrationv1.CopyTemplateRequest)); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run("protojson/"+name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if err := protojson.Unmarshal(text, new(integrationv1.CopyTemplateRequest)); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkUnmarshalResponse(b *testing.B) {
	c := integrationCodec(b)
	text := []byte(full)
	b.Run("digajson", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if drift, err := c.UnmarshalResponse(text, new(integrationv1.Integration)); err != nil || len(drift) > 0 {
				b.Fatal(err, drift)
			}
		}
	})
	theirs := []byte(strings.NewReplacer(`"API_KEY"`, `"AUTH_TYPE_API_KEY"`, `"HTTP"`, `"INTEGRATION_TYPE_HTTP"`).Replace(full))
	b.Run("protojson", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if err := protojson.Unmarshal(theirs, new(integrationv1.Integration)); err != nil {
				b.Fatal(err)
			}
		}
	})
}
