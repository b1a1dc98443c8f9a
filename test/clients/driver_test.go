package clients

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"

	integrationv1 "github.com/digate/digate/gen/diga/integration/v1"
)

// plan is what a driver is to do.
type plan struct {
	Address string `json:"address"`
	// Descriptors is the path of the contract's FileDescriptorSet.
	Descriptors string `json:"descriptors"`
	// Protos are the directories of the files that it was made from.
	Protos        []string `json:"protos"`
	ServiceConfig string   `json:"service_config,omitempty"`
	// Compression is the encoding of the messages sent.
	Compression string `json:"compression,omitempty"`
	// Accept is "identity" for a client that takes no compressed response.
	Accept      string `json:"accept,omitempty"`
	KeepaliveMS int    `json:"keepalive_ms,omitempty"`
	// Protocol, of the clients of Connect alone, is connect or grpc-web in place of gRPC,
	// HTTP its version there, and JSON what messages are.
	Protocol string `json:"protocol,omitempty"`
	HTTP     string `json:"http,omitempty"`
	JSON     bool   `json:"json,omitempty"`
	// TLS, if set, is what to call with.
	TLS *tlsPlan `json:"tls,omitempty"`
	// Warm, if set, is a call to make before the others, so that there is a connection.
	Warm  *call  `json:"warm,omitempty"`
	Calls []call `json:"calls"`
	// Load, if set, is how to repeat the first call.
	Load *load `json:"load,omitempty"`
}

// tlsPlan is the TLS of a client, as texts of PEM files.
type tlsPlan struct {
	// Authorities are those of the server's certificate.
	Authorities string `json:"authorities"`
	// Certificate and Key are the client's own, if it has any.
	Certificate string `json:"certificate,omitempty"`
	Key         string `json:"key,omitempty"`
}

type call struct {
	Method    string            `json:"method"`
	Messages  [][]byte          `json:"messages"`
	Metadata  map[string]string `json:"metadata,omitempty"`
	TimeoutMS int               `json:"timeout_ms,omitempty"`
}

type load struct {
	Workers int `json:"workers"`
	MS      int `json:"ms"`
}

// ended is how a call ended, or with Ends how often those of a load ended so.
type ended struct {
	Index      int               `json:"index"`
	Code       string            `json:"code"`
	Message    string            `json:"message"`
	Reason     string            `json:"reason"`
	Domain     string            `json:"domain"`
	Info       map[string]string `json:"info"`
	Violations []string          `json:"violations"`
	Responses  [][]byte          `json:"responses"`
	Header     map[string]string `json:"header"`
	Trailer    map[string]string `json:"trailer"`
	Ends       map[string]int    `json:"ends"`
}

// patience bounds a driver's run beyond what its calls take.
const patience = 60 * time.Second

// driver is a running driver.
type driver struct {
	stdin io.Closer
	lines chan ended
}

// drive starts a driver. The test fails unless the driver then ends in time and
// without an error.
func (c client) drive(t *testing.T, p plan) *driver {
	t.Helper()
	p.Descriptors = descriptors(t)
	for _, dir := range []string{"../../proto", "../../third_party/proto"} {
		path, err := filepath.Abs(dir)
		if err != nil {
			t.Fatal(err)
		}
		p.Protos = append(p.Protos, path)
	}
	text, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "plan.json")
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	longest := 0
	for _, c := range p.Calls {
		longest = max(longest, c.TimeoutMS)
	}
	if p.Load != nil {
		longest = p.Load.MS
	}
	cmd := c.command(t)
	cmd.Args = append(cmd.Args, path)
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	d := &driver{stdin: stdin, lines: make(chan ended, len(p.Calls)+1)}
	ctx, cancel := context.WithTimeout(context.Background(), patience+time.Duration(longest)*time.Millisecond)
	kill := context.AfterFunc(ctx, func() { _ = cmd.Process.Kill() })
	var wg sync.WaitGroup
	wg.Go(func() {
		defer close(d.lines)
		lines := bufio.NewReader(stdout)
		for {
			text, err := lines.ReadBytes('\n')
			if err != nil {
				return
			}
			var line ended
			if err := json.Unmarshal(text, &line); err != nil {
				t.Errorf("the driver wrote %.200q: %v", text, err)
				return
			}
			d.lines <- line
		}
	})
	t.Cleanup(func() {
		defer cancel()
		for range d.lines { // the driver must not wait for a reader
		}
		wg.Wait()
		if err := errors.Join(cmd.Wait(), ctx.Err()); err != nil {
			t.Errorf("the driver: %v", err)
		}
		kill()
		_ = stdin.Close()
	})
	return d
}

// next returns how the next call ended.
func (d *driver) next(t *testing.T) ended {
	t.Helper()
	e, ok := <-d.lines
	if !ok {
		t.Fatal("the driver ended before its calls")
	}
	return e
}

// cancel cancels the calls under way.
func (d *driver) cancel() { _ = d.stdin.Close() }

// calls makes the calls of a plan and returns how each ended, in their order.
func (c client) calls(t *testing.T, p plan) []ended {
	t.Helper()
	d := c.drive(t, p)
	ends := make([]ended, len(p.Calls))
	for range p.Calls {
		e := d.next(t)
		ends[e.Index] = e
	}
	return ends
}

// token is the credential of the calls.
const token = "token"

// newCall returns a call of a method of the IntegrationService.
func newCall(t *testing.T, method string, messages ...proto.Message) call {
	t.Helper()
	c := call{Method: integrationv1.IntegrationService_ServiceDesc.ServiceName + "/" + method, Metadata: map[string]string{"authorization": "Bearer " + token}}
	for _, m := range messages {
		b, err := proto.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		c.Messages = append(c.Messages, b)
	}
	return c
}

// within returns the call with a deadline.
func (c call) within(d time.Duration) call {
	c.TimeoutMS = int(d.Milliseconds())
	return c
}

// descriptors writes the contract, and the details of errors, as a FileDescriptorSet.
func descriptors(t *testing.T) string {
	t.Helper()
	set := new(descriptorpb.FileDescriptorSet)
	seen := make(map[string]bool)
	var add func(f protoreflect.FileDescriptor)
	add = func(f protoreflect.FileDescriptor) {
		if seen[f.Path()] {
			return
		}
		seen[f.Path()] = true
		imports := f.Imports()
		for i := range imports.Len() {
			add(imports.Get(i).FileDescriptor)
		}
		set.File = append(set.File, protodesc.ToFileDescriptorProto(f))
	}
	add(integrationv1.File_diga_integration_v1_integration_service_proto)
	add(errdetails.File_google_rpc_error_details_proto)
	b, err := proto.Marshal(set)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "contract.binpb")
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
