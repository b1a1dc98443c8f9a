package server_test

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"strings"
	"testing"

	"github.com/digate/digate/internal/need"
	"github.com/digate/digate/server/config"
)

const copyPath = "/v1/integration/template/" + templateID + "/copy"

// A client that sends all before it reads anything hears why it was refused.
func TestREST_ClientThatReadsOnlyWhenAllIsSent_HearsTheRefusal(t *testing.T) {
	t.Parallel()
	d := start(t, "http://127.0.0.1:1")
	const size = 40 << 20
	chunk := strings.Repeat(" ", 1<<20)
	for name, c := range map[string]struct {
		path, header string
		status       int
	}{
		"too large":             {copyPath, "Authorization: Bearer " + token + "\r\n", 413},
		"too large, in bulk":    {bulkPath, "Authorization: Bearer " + token + "\r\n", 413},
		"no credential":         {copyPath, "", 401},
		"no credential, public": {bulkPath, "", 401},
		"no route":              {"/v1/nothing", "Authorization: Bearer " + token + "\r\n", 404},
	} {
		for _, chunked := range []bool{false, true} {
			t.Run(fmt.Sprint(name, ", chunked ", chunked), func(t *testing.T) {
				conn := connect(t, d.HTTPAddr())
				length := fmt.Sprintf("Content-Length: %d\r\n", size)
				if chunked {
					length = "Transfer-Encoding: chunked\r\n"
				}
				_, _ = fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: x\r\n%s%s\r\n", c.path, c.header, length)
				for sent := 0; sent < size; sent += len(chunk) {
					text := chunk
					if chunked {
						text = fmt.Sprintf("%x\r\n%s\r\n", len(chunk), chunk)
					}
					if _, err := io.WriteString(conn, text); err != nil {
						t.Fatalf("after %d MiB: %v", sent>>20, err)
					}
				}
				if chunked {
					_, _ = io.WriteString(conn, "0\r\n\r\n")
				}
				resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
				if err != nil {
					t.Fatal(err)
				}
				if got := read(t, resp); got.status != c.status || got.header.Get("Digate-Outcome") != "NOT_SENT" {
					t.Errorf("%d %v", got.status, got.header)
				}
			})
		}
	}
}

// What is read on is bounded: the connection of a client that never ends is closed.
func TestREST_RefusedClientThatSendsWithoutEnd_IsCut(t *testing.T) {
	t.Parallel()
	d := start(t, "http://127.0.0.1:1", func(c *config.Config) { c.MaxRequestBytes = 64 << 10 })
	conn := connect(t, d.HTTPAddr())
	_, _ = fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n", copyPath, 1<<40)
	chunk := make([]byte, 1<<20)
	for sent := 0; ; sent += len(chunk) {
		if _, err := conn.Write(chunk); err != nil {
			return
		}
		if sent > 64<<20 { // the bound, and what the system has in its buffers
			t.Fatal("the client still sends")
		}
	}
}

// A client that asks before it sends (Expect: 100-continue) is refused before it sends.
func TestREST_LengthThatIsTooLarge_IsRefusedBeforeTheBodyIsSent(t *testing.T) {
	t.Parallel()
	d := start(t, "http://127.0.0.1:1")
	for path, status := range map[string]int{copyPath: 413, bulkPath: 413, "/v1/nothing": 404} {
		conn := connect(t, d.HTTPAddr())
		_, _ = fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Length: %d\r\nExpect: 100-continue\r\n\r\n", path, token, 40<<20)
		line, err := bufio.NewReader(conn).ReadString('\n')
		if want := fmt.Sprintf("HTTP/1.1 %d ", status); err != nil || !strings.HasPrefix(line, want) {
			t.Errorf("%s: %q, %v", path, line, err)
		}
	}
}

// callers are Python's own clients, which send all before they read.
const callers = `
import http.client, sys, urllib.request, urllib.error
addr, path, bulk, token = sys.argv[1:]
large = b" " * (24 << 20)

def client(path, headers):
    c = http.client.HTTPConnection(addr)
    c.request("POST", path, large, headers)
    r = c.getresponse()
    r.read()
    return r.status

def urllib_(path, headers):
    try:
        return urllib.request.urlopen(urllib.request.Request("http://" + addr + path, large, headers)).status
    except urllib.error.HTTPError as e:
        return e.code

for call in client, urllib_:
    for p in path, bulk:
        print(call(p, {"Authorization": "Bearer " + token}), call(p, {}))
`

func TestREST_PythonsOwnClients_HearTheRefusal(t *testing.T) {
	t.Parallel()
	python := need.Program(t, "python3")
	d := start(t, "http://127.0.0.1:1")
	out, err := exec.CommandContext(t.Context(), python, "-c", callers, d.HTTPAddr().String(), copyPath, bulkPath, token).CombinedOutput()
	if want := strings.Repeat("413 401\n", 4); err != nil || string(out) != want {
		t.Errorf("%v:\n%s", err, out)
	}
}
