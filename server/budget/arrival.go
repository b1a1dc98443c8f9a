package budget

import "bytes"

// Arrival takes memory for the bytes of a request as they arrive: a sender that only
// claims to send much takes none. The zero Arrival is that of a request that begins.
type Arrival struct {
	// Bytes is how many bytes arrived.
	Bytes int64
	taken int64 // those of them for which memory was taken
}

// Add counts bytes that arrived, and takes their memory from the request's share. It
// reports whether the memory was there.
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

// JSONValues returns how many values a JSON text holds at most, besides the whole. In an
// array or an object, each value comes after a comma or is the first.
func JSONValues(text []byte) int {
	values := 0
	for _, before := range []string{",", "[", "{"} {
		values += bytes.Count(text, []byte(before))
	}
	return values
}
