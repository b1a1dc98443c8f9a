package main

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/alecthomas/kong"

	"github.com/digate/digate/cmd/digate/internal/client"
	"github.com/digate/digate/internal/spelling"
	"github.com/digate/digate/server/telemetry"
)

// variablePrefix begins the name of every variable that digate reads.
const variablePrefix = "DIGATE_"

// strayVariable is an environment variable that looks like a setting of digate but is
// none.
type strayVariable struct {
	name string
	near string // the variable that was probably meant, or ""
}

func (v strayVariable) String() string {
	text := v.name + " in the environment is no setting of digate"
	if v.near != "" {
		text += "; did you mean " + v.near + "?"
	}
	return text
}

// strayVariables returns the variables of an environment that have the prefix of settings
// but are unknown.
func strayVariables(environ, known []string) []strayVariable {
	var names []string
	for _, v := range environ {
		if name, _, _ := strings.Cut(v, "="); strings.HasPrefix(name, variablePrefix) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	var stray []strayVariable
	for _, name := range names {
		if slices.Contains(known, name) || strings.HasPrefix(name, variablePrefix+"TEST_") || ofKubernetes(name, names) {
			continue
		}
		near, _ := spelling.Nearest(name, known)
		stray = append(stray, strayVariable{name, near})
	}
	return stray
}

// ofKubernetes reports whether Kubernetes created a variable for a Service whose name
// begins with digate: DIGATE_SERVICE_HOST, DIGATE_PORT_9090_TCP and others.
func ofKubernetes(name string, names []string) bool {
	for _, host := range names {
		service, ok := strings.CutSuffix(host, "_SERVICE_HOST")
		if !ok {
			continue
		}
		rest, ok := strings.CutPrefix(name, service+"_")
		if ok && (strings.HasPrefix(rest, "SERVICE_") || rest == "PORT" || strings.HasPrefix(rest, "PORT_")) {
			return true
		}
	}
	return false
}

// knownVariables returns the variables that digate reads.
func knownVariables(app *kong.Application) []string {
	known := []string{"DIGATE_TOKEN"}
	_ = kong.Visit(app, func(node kong.Visitable, next kong.Next) error {
		if f, ok := node.(*kong.Flag); ok {
			known = append(known, f.Envs...)
		}
		return next(nil)
	})
	return known
}

// warn writes a line for each stray variable.
func (o *origins) warn(w io.Writer) {
	for _, v := range o.stray {
		fmt.Fprintf(w, "digate: warning: %s\n", v)
	}
}

// warnsItself reports whether a command must not begin with warnings: servers log them
// (see [origins.logStray]), some commands use no settings, and programs that read JSON
// expect nothing else.
func warnsItself(line *kong.Context) bool {
	switch commandOf(line) {
	case "digate dev", "digate serve", "digate completion", "digate version":
		return true
	}
	return slices.ContainsFunc(line.Flags(), func(f *kong.Flag) bool {
		return f.Name == "output" && f.Target.String() == client.OutputJSON
	})
}

// logStray logs each stray variable.
func (o *origins) logStray(log *telemetry.Log) {
	for _, v := range o.stray {
		log.Warn(v.String())
	}
}
