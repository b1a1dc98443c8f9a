package rig

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
)

const module = "github.com/digate/digate/"

// builds has a function for each binary that was asked for. It builds the binary
// when it is first called.
var builds sync.Map

// Digate builds cmd/digate as [Build] does, with the race detector if the test has
// it.
func Digate() (path string, err error) { return Build("cmd/digate", Race) }

// Build builds a command of this tree, once for all tests of the package, and
// returns the path of the binary. [Main] must run the tests, since it removes what
// they built. With race, the binary has the race detector in it.
func Build(command string, race bool) (path string, err error) {
	key := fmt.Sprint(command, race)
	build, _ := builds.LoadOrStore(key, sync.OnceValues(func() (string, error) {
		return buildInto(key, command, race)
	}))
	return build.(func() (string, error))()
}

func buildInto(key, command string, race bool) (path string, err error) {
	if binaries == "" {
		return "", errors.New("the tests that build a binary are not run by rig.Main")
	}
	dir := filepath.Join(binaries, filepath.Base(key))
	if err := os.Mkdir(dir, 0o700); err != nil {
		return "", err
	}
	path = filepath.Join(dir, filepath.Base(command))
	args := []string{"build", "-o", path}
	if race {
		args = append(args, "-race")
	}
	if out, err := exec.Command("go", append(args, module+command)...).CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build: %w\n%s", err, out)
	}
	return path, nil
}
