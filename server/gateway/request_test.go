package gateway

import (
	"io"
	"strings"
	"testing"
)

func TestBody_LengthThatIsOnlyClaimed_ReservesNoMemory(t *testing.T) {
	b := &body{ReadCloser: io.NopCloser(strings.NewReader("{")), length: 4 << 20, limit: 4 << 20}
	p, err := b.readAll()
	if err != nil || string(p) != "{" || cap(p) > maxPresized {
		t.Errorf("%q with room for %d bytes, %v", p, cap(p), err)
	}
}
