package file

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestReadSecret_TakesOneWholeSecretOrSaysWhyNot(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "secret")
	for content, row := range map[string]struct{ want, fails string }{
		"key":                                 {"key", ""},
		" key \r\n\n":                         {" key ", ""},
		"a\nb\n":                              {"a\nb", ""},
		strings.Repeat("k", MaxSecret):        {strings.Repeat("k", MaxSecret), ""},
		strings.Repeat("k", MaxSecret+1):      {"", "is larger than 65536 bytes"},
		strings.Repeat("k", MaxSecret) + "\n": {"", "is larger than 65536 bytes"},
		"":                                    {"", "is empty"},
		"\r\n":                                {"", "is empty"},
		"hunter2\xff":                         {"", "is not UTF-8"},
	} {
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		for source, read := range map[string]func() (string, error){
			"file":  func() (string, error) { return ReadSecret(path, nil) },
			"stdin": func() (string, error) { return ReadSecret("-", strings.NewReader(content)) },
		} {
			got, err := read()
			if got != row.want || (err == nil) != (row.fails == "") || err != nil && err.Error() != row.fails {
				t.Errorf("%s of %d bytes: got %.20q, %v", source, len(content), got, err)
			}
		}
	}
	if _, err := ReadSecret(path+"-not", nil); err == nil {
		t.Error("a file that is not there was read")
	}
}
