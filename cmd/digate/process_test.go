package main

import (
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"os"
	"os/exec"
	"os/signal"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/digate/digate/cmd/digate/internal/client"
	"github.com/digate/digate/cmd/digate/internal/clitest"
	"github.com/digate/digate/internal/need"
	"github.com/digate/digate/test/await"
	"github.com/digate/digate/test/rig"
)

// binary returns the path of the built command.
func binary(t *testing.T) string {
	t.Helper()
	path, err := rig.Build("cmd/digate", false)
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// process is a running digate and what it wrote.
type process struct {
	*rig.Process

	out, err await.Transcript
}

// launch starts a digate. It is killed when the test ends.
func launch(t *testing.T, args ...string) *process {
	t.Helper()
	p := new(process)
	cmd := exec.Command(binary(t), args...)
	cmd.Stdout, cmd.Stderr = &p.out, &p.err
	p.start(t, cmd)
	return p
}

// start starts the process. It is killed when the test ends.
func (p *process) start(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	var err error
	if p.Process, err = rig.Start(cmd); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Kill)
}

// launchOnFreePorts starts a serve or dev whose listeners take any free port.
func launchOnFreePorts(t *testing.T, command string, more ...string) *process {
	t.Helper()
	const free = "127.0.0.1:0"
	return launch(t, append([]string{command, "--grpc-addr", free, "--http-addr", free, "--admin-addr", free}, more...)...)
}

func (p *process) signal(t *testing.T, s os.Signal) {
	t.Helper()
	if err := p.Signal(s); err != nil {
		t.Fatal(err)
	}
}

// wait returns the exit code, -1 for a process that a signal ended.
func (p *process) wait(t *testing.T) int {
	t.Helper()
	select {
	case <-p.Ended():
	case <-time.After(await.Patience):
		t.Fatalf("the process goes on:\n%s%s", p.out.String(), p.err.String())
	}
	return p.State().ExitCode()
}

var grpcListener = regexp.MustCompile(`"grpc":"([^"]+)"`)

// launchServe starts a digate in front of an upstream and returns its gRPC address.
func launchServe(t *testing.T, upstreamURL string) (p *process, addr string) {
	t.Helper()
	p = launchOnFreePorts(t, "serve", "--upstream-url", upstreamURL)
	addr = grpcListener.FindStringSubmatch(p.err.Await(t, `"msg":"serving"`))[1]
	awaitServing(t, addr)
	return p, addr
}

// held is an upstream that holds its responses back until release.
type held struct {
	url     string
	arrived chan bool // a value for every request
	let     chan bool // closed to let them go
	once    sync.Once
}

func newHeld(t *testing.T) *held {
	h := &held{arrived: make(chan bool, 16), let: make(chan bool)}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h.arrived <- true
		<-h.let
		w.WriteHeader(http.StatusCreated)
		_, _ = io.WriteString(w, `{"id":"id-1"}`)
	}))
	h.url = srv.URL
	t.Cleanup(func() {
		h.release()
		srv.Close()
	})
	return h
}

// release lets every response go.
func (h *held) release() { h.once.Do(func() { close(h.let) }) }

// underWay begins a copy and returns when the request is at the upstream. The
// channel gets what the command did.
func (h *held) underWay(t *testing.T, addr string) chan clitest.Ran {
	t.Helper()
	t.Setenv("DIGATE_TOKEN", clitest.Token)
	result := make(chan clitest.Ran, 1)
	go func() { result <- digate(t, "copy", clitest.TemplateID, "--addr", addr) }()
	select {
	case <-h.arrived:
	case <-time.After(await.Patience):
		t.Fatal("the upstream was not asked")
	}
	return result
}

// A terminal sends SIGHUP when it is closed, and a supervisor that means a restart.
func TestServe_SIGHUP_DrainsAndSaysSo(t *testing.T) {
	// Where the tests ignore the signal, as under nohup, so would what they start.
	hangUps := make(chan os.Signal, 1)
	signal.Notify(hangUps, syscall.SIGHUP)
	t.Cleanup(func() { signal.Stop(hangUps) })
	h := newHeld(t)
	p, addr := launchServe(t, h.url)
	result := h.underWay(t, addr)
	p.signal(t, syscall.SIGHUP)
	if line := p.err.Await(t, `"msg":"draining"`); !strings.Contains(line, `"cause":"hangup signal received"`) {
		t.Errorf("the log is %s", line)
	}
	p.signal(t, syscall.SIGHUP) // the kernel and the shell send one each
	h.release()
	if got := <-result; got.Code != client.ExitDone {
		t.Errorf("the call under way: %+v", got)
	}
	if code := p.wait(t); code != client.ExitDone {
		t.Errorf("exit code %d", code)
	}
}

