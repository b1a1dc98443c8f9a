package nearjson

import (
	"encoding/binary"
	"unicode/utf16"
	"unicode/utf8"
)

// utf8Of returns text in UTF-16 or UTF-32 as UTF-8, and any other as it is.
func utf8Of(text []byte) []byte {
	size, order := unitOf(text)
	var out []byte
	switch size {
	case 2:
		units := make([]uint16, len(text)/size)
		for i := range units {
			units[i] = order.Uint16(text[size*i:])
		}
		out = make([]byte, 0, len(units))
		for _, r := range utf16.Decode(units) {
			out = utf8.AppendRune(out, r)
		}
	case 4:
		out = make([]byte, 0, len(text)/size)
		for ; len(text) >= size; text = text[size:] {
			out = utf8.AppendRune(out, rune(order.Uint32(text))) // U+FFFD where there is no such rune
		}
	default:
		return text
	}
	return out
}

// unitOf returns the size of a text's units in bytes, and their order. The text
// begins with a byte-order mark, or with two characters of ASCII, which have zeros
// in every other byte.
func unitOf(text []byte) (size int, order binary.ByteOrder) {
	var start [8]byte
	if copy(start[:], text) < 4 {
		return 1, nil
	}
	mark32, mark16 := [4]byte(start[:]), [2]byte(start[:])
	var zeros [8]bool
	for i, c := range start {
		zeros[i] = c == 0
	}
	const o, z = false, true // a byte that is something, and a zero
	switch {
	case mark32 == [4]byte{0xff, 0xfe, 0, 0} || zeros == [8]bool{o, z, z, z, o, z, z, z}:
		return 4, binary.LittleEndian
	case mark32 == [4]byte{0, 0, 0xfe, 0xff} || zeros == [8]bool{z, z, z, o, z, z, z, o}:
		return 4, binary.BigEndian
	case mark16 == [2]byte{0xff, 0xfe} || [4]bool(zeros[:]) == [4]bool{o, z, o, z}:
		return 2, binary.LittleEndian
	case mark16 == [2]byte{0xfe, 0xff} || [4]bool(zeros[:]) == [4]bool{z, o, z, o}:
		return 2, binary.BigEndian
	}
	return 1, nil
}
