package backend_test

import (
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/digate/digate/server/ledger"
	"github.com/digate/digate/server/ledger/backend"
	"github.com/digate/digate/server/ledger/postgres/pgtest"
	"github.com/digate/digate/test/await"
)

// counts returns how many records a ledger has in each state.
func counts(t *testing.T, s ledger.Settings) map[string]int {
	t.Helper()
	o, engine, err := backend.Overview(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(s.Spec, engine) || o.Schema != 3 || o.Size <= 0 {
		t.Errorf("%s: %+v", engine, o)
	}
	in := make(map[string]int)
	for _, g := range o.Groups {
		if g.Method != "m" || g.Oldest.IsZero() || g.Newest.Before(g.Oldest) {
			t.Errorf("%+v", g)
		}
		in[g.State] += g.Records
	}
	return in
}

// Only what has expired is removed: no claim that may still be sent, no call whose owner
// died while it was sent, and no doubt. All the while a server has the ledger open.
func TestCare_Prune_LeavesWhatProtects(t *testing.T) {
	t.Parallel()
	for name, spec := range map[string]string{"sqlite": "sqlite:" + filepath.Join(t.TempDir(), "ledger.db"), "postgres": pgtest.Start(t).URL()} {
		t.Run(name, func(t *testing.T) {
			s := ledger.Settings{Spec: spec, KeyFile: writeKey(t)}
			lasting, keys := open(t, s)
			short := s
			short.Retention = time.Millisecond
			fleeting, _ := open(t, short)
			claim := func(id string, lease time.Duration) ledger.Claim {
				c := ledger.Claim{Key: keys.Key("caller", "m", id), Method: "m", ParentID: "t", Token: ledger.NewToken(), Lease: lease}
				if _, mine, err := lasting.Claim(t.Context(), c); err != nil || !mine {
					t.Fatal(mine, err)
				}
				return c
			}
			claim("claimed", time.Hour)
			claim("claim of an owner that died", time.Millisecond)
			died, doubt, done := claim("sending, of an owner that died", time.Hour), claim("doubt", time.Hour), claim("done", time.Hour)
			if err := errors.Join(
				lasting.MarkSending(t.Context(), died.Key, died.Token, time.Millisecond),
				lasting.MarkSending(t.Context(), doubt.Key, doubt.Token, time.Hour), lasting.MarkUnknown(t.Context(), doubt.Key, doubt.Token),
				lasting.MarkSending(t.Context(), done.Key, done.Token, time.Hour), fleeting.MarkDone(t.Context(), done.Key, done.Token, "i"),
			); err != nil {
				t.Fatal(err)
			}
			if err := await.Poll(await.Patience, nil, func() error {
				if in := counts(t, s); in["claimed"] != 1 || in["unknown"] != 2 || in[ledger.Expired] != 2 || len(in) != 3 {
					return fmt.Errorf("there are %v", in)
				}
				return nil
			}); err != nil {
				t.Fatal(err)
			}
			var told []int
			if err := backend.Prune(t.Context(), short, func(n int) { told = append(told, n) }); err != nil || !slices.Equal(told, []int{2}) {
				t.Errorf("removed %v, %v", told, err)
			}
			if in := counts(t, s); in["claimed"] != 1 || in["unknown"] != 2 || len(in) != 2 {
				t.Errorf("left: %v", in)
			}
			if problems, err := backend.Check(t.Context(), s); err != nil || len(problems) != 0 {
				t.Errorf("problems: %q, %v", problems, err)
			}
		})
	}
}

func TestCare_Check_NamesWhatIsWrong(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "ledger.db")
	url := pgtest.Start(t).URL()
	for spec, damage := range map[string]func(statement string) error{
		"sqlite:" + path: func(statement string) error {
			db, err := sql.Open("sqlite", path)
			if err != nil {
				return err
			}
			_, err = db.Exec(strings.NewReplacer("digate_ledger_", "").Replace(statement))
			return errors.Join(err, db.Close())
		},
		url: func(statement string) error {
			conn, err := pgx.Connect(t.Context(), url)
			if err != nil {
				return err
			}
			_, err = conn.Exec(t.Context(), statement)
			return errors.Join(err, conn.Close(t.Context()))
		},
	} {
		s := ledger.Settings{Spec: spec, KeyFile: writeKey(t)}
		store, keys := open(t, s)
		c := ledger.Claim{Key: keys.Key("caller", "m", "id"), Method: "m", ParentID: "t", Token: ledger.NewToken(), Lease: time.Hour}
		if _, _, err := store.Claim(t.Context(), c); err != nil {
			t.Fatal(err)
		}
		other := s
		other.KeyFile = writeKey(t)
		if problems, err := backend.Check(t.Context(), other); err != nil || len(problems) != 1 || !strings.Contains(problems[0], "another key") {
			t.Errorf("another key: %q, %v", problems, err)
		}
		if err := errors.Join(damage("DROP INDEX digate_ledger_record_until"), damage("UPDATE digate_ledger_record SET state = 'done'")); err != nil {
			t.Fatal(err)
		}
		problems, err := backend.Check(t.Context(), s)
		if err != nil || len(problems) != 2 || !strings.HasSuffix(problems[0], "record_until is missing") ||
			problems[1] != "record "+c.Key.RecordName()+": it is done, and names nothing that was created" {
			t.Errorf("%q, %v", problems, err)
		}
	}
}
