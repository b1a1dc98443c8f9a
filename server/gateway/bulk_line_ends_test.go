package gateway

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"
)

// Whatever a line holds, it says the same as before, and no byte of it ends a line
// for a reader of ASCII, Latin-1 or Unicode.
func TestUnsplit_EveryCharacter_SaysTheSameOnOneLine(t *testing.T) {
	t.Parallel()
	var all strings.Builder
	for r := rune(0); r <= utf8.MaxRune; r++ {
		if utf8.ValidRune(r) && (r < 0x3000 || r%0x85 == 0 || r&0xff == 0x85 || r > 0x1f000 && r < 0x20000) {
			all.WriteRune(r)
		}
	}
	line, err := json.Marshal(all.String())
	if err != nil {
		t.Fatal(err)
	}
	got := escapeLineEnds(line)
	var back string
	if err := json.Unmarshal(got, &back); err != nil || back != all.String() {
		t.Errorf("the line says something else: %v", err)
	}
	for _, r := range string(got) {
		if strings.ContainsRune("\n\r\v\f\x1c\x1d\x1e\u0085\u2028\u2029", r) || strings.IndexByte(string(r), nextLine) >= 0 {
			t.Fatalf("%U is there as it is", r)
		}
	}
	if n := strings.Count(string(got), "é"); n != 1 {
		t.Errorf("a letter that splits nothing is escaped")
	}
}

func TestUnsplit_NothingToEscape_IsTheLineItself(t *testing.T) {
	t.Parallel()
	line := []byte(`{"name":"Señal ñ 日本"}` + "\n")
	if got := escapeLineEnds(line); &got[0] != &line[0] || len(got) != len(line) {
		t.Errorf("got %s", got)
	}
}
