package server_test

import (
	"bytes"
	"context"
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	integrationv1 "github.com/digate/digate/gen/diga/integration/v1"
	"github.com/digate/digate/server/config"
	"github.com/digate/digate/server/ledger/postgres/pgtest"
)

// After copies with every outcome, over every protocol, the ledger has no field of
// their requests: neither as plain text nor as a digest that could be guessed.
func TestLedger_AfterCopiesOfEveryOutcome_HasNothingOfTheirRequests(t *testing.T) {
	t.Parallel()
	t.Run("sqlite", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "ledger.db")
		never := fillLedger(t, func(c *config.Config) { c.Ledger.Spec = "sqlite:" + path })
		files, err := filepath.Glob(path + "*")
		if err != nil {
			t.Fatal(err)
		}
		var dump []byte
		for _, file := range files {
			b, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			dump = append(dump, b...)
		}
		never(dump)
	})
	t.Run("postgres", func(t *testing.T) {
		database := pgtest.Start(t)
		url := database.NewDatabase()
		key := filepath.Join(t.TempDir(), "ledger.key")
		if err := os.WriteFile(key, []byte(strings.Repeat("0f", 32)), 0o600); err != nil {
			t.Fatal(err)
		}
		never := fillLedger(t, func(c *config.Config) { c.Ledger.Spec, c.Ledger.KeyFile = url, key })
		never(dumpDatabase(t, url))
	})
}

// fillLedger makes the copies on a server of its own and ends the server. The
// function that it returns fails the test if a dump of the ledger has a part of
// their requests.
func fillLedger(t *testing.T, with func(*config.Config)) (never func(dump []byte)) {
	t.Helper()
	_, url := emulated(t)
	d := start(t, url, with)
	const name, baseURL = "The name of a copy", "https://crm.customer.example/v7"
	plain := []string{token, apiKey, varSec, name, baseURL, "shop"}
	of := func(template, id string) *integrationv1.CopyTemplateRequest {
		plain = append(plain, id)
		return &integrationv1.CopyTemplateRequest{
			TemplateId: template, RequestId: id, Name: new(name), ApiKey: new(apiKey), BaseUrl: new(baseURL), Variables: structOf("shop", varSec),
		}
	}
	const lost, gone = "00000000-0000-4000-8000-000000000603", "11111111-1111-4111-8111-111111111111"
	for template, outcome := range map[string]string{templateID: "", lost: "UNKNOWN", gone: "REJECTED"} {
		_, e := d.copyRPC(t, of(template, "key-of-"+outcome+"-grpc"))
		if e == nil && outcome != "" || e != nil && e.Outcome.String() != outcome {
			t.Fatalf("%v, want %s", e, outcome)
		}
	}
	body := fmt.Sprintf(`{"name":%q,"api_key":%q,"base_url":%q,"variables":{"shop":%q}}`, name, apiKey, baseURL, varSec)
	for range 2 { // the second is a replay
		if rest := d.copyREST(t, templateID, body, "Idempotency-Key", `"key-in-rest"`); rest.status/100 != 2 {
			t.Fatal(rest.status, rest.body)
		}
	}
	plain = append(plain, "key-in-rest")
	stream := d.bulk(t.Context(), t)
	for _, template := range []string{templateID, lost} {
		if err := stream.Send(&integrationv1.BulkCopyTemplateRequest{Copy: of(template, "key-in-bulk-"+template[:8])}); err != nil {
			t.Fatal(err)
		}
	}
	if err := stream.CloseSend(); err != nil {
		t.Fatal(err)
	}
	for range 3 { // two results and the summary
		if _, err := stream.Recv(); err != nil {
			t.Fatal(err)
		}
	}
	d.stop()
	<-d.ended

	return func(dump []byte) {
		t.Helper()
		if !bytes.Contains(dump, []byte(lost)) {
			t.Error("the dump does not have the records")
		}
		lower := bytes.ToLower(dump)
		for _, p := range plain {
			for form, bytesOf := range formsOf(p) {
				for _, as := range [][]byte{bytesOf, []byte(hex.EncodeToString(bytesOf)), []byte(base64.RawStdEncoding.EncodeToString(bytesOf)), []byte(base64.RawURLEncoding.EncodeToString(bytesOf))} {
					if bytes.Contains(dump, as) || bytes.Contains(lower, bytes.ToLower(as)) {
						t.Errorf("the ledger has %q (%s)", p, form)
					}
				}
			}
		}
	}
}

// formsOf returns a text and its digests without a key.
func formsOf(p string) map[string][]byte {
	m, s1, s256, s512 := md5.Sum([]byte(p)), sha1.Sum([]byte(p)), sha256.Sum256([]byte(p)), sha512.Sum512([]byte(p))
	return map[string][]byte{"itself": []byte(p), "MD5": m[:], "SHA-1": s1[:], "SHA-256": s256[:], "SHA-512": s512[:]}
}

// dumpDatabase returns the rows of every table outside the catalogue.
func dumpDatabase(t *testing.T, url string) []byte {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(context.WithoutCancel(t.Context())) }()
	// CollectRows returns the error of the query.
	rows, _ := conn.Query(t.Context(), `SELECT quote_ident(table_schema) || '.' || quote_ident(table_name)
		FROM information_schema.tables WHERE table_schema NOT IN ('pg_catalog', 'information_schema')`)
	tables, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil || len(tables) == 0 {
		t.Fatal(tables, err)
	}
	var dump bytes.Buffer
	for _, table := range tables {
		rows, _ := conn.Query(t.Context(), "SELECT row::text FROM "+table+" AS row") // bytes in hex
		lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
		if err != nil {
			t.Fatal(table, err)
		}
		for _, line := range lines {
			dump.WriteString(line + "\n")
		}
	}
	return dump.Bytes()
}
