package connections

import (
	"bytes"
	"encoding/base64"
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
	// field is the field of the details as HPACK has it, and withoutOutcome the same
	// for an error that concludes nothing. That is for a connection that was used to
	// ask about the copy of another call: which call was refused cannot be seen.
	field, withoutOutcome []byte
}

func newVerdict(err *apierror.Error) *verdict {
	return &verdict{err: err, field: detailsField(err), withoutOutcome: detailsField(err.WithoutOutcome())}
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

// maxRefusal bounds the header of a response to which details are added: the frame stays
// below every bound of a client's.
const maxRefusal = 4 << 10

// verdictOn returns what to add to a frame, nil for nothing.
func (r *refusals) verdictOn(frame []byte) *verdict {
	block := frame[frameHeader:]
	if !isWholeResponse(http2.FrameType(frame[3]), http2.Flags(frame[4])) || len(block) > maxRefusal {
		return nil
	}
	var update sizeUpdate
	for len(block) > 0 && update.has(block[0]) {
		block = block[1:]
	}
	if len(block) == 0 {
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

// with returns the frame with the verdict, without its outcome if the connection was
// used to ask about copies.
func (v *verdict) with(frame []byte, askedOfCopies bool) []byte {
	field := v.field
	if askedOfCopies {
		field = v.withoutOutcome
	}
	amended := slices.Concat(frame, field)
	length := len(amended) - frameHeader
	amended[0], amended[1], amended[2] = byte(length>>16), byte(length>>8), byte(length)
	return amended
}
