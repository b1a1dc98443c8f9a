package emulator

import (
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
)

func TestStore_WhatWasRead_DoesNotChangeLater(t *testing.T) {
	t.Parallel()
	e := New(Options{})
	send := func(method, path, body string) {
		t.Helper()
		r := httptest.NewRequest(method, path, strings.NewReader(body))
		r.Header.Set("Authorization", "Bearer t")
		w := httptest.NewRecorder()
		if e.ServeHTTP(w, r); w.Code >= 300 {
			t.Fatalf("%s %s: %d %s", method, path, w.Code, w.Body)
		}
	}
	send("POST", "/v1/integration/template/"+catalogue()[0].str("id")+"/copy", `{"variables":{"shop":"a"}}`)
	token, _ := bearer(map[string][]string{"Authorization": {"Bearer t"}})
	read := e.store.integrations(token)
	before := read[0]
	before.tools = append([]object(nil), before.tools...)

	path := "/v1/integration/" + read[0].id
	send("DELETE", path+"/tool/"+before.tools[0].str("id"), "")
	send("PATCH", path, `{"name":"n","headers":{"Accept":"*/*"}}`)
	send("PATCH", path+"/tool/"+before.tools[1].str("id"), `{"name":"n"}`)
	send("PATCH", path+"/tool-approval", `{"tools":[{"tool_id":"`+before.tools[2].str("id")+`","approval_required":true}]}`)
	send("DELETE", path, "")
	if !reflect.DeepEqual(read[0], before) {
		t.Errorf("changed from %+v to %+v", before, read[0])
	}
}
