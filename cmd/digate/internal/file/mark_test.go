package file_test

import (
	"strings"
	"testing"

	"github.com/digate/digate/cmd/digate/internal/file"
)

func TestReadSecret_WrittenByAnEditor_IsTheSecretAlone(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"s ecret", "\ufeffs ecret", "s ecret\r\n", "\ufeffs ecret\r\n\r\n"} {
		if got, err := file.ReadSecret("-", strings.NewReader(text)); got != "s ecret" || err != nil {
			t.Errorf("%q: %q, %v", text, got, err)
		}
	}
	if _, err := file.ReadSecret("-", strings.NewReader("\ufeff\r\n")); err == nil {
		t.Error("a mark alone is a secret")
	}
}
