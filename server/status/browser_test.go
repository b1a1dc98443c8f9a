package status_test

import (
	"bufio"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/websocket"

	"github.com/digate/digate/internal/need"
	"github.com/digate/digate/server/status"
)

var (
	inBrowser = flag.Bool("status.browser", false, "look at the page in Chromium")
	pictures  = flag.String("status.pictures", "", "folder for pictures of the page")
)

// browser is a page of a headless Chromium, driven by the DevTools protocol. A call
// gets its response before the next is sent.
type browser struct {
	conn    *websocket.Conn
	session string
	last    int
	// complaints are what the browser wrote to its log, such as a breach of the policy.
	complaints []string
}

type message struct {
	ID        int             `json:"id,omitempty"`
	Method    string          `json:"method,omitempty"`
	Params    any             `json:"params,omitempty"`
	SessionID string          `json:"sessionId,omitempty"`
	Result    json.RawMessage `json:"result,omitempty"`
	Error     json.RawMessage `json:"error,omitempty"`
}

// browse starts a browser. It ends with the test.
func browse(t *testing.T) *browser {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), need.Program(t, "chromium"),
		"--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", "--remote-debugging-port=0", "--remote-allow-origins=http://127.0.0.1", "--user-data-dir="+t.TempDir(), "about:blank")
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 10 * time.Second
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	url := ""
	for lines := bufio.NewScanner(stderr); url == "" && lines.Scan(); {
		_, url, _ = strings.Cut(lines.Text(), "DevTools listening on ")
	}
	b := new(browser)
	if b.conn, err = websocket.Dial(url, "", "http://127.0.0.1"); err != nil {
		t.Fatalf("%q: %v", url, err)
	}
	t.Cleanup(func() { _ = b.conn.Close() })
	_ = b.conn.SetDeadline(time.Now().Add(time.Minute))
	var target struct{ TargetID string }
	b.call(t, "Target.createTarget", map[string]any{"url": "about:blank"}, &target)
	var attached struct{ SessionID string }
	b.call(t, "Target.attachToTarget", map[string]any{"targetId": target.TargetID, "flatten": true}, &attached)
	b.session = attached.SessionID
	for _, domain := range []string{"Page", "Runtime", "Log"} {
		b.call(t, domain+".enable", nil, nil)
	}
	return b
}

// call makes a call of the protocol.
func (b *browser) call(t *testing.T, method string, params, result any) {
	t.Helper()
	b.last++
	if err := websocket.JSON.Send(b.conn, message{ID: b.last, Method: method, Params: params, SessionID: b.session}); err != nil {
		t.Fatal(err)
	}
	for {
		m := b.receive(t)
		if m.ID != b.last {
			continue
		}
		if m.Error != nil {
			t.Fatalf("%s: %s", method, m.Error)
		}
		if result != nil {
			if err := json.Unmarshal(m.Result, result); err != nil {
				t.Fatal(err)
			}
		}
		return
	}
}

// event waits for an event of the protocol.
func (b *browser) event(t *testing.T, method string) {
	t.Helper()
	for {
		if b.receive(t).Method == method {
			return
		}
	}
}

func (b *browser) receive(t *testing.T) (m message) {
	t.Helper()
	if err := websocket.JSON.Receive(b.conn, &m); err != nil {
		t.Fatal(err)
	}
	switch m.Method {
	case "Log.entryAdded", "Runtime.consoleAPICalled", "Runtime.exceptionThrown", "Page.javascriptDialogOpening":
		b.complaints = append(b.complaints, fmt.Sprint(m.Method, " ", m.Params))
	}
	return m
}

// open shows a URL on a screen of that size, without scripts of the page's.
func (b *browser) open(t *testing.T, url string, width, height int) {
	t.Helper()
	b.call(t, "Emulation.setDeviceMetricsOverride", map[string]any{"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}, nil)
	b.call(t, "Emulation.setScriptExecutionDisabled", map[string]any{"value": true}, nil)
	b.call(t, "Page.navigate", map[string]any{"url": url}, nil)
	b.event(t, "Page.loadEventFired")
}

// eval returns the value of an expression in the page.
func (b *browser) eval(t *testing.T, expression string, into any) {
	t.Helper()
	var got struct {
		Result struct{ Value json.RawMessage }
	}
	b.call(t, "Runtime.evaluate", map[string]any{"expression": expression, "returnByValue": true}, &got)
	if err := json.Unmarshal(got.Result.Value, into); err != nil {
		t.Fatalf("%s: %v in %s", expression, err, got.Result.Value)
	}
}

// picture writes a picture of the whole page, if pictures are asked for.
func (b *browser) picture(t *testing.T, name string) {
	t.Helper()
	if *pictures == "" {
		return
	}
	var got struct{ Data []byte }
	b.call(t, "Page.captureScreenshot", map[string]any{"captureBeyondViewport": true}, &got)
	if err := errors.Join(os.MkdirAll(*pictures, 0o750), os.WriteFile(filepath.Join(*pictures, name+".png"), got.Data, 0o600)); err != nil {
		t.Fatal(err)
	}
}

// The page is read on a phone and on a wide screen, without scripts: nothing is wider
// than the screen, the style is there, and nothing that Diga named becomes part of the
// page.
func TestPage_InABrowser_IsReadableOnEveryScreen(t *testing.T) {
	if !*inBrowser {
		t.Skip("only with -status.browser (make browser)")
	}
	srv := httptest.NewServer(status.Handler(full))
	t.Cleanup(srv.Close)
	b := browse(t)
	for name, size := range map[string][2]int{"phone": {360, 740}, "tablet": {820, 1180}, "screen": {1440, 900}} {
		b.open(t, srv.URL+"/", size[0], size[1])
		var text, overflow string
		b.eval(t, "document.body.innerText", &text)
		for _, want := range []string{"digate 1.2.3", "Not ready: draining", "lost (read_only)", "Open doubts", "23h21m", "api.diga.io", hostile, "max-streams"} {
			if !strings.Contains(text, want) {
				t.Errorf("%s: no %q in %s", name, want, text)
			}
		}
		var width, injected, small int
		b.eval(t, "document.documentElement.scrollWidth", &width)
		if width > size[0] {
			t.Errorf("%s: the page is %d wide", name, width)
		}
		b.eval(t, "document.querySelectorAll('script, img, iframe, object, embed').length", &injected)
		if injected != 0 {
			t.Errorf("%s: %d elements came from names", name, injected)
		}
		b.eval(t, "getComputedStyle(document.querySelector('.wide')).overflowX", &overflow)
		if overflow != "auto" {
			t.Errorf("%s: the policy keeps the style from the page", name)
		}
		// A finger hits the links.
		b.eval(t, "[...document.querySelectorAll('nav a')].filter(a => a.getBoundingClientRect().height < 24).length", &small)
		if small != 0 {
			t.Errorf("%s: %d links are too low for a finger", name, small)
		}
		b.picture(t, name)
	}
	if len(b.complaints) > 0 {
		t.Errorf("the browser complains: %q", b.complaints)
	}
}
