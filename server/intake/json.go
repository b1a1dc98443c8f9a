package intake

import (
	"regexp"
	"time"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/digate/digate/server/apierror"
	"github.com/digate/digate/server/budget"
	"github.com/digate/digate/server/digajson"
)

// maxNesting bounds how deep the messages of a JSON text nest. A level of a Struct is
// two of them.
const maxNesting = 4 * digajson.MaxDepth

// fromJSON returns the protobuf of a message that is JSON, as protojson has it: unknown
// fields are ignored, as in protobuf.
func (i *Intake) fromJSON(text []byte, m *message) ([]byte, error) {
	memory := i.share(m.ctx)
	defer memory.GiveBack()
	if len(text) > budget.Small {
		values := budget.JSONValues(text)
		if !memory.Take(int64(len(text))*budget.PerByte + int64(min(values, digajson.MaxValues))*budget.PerValue) {
			return nil, apierror.Overloaded(time.Second)
		}
	}
	read := m.proto.ProtoReflect().New().Interface()
	if err := (protojson.UnmarshalOptions{DiscardUnknown: true, RecursionLimit: maxNesting}).Unmarshal(text, read); err != nil {
		return nil, notJSON(err)
	}
	b, err := proto.Marshal(read)
	if err != nil {
		return nil, notJSON(err)
	}
	return b, nil
}

var jsonPosition = regexp.MustCompile(`\(line (\d+:\d+)\)`)

// notJSON returns the error of a message that is no JSON of its type. Protojson's own
// text may quote the value that is wrong: the position alone is shown.
func notJSON(err error) error {
	description := "is no JSON of the request's type"
	if at := jsonPosition.FindStringSubmatch(err.Error()); at != nil {
		description += ", at line " + at[1]
	}
	return invalid(description, "JSON_INVALID")
}
