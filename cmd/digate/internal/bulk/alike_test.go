package bulk

import (
	"os"
	"strings"
	"testing"

	"github.com/digate/digate/cmd/digate/internal/client"
	"github.com/digate/digate/cmd/digate/internal/clitest"
)

func TestAlike_WhatAPersonTakesForOneNameOrKey(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"": "", "north": "north", "North  Shop ": "north shop", "\u00a0Café": "café", "Cafe\u0301": "café", "a\tb": "a b",
	} {
		if got := likeName(name); got != want {
			t.Errorf("%q: got %q, want %q", name, got, want)
		}
	}
	for key, want := range map[string]string{"": "", "00123": "123", "123": "123", "K-12": "k12", "k 12": "k12", "000": "0", "0": "0", "1,2": "12"} {
		if got := likeKey(key); got != want {
			t.Errorf("%q: got %q, want %q", key, got, want)
		}
	}
}

// A spreadsheet takes the zeros from keys, and a customer gets another number.
func TestBulk_KeysOfRowsThatWereMadeAreOthers_NothingIsMadeTwiceUnasked(t *testing.T) {
	for name, row := range map[string]struct{ before, after []string }{
		"zeros are lost":             {[]string{"001,a", "002,b"}, []string{"1,a", "2,b"}},
		"zeros are lost, names too":  {[]string{"001,a", "002,b"}, []string{"1,x", "2,y"}},
		"other numbers, same names":  {[]string{"1,a", "2,b"}, []string{"81,a", "82,b"}},
		"case and blanks of keys":    {[]string{"k-1,a", "k-2,b"}, []string{"K 1,x", "K 2,y"}},
		"case of names, other keys":  {[]string{"1,Alpha", "2,Beta"}, []string{"81,ALPHA", "82,beta "}},
		"names without a key before": {[]string{",Alpha", ",Beta"}, []string{"1,alpha", "2,beta"}},
	} {
		t.Run(name, func(t *testing.T) {
			s := serve(t)
			file := clitest.WriteFile(t, "shops.csv", keyed(row.before...))
			if got := digate(t, "bulk", file, "--addr", s.addr); got.Code != client.ExitDone {
				t.Fatalf("%+v", got)
			}
			writeAgain(t, file, keyed(append(row.after, "90,new")...))
			got := digate(t, "bulk", file, "--addr", s.addr)
			if items, _ := s.seen(); items != 2 || got.Code != client.ExitNotSent || !strings.Contains(got.Err, "(2 rows)") || !strings.Contains(got.Err, "--changed=skip") {
				t.Errorf("%d items, %+v", items, got)
			}
			if got := digate(t, "bulk", file, "--addr", s.addr, "--changed=skip"); got.Code != client.ExitDone {
				t.Errorf("%+v", got)
			}
			if items, _ := s.seen(); items != 3 {
				t.Errorf("%d items", items)
			}
		})
	}
}

// Another folder, and names that somebody typed anew.
func TestBulk_NamesAreThereInAnotherSpelling_NothingIsMadeTwiceUnasked(t *testing.T) {
	s := serve(t)
	folder(t, s, "North Shop", "Café", "c")
	other := clitest.WriteFile(t, "other.csv", named("north  shop", "Cafe\u0301", "c", "new"))
	got := digate(t, "bulk", other, "--addr", s.addr)
	if got.Code != client.ExitNotSent || !strings.Contains(got.Err, "(3 rows)") || !strings.Contains(got.Err, "line 2 has the name \"North Shop\" at Diga\n") {
		t.Errorf("%+v", got)
	}
	wantNames(t, s, "another spelling", "Café", "North Shop", "c")
}

// A row that an older file of the job has as not made, and the results as made.
func TestBulk_OlderJobFileSaysNotMade_ResultsSayMade(t *testing.T) {
	s := serve(t)
	file := folder(t, s, "a")
	f, err := os.OpenFile(file+jobSuffix, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	id := clitest.ResultsOf(t, digate(t, "bulk", file, "--addr", s.addr).Out)[2].RequestID
	if _, err := f.WriteString(`{"row":"` + id + `","state":"none"}` + "\n"); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	got := clitest.RunWith(t, runCommand, "", "bulk", file, "--addr", s.addr)
	if items, _ := s.seen(); items != 1 || got.Code != client.ExitDone || !strings.Contains(got.Err, "1 row was taken from") {
		t.Errorf("%d items, %+v", items, got)
	}
}