func TestServe_SIGHUPUnderNohup_IsIgnored(t *testing.T) {
	sh := need.Program(t, "sh")
	h := newHeld(t)
	p := new(process)
	cmd := exec.Command(sh, "-c", `trap '' HUP; exec "$@"`, "sh", binary(t), "serve", "--upstream-url", h.url,
		"--grpc-addr", "127.0.0.1:0", "--http-addr", "127.0.0.1:0", "--admin-addr", "127.0.0.1:0")
	cmd.Stderr = &p.err
	p.start(t, cmd)
	p.err.Await(t, `"msg":"serving"`)
	p.signal(t, syscall.SIGHUP)
	p.signal(t, syscall.SIGTERM)
	if line := p.err.Await(t, `"msg":"draining"`); !strings.Contains(line, `"cause":"terminated signal received"`) {
		t.Errorf("the log is %s", line)
	}
	if code := p.wait(t); code != client.ExitDone {
		t.Errorf("exit code %d", code)
	}
}

func TestServe_SIGTERM_FinishesTheCallUnderWayAndExitsWith0(t *testing.T) {
	h := newHeld(t)
	p, addr := launchServe(t, h.url)
	result := h.underWay(t, addr)
	p.signal(t, syscall.SIGTERM)
	p.err.Await(t, `"msg":"draining"`)
	h.release()
	if got := <-result; got.Code != client.ExitDone || !strings.Contains(got.Out, "id-1") {
		t.Errorf("the call under way: %+v", got)
	}
	if code := p.wait(t); code != client.ExitDone {
		t.Errorf("exit code %d\n%s", code, p.err.String())
	}
	if strings.Contains(p.out.String()+p.err.String(), "hunter2") {
		t.Errorf("a secret was logged:\n%s", p.err.String())
	}
}

func TestServe_SecondSIGTERM_EndsAtOnceAndTheCallIsUnknown(t *testing.T) {
	h := newHeld(t)
	p, addr := launchServe(t, h.url)
	result := h.underWay(t, addr)
	p.signal(t, syscall.SIGTERM)
	p.err.Await(t, `"msg":"draining"`)
	// The process takes a moment to stop minding signals, so there may be a third.
	if err := await.Poll(await.Patience, p.Ended(), func() error { _ = p.Signal(syscall.SIGTERM); return errors.New("the process goes on") }); p.State() == nil {
		t.Fatal(err)
	}
	if state := p.State().Sys().(syscall.WaitStatus); !state.Signaled() || state.Signal() != syscall.SIGTERM {
		t.Errorf("ended with %v", p.State())
	}
	if got := <-result; got.Code != client.ExitUnknown {
		t.Errorf("the call under way: %+v", got)
	}
}

func TestServe_KilledInMidCall_TheCallIsUnknown(t *testing.T) {
	h := newHeld(t)
	p, addr := launchServe(t, h.url)
	result := h.underWay(t, addr)
	p.signal(t, syscall.SIGKILL)
	if got := <-result; got.Code != client.ExitUnknown || !strings.HasPrefix(got.Err, "UNKNOWN: ") {
		t.Errorf("the call under way: %+v", got)
	}
}

func TestServe_PortInUse_ExitsWith1AndNamesTheFlag(t *testing.T) {
	t.Parallel()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = ln.Close() }()
	p := launchOnFreePorts(t, "serve", "--http-addr", ln.Addr().String())
	if code := p.wait(t); code != client.ExitFailed || !strings.HasPrefix(p.err.String(), "digate: --http-addr: ") {
		t.Errorf("exit code %d\n%s", code, p.err.String())
	}
}

func TestServe_Debug_PrintsItsConfigurationWithoutSecrets(t *testing.T) {
	t.Parallel()
	p := launchOnFreePorts(t, "serve", "--log-level", "debug", "--upstream-url", "http://127.0.0.1:1/base", "--upstream-max-response-bytes", "4096")
	log := p.err.Await(t, `"msg":"serving"`)
	for _, want := range []string{`"msg":"configuration"`, `"upstream-url":"http://127.0.0.1:1/base"`, `"upstream-max-response-bytes":4096`, `"log-level":"DEBUG"`} {
		if !strings.Contains(log, want) {
			t.Errorf("no %s in %s", want, log)
		}
	}
}

func TestServe_GOMEMLIMIT_IsTheCollectorsLimitAndShownInTheMetrics(t *testing.T) {
	t.Setenv("GOMEMLIMIT", "123MiB")
	p := launchOnFreePorts(t, "serve", "--upstream-url", "http://127.0.0.1:1")
	if got, want := p.metric(t, "go_gc_gomemlimit_bytes"), float64(123<<20); got != want {
		t.Errorf("got %g, want %g", got, want)
	}
}

func TestServe_GOGC_IsTheCollectorsPercentage(t *testing.T) {
	t.Setenv("GOGC", "57")
	p := launchOnFreePorts(t, "serve", "--upstream-url", "http://127.0.0.1:1")
	if got := p.metric(t, "go_gc_gogc_percent"); got != 57 {
		t.Errorf("got %g", got)
	}
}

func TestServe_LittleInUse_IsSeldomCollected(t *testing.T) {
	if os.Getenv("GOGC") != "" {
		t.Skip("GOGC is set")
	}
	p := launchOnFreePorts(t, "serve", "--upstream-url", "http://127.0.0.1:1")
	if got := p.metric(t, "go_gc_gogc_percent"); got < 2*usualPercent {
		t.Errorf("got %g %%", got)
	}
}

