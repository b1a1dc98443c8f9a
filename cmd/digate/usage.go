package main

import (
	"regexp"
	"strings"

	"github.com/alecthomas/kong"
)

// parserWords replaces the parser's errors with messages for people. The parser's own are
// written for programmers: "expected a valid 64 bit int but got "x"".
var parserWords = []struct {
	parser *regexp.Regexp
	person string
}{
	{regexp.MustCompile(`^(--\S+): expected .*value but got "EOL".*`), `$1: needs a value behind it`},
	{regexp.MustCompile(`^(--\S+): missing value, expecting .*`), `$1: needs a value behind it`},
	{regexp.MustCompile(`^(--\S+): expected duration but got ("[^"]*").*`), `$1: $2 is no duration, such as 30s or 5m`},
	{regexp.MustCompile(`^(--\S+): expected a valid \d+ bit int but got ("[^"]*").*`), `$1: $2 is no whole number`},
	{regexp.MustCompile(`^(--\S+): expected (?:uint value|a valid \d+ bit uint) but got ("[^"]*").*`), `$1: $2 is no whole number of 0 or more`},
	{regexp.MustCompile(`^(--\S+): expected .*value but got .* \((?:short|long) flag\).*`), `$1: needs a value behind it; write one that begins with a hyphen as $1=VALUE`},
	{regexp.MustCompile(`^(--\S+): expected a float but got ("[^"]*").*`), `$1: $2 is no number, such as 0.5`},
	{regexp.MustCompile(`^(--\S+): bool value must be .* but got ("[^"]*").*`), `$1: $2 is neither true nor false`},
	{regexp.MustCompile(`^(--\S+): slog: level string ("[^"]*").*`), `$1: $2 is none of DEBUG, INFO, WARN, ERROR`},
	{regexp.MustCompile(`^(--\S+|<\S+>) must be one of (.*) but got (".*)$`), `$1: $3 is none of $2`},
	{regexp.MustCompile(`^(--\S+): (?:stat|open) (.*): no such file or directory$`), `$1: there is no file $2`},
	{regexp.MustCompile(`^unexpected argument (true|false)$`), `unexpected argument $1: a flag takes it behind an =, such as --docs=$1`},
}

// sources say where the value of an argument comes from.
var sources = map[string]string{
	"template_id":    "; `digate templates list` shows them",
	"integration_id": "; `digate integrations list` shows them",
	"tool_id":        "; `digate tools list INTEGRATION_ID` shows them",
	"request_id":     ", the one that the call was made with",
	"shell":          ": bash, zsh or fish",
}

var (
	missing      = regexp.MustCompile(`^expected (".*")$`)
	missingOneOf = regexp.MustCompile(`^expected one of (.*)$`)
	argument     = regexp.MustCompile(`<(\w+)>`)
	// These match without the parser's own suggestion.
	unknownFlag = regexp.MustCompile(`^unknown flag (.*?)(?:, did you mean .*)?$`)
	unexpected  = regexp.MustCompile(`^unexpected argument (.*?)(?:, did you mean .*)?$`)
)

// inWords returns the message for people for one line of a parser's error. The command
// line may be nil.
func inWords(line *kong.Context, text string) string {
	command := strings.TrimPrefix(commandOf(line), "digate ")
	text = strings.TrimPrefix(text, command+": ") // the parser puts the command before the error of a validation
	for _, w := range parserWords {
		if w.parser.MatchString(text) {
			text = w.parser.ReplaceAllString(text, w.person)
			text = strings.TrimSuffix(text, `,""`) // without the flag
			return strings.ReplaceAll(text, `","`, `", "`)
		}
	}
	if m := unknownFlag.FindStringSubmatch(text); m != nil {
		return "unknown flag " + m[1] + meant(flagsLike(line, m[1]))
	}
	if m := unexpected.FindStringSubmatch(text); m != nil && hasCommands(line) {
		return "there is no command " + m[1] + meant(commandsLike(line, m[1]))
	}
	if m := missingOneOf.FindStringSubmatch(text); m != nil {
		return command + " needs one of " + m[1]
	}
	if m := missing.FindStringSubmatch(text); m != nil {
		arguments := strings.Trim(m[1], `"`)
		text = command + " needs " + arguments
		if name := argument.FindStringSubmatch(arguments); name != nil {
			text += sources[name[1]]
		}
	}
	return text
}
