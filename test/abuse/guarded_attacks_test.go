package abuse

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"syscall"
	"time"
)

// guardedHead is the head of the table of attacks on TLS and credentials.
const guardedHead = "| attack on TLS or credentials | done | RSS before | peak | after | p99 alone | p99 attacked | failed | log lines |\n" +
	"|---|--:|--:|--:|--:|--:|--:|--:|--:|\n"

// guardedAttack is an attack on a digate that serves over TLS and has a file of
// accounts. Its streams are connections, but for those of calls.
type guardedAttack struct {
	attack

	against func(*guarded, *front, int)
	// keys is what the issuer's server does after it has sent its keys, if digate must
	// read them again within the attack.
	keys func(*issuer, http.ResponseWriter)
}

// reading is how long an attack takes in which digate reads the keys of an issuer again,
// as it does after 10 s at the earliest.
const reading = 12 * time.Second

// guardedAttacks is the list of attacks on TLS and credentials in docs/abuse.md, in its
// order.
var guardedAttacks = []guardedAttack{
	{attack: attack{name: "TLS connections, nothing sent", many: 60, few: 4, streams: 66, fewStreams: 25, spread: true}, against: raw(connections(""))},
	{attack: attack{name: "half of a ClientHello", many: 60, few: 4, streams: 66, fewStreams: 25, spread: true}, against: raw(func(f *front, n int) {
		hello := clientHello()
		connections(string(hello[:len(hello)/2]))(f, n)
	})},
	{attack: attack{name: "a byte of a ClientHello at a time", many: 60, few: 4, streams: 66, fewStreams: 25, spread: true}, against: raw(slowHello)},
	{attack: attack{name: "TLS handshakes that are finished and left", many: 4, few: 2, streams: 4, fewStreams: 2, spread: true}, against: handshakes},
	{attack: attack{name: "tokens by keys that nobody has", many: 10, few: 2, streams: 100, fewStreams: 2, spread: true, lasts: reading}, against: unknownKeys, keys: endless},
	{attack: attack{name: "a key set that leads elsewhere", many: 10, few: 2, streams: 100, fewStreams: 2, spread: true, lasts: reading}, against: unknownKeys, keys: elsewhere},
	{attack: attack{name: "a key set with a shared secret", many: 10, few: 2, streams: 100, fewStreams: 2, spread: true, lasts: reading}, against: confusions, keys: confusing},
	{attack: attack{name: "forged tokens", many: 10, few: 2, streams: 100, fewStreams: 20, spread: true}, against: forgeries},
	{attack: attack{name: "files of accounts that cannot be used", many: 1, few: 1, streams: 1, fewStreams: 1}, against: brokenFiles},
	{attack: attack{name: "certificates that cannot be used", many: 1, few: 1, streams: 1, fewStreams: 1}, against: brokenPairs},
}

// raw returns an attack on TLS itself, which has no accounts to attack.
func raw(run func(*front, int)) func(*guarded, *front, int) {
	return func(g *guarded, f *front, n int) {
		f.tls = nil
		run(f, n)
	}
}

// hello is a connection that keeps what is written to it and has nothing to read.
type hello struct {
	net.Conn
	bytes.Buffer
}

func (h *hello) Write(p []byte) (int, error)      { return h.Buffer.Write(p) }
func (h *hello) Read([]byte) (int, error)         { return 0, io.EOF }
func (h *hello) Close() error                     { return nil }
func (h *hello) SetWriteDeadline(time.Time) error { return nil }

// slowHello begins handshakes and sends a byte of each twice a second.
func slowHello(f *front, _ int) {
	text := clientHello()
	f.each(func(conn net.Conn) {
		f.done.Add(1)
		for _, b := range text {
			if _, err := conn.Write([]byte{b}); err != nil || f.ctx.Err() != nil {
				return
			}
			f.pause(500 * time.Millisecond)
		}
	})
}

// handshakes makes handshakes, f.streams at a time, and closes their connections.
func handshakes(_ *guarded, f *front, _ int) {
	f.protocol = "h2"
	f.each(func(net.Conn) { f.done.Add(1) })
}

// unknownKeys makes calls with tokens, each of which names another key.
func unknownKeys(g *guarded, f *front, n int) {
	claims := strings.Split(g.issuer.forged()[0], ".")[1]
	signature := base64.RawURLEncoding.EncodeToString(make([]byte, 64))
	f.calls(func(s *stranger) []byte {
		header := base64.RawURLEncoding.EncodeToString(fmt.Appendf(nil, `{"alg":"EdDSA","kid":"made-up-%d-%d"}`, n, s.next))
		return s.header(copyMethod, header+"."+claims+"."+signature)
	}, framed(nil))
}

// forgeries makes calls with forged tokens.
func forgeries(g *guarded, f *front, _ int) { f.callsWith(g.issuer.forged()) }

// confusions makes calls with tokens by keys that a key set should not have.
func confusions(g *guarded, f *front, _ int) { f.callsWith(g.issuer.confused()) }

// callsWith makes calls with these tokens in turns.
func (f *front) callsWith(tokens []string) {
	f.calls(func(s *stranger) []byte { return s.header(copyMethod, tokens[int(s.next/2)%len(tokens)]) }, framed(nil))
}

// brokenFiles puts files in the place of that of accounts and of the account's key, which
// cannot be used, and ones that can between them. Each time it has them read.
func brokenFiles(g *guarded, f *front, _ int) {
	good := g.file()
	for n := 0; f.ctx.Err() == nil; n++ {
		var err error
		switch n % 7 {
		case 0:
			err = os.WriteFile(g.accounts, []byte(good[:len(good)/2]), 0o600)
		case 1:
			err = os.Remove(g.accounts)
		case 2:
			err = os.WriteFile(g.accounts, []byte("\x00\xff{{{"), 0o600)
		case 3:
			err = errors.Join(os.WriteFile(g.accounts+"~", fmt.Appendf(nil, "%s# %d\n", good, n), 0o600), os.Rename(g.accounts+"~", g.accounts))
		case 4:
			err = os.Truncate(g.key, 0)
		case 5:
			err = os.Remove(g.key)
		case 6:
			err = os.WriteFile(g.key, []byte(accountKey+"\n"), 0o600)
		}
		if err == nil {
			err = g.Signal(syscall.SIGHUP)
		}
		if err == nil {
			f.done.Add(1)
		}
		f.pause(20 * time.Millisecond)
	}
}

// brokenPairs puts files in the place of the server's certificate and of its key, which
// cannot be used, and ones that can between them.
func brokenPairs(g *guarded, f *front, _ int) {
	put := func(path string, text []byte) error {
		return errors.Join(os.WriteFile(path+"~", text, 0o600), os.Rename(path+"~", path))
	}
	for n := 0; f.ctx.Err() == nil; n++ {
		ends := time.Hour
		if n%7 == 6 {
			ends = -time.Minute
		}
		cert, key, err := g.pair.issue(ends)
		if err != nil {
			return
		}
		switch n % 7 {
		case 0, 6: // a new pair, and one that has ended
			err = errors.Join(put(g.pair.cert, cert), put(g.pair.key, key))
		case 1:
			err = put(g.pair.cert, cert[:len(cert)/2])
		case 2:
			err = put(g.pair.cert, cert) // of another key
		case 3:
			err = os.Remove(g.pair.cert)
		case 4:
			err = put(g.pair.key, bytes.Repeat([]byte("~"), 2<<20))
		case 5:
			err = os.Truncate(g.pair.key, 0)
		}
		if err == nil {
			f.done.Add(1)
		}
		f.pause(3 * reload)
	}
}
