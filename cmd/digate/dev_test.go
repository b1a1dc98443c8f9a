package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	reflectionv1 "google.golang.org/grpc/reflection/grpc_reflection_v1"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/dynamicpb"

	"github.com/digate/digate/cmd/digate/internal/client"
	"github.com/digate/digate/cmd/digate/internal/clitest"
	"github.com/digate/digate/internal/need"
	"github.com/digate/digate/server/emulator"
	"github.com/digate/digate/test/await"
)

// dev is a running `digate dev` and what it said.
type dev struct {
	*process
	welcome string
	standIn string // the URL of the emulator
}

func launchDev(t *testing.T, more ...string) dev {
	t.Helper()
	p := launchOnFreePorts(t, "dev", append([]string{"--emulator-addr", "127.0.0.1:0"}, more...)...)
	d := dev{process: p, welcome: p.out.Await(t, "Its log:")}
	d.standIn = d.match(t, `Diga +(http://\S+)`)
	return d
}

func (d dev) match(t *testing.T, expr string) string {
	t.Helper()
	m := regexp.MustCompile(expr).FindStringSubmatch(d.welcome)
	if m == nil {
		t.Fatalf("no %s in:\n%s", expr, d.welcome)
	}
	return m[1]
}

// line returns a command that the welcome shows to paste. It begins with begin, behind
// what goes into its input, and an empty line ends it.
func (d dev) line(t *testing.T, begin string) string {
	t.Helper()
	return d.match(t, `(?s)\n  ((?:echo \S+ \| )?\S*`+begin+` .*?)\n(?:\n|  \S)`)
}

// pasted runs a line in a shell with that PATH, after the first lines that the
// welcome shows to paste.
func (d dev) pasted(t *testing.T, path, line string) string {
	t.Helper()
	return shell(t, path, d.match(t, `\n  (export .*(?:\n  export .*)?)\n`)+"\n"+line)
}

// shell runs a line in a shell with that PATH, and returns its output.
func shell(t *testing.T, path, line string) string {
	t.Helper()
	sh := need.Program(t, "sh")
	ctx, cancel := context.WithTimeout(t.Context(), await.Patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, sh, "-c", line)
	cmd.Env = append(os.Environ(), "PATH="+path)
	cmd.Dir = t.TempDir()
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v\n%s\n%s%s", err, line, out, stderr.String())
	}
	return string(out)
}

// names returns the names of the integrations in the account that the welcome uses.
func (d dev) names(t *testing.T) []string {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, d.standIn+"/v1/integration", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer dev")
	r.Close = true
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	var page struct{ Data []struct{ Name string } }
	if err := json.NewDecoder(resp.Body).Decode(&page); err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, in := range page.Data {
		names = append(names, in.Name)
	}
	slices.Sort(names)
	return names
}

func TestDev_PastedLines_Work(t *testing.T) {
	d := launchDev(t)
	t.Run("curl", func(t *testing.T) {
		need.Program(t, "curl")
		out := d.pasted(t, os.Getenv("PATH"), d.line(t, "curl"))
		if !strings.HasPrefix(out, "HTTP/1.1 201 ") || !strings.Contains(out, `"name":"second"`) || !strings.Contains(out, `"requires_setup":false`) {
			t.Errorf("%s", out)
		}
		if !slices.Contains(d.names(t), "second") {
			t.Errorf("integrations %v", d.names(t))
		}
	})
	t.Run("grpcurl", func(t *testing.T) {
		out := d.callAsGrpcurl(t, d.line(t, "grpcurl"))
		if !strings.Contains(out, "third") || !slices.Contains(d.names(t), "third") || strings.Contains(out, "requiresSetup") {
			t.Errorf("%s, integrations %v", out, d.names(t))
		}
	})
	t.Run("digate", func(t *testing.T) {
		out := d.pasted(t, os.Getenv("PATH"), d.line(t, "digate copy"))
		if !strings.Contains(out, "name              first\n") || !strings.Contains(out, "requires_setup    no\n") || !slices.Contains(d.names(t), "first") {
			t.Errorf("%s, integrations %v", out, d.names(t))
		}
	})
	for _, path := range []string{"/metrics", "/healthz", "/readyz", "/debug/pprof/"} {
		resp, err := http.Get(d.match(t, `admin +(http://\S+)`) + path)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			t.Errorf("%s: %s", path, resp.Status)
		}
	}
	http.DefaultClient.CloseIdleConnections()
	d.signal(t, os.Interrupt)
	if code := d.wait(t); code != client.ExitDone {
		t.Errorf("exit code %d\n%s", code, d.err.String())
	}
}

