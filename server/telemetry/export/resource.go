package export

import (
	"github.com/google/uuid"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk"
	"go.opentelemetry.io/otel/sdk/resource"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
)

// resource returns what spans and metrics are of. The id of the instance keeps the metrics
// of replicas apart.
func (s *Settings) resource(version string) *resource.Resource {
	attrs := []attribute.KeyValue{
		semconv.ServiceVersion(version), semconv.ServiceInstanceID(uuid.NewString()),
		semconv.TelemetrySDKName("opentelemetry"), semconv.TelemetrySDKLanguageGo, semconv.TelemetrySDKVersion(sdk.Version()),
	}
	for key, value := range s.Attributes {
		attrs = append(attrs, attribute.String(key, value)) // the last one of a key counts
	}
	return resource.NewWithAttributes(semconv.SchemaURL, attrs...)
}
