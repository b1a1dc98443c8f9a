package upstream_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/digate/digate/bench/peers/internal/fixture"
	"github.com/digate/digate/bench/peers/internal/upstream"
)

// A request that lacks something of what the caller sent is a fault.
func TestUpstream_RequestThatLacksSomething_IsAFault(t *testing.T) {
	v := fixture.NewVariables(300)
	whole := string(fixture.AppendBody(nil, 7, v))
	for name, c := range map[string]struct {
		path, credential, body string
		fault                  bool
	}{
		"whole":         {fixture.Path, fixture.Authorization, whole, false},
		"credential":    {fixture.Path, "", whole, true},
		"path":          {fixture.Path + "s", fixture.Authorization, whole, true},
		"API key":       {fixture.Path, fixture.Authorization, strings.Replace(whole, "api_key", "apikey", 1), true},
		"name":          {fixture.Path, fixture.Authorization, strings.Replace(whole, "CRM 0", "CRM ", 1), true},
		"base URL":      {fixture.Path, fixture.Authorization, strings.Replace(whole, "https", "http", 1), true},
		"a variable":    {fixture.Path, fixture.Authorization, strings.Replace(whole, "_000001_", "_000000_", 1), true},
		"half a value":  {fixture.Path, fixture.Authorization, strings.Replace(whole, "bbb", "b", 1), true},
		"last variable": {fixture.Path, fixture.Authorization, whole[:strings.LastIndex(whole, ",")] + "}}", true},
	} {
		t.Run(name, func(t *testing.T) {
			u, err := upstream.Listen(nil, func() time.Duration { return 0 })
			if err != nil {
				t.Fatal(err)
			}
			req, err := http.NewRequest(http.MethodPost, "http://"+u.Addr()+c.path, strings.NewReader(c.body))
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Authorization", c.credential)
			req.Header.Set("Content-Type", "application/json")
			resp, err := http.DefaultClient.Do(req)
			if err == nil {
				_ = resp.Body.Close()
			}
			counts := u.Counts()
			if fault := counts.Fault != ""; fault != c.fault || (err != nil) != c.fault || counts.Requests < 1 {
				t.Errorf("%v, %+v", err, counts)
			}
		})
	}
}
