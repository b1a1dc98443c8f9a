package httpbody_test

import (
	"errors"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/iotest"

	"github.com/digate/digate/server/httpbody"
)

func TestRead_BodyOfAnyLength_IsWhole(t *testing.T) {
	t.Parallel()
	for _, size := range []int{0, 1, httpbody.MaxPresized, httpbody.MaxPresized + 1, 1 << 20} {
		text := strings.Repeat("x", size)
		for _, length := range []int64{int64(size), -1} {
			got, err := httpbody.Read(iotest.HalfReader(strings.NewReader(text)), length)
			if string(got) != text || err != nil {
				t.Errorf("%d bytes, length %d: got %d bytes, %v", size, length, len(got), err)
			}
		}
	}
}

// HTTP/1.1 has its connection free with the last byte, and a reader that fails
// beyond it has nothing to say about the body.
func TestRead_SmallBodyOfKnownLength_IsNotReadBeyondIt(t *testing.T) {
	t.Parallel()
	beyond := io.MultiReader(strings.NewReader("abc"), iotest.ErrReader(errors.New("read beyond the body")))
	if got, err := httpbody.Read(beyond, 3); string(got) != "abc" || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestRead_BodyThatBreaksOff_IsReturnedWithTheError(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken")
	for _, length := range []int64{8, -1, 1 << 20} {
		got, err := httpbody.Read(io.MultiReader(strings.NewReader("abc"), iotest.ErrReader(broken)), length)
		if string(got) != "abc" || !errors.Is(err, broken) {
			t.Errorf("length %d: got %q, %v", length, got, err)
		}
	}
}

// A reader may refuse the last bytes, as one does that takes memory for them.
func TestRead_LastBytesComeWithAnError_IsThatError(t *testing.T) {
	t.Parallel()
	refused := errors.New("refused")
	for _, size := range []int{3, httpbody.MaxPresized + 1} {
		r := iotest.DataErrReader(io.MultiReader(strings.NewReader(strings.Repeat("x", size)), iotest.ErrReader(refused)))
		if got, err := httpbody.Read(r, int64(size)); len(got) != size || !errors.Is(err, refused) {
			t.Errorf("%d bytes: got %d, %v", size, len(got), err)
		}
	}
}

// A sender that stops in the middle of a large body holds little more than what it sent.
func TestRead_LargeBody_GetsMemoryAsItArrives(t *testing.T) {
	t.Parallel()
	const length = 1<<20 + 101
	r := &roomReader{Reader: strings.NewReader(strings.Repeat("x", length))}
	if got, err := httpbody.Read(r, length); len(got) != length || cap(got) > length+pageSize || err != nil {
		t.Fatal(len(got), cap(got), err)
	}
	if most := slices.Max(r.room); most > httpbody.MaxPresized {
		t.Errorf("there was room for %d bytes that had not arrived", most)
	}
}

// Readers share memory for what is on its way in, and no two have the same.
func TestRead_ManyLargeBodiesAtOnce_AreEachTheirOwn(t *testing.T) {
	t.Parallel()
	var readers sync.WaitGroup
	for i := range 8 {
		readers.Go(func() {
			text := strings.Repeat(string(rune('a'+i)), 3*httpbody.MaxPresized+i)
			var bodies [4][]byte
			for n := range bodies {
				bodies[n], _ = httpbody.Read(iotest.HalfReader(strings.NewReader(text)), int64(len(text)))
			}
			for _, body := range bodies {
				if string(body) != text {
					t.Errorf("body %d has bytes of another", i)
				}
			}
		})
	}
	readers.Wait()
}

// pageSize is to what Go rounds sizes of this order.
const pageSize = 8 << 10

// roomReader notes the room that there is for each read.
type roomReader struct {
	*strings.Reader
	room []int
}

func (r *roomReader) Read(p []byte) (int, error) {
	r.room = append(r.room, len(p))
	return r.Reader.Read(p)
}

// A sender that only claims to send much gets no memory for it.
func TestRead_LargeLength_TakesNoMemoryByItself(t *testing.T) {
	t.Parallel()
	for _, length := range []int64{httpbody.MaxPresized + 1, 1 << 62} {
		got, err := httpbody.Read(strings.NewReader("abc"), length)
		if string(got) != "abc" || !errors.Is(err, io.ErrUnexpectedEOF) || cap(got) > httpbody.MaxPresized {
			t.Errorf("length %d: got %q with room for %d bytes, %v", length, got, cap(got), err)
		}
	}
}
