package doctor

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"

	"github.com/digate/digate/cmd/digate/internal/term"
)

// The results of a check.
const (
	resultOK      = "ok"
	resultWarn    = "warn"
	resultFail    = "FAIL"
	resultSkipped = "skipped"
)

// finding is the result of a check.
type finding struct {
	Check  string `json:"check"`
	Result string `json:"result"`
	Found  string `json:"found"`
	// Advice says what to do about a failure or a warning.
	Advice string `json:"advice,omitempty"`
}

func ok(format string, args ...any) finding {
	return finding{Result: resultOK, Found: fmt.Sprintf(format, args...)}
}

func skipped(why string) finding { return finding{Result: resultSkipped, Found: why} }

func warn(found, advice string) finding {
	return finding{Result: resultWarn, Found: found, Advice: advice}
}

func failed(found, advice string) finding {
	return finding{Result: resultFail, Found: found, Advice: advice}
}

// counted returns a number of things with their noun.
func counted(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

func (f finding) writeText(w io.Writer) error {
	line := fmt.Sprintf("%-7s  %-13s  %s", f.Result, f.Check, f.Found)
	if f.Advice != "" {
		line += " -> " + f.Advice
	}
	_, err := fmt.Fprintln(w, term.Printable(term.OneLine.Replace(line)))
	return err
}

// report collects findings.
type report struct {
	findings []finding
	// failed maps a check that later checks cannot build on to the check that
	// failed: itself or an earlier one.
	failed map[string]string
	tell   func(finding) error // may be nil
	err    error               // first error of tell
}

// check makes a check. If one of the checks it needs failed, the check is
// skipped.
func (r *report) check(name string, needs []string, f func() finding) {
	if r.failed == nil {
		r.failed = make(map[string]string)
	}
	var out finding
	for _, need := range needs {
		if cause := r.failed[need]; cause != "" {
			out = skipped("because " + cause + " failed")
			r.failed[name] = cause
			break
		}
	}
	if out.Result == "" {
		if out = f(); out.Result == resultFail {
			r.failed[name] = name
		}
	}
	out.Check = name
	r.findings = append(r.findings, out)
	if r.tell != nil && r.err == nil {
		r.err = r.tell(out)
	}
}

func (r *report) anyFailed() bool { return len(r.failed) > 0 }

func (r *report) writeJSON(w io.Writer) error {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	all := struct {
		OK     bool      `json:"ok"`
		Checks []finding `json:"checks"`
	}{!r.anyFailed(), r.findings}
	if err := enc.Encode(all); err != nil {
		return err
	}
	_, err := io.WriteString(w, term.PrintableJSON(b.Bytes()))
	return err
}
