package emulator_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/digate/digate/server/emulator"
)

// A test starts the emulator behind a server of its own, and points its client at it.
// Then it compares the client's conclusions with the emulator's state.
func Example() {
	diga := emulator.New(emulator.Options{Seed: 1})
	srv := httptest.NewServer(diga)
	defer srv.Close()
	defer diga.Close()

	template := diga.Templates()[0]
	req, err := http.NewRequest(http.MethodPost, srv.URL+"/v1/integration/template/"+template.ID+"/copy", strings.NewReader(`{"name": "Mine"}`))
	if err != nil {
		fmt.Println(err)
		return
	}
	req.Header.Set("Authorization", "Bearer a-token")
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = resp.Body.Close() }()
	var created struct{ ID, Name string }
	if err := json.NewDecoder(resp.Body).Decode(&created); err != nil {
		fmt.Println(err)
		return
	}
	held := diga.Integrations("a-token")
	fmt.Println(resp.StatusCode, created.Name, len(held), held[0].ID == created.ID)
	fmt.Println("another token has", len(diga.Integrations("another-token")))
	// Output:
	// 201 Mine 1 true
	// another token has 0
}

// A copy of a fault's template fails in the fault's way. Some faults create the
// integration all the same, and the caller cannot tell.
func ExampleFaults() {
	diga := emulator.New(emulator.Options{Seed: 1})
	srv := httptest.NewServer(diga)
	defer srv.Close()
	defer diga.Close()

	for _, fault := range emulator.Faults() {
		if !strings.HasPrefix(fault.Name, "reset-") {
			continue
		}
		before := len(diga.Integrations("a-token"))
		req, err := http.NewRequest(http.MethodPost, srv.URL+"/v1/integration/template/"+fault.ID+"/copy", strings.NewReader(`{}`))
		if err != nil {
			fmt.Println(err)
			return
		}
		req.Header.Set("Authorization", "Bearer a-token")
		if resp, err := http.DefaultTransport.RoundTrip(req); err == nil {
			_ = resp.Body.Close()
			fmt.Println("a response came:", resp.Status)
		}
		fmt.Println(fault.Name, "created", len(diga.Integrations("a-token"))-before)
	}
	// Output:
	// reset-before-commit created 0
	// reset-after-commit created 1
}