// callAsGrpcurl does what grpcurl would do with a line's arguments: it learns
// of the method by reflection, reads its request from JSON and returns the
// response as JSON.
func (d dev) callAsGrpcurl(t *testing.T, line string) string {
	t.Helper()
	args := strings.Split(strings.TrimSuffix(d.pasted(t, os.Getenv("PATH"), `grpcurl() { printf '%s\0' "$@"; }; `+line), "\x00"), "\x00")
	if len(args) != 7 || args[0] != "-plaintext" || args[1] != "-H" || args[3] != "-d" {
		t.Fatalf("the arguments are %q", args)
	}
	header, value, _ := strings.Cut(args[2], ": ")
	service, method, ok := strings.Cut(args[6], "/")
	if !ok {
		t.Fatalf("no method in %q", args[6])
	}
	conn, err := grpc.NewClient(args[5], grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	ctx, cancel := context.WithTimeout(metadata.AppendToOutgoingContext(t.Context(), header, value), await.Patience)
	defer cancel()
	md := reflected(t, conn, protoreflect.FullName(service)).Methods().ByName(protoreflect.Name(method))
	req, resp := dynamicpb.NewMessage(md.Input()), dynamicpb.NewMessage(md.Output())
	if err := protojson.Unmarshal([]byte(args[4]), req); err != nil {
		t.Fatal(err)
	}
	if err := conn.Invoke(ctx, "/"+args[6], req, resp); err != nil {
		t.Fatal(err)
	}
	return protojson.Format(resp)
}

// reflected asks a server for a service's description.
func reflected(t *testing.T, conn *grpc.ClientConn, service protoreflect.FullName) protoreflect.ServiceDescriptor {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), await.Patience)
	defer cancel()
	stream, err := reflectionv1.NewServerReflectionClient(conn).ServerReflectionInfo(ctx)
	if err != nil {
		t.Fatal(err)
	}
	set := new(descriptorpb.FileDescriptorSet)
	seen := make(map[string]bool)
	var ask func(*reflectionv1.ServerReflectionRequest)
	ask = func(r *reflectionv1.ServerReflectionRequest) {
		if err := stream.Send(r); err != nil {
			t.Fatal(err)
		}
		m, err := stream.Recv()
		if err != nil {
			t.Fatal(err)
		}
		for _, b := range m.GetFileDescriptorResponse().GetFileDescriptorProto() {
			fd := new(descriptorpb.FileDescriptorProto)
			if err := proto.Unmarshal(b, fd); err != nil {
				t.Fatal(err)
			}
			if seen[fd.GetName()] {
				continue
			}
			seen[fd.GetName()] = true
			set.File = append(set.File, fd)
			for _, name := range fd.GetDependency() {
				if !seen[name] {
					ask(&reflectionv1.ServerReflectionRequest{MessageRequest: &reflectionv1.ServerReflectionRequest_FileByFilename{FileByFilename: name}})
				}
			}
		}
	}
	ask(&reflectionv1.ServerReflectionRequest{MessageRequest: &reflectionv1.ServerReflectionRequest_FileContainingSymbol{FileContainingSymbol: string(service)}})
	_ = stream.CloseSend()
	if _, err := stream.Recv(); err != io.EOF {
		t.Errorf("reflection ended with %v", err)
	}
	files, err := protodesc.NewFiles(set)
	if err != nil {
		t.Fatal(err)
	}
	d, err := files.FindDescriptorByName(service)
	if err != nil {
		t.Fatal(err)
	}
	return d.(protoreflect.ServiceDescriptor)
}

func TestDev_OnAllInterfacesAndInThePath_PrintsWhatCanBePasted(t *testing.T) {
	t.Setenv("PATH", filepath.Dir(binary(t))+string(filepath.ListSeparator)+os.Getenv("PATH"))
	d := launchDev(t, "--grpc-addr", ":0", "--http-addr", ":0")
	if strings.Contains(d.welcome, "[::]") {
		t.Errorf("the welcome has an address that is no one's:\n%s", d.welcome)
	}
	line := d.line(t, "digate copy")
	if !strings.HasPrefix(line, "echo k-123 | digate copy ") {
		t.Errorf("%s", line)
	}
	d.pasted(t, os.Getenv("PATH"), line)
}

