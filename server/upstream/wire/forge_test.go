//go:build unix

package wire

import (
	"bufio"
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/tls"
	"encoding/binary"
	"encoding/hex"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
)

// The types of TLS's records.
const (
	recordAlert       = 21
	recordHandshake   = 22
	recordApplication = 23
)

// Messages that crypto/tls never sends by itself when a handshake is over.
var (
	closeNotify   = []byte{1, 0}
	userCanceled  = []byte{1, 90}
	internalError = []byte{2, 80}
	helloRequest  = []byte{0, 0, 0, 0}
	// The other side need not, or must, change its own keys.
	keyUpdate        = []byte{24, 0, 0, 1, 0}
	keyUpdateForBoth = []byte{24, 0, 0, 1, 1}
	// A ticket for an hour.
	newTicket = []byte{4, 0, 0, 15, 0, 0, 14, 16, 1, 2, 3, 4, 1, 0, 0, 1, 7, 0, 0}
)

// forger is the side of a scripted upstream, after its handshake. It reads by crypto/tls,
// and writes records of its own.
type forger struct {
	t      testing.TB
	raw    net.Conn
	in     *bufio.Reader
	tls13  bool
	secret []byte // of TLS 1.3
	aead   cipher.AEAD
	iv     []byte
	seq    uint64
}

// forge makes a handshake in a version of TLS.
func forge(t testing.TB, raw net.Conn, version uint16) *forger {
	t.Helper()
	var secrets bytes.Buffer
	first := &firstWrite{Conn: raw}
	config := serverTLS(t, version)
	config.SessionTicketsDisabled, config.KeyLogWriter = true, &secrets
	c := tls.Server(first, config)
	f := &forger{t: t, raw: raw, in: bufio.NewReader(c), tls13: version == tls.VersionTLS13}
	if err := c.Handshake(); err != nil {
		t.Errorf("handshake: %v", err)
		return f
	}
	fields := make(map[string][][]byte) // the label, and what follows it
	for line := range strings.Lines(secrets.String()) {
		label, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		for field := range strings.SplitSeq(rest, " ") {
			b, _ := hex.DecodeString(field)
			fields[label] = append(fields[label], b)
		}
	}
	switch suite := c.ConnectionState().CipherSuite; {
	case f.tls13 && suite == tls.TLS_AES_128_GCM_SHA256:
		f.secret = fields["SERVER_TRAFFIC_SECRET_0"][1]
		f.rekey()
	case !f.tls13:
		// After the record's header and the message's, and the version: the random.
		random, client := first.bytes[11:11+32], fields["CLIENT_RANDOM"]
		keys := prf(client[1], append(append([]byte("key expansion"), random...), client[0]...), 2*16+2*4)
		f.use(keys[16:32], keys[36:40])
		f.seq = 1 // after Finished
	default:
		t.Errorf("the suite is %s: this processor cannot do AES", tls.CipherSuiteName(suite))
	}
	return f
}

// firstWrite keeps what is written first.
type firstWrite struct {
	net.Conn
	bytes []byte
}

func (c *firstWrite) Write(p []byte) (int, error) {
	if c.bytes == nil {
		c.bytes = bytes.Clone(p)
	}
	return c.Conn.Write(p)
}

// prf is that of TLS 1.2 (RFC 5246, 5).
func prf(secret, seed []byte, length int) (out []byte) {
	sum := func(parts ...[]byte) []byte {
		h := hmac.New(sha256.New, secret)
		for _, p := range parts {
			h.Write(p)
		}
		return h.Sum(nil)
	}
	for a := sum(seed); len(out) < length; a = sum(a) {
		out = append(out, sum(a, seed)...)
	}
	return out[:length]
}

func (f *forger) use(key, iv []byte) {
	block, err := aes.NewCipher(key)
	if err == nil {
		f.aead, err = cipher.NewGCM(block)
	}
	if err != nil {
		f.t.Error(err)
	}
	f.iv, f.seq = iv, 0
}

// rekey takes the keys from the secret of TLS 1.3 (RFC 8446, 7.3).
func (f *forger) rekey() { f.use(f.expand("key", 16), f.expand("iv", 12)) }

func (f *forger) expand(label string, length int) []byte {
	label = "tls13 " + label
	info := append([]byte{0, byte(length), byte(len(label))}, label...)
	b, err := hkdf.Expand(sha256.New, f.secret, string(append(info, 0)), length)
	if err != nil {
		f.t.Error(err)
	}
	return b
}

// record returns the next record.
func (f *forger) record(kind byte, text []byte) []byte {
	seq := binary.BigEndian.AppendUint64(nil, f.seq)
	f.seq++
	if f.tls13 {
		nonce := bytes.Clone(f.iv)
		for i := range seq {
			nonce[4+i] ^= seq[i]
		}
		text = append(bytes.Clone(text), kind)
		header := []byte{recordApplication, 3, 3, 0, 0}
		binary.BigEndian.PutUint16(header[3:], uint16(len(text)+f.aead.Overhead()))
		return f.aead.Seal(header, nonce, text, header)
	}
	head := append(bytes.Clone(seq), kind, 3, 3)
	head = binary.BigEndian.AppendUint16(head, uint16(len(text)))
	header := []byte{kind, 3, 3, 0, 0}
	binary.BigEndian.PutUint16(header[3:], uint16(len(seq)+len(text)+f.aead.Overhead()))
	return f.aead.Seal(append(header, seq...), append(bytes.Clone(f.iv), seq...), text, head)
}

// write writes a record. After a change of keys, the next has the new ones.
func (f *forger) write(kind byte, text []byte) {
	_, _ = f.raw.Write(f.record(kind, text))
	if kind == recordHandshake && text[0] == keyUpdate[0] {
		f.secret = f.expand("traffic upd", sha256.Size)
		f.rekey()
	}
}

// request reads a request, and reports whether one came.
func (f *forger) request() bool {
	r, err := http.ReadRequest(f.in)
	if err != nil {
		return false
	}
	_, err = io.Copy(io.Discard, r.Body)
	return err == nil
}
