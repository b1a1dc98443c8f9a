package connections

import "golang.org/x/net/http2"

// The first byte of a response's header, apart from a [sizeUpdate], with which gRPC
// refuses a malformed header: it has the HTTP status 400, or one that is not in the
// static table (RFC 7541, appendix A), such as 405 and 415. All other responses begin
// with 200, and all trailers with another name.
const (
	statusLiteral     = 0x48 // with the name of any status in the table
	statusLiteralLast = 0x4e
)

// saysMalformed reports whether a whole response that begins with this byte says that the
// header of its call is malformed.
func saysMalformed(first byte) bool {
	return first == status400 || first >= statusLiteral && first <= statusLiteralLast
}

// isWholeResponse reports whether the frame is a whole response.
func isWholeResponse(t http2.FrameType, f http2.Flags) bool {
	return t == http2.FrameHeaders && f == http2.FlagHeadersEndHeaders|http2.FlagHeadersEndStream
}
