package conformance

import (
	"context"
	"encoding/binary"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"syscall"
	"testing"

	"google.golang.org/protobuf/proto"

	conformancev1 "github.com/digate/digate/test/conformance/gen/connectrpc/conformance/v1"
	"github.com/digate/digate/test/rig"
)

// serveKind makes the test binary a server for the suite of connectrpc, which starts one
// for each set of settings.
var serveKind = flag.String("conformance.serve", "", "serve as the suite of connectrpc asks on the standard input: digate, grpc-go or in-process")

func TestMain(m *testing.M) {
	flag.Parse()
	if *serveKind == "" {
		rig.Main(m, 0)
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	err := serveAsAsked(ctx, *serveKind, os.Stdin, os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "conformance:", err)
		os.Exit(1)
	}
}

// serveAsAsked reads settings, serves with them, writes the address, and returns when the
// context ends.
func serveAsAsked(ctx context.Context, kind string, in io.Reader, out io.Writer) error {
	var asked conformancev1.ServerCompatRequest
	if err := readMessage(in, &asked); err != nil {
		return err
	}
	server, err := start(ctx, kind, settings{
		tls: asked.GetUseTls(), cert: asked.GetServerCreds().GetCert(), key: asked.GetServerCreds().GetKey(),
		clientCA: asked.GetClientTlsCert(), maxMessage: int(asked.GetMessageReceiveLimit()),
	})
	if err != nil {
		return err
	}
	listener := server.grpc
	if kind == overWeb {
		listener = server.rest
	}
	addr := listener.(*net.TCPAddr)
	told := &conformancev1.ServerCompatResponse{Host: addr.IP.String(), Port: uint32(addr.Port)}
	if asked.GetUseTls() {
		told.PemCert = asked.GetServerCreds().GetCert()
	}
	if err := writeMessage(out, told); err != nil {
		return err
	}
	<-ctx.Done()
	return server.stop()
}

// readMessage reads a message that follows its length in four bytes.
func readMessage(from io.Reader, m proto.Message) error {
	var length [4]byte
	if _, err := io.ReadFull(from, length[:]); err != nil {
		return err
	}
	b := make([]byte, binary.BigEndian.Uint32(length[:]))
	if _, err := io.ReadFull(from, b); err != nil {
		return err
	}
	return proto.Unmarshal(b, m)
}

// writeMessage writes a message as readMessage reads it.
func writeMessage(to io.Writer, m proto.Message) error {
	b, err := proto.Marshal(m)
	if err != nil {
		return err
	}
	_, err = to.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(b))), b...))
	return err
}
