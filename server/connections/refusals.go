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

// gRPC itself refuses two kinds of calls before digate's code sees them: those with a
// malformed header, and those whose encoding has an unknown name. The response is one
// frame whose header has four fields: the HTTP status, the content type, grpc-status and
// grpc-message. All other failures have details, and therefore more fields.
//
// This file adds the details to that frame. A field that is written in full and not
// indexed may follow any other, and does not change the state of the header compression
// (RFC 7541, 6.2.2).

// refusals are gRPC's refusals on one connection.
type refusals struct {
	// encoding and other report whether a response of four fields with the status 200 had
	// the message of an unknown encoding, or another message.
	encoding, other bool
}

// verdict is what is added to gRPC's response.
type verdict struct {
	err *apierror.Error
	// field is the HPACK form of the field with the error details, and withoutOutcome
	// that of the same error without an outcome. The latter is for connections on which
	// calls asked about copies: it is unknown which call was refused, and its caller
	// could take the outcome for that of the copy.
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
	details, _ := proto.Marshal(err.GRPCStatus().Proto()) // such a message can always be encoded
	field := []byte{0}
	for _, text := range []string{"grpc-status-details-bin", base64.RawStdEncoding.EncodeToString(details)} {
		field = appendLength(field, len(text))
		field = append(field, text...)
	}
	return field
}

// maxRefusal is the maximum size of a header to which details are added, so that the
// frame stays within the limits of every client.
const maxRefusal = 4 << 10

// verdictOn returns what to add to a frame, or nil.
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
		return nil // it repeats an earlier message, but it is uncertain which one
	}
	return encodingVerdict
}

// unknownEncoding is the beginning of the grpc-message of an unknown encoding: in plain
// form, and Huffman-coded without its last byte, which also contains bits of the next
// character.
var unknownEncoding = func() [][]byte {
	const begin = `grpc: Decompressor is not installed for grpc-encoding `
	huffman := hpack.AppendHuffmanString(nil, begin)
	return [][]byte{[]byte(begin), huffman[:len(huffman)-1]}
}()

// with returns the frame with the details. They have no outcome if calls on the
// connection asked about copies.
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
