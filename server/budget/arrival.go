package budget

import "bytes"

// Arrival reserves memory for the bytes of a request as they arrive: a sender that only
// announces a large request reserves none. The zero Arrival is for a new request.
type Arrival struct {
	// Bytes is the number of bytes that have arrived.
	Bytes int64
	taken int64 // the bytes for which memory was reserved
}

// Add counts bytes that have arrived, and reserves their memory in the request's share.
// It reports whether the memory was available.
func (a *Arrival) Add(bytes int64, from *Share) bool {
	a.Bytes += bytes
	more := a.Bytes - a.taken
	if a.Bytes <= Small || more == 0 {
		return true
	}
	if !from.Take(more * PerByte) {
		return false
	}
	a.taken = a.Bytes
	return true
}

// JSONValues returns an upper limit of the number of values in a JSON text, besides the
// outermost. In an array or object, each value follows a comma or is the first.
func JSONValues(text []byte) int {
	values := 0
	for _, before := range []string{",", "[", "{"} {
		values += bytes.Count(text, []byte(before))
	}
	return values
}
