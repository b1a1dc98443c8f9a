package inproc

import (
	"sync"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

var _ grpc.ServerTransportStream = (*transport)(nil)

var errHeaderSent = status.Error(codes.Internal, "inproc: the header has been sent already")

// transport receives header and trailer from a handler. The handler finds it in its
// context through grpc.SetHeader and similar functions, and may use it from several
// goroutines.
type transport struct {
	method string

	mu      sync.Mutex
	header  metadata.MD
	trailer metadata.MD
	sent    bool // the header was sent
	ended   bool // the handler has returned
}

// Method returns the full name of the method, "/package.Service/Method".
func (t *transport) Method() string { return t.method }

// SetHeader adds to the header, which is sent with SendHeader, the first message or the
// status. It fails once the header was sent.
func (t *transport) SetHeader(md metadata.MD) error {
	if len(md) == 0 {
		return nil
	}
	return t.addHeader(md, false)
}

// SendHeader adds to the header and sends it. It fails if the header was already sent.
func (t *transport) SendHeader(md metadata.MD) error {
	return t.addHeader(md, true)
}

func (t *transport) addHeader(md metadata.MD, send bool) error {
	if err := validate(md); err != nil {
		return err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.sent || t.ended {
		return errHeaderSent
	}
	t.header = merge(t.header, md)
	t.sent = send
	return nil
}

// flushHeader sends the header if it was not sent yet.
func (t *transport) flushHeader() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.ended {
		t.sent = true
	}
}

// SetTrailer adds to the trailer. It fails once the handler has returned.
func (t *transport) SetTrailer(md metadata.MD) error {
	if len(md) == 0 {
		return nil
	}
	if err := validate(md); err != nil {
		return err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.ended {
		return status.Error(codes.Internal, "inproc: the trailer has been sent already")
	}
	t.trailer = merge(t.trailer, md)
	return nil
}

// end makes header and trailer final. A header that was set but not sent is sent now. A
// call without a header ends with only a trailer.
func (t *transport) end() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.header) > 0 {
		t.sent = true
	}
	t.ended = true
}

// sentHeader returns the header as the client sees it: nil before it is sent and if there
// is none. A sent header does not change.
func (t *transport) sentHeader() metadata.MD {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.sent {
		return nil
	}
	return t.header
}

// finalTrailer returns the trailer, which does not change any more. It is nil while the
// handler runs.
func (t *transport) finalTrailer() metadata.MD {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.ended {
		return nil
	}
	return t.trailer
}
