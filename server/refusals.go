package server

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"slices"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
	"google.golang.org/protobuf/proto"

	"github.com/digate/digate/server/apierror"
)

// Two kinds of calls are refused by gRPC before anything here sees them: those with a
// malformed header, and those that name an encoding of which gRPC does not know the
// name. The response is one frame, whose header has four fields: the HTTP status, the
// content type, grpc-status and grpc-message. Every other failure has details, so it
// has more.
//
// The details are added to that frame. A field that is written in full and is not
// indexed may follow any other, and leaves the state of the header compression as it
// is (RFC 7541, 6.2.2).

// refusals are the refusals of gRPC on one connection.
type refusals struct {
	// encoding and other report whether a response of four fields with the status 200
	// had the message of an unknown encoding, or another.
	encoding, other bool
}

// verdict is what is added to a response of gRPC.
type verdict struct {
	err *apierror.Error
	// field is the field of the details as HPACK has it; askedField is the same for a
	// connection on which a call about another call's copy was made, which concludes
	// nothing from this one.
	field, askedField []byte
}

func newVerdict(err *apierror.Error) *verdict {
	return &verdict{err: err, field: detailsField(err), askedField: detailsField(err.WithoutOutcome())}
}

var (
	malformedVerdict = newVerdict(apierror.MalformedHeader())
	encodingVerdict  = newVerdict(apierror.UnknownEncoding())
)

// detailsField returns the details of an error as a field that is not indexed.
func detailsField(err *apierror.Error) []byte {
	details, _ := proto.Marshal(err.GRPCStatus().Proto()) // of a message that always can be
	field := []byte{0}
	for _, text := range []string{"grpc-status-details-bin", base64.RawStdEncoding.EncodeToString(details)} {
		field = appendLength(field, len(text))
		field = append(field, text...)
	}
	return field
}

// appendLength appends the length of a string that is not Huffman-coded.
func appendLength(b []byte, n int) []byte {
	const most = 1<<7 - 1
	if n < most {
		return append(b, byte(n))
	}
	return binary.AppendUvarint(append(b, most), uint64(n-most)) // RFC 7541, 5.1: the same groups of seven bits
}

// The first fields of a response, from the static table of HPACK.
const (
	status200 = 0x88
	status400 = 0x8c
)

// maxRefusal bounds the header of a response to which details are added: the frame stays
// below every bound of a client's.
const maxRefusal = 4 << 10

// verdictOn returns what to add to a frame, nil for nothing.
func (r *refusals) verdictOn(frame []byte) *verdict {
	block := frame[frameHeader:]
	if !isWholeResponse(http2.FrameType(frame[3]), http2.Flags(frame[4])) || len(block) == 0 || len(block) > maxRefusal {
		return nil
	}
	first := block[0]
	if first != status200 && first != status400 {
		return nil
	}
	fields, last, ok := lastField(block)
	switch {
	case !ok || fields != 4:
		return nil
	case first == status400:
		return malformedVerdict
	case !last.indexed && slices.ContainsFunc(unknownEncoding, func(begin []byte) bool { return bytes.HasPrefix(last.value, begin) }):
		r.encoding = true
	case !last.indexed:
		r.other = true
		return nil
	case !r.encoding || r.other:
		return nil // it repeats a message, and which one is not certain
	}
	return encodingVerdict
}

// unknownEncoding is how the grpc-message of an unknown encoding begins: as it is, and in
// Huffman's code but for its last byte, in which the next character begins.
var unknownEncoding = func() [][]byte {
	const begin = `grpc: Decompressor is not installed for grpc-encoding `
	huffman := hpack.AppendHuffmanString(nil, begin)
	return [][]byte{[]byte(begin), huffman[:len(huffman)-1]}
}()

// with returns the frame with the verdict.
func (v *verdict) with(frame []byte, asked bool) []byte {
	field := v.field
	if asked {
		field = v.askedField
	}
	amended := slices.Concat(frame, field)
	length := len(amended) - frameHeader
	amended[0], amended[1], amended[2] = byte(length>>16), byte(length>>8), byte(length)
	return amended
}

// headerField is the form of a field in a header block: an index that says all of it, or
// its value.
type headerField struct {
	indexed bool
	value   []byte // as it is, or in Huffman's code
}

// lastField counts the fields of a header block, and returns the last. It reports false
// for what is no header block.
func lastField(block []byte) (n int, last headerField, ok bool) {
	for len(block) > 0 {
		var index int
		first := block[0]
		switch {
		case first&0x80 != 0:
			if _, block, ok = readInt(block, 7); !ok {
				return 0, headerField{}, false
			}
			n, last = n+1, headerField{indexed: true}
			continue
		case first&0xe0 == 0x20: // the size of the table
			if _, block, ok = readInt(block, 5); !ok {
				return 0, headerField{}, false
			}
			continue
		case first&0xc0 == 0x40: // will be indexed
			index, block, ok = readInt(block, 6)
		default:
			index, block, ok = readInt(block, 4)
		}
		if ok && index == 0 { // the name
			_, block, ok = readString(block)
		}
		if ok {
			last = headerField{}
			last.value, block, ok = readString(block)
		}
		if !ok {
			return 0, headerField{}, false
		}
		n++
	}
	return n, last, true
}

// readInt reads an integer that begins in the last bits of the first byte (RFC 7541, 5.1).
func readInt(b []byte, bits int) (n int, rest []byte, ok bool) {
	if len(b) == 0 {
		return 0, nil, false
	}
	most := 1<<bits - 1
	n, b = int(b[0])&most, b[1:]
	if n < most {
		return n, b, true
	}
	more, size := binary.Uvarint(b)
	if size <= 0 || more > maxRefusal {
		return 0, nil, false
	}
	return n + int(more), b[size:], true
}

// readString reads a string (RFC 7541, 5.2).
func readString(b []byte) (s, rest []byte, ok bool) {
	n, b, ok := readInt(b, 7)
	if !ok || n > len(b) {
		return nil, nil, false
	}
	return b[:n], b[n:], true
}
