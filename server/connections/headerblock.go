package connections

import "encoding/binary"

// The first fields of a response, from the static table of HPACK.
const (
	status200 = 0x88
	status400 = 0x8c
)

// sizeUpdate recognizes the size of the HPACK table, which may precede the fields of a
// header block if the client changes it (RFC 7541, 6.3).
type sizeUpdate struct{ more bool }

// has reports whether the next byte of a block belongs to a size update. It is false from
// the first byte of the first field on.
func (u *sizeUpdate) has(b byte) bool {
	switch {
	case u.more:
		u.more = b&0x80 != 0
		return true
	case b&0xe0 == 0x20:
		u.more = b&0x1f == 0x1f
		return true
	default:
		return false
	}
}

// headerField is the encoded form of a field in a header block: an index for the whole
// field, or its value.
type headerField struct {
	indexed bool
	value   []byte // plain or Huffman-coded
}

// lastField counts the fields of a header block and returns the last one. It returns
// false if the bytes are not a header block.
func lastField(block []byte) (n int, last headerField, ok bool) {
	for len(block) > 0 {
		var index int
		first := block[0]
		switch {
		case first&0x80 != 0:
			if _, block, ok = readInt(block, 7); !ok {
				return 0, headerField{}, false
			}
			n, last = n+1, headerField{indexed: true}
			continue
		case first&0xe0 == 0x20: // the size of the table
			if _, block, ok = readInt(block, 5); !ok {
				return 0, headerField{}, false
			}
			continue
		case first&0xc0 == 0x40: // will be indexed
			index, block, ok = readInt(block, 6)
		default:
			index, block, ok = readInt(block, 4)
		}
		if ok && index == 0 { // the name
			_, block, ok = readString(block)
		}
		if ok {
			last = headerField{}
			last.value, block, ok = readString(block)
		}
		if !ok {
			return 0, headerField{}, false
		}
		n++
	}
	return n, last, true
}

// readInt reads an integer that begins in the last bits of the first byte (RFC 7541,
// 5.1).
func readInt(b []byte, bits int) (n int, rest []byte, ok bool) {
	if len(b) == 0 {
		return 0, nil, false
	}
	most := 1<<bits - 1
	n, b = int(b[0])&most, b[1:]
	if n < most {
		return n, b, true
	}
	more, size := binary.Uvarint(b)
	if size <= 0 || more > maxRefusal {
		return 0, nil, false
	}
	return n + int(more), b[size:], true
}

// readString reads a string (RFC 7541, 5.2).
func readString(b []byte) (s, rest []byte, ok bool) {
	n, b, ok := readInt(b, 7)
	if !ok || n > len(b) {
		return nil, nil, false
	}
	return b[:n], b[n:], true
}

// appendLength appends the length of a string that is not Huffman-coded.
func appendLength(b []byte, n int) []byte {
	const most = 1<<7 - 1
	if n < most {
		return append(b, byte(n))
	}
	return binary.AppendUvarint(append(b, most), uint64(n-most)) // RFC 7541, 5.1 uses the same groups of seven bits
}
