package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"unicode/utf8"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"

	integrationv1 "github.com/digate/digate/gen/diga/integration/v1"
	"github.com/digate/digate/server/apierror"
	"github.com/digate/digate/server/digajson"
	"github.com/digate/digate/server/validate"
)

// maxRow bounds a row, as it stands in the input and as it is sent, in bytes.
const maxRow = 1 << 20

// bulkRow is a row of the input: a copy to make.
type bulkRow struct {
	line int
	// copy is the request, without what is referred to until resolve was called.
	copy *integrationv1.CopyTemplateRequest
	refs []secretRef
	// err is why there is no sending it.
	err error
}

// secretRef says where a value is that does not stand in the input.
type secretRef struct {
	variable string // which placeholder's value; api_key where it is empty
	source   string // refEnv or refFile
	name     string
}

const (
	refEnv  = "env"
	refFile = "file"
)

// field is how the input calls the reference.
func (r secretRef) field() string {
	if r.variable == "" {
		return "api_key_" + r.source
	}
	return "the variable " + r.variable
}

func (r secretRef) resolve() (string, error) {
	if r.source == refFile {
		return readSecret(r.name, nil)
	}
	value, ok := os.LookupEnv(r.name)
	switch {
	// The settings of digate itself, its token among them, are no row's secrets.
	case strings.HasPrefix(r.name, "DIGATE_"):
		return "", errors.New("a row may not name a variable of the environment that begins with DIGATE_")
	case !ok || value == "":
		return "", fmt.Errorf("the environment has no %s", r.name)
	case !utf8.ValidString(value):
		return "", fmt.Errorf("%s of the environment is not UTF-8", r.name)
	}
	return value, nil
}

// set gives a placeholder its value.
func (r *bulkRow) set(variable string, value *structpb.Value) error {
	if r.sets(variable) {
		return fmt.Errorf("the variable %s is set twice", variable)
	}
	if r.copy.Variables == nil {
		r.copy.Variables = &structpb.Struct{Fields: make(map[string]*structpb.Value)}
	}
	r.copy.Variables.Fields[variable] = value
	return nil
}

// refer says where a value is.
func (r *bulkRow) refer(ref secretRef) error {
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

func (r *bulkRow) sets(variable string) bool {
	if _, ok := r.copy.GetVariables().GetFields()[variable]; ok && variable != "" {
		return true
	}
	return slices.ContainsFunc(r.refs, func(ref secretRef) bool { return ref.variable == variable })
}

// contract is what a row is held to: the codec of its request, and the server's
// own rules.
type contract struct {
	codec *digajson.Codec
	rules *validate.Validator
}

var compileContract = sync.OnceValues(func() (*contract, error) {
	codec, err := digajson.Compile((&integrationv1.CopyTemplateRequest{}).ProtoReflect().Descriptor())
	if err != nil {
		return nil, err
	}
	services := integrationv1.File_diga_integration_v1_integration_service_proto.Services()
	rules, err := validate.Compile(services.ByName("IntegrationService"))
	if err != nil {
		return nil, err
	}
	return &contract{codec, rules}, nil
})

// identity is the row without its secrets, in one form however it was written:
// what is referred to stands there by its reference.
func (r *bulkRow) identity(c *contract) ([]byte, error) {
	b, err := c.codec.AppendRequest(nil, &integrationv1.CopyTemplateRequest{
		TemplateId: r.copy.TemplateId, Name: r.copy.Name, BaseUrl: r.copy.BaseUrl, Variables: r.copy.Variables,
	})
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

// resolve puts the values that are referred to into the request, and holds it to
// the rules.
func (r *bulkRow) resolve(c *contract) error {
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
		if r.copy.Variables == nil {
			r.copy.Variables = &structpb.Struct{Fields: make(map[string]*structpb.Value)}
		}
		r.copy.Variables.Fields[ref.variable] = structpb.NewStringValue(value)
	}
	r.refs = nil
	if err := c.rules.Validate(r.copy); err != nil {
		var said []string
		for _, v := range apierror.FromError(err).Violations {
			said = append(said, v.Field+": "+v.Description)
		}
		return errors.New(strings.Join(said, "; "))
	}
	if proto.Size(r.copy) > maxRow {
		return errRowTooLarge
	}
	return nil
}

var errRowTooLarge = fmt.Errorf("the row is larger than %d bytes", maxRow)
