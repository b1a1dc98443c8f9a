package main

import (
	"crypto/rand"
	"crypto/sha1"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
)

// uuid is a UUID (RFC 9562).
type uuid [16]byte

// newUUID returns a random one (version 4).
func newUUID() (u uuid) {
	_, _ = rand.Read(u[:]) // never fails
	return u.marked(4)
}

// newNamedUUID returns the one that a name has in a namespace (version 5).
func newNamedUUID(namespace uuid, name []byte) uuid {
	h := sha1.New()
	_, _ = h.Write(namespace[:])
	_, _ = h.Write(name)
	return uuid(h.Sum(nil)[:16]).marked(5)
}

func (u uuid) marked(version byte) uuid {
	u[6] = u[6]&0x0f | version<<4
	u[8] = u[8]&0x3f | 0x80
	return u
}

// String returns the usual form, in lower case.
func (u uuid) String() string {
	return fmt.Sprintf("%x-%x-%x-%x-%x", u[:4], u[4:6], u[6:8], u[8:10], u[10:])
}

// MarshalText implements [encoding.TextMarshaler].
func (u uuid) MarshalText() ([]byte, error) { return []byte(u.String()), nil }

// UnmarshalText implements [encoding.TextUnmarshaler]. It takes the usual form
// alone.
func (u *uuid) UnmarshalText(text []byte) error {
	var read uuid
	packed, err := hex.DecodeString(strings.ReplaceAll(string(text), "-", ""))
	if err == nil && len(packed) == len(read) {
		read = uuid(packed)
	}
	if read.String() != string(text) {
		return errors.New("is no UUID")
	}
	*u = read
	return nil
}
