package digajson_test

import (
	"strings"
	"testing"
	"time"

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

// beside measures what digajson does beside what protojson does, in turn, so that a busy
// machine slows both. It reports how many times as long protojson takes.
func beside(b *testing.B, ours, theirs func() error) {
	const batch = 50
	var own, other time.Duration
	b.ReportAllocs()
	for b.Loop() {
		began := time.Now()
		for range batch {
			if err := ours(); err != nil {
				b.Fatal(err)
			}
		}
		own += time.Since(began)
		b.StopTimer()
		began = time.Now()
		for range batch {
			if err := theirs(); err != nil {
				b.Fatal(err)
			}
		}
		other += time.Since(began)
		b.StartTimer()
	}
	b.ReportMetric(float64(own.Nanoseconds())/float64(batch*b.N), "ns/message")
	b.ReportMetric(float64(other)/float64(own), "×protojson")
}

func BenchmarkAppendRequest(b *testing.B) {
	for _, name := range []string{"plain", "struct"} {
		m, c := copyRequest(b, name == "struct"), copyCodec(b)
		b.Run(name, func(b *testing.B) {
			var own, other [1 << 10]byte
			beside(b, func() error {
				_, err := c.AppendRequest(own[:0], m)
				return err
			}, func() error {
				_, err := (protojson.MarshalOptions{UseProtoNames: true}).MarshalAppend(other[:0], m)
				return err
			})
		})
	}
}

func BenchmarkAppendResponse(b *testing.B) {
	m, c := fullIntegration(b), integrationCodec(b)
	var own, other [1 << 10]byte
	beside(b, func() error {
		_, err := c.AppendResponse(own[:0], m)
		return err
	}, func() error {
		_, err := (protojson.MarshalOptions{UseProtoNames: true, EmitDefaultValues: true}).MarshalAppend(other[:0], m)
		return err
	})
}

func BenchmarkUnmarshalRequest(b *testing.B) {
	for _, name := range []string{"plain", "struct"} {
		c := copyCodec(b)
		text, err := c.AppendRequest(nil, copyRequest(b, name == "struct"))
		if err != nil {
			b.Fatal(err)
		}
		b.Run(name, func(b *testing.B) {
			beside(b, func() error {
				return c.UnmarshalRequest(text, new(integrationv1.CopyTemplateRequest))
			}, func() error {
				return protojson.Unmarshal(text, new(integrationv1.CopyTemplateRequest))
			})
		})
	}
}

func BenchmarkUnmarshalResponse(b *testing.B) {
	c := integrationCodec(b)
	text := []byte(full)
	theirs := []byte(strings.NewReplacer(`"API_KEY"`, `"AUTH_TYPE_API_KEY"`, `"HTTP"`, `"INTEGRATION_TYPE_HTTP"`).Replace(full))
	beside(b, func() error {
		_, err := c.UnmarshalResponse(text, new(integrationv1.Integration))
		return err
	}, func() error {
		return protojson.Unmarshal(theirs, new(integrationv1.Integration))
	})
}
