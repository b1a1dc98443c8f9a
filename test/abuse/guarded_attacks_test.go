package abuse

import (
	"bytes"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
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
}

// guardedAttacks is the list of attacks on TLS and credentials in docs/abuse.md, in its
// order.
var guardedAttacks = []guardedAttack{
	{attack{name: "TLS connections, nothing sent", many: 60, few: 4, streams: 66, fewStreams: 25, spread: true}, unguarded(connections(""))},
	{attack{name: "half of a ClientHello", many: 60, few: 4, streams: 66, fewStreams: 25, spread: true}, func(_ *guarded, f *front, n int) {
		hello := clientHello()
		connections(string(hello[:len(hello)/2]))(f, n)
	}},
	{attack{name: "a byte of a ClientHello at a time", many: 60, few: 4, streams: 66, fewStreams: 25, spread: true}, slowHello},
	{attack{name: "TLS handshakes that are finished and left", many: 4, few: 2, streams: 4, fewStreams: 2, spread: true}, handshakes},
	{attack{name: "tokens by keys that nobody has", many: 10, few: 2, streams: 100, fewStreams: 20, spread: true}, unknownKeys},
	{attack{name: "forged tokens", many: 10, few: 2, streams: 100, fewStreams: 20, spread: true}, forgeries},
	{attack{name: "files of accounts that cannot be used", many: 1, few: 1, streams: 1, fewStreams: 1}, brokenFiles},
}

// unguarded returns an attack that needs to know nothing of the server.
func unguarded(run func(*front, int)) func(*guarded, *front, int) {
	return func(_ *guarded, f *front, n int) { run(f, n) }
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
func slowHello(_ *guarded, f *front, _ int) {
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
func handshakes(g *guarded, f *front, _ int) {
	f.each(func(conn net.Conn) {
		if tls.Client(conn, g.client).HandshakeContext(f.ctx) == nil {
			f.done.Add(1)
		}
	})
}

// unknownKeys makes calls with tokens, each of which names another key.
func unknownKeys(g *guarded, f *front, n int) {
	f.tls = g.client
	claims := strings.Split(g.issuer.forged()[0], ".")[1]
	signature := base64.RawURLEncoding.EncodeToString(make([]byte, 64))
	f.calls(func(s *stranger) []byte {
		header := base64.RawURLEncoding.EncodeToString(fmt.Appendf(nil, `{"alg":"EdDSA","kid":"made-up-%d-%d"}`, n, s.next))
		return s.header(copyMethod, header+"."+claims+"."+signature)
	}, framed(nil))
}

// forgeries makes calls with forged tokens.
func forgeries(g *guarded, f *front, _ int) {
	f.tls = g.client
	tokens := g.issuer.forged()
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
