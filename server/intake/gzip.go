package intake

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"sync"
	"time"

	"github.com/digate/digate/server/apierror"
	"github.com/digate/digate/server/budget"
)

// gzipReaders is a pool of *gzip.Reader.
var gzipReaders sync.Pool

// maxExpansion is the greatest possible ratio between a text and its compressed form
// (zlib's technical details: 1032:1).
const maxExpansion = 1032

// gzipTrailer is the length of the end of a gzip file, in bytes: a checksum and the
// length of the text.
const gzipTrailer = 8

// decompress returns the text of a gzipped message and reserves the memory for it. The
// text may be no longer than the largest message. Only a few messages of strangers are
// decompressed at a time, because a short one may take long.
func (i *Intake) decompress(ctx context.Context, compressed []byte, share *budget.Share) ([]byte, error) {
	// The length in the trailer is that of the last part, or false.
	claimed := int64(0)
	if n := len(compressed); n >= gzipTrailer {
		claimed = int64(binary.LittleEndian.Uint32(compressed[n-4:]))
	}
	switch possible := int64(len(compressed)) * maxExpansion; {
	case claimed > possible:
		claimed = min(possible, int64(i.MaxMessage))
	case claimed > int64(i.MaxMessage):
		return nil, apierror.RequestTooLarge(int64(i.MaxMessage))
	}
	if share.Stranger() {
		if err := i.awaitTurn(ctx); err != nil {
			return nil, apierror.NotBegun(err)
		}
		defer func() { <-i.decompressing }()
	}
	z, _ := gzipReaders.Get().(*gzip.Reader)
	if z == nil {
		z = new(gzip.Reader)
	}
	defer gzipReaders.Put(z)
	if err := z.Reset(bytes.NewReader(compressed)); err != nil {
		return nil, notDecompressed(err)
	}
	var text []byte
	for room := claimed + 1; ; room = min(int64(len(text)), int64(i.MaxMessage+1-len(text))) {
		if room > budget.Small && !share.Take(room) {
			return nil, apierror.Overloaded(time.Second)
		}
		text = append(make([]byte, 0, int64(len(text))+room), text...)
		for len(text) < cap(text) {
			n, err := z.Read(text[len(text):cap(text)])
			text = text[:len(text)+n]
			switch {
			case len(text) > i.MaxMessage:
				return nil, apierror.RequestTooLarge(int64(i.MaxMessage))
			case errors.Is(err, io.EOF):
				return text, nil
			case err != nil:
				return nil, notDecompressed(err)
			}
		}
	}
}

// awaitTurn waits until a stranger's message may be decompressed. It returns the
// context's error if the context ends first.
func (i *Intake) awaitTurn(ctx context.Context) error {
	i.waiting.Add(1)
	defer i.waiting.Add(-1)
	select {
	case i.decompressing <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Load is the number of messages of strangers that are being decompressed.
type Load struct {
	// UnderWay is the number of messages being decompressed, Limit its maximum, and
	// Waiting the number of messages that wait.
	UnderWay, Limit, Waiting int
}

// Load returns the current load.
func (i *Intake) Load() Load {
	return Load{UnderWay: len(i.decompressing), Limit: cap(i.decompressing), Waiting: int(i.waiting.Load())}
}

// notDecompressed returns the error of a message that is not valid gzip although it says
// so.
func notDecompressed(err error) error {
	switch {
	case errors.Is(err, gzip.ErrHeader):
		return invalid("is compressed, but no gzip", "GZIP_INVALID")
	case errors.Is(err, gzip.ErrChecksum):
		return invalid("is gzip with a wrong checksum or length", "GZIP_INVALID")
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return invalid("is gzip that is cut off", "GZIP_INVALID")
	default:
		return invalid("is gzip that cannot be decompressed", "GZIP_INVALID")
	}
}
