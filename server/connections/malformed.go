package connections

import "golang.org/x/net/http2"

// The first byte of a response's header, but for a [sizeUpdate], by which gRPC refuses
// the header of a call before the call is one: with the HTTP status 400, or with one that
// is not in the static table (RFC 7541, appendix A), such as 405 and 415. Every other
// response begins with 200, and every trailer with another name.
const (
	statusLiteral     = 0x48 // with the name of any status of the table
	statusLiteralLast = 0x4e
)

// saysMalformed reports whether a whole response that begins with this byte says that
// the header of its call is malformed.
func saysMalformed(first byte) bool {
	return first == status400 || first >= statusLiteral && first <= statusLiteralLast
}

// isWholeResponse reports whether the frame is all of a response.
func isWholeResponse(t http2.FrameType, f http2.Flags) bool {
	return t == http2.FrameHeaders && f == http2.FlagHeadersEndHeaders|http2.FlagHeadersEndStream
}
