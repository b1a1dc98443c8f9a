package conformance

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

// features are what the suite is told of a server: gRPC with protobuf, with the encodings
// that the suite takes for given. It tests every kind of call.
const features = `features:
  versions: [HTTP_VERSION_2]
  protocols: [PROTOCOL_GRPC]
  codecs: [CODEC_PROTO]
  supports_message_receive_limit: true
`

// webFeatures are what the suite is told of a server for the web. Digate takes no GET.
const webFeatures = `features:
  versions: [HTTP_VERSION_1, HTTP_VERSION_2]
  protocols: [PROTOCOL_CONNECT, PROTOCOL_GRPC_WEB]
  codecs: [CODEC_PROTO, CODEC_JSON]
  compressions: [COMPRESSION_IDENTITY, COMPRESSION_GZIP]
  supports_half_duplex_bidi_over_http1: false
  supports_connect_get: false
  supports_message_receive_limit: true
`

// transports are how the suite reaches a server, and what it is told of that.
var transports = map[string]string{
	plain:   "  supports_h2c: true\n  supports_tls: false\n",
	overTLS: "  supports_h2c: false\n  supports_tls: true\n  supports_tls_client_certs: true\n",
}

const (
	plain   = "plain text"
	overTLS = "TLS"
)

// suiteTime bounds a run of a suite.
const suiteTime = 5 * time.Minute

// testConnectRPC runs the suite against every server, and returns the results.
func testConnectRPC(t *testing.T) (results []*result) {
	tool := buildTool(t, "connectconformance", "connectrpc.com/conformance/cmd/connectconformance")
	run := func(kind, transport string) *result {
		t.Helper()
		r := runConnectRPC(t, tool, kind, transport)
		results = append(results, r)
		return r
	}
	for _, transport := range []string{plain, overTLS} {
		own, library := run(digate, transport), run(bare, transport)
		own.hold(t, library, grpcExceptions)
		if transport == plain {
			// Nothing between the channel and the suite adds a verdict.
			run(inprocess, transport).hold(t, library, nil)
		}
	}
	// Whether the suite reads the body of a refusal depends on time, and so does how many of
	// these cases fail: the page has no number of them.
	runConnectRPC(t, tool, overWeb, plain).hold(t, &result{server: "the suite's own server"}, webExceptions)
	for _, list := range [][]*exception{grpcExceptions, webExceptions} {
		for _, name := range unmet(list) {
			t.Errorf("no case that fails is %q: take it from the exceptions", name)
		}
	}
	return results
}

// runConnectRPC runs the suite against a server, which is this test binary again.
func runConnectRPC(t *testing.T, tool, kind, transport string) *result {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	conf := filepath.Join(t.TempDir(), "conf.yaml")
	told := features
	if kind == overWeb {
		told = webFeatures
	}
	if err := os.WriteFile(conf, []byte(told+transports[transport]), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), suiteTime)
	defer cancel()
	cmd := exec.CommandContext(ctx, tool, "--mode", "server", "--conf", conf, "--", self, "-conformance.serve="+kind)
	out, err := cmd.CombinedOutput() // its exit code says that cases fail
	r, ok := readConnectRPC(string(out))
	if !ok {
		t.Fatalf("the suite did not run against %s: %v\n%s", kind, err, out)
	}
	r.server, r.transport = kind, transport
	return r
}

var (
	connectFailure = regexp.MustCompile(`(?m)^FAILED: (.*):\n((?:\t.*\n)+)`)
	connectTotal   = regexp.MustCompile(`(?m)^Total cases: (\d+)\n(\d+) passed, (\d+) failed$`)
	// connectVariant is a part of a case's name that tells its variants apart.
	connectVariant = regexp.MustCompile(`/(HTTPVersion|TLS|TLSClientCerts|Protocol|Codec|Compression):[A-Za-z0-9_]+|/\(grpc client impl\)`)
)

// readConnectRPC reads what the suite writes, and reports whether all cases were run.
func readConnectRPC(out string) (*result, bool) {
	total := connectTotal.FindStringSubmatch(out)
	if total == nil || strings.Contains(out, "could not be run") {
		return nil, false
	}
	r := &result{suite: "connectrpc", failures: make(map[string][]string)}
	found := 0
	for _, m := range connectFailure.FindAllStringSubmatch(out, -1) {
		name := connectVariant.ReplaceAllString(m[1], "")
		r.failures[name] = append(r.failures[name], strings.TrimSpace(m[2]))
		found++
	}
	r.cases, _ = strconv.Atoi(total[1])
	r.failed, _ = strconv.Atoi(total[3])
	return r, found == r.failed && r.cases > 0
}
