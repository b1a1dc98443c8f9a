package client_test

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"
)

func TestMain(m *testing.M) {
	code, err := run(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, "FAIL:", err)
		code = 1
	}
	os.Exit(code)
}

// listening is the line with the gRPC address of `digate dev`.
var listening = regexp.MustCompile(`^\s*gRPC\s+(127\.0\.0\.1:\d+)`)

// run runs the tests while `digate dev` serves, in a process of its own as digate always
// is.
func run(m *testing.M) (code int, err error) {
	folder, err := os.MkdirTemp("", "example-")
	if err != nil {
		return 1, err
	}
	defer func() { _ = os.RemoveAll(folder) }()
	binary := filepath.Join(folder, "digate")
	build := exec.Command("go", "build", "-o", binary, "./cmd/digate")
	build.Dir = filepath.Join("..", "..")
	if out, err := build.CombinedOutput(); err != nil {
		return 1, fmt.Errorf("%w\n%s", err, out)
	}
	digate := exec.Command(binary, "dev", "--grpc-addr", "127.0.0.1:0", "--http-addr", "127.0.0.1:0", "--admin-addr", "127.0.0.1:0", "--emulator-addr", "127.0.0.1:0")
	out, err := digate.StdoutPipe()
	if err != nil {
		return 1, err
	}
	if err := digate.Start(); err != nil {
		return 1, err
	}
	lines := bufio.NewScanner(out)
	for address == "" && lines.Scan() {
		if found := listening.FindStringSubmatch(lines.Text()); found != nil {
			address = found[1]
		}
	}
	code = 1
	if address != "" {
		code = m.Run()
	} else {
		err = fmt.Errorf("%s did not say where it listens", digate)
	}
	_ = digate.Process.Signal(os.Interrupt)
	for lines.Scan() { // so that nothing waits to be read
	}
	if ended := digate.Wait(); err == nil {
		err = ended
	}
	return code, err
}
