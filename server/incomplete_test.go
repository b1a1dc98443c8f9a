package server_test

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/net/http2"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"

	integrationv1 "github.com/digate/digate/gen/diga/integration/v1"
	"github.com/digate/digate/server/exchange"
	"github.com/digate/digate/test/await"
)

// One fact has one reason, whichever route it meets.
func TestREST_BodyThatBreaksOff_HasOneReasonOnEveryRoute(t *testing.T) {
	t.Parallel()
	up := newScripted(t)
	d := start(t, up.url())
	for _, path := range []string{"/v1/integration/template/" + templateID + "/copy", "/v1/integration/template:bulkCopy", "/v1/integration"} {
		c := connect(t, d.HTTPAddr())
		fmt.Fprintf(c, "POST %s HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Length: 100\r\n\r\n{", path, token)
		if err := c.(interface{ CloseWrite() error }).CloseWrite(); err != nil {
			t.Fatal(err)
		}
		resp, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil {
			t.Fatal(err)
		}
		got := read(t, resp)
		if got.status != 422 || got.header.Get("Digate-Outcome") != "NOT_SENT" || !strings.Contains(got.body, `"type":"body_incomplete","loc":["body"]`) {
			t.Errorf("%s: %d %s", path, got.status, got.body)
		}
	}
	if got := up.received(); len(got) != 0 {
		t.Errorf("Diga received %v", got)
	}
}

// brokenMessages are what a client may send of a call's message, and what is wrong with
// it. gRPC would refuse each in its own words.
var brokenMessages = map[string]struct {
	sent   []byte
	says   string
	reason string
}{
	"in its header":               {[]byte{0, 0}, "could not be read to its end", "BODY_INCOMPLETE"},
	"before its text":             {[]byte{0, 0, 0, 0, 100}, "could not be read to its end", "BODY_INCOMPLETE"},
	"in its text":                 {append(binary.BigEndian.AppendUint32([]byte{0}, 100), 1, 2, 3), "could not be read to its end", "BODY_INCOMPLETE"},
	"compressed without a method": {append(binary.BigEndian.AppendUint32([]byte{1}, 3), 1, 2, 3), "names no grpc-encoding", "PROTOBUF_INVALID"},
	"with an unknown flag":        {append(binary.BigEndian.AppendUint32([]byte{7}, 3), 1, 2, 3), "a flag that gRPC does not know", "PROTOBUF_INVALID"},
}

func TestGRPC_MessageThatIsNotWhole_HasAVerdictAndALine(t *testing.T) {
	t.Parallel()
	up := newScripted(t)
	d := start(t, up.url())
	for _, method := range []string{copyTemplate, integrationv1.IntegrationService_BulkCopyTemplate_FullMethodName, integrationv1.IntegrationService_StreamTemplates_FullMethodName} {
		calls := 0
		for name, c := range brokenMessages {
			f := dialRaw(t, d.GRPCAddr())
			f.open(1, method, false)
			if err := f.WriteData(1, true, c.sent); err != nil {
				t.Fatal(err)
			}
			e := f.verdict(1)
			if e.Code != codes.InvalidArgument || e.Outcome != exchange.NotSent || len(e.Violations) != 1 || e.Violations[0].Reason != c.reason || !strings.Contains(e.Message, c.says) {
				t.Errorf("%s %s: %v %+v", method, name, e, e.Violations)
			}
			calls++
			line := `"method":"` + method[1:] + `","code":"INVALID_ARGUMENT","outcome":"NOT_SENT"`
			await.Value(t, d.log.written(calls, line), "a line about a message that breaks off "+name)
		}
	}
	up.none(t)
}

// A call with one message may have none, or another.
func TestGRPC_MessagesOtherThanOne_HaveAVerdict(t *testing.T) {
	t.Parallel()
	up := newScripted(t)
	d := start(t, up.url())
	message, err := proto.Marshal(&integrationv1.CopyTemplateRequest{TemplateId: templateID})
	if err != nil {
		t.Fatal(err)
	}
	framed := append(binary.BigEndian.AppendUint32([]byte{0}, uint32(len(message))), message...)
	for name, c := range map[string]struct {
		sent []byte
		says string
	}{
		"none":           {nil, "is missing"},
		"two":            {slices.Concat(framed, framed), "not the only one"},
		"one and a half": {slices.Concat(framed, framed[:9]), "not the only one"},
	} {
		f := dialRaw(t, d.GRPCAddr())
		f.open(1, copyTemplate, false)
		if err := f.WriteData(1, true, c.sent); err != nil {
			t.Fatal(err)
		}
		if e := f.verdict(1); e.Code != codes.InvalidArgument || e.Outcome != exchange.NotSent || !strings.Contains(e.Message, c.says) {
			t.Errorf("%s: %v", name, e)
		}
	}
	up.none(t)
}

// What was copied before has its result.
func TestBulk_MessageThatBreaksOff_CopiesBeforeItHaveTheirResults(t *testing.T) {
	t.Parallel()
	for name, last := range map[string][]byte{
		"breaks off":    {0, 0, 0, 0, 100, 1},
		"is too large":  {0, 0xff, 0xff, 0xff, 0xff},
		"is compressed": {1, 0, 0, 0, 1, 1},
	} {
		const copies = 6
		arrived, release := make(chan struct{}, copies), make(chan struct{})
		up := newScripted(t)
		up.will(func(c net.Conn, s sent) bool {
			arrived <- struct{}{}
			<-release
			return respond(201, nil, full)(c, s)
		})
		d := start(t, up.url())
		var stream []byte
		for i := range copies {
			message, err := proto.Marshal(&integrationv1.BulkCopyTemplateRequest{Copy: &integrationv1.CopyTemplateRequest{TemplateId: templateID, RequestId: strconv.Itoa(i)}})
			if err != nil {
				t.Fatal(err)
			}
			stream = append(append(stream, binary.BigEndian.AppendUint32([]byte{0}, uint32(len(message)))...), message...)
		}
		f := dialRaw(t, d.GRPCAddr())
		f.open(1, integrationv1.IntegrationService_BulkCopyTemplate_FullMethodName, false)
		if err := f.WriteData(1, true, append(stream, last...)); err != nil {
			t.Fatal(err)
		}
		for range copies {
			await.Value(t, arrived, "a copy at Diga")
		}
		close(release)
		results := 0
		for end := false; !end; {
			frame, err := f.ReadFrame()
			if err != nil {
				t.Fatal(err)
			}
			switch frame := frame.(type) {
			case *http2.DataFrame:
				results += bytes.Count(frame.Data(), []byte("0b6a0f43-3e5e-4c53-9d5b-6f0f6f3b2f11"))
			case *http2.MetaHeadersFrame:
				if end = frame.StreamEnded(); end {
					if e := f.verdictOf(frame); e.Outcome != exchange.NotSent {
						t.Errorf("%s: the stream ends with %v", name, e)
					}
				}
			}
		}
		if results != copies {
			t.Errorf("%s: %d results of %d copies", name, results, copies)
		}
	}
}
