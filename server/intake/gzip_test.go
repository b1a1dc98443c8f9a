package intake

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/binary"
	"fmt"
	"strings"
	"testing"

	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/digate/digate/server/apierror"
	"github.com/digate/digate/server/budget"
	"github.com/digate/digate/test/await"
)

func gzipped(t *testing.T, text string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := w.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// known is a caller whose token Diga accepted.
var known = budget.Caller{Known: true}

// claiming returns a gzip file that claims another length.
func claiming(gz []byte, length uint32) []byte {
	return append(bytes.Clone(gz[:len(gz)-4]), binary.LittleEndian.AppendUint32(nil, length)...)
}

func TestDecompress_TextOfAnyLengthUpToTheBound_IsWhole(t *testing.T) {
	const most = 100_000
	i := New(Bounds{MaxMessage: most, Memory: budget.NewMemory(1 << 20)})
	for _, n := range []int{0, 1, 511, 512, 513, 70_000, most} {
		text := strings.Repeat("x", n)
		for name, gz := range map[string][]byte{
			"one file":  gzipped(t, text),
			"two files": append(gzipped(t, text[:n/2]), gzipped(t, text[n/2:])...), // RFC 1952, 2.2
		} {
			share := i.Memory.Share(known)
			got, err := i.decompress(t.Context(), gz, &share)
			if err != nil || string(got) != text {
				t.Errorf("%d bytes, %s: got %d, %v", n, name, len(got), err)
			}
			share.GiveBack()
		}
	}
}

// A text that is too large, and one that claims to be, takes no more memory than the
// largest message.
func TestDecompress_TextBeyondTheBound_IsNotDecompressed(t *testing.T) {
	const most = 100_000
	i := New(Bounds{MaxMessage: most, Memory: budget.NewMemory(1 << 20)})
	large := gzipped(t, strings.Repeat("x", 10*most))
	for name, gz := range map[string][]byte{
		"large": large, "large, and claims less": claiming(large, 10), "small, and claims more": claiming(gzipped(t, "x"), 1<<31),
	} {
		share := i.Memory.Share(known)
		_, err := i.decompress(t.Context(), gz, &share)
		if err == nil || i.Memory.Load().Taken > most+1 {
			t.Errorf("%s: %v, %d bytes are taken", name, err, i.Memory.Load().Taken)
		}
		share.GiveBack()
	}
}

// How much is decompressed at once is bounded over all calls.
func TestDecompress_MemoryIsTaken_IsOverloaded(t *testing.T) {
	i := New(Bounds{MaxMessage: 1 << 20, Memory: budget.NewMemory(1 << 20)})
	other := i.Memory.Share(budget.Caller{ID: 1, Known: true})
	other.Take(1<<20 - 50_000)
	share := i.Memory.Share(known)
	_, err := i.decompress(t.Context(), gzipped(t, strings.Repeat("x", 60_000)), &share)
	if e := apierror.FromError(err); e == nil || e.Reason != apierror.ReasonOverloaded {
		t.Errorf("got %v", err)
	}
	if _, err := i.decompress(t.Context(), gzipped(t, strings.Repeat("x", 40_000)), &share); err != nil {
		t.Errorf("a smaller one: %v", err)
	}
}

// What is decompressed and what is decoded of it are one request.
func TestDecode_CompressedMessage_TakesItsMemoryAsOneRequest(t *testing.T) {
	i := New(Bounds{MaxMessage: 1 << 20, Memory: budget.NewMemory(1 << 20)})
	other := i.Memory.Share(budget.Caller{ID: 1, Known: true})
	other.Take(3 << 18)
	text, err := proto.Marshal(wrapperspb.String(strings.Repeat("x", 80_000)))
	if err != nil {
		t.Fatal(err)
	}
	m := message{ctx: t.Context(), proto: new(wrapperspb.StringValue)}
	if err := i.decode(mem.BufferSlice{mem.SliceBuffer(gzipped(t, string(text)))}, true, &m); err != nil {
		t.Error(err)
	}
	if got, want := m.memory.Taken(), int64(2*len(text)); got != want {
		t.Errorf("%d bytes are taken, want %d", got, want)
	}
}

// A short message may take long to decompress, and strangers must not keep all
// processors busy with theirs.
func TestDecompress_ManyOfStrangers_WaitForEachOther(t *testing.T) {
	i := New(Bounds{MaxMessage: 1 << 20, Memory: budget.NewMemory(1 << 20)})
	for range cap(i.decompressing) {
		i.decompressing <- struct{}{}
	}
	gz := gzipped(t, "x")
	known, stranger := i.Memory.Share(known), i.Memory.Share(budget.Caller{})
	if _, err := i.decompress(t.Context(), gz, &known); err != nil {
		t.Errorf("a known caller: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() {
		_, err := i.decompress(ctx, gz, &stranger)
		ended <- err
	}()
	err := await.Poll(await.Patience, nil, func() error {
		if got := i.Load(); got.Waiting != 1 || got.UnderWay != got.Limit || got.Limit != cap(i.decompressing) {
			return fmt.Errorf("the load is %+v", got)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	if err := <-ended; err == nil || i.Load().Waiting != 0 {
		t.Errorf("a stranger did not wait: %v, %+v", err, i.Load())
	}
	<-i.decompressing
	if _, err := i.decompress(t.Context(), gz, &stranger); err != nil || len(i.decompressing) != cap(i.decompressing)-1 {
		t.Errorf("a stranger, after another: %v, %d are under way", err, len(i.decompressing))
	}
}
