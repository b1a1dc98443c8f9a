package exchange

import "time"

// Kind is what an operation is.
type Kind int8

const (
	// BulkItem is one copy of a bulk stream.
	BulkItem Kind = iota + 1
	// DetachedCopy is a copy that goes on after its caller left.
	DetachedCopy
)

// String returns the kind as it is named in metrics and logs.
func (k Kind) String() string {
	switch k {
	case BulkItem:
		return "bulk_item"
	case DetachedCopy:
		return "detached_copy"
	default:
		return "other"
	}
}

// Operation is work for which Diga is called and that is no gRPC or REST call by
// itself. Its observer learns of its start, and at its end of its exchange and
// error.
type Operation struct {
	Kind Kind
	// Method is the full gRPC name of what Diga is called for.
	Method string
	// Began is when the work began, zero for the moment at which the observer
	// learns of it. A copy becomes a detached copy only after it began.
	Began time.Time
}
