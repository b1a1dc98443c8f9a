package intake

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"testing"

	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/proto"

	integrationv1 "github.com/digate/digate/gen/diga/integration/v1"
	"github.com/digate/digate/server/apierror"
	"github.com/digate/digate/server/budget"
)

// FuzzDecode decodes any message: a request, or an error that says what is wrong with it.
// No memory is taken afterwards.
func FuzzDecode(f *testing.F) {
	name := "n"
	b, err := proto.Marshal(&integrationv1.CopyTemplateRequest{TemplateId: "t", Name: &name})
	if err != nil {
		f.Fatal(err)
	}
	var compressed bytes.Buffer
	w := gzip.NewWriter(&compressed)
	_, _ = w.Write(bytes.Repeat(b, 100))
	_ = w.Close()
	f.Add(b, false)
	f.Add(compressed.Bytes(), true)
	f.Add(compressed.Bytes()[:compressed.Len()-5], true)
	f.Add([]byte("\x1f\x8b"), true)
	f.Add([]byte{0xff, 0xff}, false)
	i := New(Bounds{MaxMessage: 64 << 10, Memory: budget.NewMemory(8 << 20)})
	f.Fuzz(func(t *testing.T, data []byte, compressed bool) {
		m := message{ctx: t.Context(), proto: new(integrationv1.CopyTemplateRequest)}
		err := i.decode(mem.BufferSlice{mem.SliceBuffer(data)}, compressed, &m)
		m.memory.GiveBack()
		if taken := i.Memory.Load().Taken; taken != 0 {
			t.Errorf("%d bytes are taken", taken)
		}
		if err != nil && apierror.FromError(err).Reason == apierror.ReasonInternalError {
			t.Errorf("got %v", err)
		}
	})
}

// FuzzDecompress decompresses any bytes as compress/gzip does, within the bound.
func FuzzDecompress(f *testing.F) {
	var gz bytes.Buffer
	w := gzip.NewWriter(&gz)
	_, _ = w.Write(bytes.Repeat([]byte("text"), 1000))
	_ = w.Close()
	f.Add(gz.Bytes())
	f.Add(append(bytes.Clone(gz.Bytes()), gz.Bytes()...))
	f.Add(gz.Bytes()[:20])
	f.Add(append(bytes.Clone(gz.Bytes()), "\x00\x00\x00\x00trailing"...))
	const most = 64 << 10
	i := New(Bounds{MaxMessage: most, Memory: budget.NewMemory(8 << 20)})
	f.Fuzz(func(t *testing.T, compressed []byte) {
		share := i.Memory.Share(known)
		got, err := i.decompress(t.Context(), compressed, &share)
		share.GiveBack()
		z, failed := gzip.NewReader(bytes.NewReader(compressed))
		var want []byte
		if failed == nil {
			want, failed = io.ReadAll(io.LimitReader(z, most+1))
		}
		switch {
		case err == nil && (failed != nil || !bytes.Equal(got, want)):
			t.Errorf("got %d bytes, want %d, %v", len(got), len(want), failed)
		case err != nil && failed == nil && len(want) <= most:
			// A length at the end that is not that of the text is refused early.
			if e, ok := errors.AsType[*apierror.Error](err); !ok || e.Reason != apierror.ReasonRequestTooLarge {
				t.Errorf("%d bytes were refused: %v", len(want), err)
			}
		}
	})
}
