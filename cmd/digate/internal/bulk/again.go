package bulk

import (
	"strconv"
	"strings"

	"github.com/digate/digate/cmd/digate/internal/term"
)

// again returns the command line that resumes the job.
func (c *Command) again(jobPath string) string {
	words := []string{"bulk", c.path()}
	flag := func(name, value, otherwise string) {
		if value != otherwise {
			words = append(words, "--"+name, value)
		}
	}
	flag("format", c.Format, "")
	flag("template", c.Template, "")
	flag("var-prefix", c.VarPrefix, "var.")
	flag("unresolved", c.Unresolved, "")
	flag("unfinished", c.Unfinished, "refuse")
	if c.KeepGoing {
		words = append(words, "--keep-going")
	}
	flag("job", jobPath, c.File+jobSuffix)
	flag("results", c.Results, "")
	flag("results-format", c.ResultsFormat, "")
	flag("progress", c.Progress, "auto")
	flag("concurrency", strconv.Itoa(c.Concurrency), "16")
	flag("reconnects", strconv.Itoa(c.Reconnects), "10")
	flag("timeout", c.Timeout.String(), "0s")
	return term.ShellLine(append(words, c.Words()...)...)
}

// settleLine returns the command line that settles the rows in doubt.
func (c *Command) settleLine(jobPath string) string {
	words := []string{"bulk", c.path()}
	if c.Format != "" {
		words = append(words, "--format", c.Format)
	}
	if jobPath != c.File+jobSuffix {
		words = append(words, "--job", jobPath)
	}
	if c.Results != "" {
		words = append(words, "--results", c.Results)
	}
	return term.ShellLine(append(append(words, "--settle"), c.Words()...)...)
}

// path returns the input as a word that is no flag.
func (c *Command) path() string {
	if strings.HasPrefix(c.File, "-") && c.File != "-" {
		return "./" + c.File
	}
	return c.File
}

// look returns the command line that shows a copy in doubt.
func (c *Command) look(requestID string) string {
	return term.ShellLine(append([]string{"ledger", "show", requestID}, c.Words()...)...)
}