func TestDev_Help_SaysWhatIsOn(t *testing.T) {
	t.Parallel()
	help := strings.Join(strings.Fields(digate(t, "dev", "--help-all").Out), " ")
	for _, name := range []string{"admin-pprof", "open-reflection", "web-rpc", "docs"} {
		if !strings.Contains(help, "On; --"+name+"=false turns it off.") {
			t.Errorf("--%s is on, and the help does not say so:\n%s", name, help)
		}
	}
	if serve := digate(t, "serve", "--help-all").Out; strings.Contains(serve, "turns it off") {
		t.Errorf("the help of serve says that they are on:\n%s", serve)
	}
}

func TestDev_Welcome_FitsATerminalWithTheLogBelow(t *testing.T) {
	t.Parallel()
	at := devAddresses{"127.0.0.1:9090", "http://127.0.0.1:8080", "http://127.0.0.1:9091", "http://127.0.0.1:8090", "", "http://127.0.0.1:8080/docs", ""}
	const log = "\n\n\n\n\n" // two lines, of 160 to 240 and of 80 to 160 columns
	clitest.Screen(t, "welcome", welcome(at, "devel", "go run ./cmd/digate")+log)
	overTLS := devAddresses{at.grpc, "https://127.0.0.1:8080", at.admin, at.diga, "/tmp/digate-dev-1234567890/ca.pem", "https://127.0.0.1:8080/docs", ""}
	clitest.Screen(t, "welcome-tls", welcome(overTLS, "devel", "go run ./cmd/digate")+log)
	at.docs = ""
	clitest.Screen(t, "welcome-no-docs", welcome(at, "devel", "go run ./cmd/digate")+log)
	at.grpc = "127.0.0.1:9999"
	if text := welcome(at, "devel", "digate"); !strings.Contains(text, " --api-key-file - --addr 127.0.0.1:9999\n") {
		t.Errorf("the command does not reach the server:\n%s", text)
	}
}

// The page has the token of the welcome, unless callers must have one of their own, every
// template of the emulator, and the examples of the document if the emulator has what
// they name.
func TestDev_Docs_OfferATokenTheTemplatesAndTheExamples(t *testing.T) {
	t.Parallel()
	e := emulator.New(emulator.Options{})
	var c devCmd
	opts := c.docs(e)
	if opts.Token != "dev" || !opts.Examples || len(opts.Templates) != len(e.Templates())+len(emulator.Faults()) || opts.Templates[0].ID != welcomeTemplate {
		t.Errorf("%+v", opts)
	}
	c.State = "state.yaml"
	if c.docs(e).Examples {
		t.Error("the page fills in ids that the emulator does not have: another state is loaded")
	}
	c.State, c.AccountsFile = "", "accounts.yaml"
	if opts := c.docs(e); opts.Token != "" || opts.Examples {
		t.Errorf("on a server with accounts the page has %+v", opts)
	}
}

// Who runs several at once hears whose port it is.
func TestDev_PortTaken_NamesTheFlagAndWhoMayHaveIt(t *testing.T) {
	t.Parallel()
	d := launchDev(t)
	taken := map[string]string{"--grpc-addr": `gRPC +(\S+)`, "--emulator-addr": `Diga +http://(\S+)`}
	for flag, at := range taken {
		args := []string{"dev", "--grpc-addr", "127.0.0.1:0", "--http-addr", "127.0.0.1:0", "--admin-addr", "127.0.0.1:0", "--emulator-addr", "127.0.0.1:0"}
		got := digate(t, append(args, flag, d.match(t, at))...)
		if got.Code != client.ExitFailed || !strings.HasPrefix(got.Err, "digate: "+flag+": ") || !strings.Contains(got.Err, " (another digate dev?)") {
			t.Errorf("%+v", got)
		}
	}
}

