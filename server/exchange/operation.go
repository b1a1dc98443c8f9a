package exchange

import "time"

// Kind is the kind of an operation.
type Kind int8

const (
	// BulkItem is one copy of a bulk stream.
	BulkItem Kind = iota + 1
	// DetachedCall is a call with a request id that continues without its caller.
	DetachedCall
	// InnerRead is an additional request that a call needs: a page of a stream, or a
	// template before its copy.
	InnerRead
	// RESTRequest is a request on the REST side, from its arrival to the end of its
	// response. It includes the gRPC call that it becomes.
	RESTRequest
	// Rename is a request that removes the mark from the name of a created resource.
	Rename
	// Settlement is the settling of a doubt because a mark proves that the call created a
	// resource.
	Settlement
)

// String returns the name of the kind in metrics and logs.
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

// Protocol is a protocol other than REST that the REST listener speaks.
type Protocol string

// The protocols, by their names in metrics and logs.
const (
	Connect Protocol = "connect"
	GRPCWeb Protocol = "grpc-web"
)

// Operation is work that is not itself a gRPC call: a part of a call, a call over REST,
// or work that continues after a call. Its observer is told when it starts and, with its
// exchange and error, when it ends.
type Operation struct {
	Kind Kind
	// Method is the full gRPC name of the method. It is empty for a REST request without
	// a route.
	Method string
	// Protocol is the protocol of a request to the REST listener. It is empty for REST
	// itself.
	Protocol Protocol
	// Began is when the work began. Zero means the time when the observer is told: a copy
	// becomes a detached call only after it began.
	Began time.Time
	// Request is the request message of a write. It is nil for any other operation.
	Request any
}
