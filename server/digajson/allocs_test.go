//go:build !race

package digajson_test

import (
	"testing"

	integrationv1 "github.com/digate/digate/gen/diga/integration/v1"
)

// Every call encodes and decodes its messages once on either side, so an
// allocation here is one on each call. The bounds are what it takes today.
func TestAllocations_CopyMessages_AreBounded(t *testing.T) {
	codec, response := copyCodec(t), integrationCodec(t)
	plain, withVariables, result := copyRequest(t, false), copyRequest(t, true), fullIntegration(t)
	encoded := func(m *integrationv1.CopyTemplateRequest) []byte {
		text, err := codec.AppendRequest(nil, m)
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	otherText := []byte(`{"name":"n", "variables": {"b": [1, 1.0], "a": "\u00e9"}}`)
	plainText, variablesText, resultText := encoded(plain), encoded(withVariables), []byte(full)
	for name, tt := range map[string]struct {
		bound float64
		run   func() error
	}{
		"encode a request": {1, func() error {
			_, err := codec.AppendRequest(nil, plain)
			return err
		}},
		"encode a request with variables": {1, func() error {
			_, err := codec.AppendRequest(nil, withVariables)
			return err
		}},
		"encode a response": {1, func() error {
			_, err := response.AppendResponse(nil, result)
			return err
		}},
		"decode a request": {3, func() error {
			return codec.UnmarshalRequest(plainText, new(integrationv1.CopyTemplateRequest))
		}},
		"decode a request with variables": {24, func() error {
			return codec.UnmarshalRequest(variablesText, new(integrationv1.CopyTemplateRequest))
		}},
		"read a request with variables, to pass it on": {3, func() error {
			_, err := codec.UnmarshalForwarded(variablesText, new(integrationv1.CopyTemplateRequest))
			return err
		}},
		"read a request with variables in another form, to pass it on": {5, func() error {
			_, err := codec.UnmarshalForwarded(otherText, new(integrationv1.CopyTemplateRequest))
			return err
		}},
		"decode a response": {8, func() error {
			_, err := response.UnmarshalResponse(resultText, new(integrationv1.Integration))
			return err
		}},
	} {
		if got := testing.AllocsPerRun(1000, func() {
			if err := tt.run(); err != nil {
				t.Error(err)
			}
		}); got > tt.bound {
			t.Errorf("%s: %v allocations, want %v at most", name, got, tt.bound)
		}
	}
}
