package soak

import (
	"bufio"
	"encoding/json"
	"os"
)

// readLog counts the access lines in digate's log. It returns the lines that must
// not be in the log.
func readLog(path string) (accessLines int, bad []string, err error) {
	f, err := os.Open(path)
	if err != nil {
		return 0, nil, err
	}
	defer func() { _ = f.Close() }()
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var logged struct{ Level, Msg string }
		text := lines.Text()
		switch err := json.Unmarshal(lines.Bytes(), &logged); {
		case err != nil && text != "":
			bad = append(bad, text) // a panic, a report of the race detector
		case logged.Msg == "call" && logged.Level != "ERROR":
			accessLines++
		case logged.Level == "ERROR":
			bad = append(bad, text)
		}
	}
	return accessLines, bad, lines.Err()
}
