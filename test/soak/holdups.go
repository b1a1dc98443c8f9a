package soak

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"slices"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
	"google.golang.org/protobuf/proto"

	integrationv1 "github.com/digate/digate/gen/diga/integration/v1"
)

// holdFor is how long a caller holds digate up.
const holdFor = 2 * time.Second

// holdUp makes a call on a connection of its own. It reads nothing, or stops in the
// middle of its request. Then it closes the connection.
func (c *crowd) holdUp(ctx context.Context, a *told, how caller) {
	addr := c.server(a.call).REST
	if how.habit == deafGRPC {
		addr = c.server(a.call).GRPC
	}
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", addr)
	if err != nil {
		a.text = "holding up: " + err.Error()
		return
	}
	defer reset(conn)
	_ = conn.(*net.TCPConn).SetReadBuffer(4 << 10)
	body := restBody(a.call, how)
	head := fmt.Appendf(nil, "POST %s HTTP/1.1\r\nHost: digate\r\nAuthorization: %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n",
		restPath(a.call), c.script.bearer(a.call), len(body))
	switch how.habit {
	case deafGRPC:
		a.verdict = unread
		err = askOverHTTP2(conn, a.call, c.script.bearer(a.call))
	case deafREST:
		a.verdict = unread
		_, err = conn.Write(slices.Concat(head, body))
	case haltingREST:
		a.verdict = unasked
		whole := slices.Concat(head, body)
		_, err = conn.Write(whole[:1+a.call%(len(whole)-1)])
	}
	if err != nil {
		a.verdict, a.text = silence, "holding up: "+err.Error()
		return
	}
	stay := time.NewTimer(holdFor)
	defer stay.Stop()
	select {
	case <-stay.C:
	case <-ctx.Done():
	}
	a.limit = holdFor
}

// askOverHTTP2 writes a whole gRPC call with no flow-control window for its
// response.
func askOverHTTP2(w io.Writer, call int, bearer string) error {
	name := callName(call)
	message, err := proto.Marshal(&integrationv1.CopyTemplateRequest{TemplateId: templateID(call), Name: &name})
	if err != nil {
		return err
	}
	var fields bytes.Buffer
	enc := hpack.NewEncoder(&fields)
	for _, f := range [][2]string{
		{":method", "POST"}, {":scheme", "http"}, {":path", integrationv1.IntegrationService_CopyTemplate_FullMethodName},
		{":authority", "digate"}, {"content-type", "application/grpc"}, {"te", "trailers"}, {"authorization", bearer},
	} {
		if err := enc.WriteField(hpack.HeaderField{Name: f[0], Value: f[1]}); err != nil {
			return err
		}
	}
	var out bytes.Buffer
	out.WriteString(http2.ClientPreface)
	framer := http2.NewFramer(&out, nil)
	data := append(binary.BigEndian.AppendUint32([]byte{0}, uint32(len(message))), message...)
	for _, write := range []func() error{
		func() error { return framer.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 0}) },
		func() error {
			return framer.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: fields.Bytes(), EndHeaders: true})
		},
		func() error { return framer.WriteData(1, true, data) },
	} {
		if err := write(); err != nil {
			return err
		}
	}
	_, err = w.Write(out.Bytes())
	return err
}
