package bulk

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"unicode/utf8"

	"google.golang.org/protobuf/proto"

	"github.com/digate/digate/cmd/digate/internal/client"
	"github.com/digate/digate/cmd/digate/internal/file"
	integrationv1 "github.com/digate/digate/gen/diga/integration/v1"
	"github.com/digate/digate/server/apierror"
	"github.com/digate/digate/server/canonical"
)

// maxRow bounds a row in bytes, both in the input and as a request.
const maxRow = 1 << 20

var errRowTooLarge = fmt.Errorf("the row is larger than %d MiB", maxRow>>20)

// row is a row of the input: a copy to make.
type row struct {
	line int
	// key tells the row from others, whatever else changes in it; may be empty.
	key string
	// copy is the request. The values of refs are not in it before resolve.
	copy *integrationv1.CopyTemplateRequest
	refs []secretRef
	// doubts are about cells that may not say what was meant.
	doubts []string
	// lacks names what its copy would lack, if the row is not to be sent for that.
	lacks string
	// err is why the row cannot be sent.
	err error
}

// secretRef names the place of a value that is not in the input.
type secretRef struct {
	variable string // placeholder; empty for the api_key
	source   string // refEnv or refFile
	name     string
}

const (
	refEnv  = "env"
	refFile = "file"
)

// field returns the name of the reference in the input.
func (r secretRef) field() string {
	if r.variable == "" {
		return "api_key_" + r.source
	}
	return "the variable " + r.variable
}

// resolve reads the value.
func (r secretRef) resolve() (string, error) {
	if r.source == refFile {
		return file.ReadSecret(r.name, nil)
	}
	value, ok := os.LookupEnv(r.name)
	switch {
	// digate's own settings, its token among them, are not secrets of a row.
	case strings.HasPrefix(r.name, "DIGATE_"):
		return "", errors.New("a row may not name an environment variable that begins with DIGATE_")
	case !ok || value == "":
		return "", fmt.Errorf("the environment has no %s", r.name)
	case !utf8.ValidString(value):
		return "", fmt.Errorf("%s in the environment is not UTF-8", r.name)
	}
	return value, nil
}

// maxKey bounds the key of a row, in bytes.
const maxKey = 200

// setKey gives the row its key.
func (r *row) setKey(key string) error {
	key = strings.TrimSpace(key)
	if len(key) > maxKey {
		return fmt.Errorf("the key is longer than %d bytes", maxKey)
	}
	r.key = key
	return nil
}

// set gives a placeholder its value.
func (r *row) set(variable string, value client.Variable) error {
	if r.sets(variable) {
		return fmt.Errorf("the variable %s is set twice", variable)
	}
	return client.SetVariable(r.copy, variable, value)
}

// refer adds a reference.
func (r *row) refer(ref secretRef) error {
	switch {
	case ref.name == "":
		return fmt.Errorf("%s names nothing", ref.field())
	case ref.variable == "" && (r.copy.ApiKey != nil || r.sets("")):
		return errors.New("the api_key is set twice")
	case ref.variable != "" && r.sets(ref.variable):
		return fmt.Errorf("the variable %s is set twice", ref.variable)
	}
	r.refs = append(r.refs, ref)
	return nil
}

// sets reports whether the row has a value or reference for a placeholder, or a
// reference for the api_key if variable is empty.
func (r *row) sets(variable string) bool {
	if variable != "" && client.HasVariable(r.copy, variable) {
		return true
	}
	return slices.ContainsFunc(r.refs, func(ref secretRef) bool { return ref.variable == variable })
}

// identity returns the row without its secrets. It is the same in CSV and NDJSON,
// whatever the order of the fields and the spelling of values. A reference is part of the identity, its
// value is not.
func (r *row) identity(c *contract) ([]byte, error) {
	public := canonical.Copy(r.copy)
	public.ApiKey = nil
	b, err := c.codec.AppendRequest(nil, public)
	if err != nil {
		return nil, err
	}
	var secrets [][3]string
	if r.copy.ApiKey != nil {
		secrets = append(secrets, [3]string{"", "literal", ""})
	}
	for _, ref := range r.refs {
		secrets = append(secrets, [3]string{ref.variable, ref.source, ref.name})
	}
	slices.SortFunc(secrets, func(a, b [3]string) int { return slices.Compare(a[:], b[:]) })
	refs, err := json.Marshal(secrets)
	if err != nil {
		return nil, err
	}
	return append(append(b, '\n'), refs...), nil
}

// resolve puts the values of the references into the request and validates it.
func (r *row) resolve(c *contract) error {
	if r.err != nil {
		return r.err
	}
	for _, ref := range r.refs {
		value, err := ref.resolve()
		if err != nil {
			return fmt.Errorf("%s: %w", ref.field(), err)
		}
		if ref.variable == "" {
			r.copy.ApiKey = &value
			continue
		}
		text, err := client.TextVariable(value)
		if err == nil {
			err = client.SetVariable(r.copy, ref.variable, text)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", ref.field(), err)
		}
	}
	r.refs = nil
	if err := c.rules.Validate(r.copy); err != nil {
		var violations []string
		for _, v := range apierror.FromError(err).Violations {
			violations = append(violations, v.Field+": "+v.Description)
		}
		return errors.New(strings.Join(violations, "; "))
	}
	if proto.Size(r.copy) > maxRow {
		return errRowTooLarge
	}
	return nil
}
