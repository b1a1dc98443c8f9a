package gateway

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/digate/digate/server/httpbody"
)

func TestBody_LengthThatIsOnlyClaimed_ReservesNoMemory(t *testing.T) {
	b := &body{ReadCloser: io.NopCloser(strings.NewReader("{")), length: 4 << 20, limit: 4 << 20}
	p, err := b.readAll()
	if !errors.Is(err, io.ErrUnexpectedEOF) || string(p) != "{" || cap(p) > httpbody.MaxPresized {
		t.Errorf("%q with room for %d bytes, %v", p, cap(p), err)
	}
}

func TestBody_LengthBeyondTheLimit_IsRefusedUnread(t *testing.T) {
	r := strings.NewReader("eleven byte")
	b := &body{ReadCloser: io.NopCloser(r), length: 11, limit: 10}
	var tooLarge *http.MaxBytesError
	if _, err := b.readAll(); !errors.As(err, &tooLarge) || tooLarge.Limit != 10 || r.Len() != 11 {
		t.Errorf("%v, %d bytes left", err, r.Len())
	}
}
