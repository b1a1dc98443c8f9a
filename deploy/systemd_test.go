package deploy

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/digate/digate/internal/need"
)

var (
	directive = regexp.MustCompile(`(?m)^([A-Za-z]+)=(.*)$`)
	exposure  = regexp.MustCompile(`Overall exposure level for digate\.service: ([0-9.]+)`)
)

const unit = "systemd/digate.service"

// mostExposed is the level that systemd gives to the unit. What is left of it is what a
// server needs: the network.
const mostExposed = 1.5

// unitWithBinary returns the path of a copy of the unit that runs a binary which exists,
// since systemd asks for that.
func unitWithBinary(t *testing.T) string {
	t.Helper()
	text := strings.ReplaceAll(read(t, unit), "/usr/local/bin/digate", digate(t))
	path := filepath.Join(t.TempDir(), "digate.service")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, socket := range sockets {
		if err := os.WriteFile(filepath.Join(filepath.Dir(path), filepath.Base(socket)), []byte(read(t, socket)), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return path
}

// sockets are the socket units, by the flag that says where digate listens without them.
var sockets = map[string]string{"grpc-addr": "systemd/digate-grpc.socket", "http-addr": "systemd/digate-http.socket"}

// Each socket unit has the port of its listener, a name that digate knows, and the service.
func TestSocketUnits_AreThoseOfTheListeners(t *testing.T) {
	t.Parallel()
	analyze := need.Program(t, "systemd-analyze")
	dir := filepath.Dir(unitWithBinary(t))
	for flag, path := range sockets {
		out, err := exec.Command(analyze, "verify", "--man=no", filepath.Join(dir, filepath.Base(path))).CombinedOutput()
		if err != nil || len(out) > 0 {
			t.Errorf("%s: %v\n%s", path, err, out)
		}
		settings := make(map[string]string)
		for _, m := range directive.FindAllStringSubmatch(read(t, path), -1) {
			settings[m[1]] = m[2]
		}
		name := strings.TrimSuffix(flag, "-addr")
		if settings["FileDescriptorName"] != name || settings["Service"] != "digate.service" || ":"+settings["ListenStream"] != setting(t, flag) {
			t.Errorf("%s: %v, and --%s is %s", path, settings, flag, setting(t, flag))
		}
	}
}

// setting returns a setting of serve in force, without more said.
func setting(t *testing.T, name string) string {
	t.Helper()
	out, err := exec.Command(digate(t), "config", "show").CombinedOutput()
	m := regexp.MustCompile(`(?m)^` + name + ` +\S+ +(\S+)`).FindSubmatch(out)
	if err != nil || m == nil {
		t.Fatalf("no %s, %v:\n%s", name, err, out)
	}
	return string(m[1])
}

func TestUnit_IsValidAndSandboxed(t *testing.T) {
	t.Parallel()
	analyze := need.Program(t, "systemd-analyze")
	path := unitWithBinary(t)
	if out, err := exec.Command(analyze, "verify", "--man=no", path).CombinedOutput(); err != nil || strings.Contains(string(out), "digate.service:") {
		t.Errorf("%v\n%s", err, out)
	}
	out, err := exec.Command(analyze, "security", "--offline=true", "--no-pager", path).CombinedOutput()
	m := exposure.FindSubmatch(out)
	if err != nil || m == nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if level, err := strconv.ParseFloat(string(m[1]), 64); err != nil || level > mostExposed {
		t.Errorf("exposed by %s, %v\n%s", m[1], err, out)
	}
}

// The command line of the unit is one of digate's, and a stop lasts for longer than the
// drain does.
func TestUnit_RunsDigateAndLetsItDrain(t *testing.T) {
	t.Parallel()
	settings := make(map[string]string)
	for _, m := range directive.FindAllStringSubmatch(read(t, unit), -1) {
		settings[m[1]] = m[2]
	}
	config := filepath.Join(t.TempDir(), "digate.yaml")
	if err := os.WriteFile(config, []byte("log-level: DEBUG\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	command := strings.Fields(strings.ReplaceAll(settings["ExecStart"], "/etc/digate/digate.yaml", config))
	if len(command) < 2 || command[1] != "serve" {
		t.Fatalf("it runs %q", command)
	}
	out, err := exec.Command(digate(t), append([]string{"config", "show"}, command[2:]...)...).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	m := regexp.MustCompile(`(?m)^shutdown-timeout +\S+ +(\S+)`).FindSubmatch(out)
	if m == nil {
		t.Fatalf("no shutdown-timeout:\n%s", out)
	}
	drain, err := time.ParseDuration(string(m[1]))
	if err != nil {
		t.Fatal(err)
	}
	if stop, err := time.ParseDuration(strings.ReplaceAll(settings["TimeoutStopSec"], "sec", "s")); err != nil || stop < drain+10*time.Second {
		t.Errorf("a stop may take %v, and a drain takes %v; %v", stop, drain, err)
	}
}
