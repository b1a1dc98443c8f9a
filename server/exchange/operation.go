package exchange

import "time"

// Kind is what an operation is.
type Kind int8

const (
	// BulkItem is one copy of a bulk stream.
	BulkItem Kind = iota + 1
	// DetachedCall is a call with a request id that goes on after its caller left.
	DetachedCall
	// InnerRead is a request that a call makes beside its own: a page of a stream, or
	// a template before its copy.
	InnerRead
	// RESTRequest is a request of the REST side, from its route to the end of its
	// response. Its gRPC call, if it gets that far, is within it.
	RESTRequest
	// Rename is a request that takes the mark of a call off the name of what it
	// created.
	Rename
	// Settlement is the end of a doubt whose call is proven, by its mark, to have created
	// something.
	Settlement
)

// String returns the kind as it is named in metrics and logs.
func (k Kind) String() string {
	switch k {
	case BulkItem:
		return "bulk_item"
	case DetachedCall:
		return "detached_call"
	case InnerRead:
		return "inner_read"
	case RESTRequest:
		return "rest_request"
	case Rename:
		return "rename"
	case Settlement:
		return "settlement"
	default:
		return "other"
	}
}

// Protocol is a protocol that is spoken on the listener of the REST side beside REST.
type Protocol string

// The protocols, as they are named in metrics and logs.
const (
	Connect Protocol = "connect"
	GRPCWeb Protocol = "grpc-web"
)

// Operation is work that is no gRPC call by itself: a part of a call, the REST
// form of one, or what a call left behind. Its observer learns of its start, and
// at its end of its exchange and error.
type Operation struct {
	Kind Kind
	// Method is the full gRPC name of what is asked for, empty for a REST request
	// without a route.
	Method string
	// Protocol is that of a REST request which is a call of another protocol, empty for
	// REST itself.
	Protocol Protocol
	// Began is when the work began, zero for the moment at which the observer
	// learns of it. A copy becomes a detached copy only after it began.
	Began time.Time
	// Request is what a write asks for, nil for any other operation.
	Request any
}
