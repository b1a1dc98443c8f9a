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

// maxNesting is the maximum nesting depth of messages in a JSON text. A level of a Struct
// is two messages.
const maxNesting = 4 * digajson.MaxDepth

// fromJSON converts a JSON message to protobuf, as protojson does. Unknown fields are
// ignored, as in protobuf.
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

// notJSON returns the error of a message that is not valid JSON for its type. It has only
// the position of the error, because protojson's text may quote the value.
func notJSON(err error) error {
	description := "is no JSON of the request's type"
	if at := jsonPosition.FindStringSubmatch(err.Error()); at != nil {
		description += ", at line " + at[1]
	}
	return invalid(description, "JSON_INVALID")
}
