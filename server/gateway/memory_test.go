package gateway

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/digate/digate/server/budget"
)

// count returns how many values a decoded JSON value has.
func count(v any) int {
	n := 1
	switch v := v.(type) {
	case []any:
		for _, e := range v {
			n += count(e)
		}
	case map[string]any:
		for _, e := range v {
			n += count(e)
		}
	}
	return n
}

// A value is counted before it is decoded: the estimate may be too high and never too
// low.
func TestMayDecode_TextOfManyValues_TakesTheMemoryOfAll(t *testing.T) {
	for _, element := range []string{"0", "[]", "{}", `{"a":1,"b":[2,3]}`, `"a,b"`, `[[[[]]]]`, "null", `{"":{"":{}}}`} {
		text := "[" + strings.Repeat(element+",", 1000) + element + "]"
		var v any
		if err := json.Unmarshal([]byte(text), &v); err != nil {
			t.Fatal(err)
		}
		m := budget.NewMemory(1 << 30)
		share := m.Share(budget.Caller{Known: true})
		if !reserveDecoded([]byte(text), &share, len(text)) || m.Load().Taken < int64(count(v)-1)*budget.PerValue {
			t.Errorf("%s: %d bytes are taken for %d values", element, m.Load().Taken, count(v))
		}
		share.GiveBack()
		if reserveDecoded([]byte(text), &share, 1); m.Load().Taken != budget.PerValue {
			t.Errorf("%s: %d bytes are taken for one value", element, m.Load().Taken)
		}
	}
}