// The authority's file is gone with the server.
func TestDev_TLS_PastedLinesWork(t *testing.T) {
	need.Program(t, "curl")
	d := launchDev(t, "--tls")
	ca := d.match(t, `DIGATE_CA_FILE=(\S+)`)
	if out := d.pasted(t, os.Getenv("PATH"), d.line(t, "curl")); !strings.HasPrefix(out, "HTTP/2 201 ") || !strings.Contains(out, `"name":"second"`) {
		t.Errorf("%s", out)
	}
	if out := d.pasted(t, os.Getenv("PATH"), d.line(t, "digate copy")); !strings.Contains(out, "name              first\n") {
		t.Errorf("%s", out)
	}
	d.signal(t, syscall.SIGTERM)
	if code := d.wait(t); code != client.ExitDone {
		t.Errorf("exit code %d", code)
	}
	if _, err := os.Stat(filepath.Dir(ca)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%s is left: %v", ca, err)
	}
}

// Its own log recommends --ledger.
func TestDev_TakesEverySettingOfServe_ExceptWhereDigaIs(t *testing.T) {
	t.Parallel()
	flags := flagsOf(t)
	dev := make(map[string]bool)
	for _, f := range flags["dev"] {
		dev[f.Name] = true
	}
	for _, f := range flags["serve"] {
		if dev[f.Name] == slices.Contains(notOfDev, f.Name) {
			t.Errorf("--%s: dev has it: %t", f.Name, dev[f.Name])
		}
	}
	d := launchDev(t, "--ledger", "sqlite:"+filepath.Join(t.TempDir(), "ledger.db"), "--admin-pprof=false")
	resp, err := http.Get(d.match(t, `admin +(http://\S+)`) + "/debug/pprof/")
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	http.DefaultClient.CloseIdleConnections()
	if resp.StatusCode != http.StatusNotFound {
		t.Errorf("--admin-pprof=false: %s", resp.Status)
	}
}

func TestDev_SettingsFile_IsThatOfServe(t *testing.T) {
	t.Setenv("DIGATE_UPSTREAM_URL", "ftp://x") // of no meaning here
	file := clitest.WriteFile(t, "digate.yaml", "max-streams: 7\nupstream-url: https://nowhere.example\n")
	c, err := parse(t, "dev", "--config", file)
	if err != nil || c.Dev.MaxStreams != 7 || c.Dev.GRPCAddr != "127.0.0.1:9090" || !c.Dev.Admin.Pprof {
		t.Errorf("%v, %v", c.Dev.Config, err)
	}
}

func TestDev_InterruptedWithACallThatHangs_EndsSoonWith0(t *testing.T) {
	d := launchDev(t)
	t.Setenv("DIGATE_TOKEN", clitest.Token)
	addr := d.match(t, `gRPC +(\S+)`)
	result := make(chan clitest.Ran, 1)
	go func() { result <- digate(t, "copy", fault(t, "hang"), "--addr", addr) }()
	awaitCall(t, d)
	begun := time.Now()
	d.signal(t, syscall.SIGINT)
	if code := d.wait(t); code != client.ExitDone || time.Since(begun) > await.Patience/2 {
		t.Errorf("exit code %d after %v\n%s", code, time.Since(begun), d.err.String())
	}
	if got := <-result; got.Code != client.ExitUnknown {
		t.Errorf("the call under way: %+v", got)
	}
}

// awaitCall returns when a call to digate is under way.
func awaitCall(t *testing.T, d dev) {
	t.Helper()
	admin := d.match(t, `admin +(http://\S+)`)
	defer http.DefaultClient.CloseIdleConnections()
	begun := regexp.MustCompile(`(?m)^digate_calls_started_total\{method=".*CopyTemplate",protocol="grpc"\} 1$`)
	if err := await.Poll(await.Patience, nil, func() error {
		resp, err := http.Get(admin + "/metrics")
		if err != nil {
			return err
		}
		b, err := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if err == nil && !begun.Match(b) {
			err = fmt.Errorf("no call was begun:\n%s", b)
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
}

func TestDev_InterruptedWithACallThatWillEnd_LetsItEnd(t *testing.T) {
	d := launchDev(t, "--latency", "500ms")
	t.Setenv("DIGATE_TOKEN", clitest.Token)
	addr := d.match(t, `gRPC +(\S+)`)
	result := make(chan clitest.Ran, 1)
	go func() { result <- digate(t, "copy", clitest.TemplateID, "--addr", addr) }()
	awaitCall(t, d)
	d.signal(t, syscall.SIGINT)
	if got := <-result; got.Code != client.ExitDone {
		t.Errorf("the call under way: %+v", got)
	}
	if code := d.wait(t); code != client.ExitDone {
		t.Errorf("exit code %d\n%s", code, d.err.String())
	}
}
