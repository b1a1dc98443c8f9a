package abuse

import (
	"bytes"

	"google.golang.org/protobuf/encoding/protowire"

	integrationv1 "github.com/digate/digate/gen/diga/integration/v1"
)

// bombBytes is the length of a bomb, a little less than the largest message that
// servers take by default.
const bombBytes = 4<<20 - 1<<10

// bombs returns requests for copies whose variables are small on the wire and
// large once decoded.
func bombs() [][]byte {
	return [][]byte{
		bomb(listOf(nil)), // 2 bytes each
		bomb(listOf(field(5, field(1, field(1, nil))))),              // objects with an empty key, 8 bytes each
		bomb(listOf(field(6, nil))),                                  // lists
		bomb(bytes.Repeat(field(1, field(2, field(6, nil))), 1<<10)), // an object with one key many times; the request has it a few hundred times
	}
}

// listOf returns a Struct with a list of the value in the key a, many times.
func listOf(value []byte) []byte {
	item := field(1, value)
	list := bytes.Repeat(item, bombBytes/len(item))
	return field(1, append(field(1, []byte("a")), field(2, field(6, list))...))
}

// bomb returns a request for a copy with the variables, as often as it holds them.
func bomb(variables []byte) []byte {
	fields := (&integrationv1.CopyTemplateRequest{}).ProtoReflect().Descriptor().Fields()
	request := field(fields.ByName("template_id").Number(), []byte(templateID))
	one := field(fields.ByName("variables").Number(), variables)
	for {
		if request = append(request, one...); len(request)+len(one) > bombBytes {
			return request
		}
	}
}

// field returns a field that has a length, as encoded.
func field(number protowire.Number, value []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(nil, number, protowire.BytesType), value)
}
