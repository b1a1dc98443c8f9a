package sqlite_test

import (
	"bufio"
	"context"
	"encoding/binary"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/sync/errgroup"

	"github.com/digate/digate/server/ledger"
	"github.com/digate/digate/server/ledger/sqlite"
)

// ownerFile names the variable that makes the test binary a process that owns claims
// in that file until it is killed.
const ownerFile = "DIGATE_TEST_OWNER_FILE"

func TestMain(m *testing.M) {
	if path := os.Getenv(ownerFile); path != "" {
		if err := own(path); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	goleak.VerifyTestMain(m)
}

// claimOf returns a claim that both processes can name.
func claimOf(owner uint32, n uint64) (c ledger.Claim) {
	binary.BigEndian.PutUint32(c.Key[:], owner)
	binary.BigEndian.PutUint64(c.Key[8:], n)
	copy(c.Token[:], c.Key[:])
	c.ParentID, c.Lease = "template", time.Hour
	return c
}

// own takes one call after another through its life, and writes a line to stdout
// after each step that the store has acknowledged.
func own(path string) error {
	ctx := context.Background()
	s, err := sqlite.Open(ctx, path, sqlite.Options{})
	if err != nil {
		return err
	}
	var group errgroup.Group
	pid := uint32(os.Getpid())
	for i := range uint64(4) {
		group.Go(func() error {
			for n := i; ; n += 4 {
				c := claimOf(pid, n)
				if _, mine, err := s.Claim(ctx, c); err != nil || !mine {
					return fmt.Errorf("claim: mine %v, error %w", mine, err)
				}
				fmt.Printf("%d claimed\n", n)
				if err := s.MarkSending(ctx, c.Key, c.Token, c.Lease); err != nil {
					return err
				}
				fmt.Printf("%d sending\n", n)
				if err := s.MarkDone(ctx, c.Key, c.Token, fmt.Sprint("id-", n)); err != nil {
					return err
				}
				fmt.Printf("%d done\n", n)
			}
		})
	}
	return group.Wait()
}

// owner is a process that owns claims, and the steps that the store acknowledged.
type owner struct {
	cmd   *exec.Cmd
	lines *bufio.Scanner
	last  map[uint64]ledger.State
}

func startOwner(t *testing.T, path string) *owner {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), ownerFile+"="+path)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return &owner{cmd, bufio.NewScanner(out), make(map[uint64]ledger.State)}
}

// killAfter kills the process after so many lines, and reads its last lines.
func (o *owner) killAfter(t *testing.T, lines int) {
	t.Helper()
	for n := 0; o.lines.Scan(); n++ {
		if n == lines {
			if err := o.cmd.Process.Kill(); err != nil {
				t.Error(err)
			}
		}
		var key uint64
		var name string
		// The last line may be cut.
		if _, err := fmt.Sscanf(o.lines.Text(), "%d %s", &key, &name); err != nil {
			continue
		}
		if state, err := ledger.ParseState(name); err == nil {
			o.last[key] = state
		}
	}
	if err := o.cmd.Wait(); err == nil || !strings.Contains(err.Error(), "killed") {
		t.Fatalf("the owner ended by itself: %v", err)
	}
}

func (o *owner) check(t *testing.T, s ledger.Store) {
	t.Helper()
	for n, want := range o.last {
		c := claimOf(uint32(o.cmd.Process.Pid), n)
		r, found, err := s.Get(t.Context(), c.Key)
		if err != nil {
			t.Fatal(err)
		}
		// One more step may have been made without an acknowledgement.
		if !found || r.State != want && r.State != want+1 || r.Token != c.Token {
			t.Errorf("%d was acknowledged as %v, and is found %v in %v", n, want, found, r.State)
		}
	}
}

func TestStore_OwnerKilled_KeepsAllThatWasAcknowledged(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ledger.db")
	for _, lines := range []int{0, 1, 7, 100, 333, 1000} {
		o := startOwner(t, path)
		o.killAfter(t, lines)
		if len(o.last) == 0 {
			t.Fatal("the owner did nothing")
		}
		s := open(t, path, sqlite.Options{})
		o.check(t, s)
	}
}

func TestStore_TwoProcessesAtOnce_BothGetOn(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ledger.db")
	a, b := startOwner(t, path), startOwner(t, path)
	var group errgroup.Group
	group.Go(func() error { a.killAfter(t, 1000); return nil })
	group.Go(func() error { b.killAfter(t, 1000); return nil })
	s := open(t, path, sqlite.Options{})
	for n := range uint64(20) {
		c := claimOf(1, n)
		if _, mine, err := s.Claim(t.Context(), c); err != nil || !mine {
			t.Fatalf("a third: mine %v, error %v", mine, err)
		}
	}
	_ = group.Wait()
	a.check(t, s)
	b.check(t, s)
}
