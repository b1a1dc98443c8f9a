package exchange

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
// itself. Whoever observes operations is told of it at its begin, and of its
// exchange and error at its end.
type Operation struct {
	Kind Kind
	// Method is the full gRPC name of what Diga is called for.
	Method string
}
