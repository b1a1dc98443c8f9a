package bulk

import (
	"sync"

	integrationv1 "github.com/digate/digate/gen/diga/integration/v1"
	server "github.com/digate/digate/server/contract"
	"github.com/digate/digate/server/digajson"
	"github.com/digate/digate/server/validate"
)

// contract holds what rows are checked against: the codec of their requests, and
// the server's own validation rules.
type contract struct {
	codec *digajson.Codec
	rules *validate.Validator
}

var compileContract = sync.OnceValues(func() (*contract, error) {
	codec, err := digajson.Compile(new(integrationv1.CopyTemplateRequest).ProtoReflect().Descriptor())
	if err != nil {
		return nil, err
	}
	rules, err := validate.Compile(server.Integration())
	if err != nil {
		return nil, err
	}
	return &contract{codec, rules}, nil
})