// metric returns the value of a metric without labels.
func (p *process) metric(t *testing.T, name string) float64 {
	t.Helper()
	admin := regexp.MustCompile(`"admin":"([^"]+)"`).FindStringSubmatch(p.err.Await(t, `"msg":"serving"`))[1]
	caller := &http.Client{Timeout: await.Patience}
	defer caller.CloseIdleConnections()
	resp, err := caller.Get("http://" + admin + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(resp.Body)
	_ = resp.Body.Close()
	_, line, found := strings.Cut(string(body), "\n"+name+" ")
	if err != nil || !found {
		t.Fatalf("%v, no %s in\n%s", err, name, body)
	}
	value, _, _ := strings.Cut(line, "\n")
	number, err := strconv.ParseFloat(value, 64)
	if err != nil {
		t.Fatal(err)
	}
	return number
}

func TestEmulator_Alone_ServesUntilSIGTERM(t *testing.T) {
	t.Parallel()
	p := launch(t, "emulator", "--emulator-addr", "127.0.0.1:0", "--seed", "7")
	out := p.out.Await(t, "Ctrl-C")
	url := regexp.MustCompile(`http://127\.0\.0\.1:\d+`).FindString(out)
	for _, want := range []string{clitest.TemplateID, fault(t, "hang")} {
		if !strings.Contains(out, want) {
			t.Errorf("no %s in:\n%s", want, out)
		}
	}
	caller := &http.Client{Timeout: await.Patience}
	defer caller.CloseIdleConnections()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url+"/v1/integration/template", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer t")
	resp, err := caller.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	body, _ := io.ReadAll(resp.Body)
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusOK || !strings.Contains(string(body), clitest.TemplateID) {
		t.Errorf("%s: %s", resp.Status, body)
	}
	hang, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url+"/v1/integration/template/"+fault(t, "hang")+"/copy", strings.NewReader("{}"))
	if err != nil {
		t.Fatal(err)
	}
	hang.Header.Set("Authorization", "Bearer t")
	hang.Header.Set("Content-Type", "application/json")
	sent, failed := make(chan bool), make(chan error, 1)
	trace := &httptrace.ClientTrace{WroteRequest: func(httptrace.WroteRequestInfo) { close(sent) }}
	go func() {
		resp, err := caller.Do(hang.WithContext(httptrace.WithClientTrace(hang.Context(), trace)))
		if err == nil {
			_ = resp.Body.Close()
		}
		failed <- err
	}()
	<-sent
	p.signal(t, syscall.SIGTERM)
	if err := <-failed; err == nil {
		t.Error("the response that hangs came")
	}
	if code := p.wait(t); code != client.ExitDone || p.err.String() != "" {
		t.Errorf("exit code %d, %s", code, p.err.String())
	}
}

func TestVersion_OfTheBinary_IsThere(t *testing.T) {
	t.Parallel()
	p := launch(t, "version")
	if code := p.wait(t); code != client.ExitDone || !strings.HasPrefix(p.out.String(), "digate ") {
		t.Errorf("exit code %d, %s", code, p.out.String())
	}
}

// The first signal ends nothing yet, the second one ends the delay, and the third one
// the process.
func TestServe_DrainDelay_IsEndedByTheNextSignal(t *testing.T) {
	h := newHeld(t)
	p := launchOnFreePorts(t, "serve", "--upstream-url", h.url, "--drain-delay", "1h")
	addr := grpcListener.FindStringSubmatch(p.err.Await(t, `"msg":"serving"`))[1]
	p.signal(t, syscall.SIGTERM)
	if line := p.err.Await(t, `"msg":"leaving"`); !strings.Contains(line, `"delay":"1h0m0s"`) || !strings.Contains(line, `"cause":"terminated signal received"`) {
		t.Errorf("the log is %s", line)
	}
	result := h.underWay(t, addr)
	if strings.Contains(p.err.String(), `"msg":"draining"`) {
		t.Errorf("it drains:\n%s", p.err.String())
	}
	p.signal(t, os.Interrupt)
	p.err.Await(t, `"msg":"draining"`)
	h.release()
	if ran := <-result; ran.Code != client.ExitDone {
		t.Errorf("the call of the delay: %+v", ran)
	}
	if code := p.wait(t); code != client.ExitDone {
		t.Errorf("exit code %d:\n%s", code, p.err.String())
	}
}

func TestServe_SignalInTheDrainAfterADelay_EndsAtOnce(t *testing.T) {
	h := newHeld(t)
	p := launchOnFreePorts(t, "serve", "--upstream-url", h.url, "--drain-delay", "1ms")
	addr := grpcListener.FindStringSubmatch(p.err.Await(t, `"msg":"serving"`))[1]
	result := h.underWay(t, addr)
	p.signal(t, syscall.SIGTERM)
	p.err.Await(t, `"msg":"draining"`)
	p.signal(t, syscall.SIGTERM)
	if code := p.wait(t); code != -1 {
		t.Errorf("exit code %d:\n%s", code, p.err.String())
	}
	h.release()
	<-result
}
