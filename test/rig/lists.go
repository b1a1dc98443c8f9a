package rig

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Created is what the upstream created.
type Created struct {
	Kind     Kind
	ID, Name string
	// At is when it was created, and Deleted when it was deleted, zero if it was not.
	At, Deleted time.Time
}

// made is what the upstream created.
type made struct {
	kind                          Kind
	id, name, parent, description string
	at, deleted                   time.Time
}

// list returns the name of the list that holds it.
func (m made) list() string {
	if m.kind == Tool {
		return m.parent
	}
	return ""
}

// All returns all that was created, the oldest first.
func (u *Upstream) All() []Created {
	u.mu.Lock()
	defer u.mu.Unlock()
	var all []Created
	for _, list := range u.lists {
		for _, m := range list {
			all = append(all, Created{m.kind, m.id, m.name, m.at, m.deleted})
		}
	}
	slices.SortFunc(all, func(a, b Created) int { return strings.Compare(a.ID, b.ID) })
	return all
}

// Made returns the ids of what was created, by name.
func (u *Upstream) Made() map[string][]string {
	u.mu.Lock()
	defer u.mu.Unlock()
	by := make(map[string][]string)
	for _, list := range u.lists {
		for _, m := range list {
			by[m.name] = append(by[m.name], m.id)
		}
	}
	return by
}

// Count returns how much of each kind was created.
func (u *Upstream) Count() map[Kind]int {
	u.mu.Lock()
	defer u.mu.Unlock()
	n := make(map[Kind]int)
	for _, list := range u.lists {
		for _, m := range list {
			n[m.kind]++
		}
	}
	return n
}

// below handles a request for a template, each of which has the name Template, or for
// a page of an integration's tools.
func (u *Upstream) below(w http.ResponseWriter, r *http.Request, behaviour Behaviour) {
	switch id := r.PathValue("id"); {
	case r.PathValue("parent") == "template":
		template := map[string]any{}
		if behaviour.Placeholder != "" {
			template["base_url"] = "https://<<" + behaviour.Placeholder + ">>.example"
		}
		b, _ := json.Marshal(map[string]any{"id": id, "name": "Template", "language": "en", "template": template})
		respond(w, http.StatusOK, b)
	case id == "tool":
		u.page(w, r, behaviour)
	default:
		http.NotFound(w, r)
	}
}

// add adds what is created to its list.
func (u *Upstream) add(m made) made {
	u.mu.Lock()
	defer u.mu.Unlock()
	n := len(u.place)
	m.id, m.at = fmt.Sprintf("%08x-0000-4000-9000-%012x", n, n), time.Now().UTC()
	u.place[m.id] = len(u.lists[m.list()])
	u.lists[m.list()] = append(u.lists[m.list()], m)
	return m
}

func (m made) json() []byte {
	var shown map[string]any
	if m.kind == Tool {
		shown = map[string]any{
			"type": "HTTP", "id": m.id, "name": m.name, "endpoint_path": "/things", "method": "GET", "query": []any{}, "body": []any{},
			"path": []any{}, "headers": map[string]any{}, "timeout": 5, "approval_required": false, "pre_speech": "auto",
		}
	} else {
		shown = map[string]any{
			"id": m.id, "name": m.name, "base_url": "https://crm.example", "auth_type": "NONE", "integration_type": "HTTP",
			// Diga writes times in several forms.
			"created_at": m.at.Format("2006-01-02T15:04:05.999999-07:00"), "updated_at": m.at.Format("2006-01-02T15:04:05.999999"),
			"requires_setup": false,
		}
	}
	if m.kind == Copy {
		shown["source_integration_template_id"] = m.parent
	}
	if m.description != "" {
		shown["description"] = m.description
	}
	b, _ := json.Marshal(shown) // nothing that JSON does not have
	return b
}

func (u *Upstream) get(w http.ResponseWriter, r *http.Request, _ Behaviour) {
	u.mu.Lock()
	var m made
	found := u.find(r.PathValue("parent"), r.PathValue("id"))
	if found != nil {
		m = *found
	}
	u.mu.Unlock()
	if found == nil {
		Failure(http.StatusNotFound, "NOT_FOUND").write(w)
		return
	}
	respond(w, http.StatusOK, m.json())
}

// find returns what is in a list under an id, nil if there is none or it was deleted.
// The caller holds the lock while it uses the result.
func (u *Upstream) find(list, id string) *made {
	n, ok := u.place[id]
	if !ok || n >= len(u.lists[list]) || u.lists[list][n].id != id || !u.lists[list][n].deleted.IsZero() {
		return nil
	}
	return &u.lists[list][n]
}

// page returns a page of a list, the newest first unless the oldest are asked for.
func (u *Upstream) page(w http.ResponseWriter, r *http.Request, b Behaviour) {
	limit, err := strconv.Atoi(cmp.Or(r.FormValue("limit"), "50"))
	order, after := cmp.Or(r.FormValue("order"), "desc"), r.FormValue("after")
	if err != nil || limit < 1 || order != "asc" && order != "desc" {
		Failure(http.StatusUnprocessableEntity, "INVALID_PAGE").write(w)
		return
	}
	page, more, ok := u.cut(r.PathValue("parent"), after, order == "asc", limit, b.DeleteLast)
	if !ok {
		Failure(http.StatusNotFound, "NOT_FOUND").write(w)
		return
	}
	items := make([]string, len(page))
	for i, m := range page {
		items[i] = string(m.json())
	}
	respond(w, http.StatusOK, fmt.Appendf(nil, `{"data":[%s],"has_more":%t}`, strings.Join(items, ","), more))
}

// cut returns the items of a page of a list, and reports whether more follow. It is
// not ok if the item before them is not in the list any more.
func (u *Upstream) cut(name, after string, ascending bool, limit int, deleteLast bool) (page []made, more, ok bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	list := u.lists[name]
	next, step := 0, 1
	if !ascending {
		next, step = len(list)-1, -1
	}
	if after != "" {
		if u.find(name, after) == nil {
			return nil, false, false
		}
		next = u.place[after] + step
	}
	for ; next >= 0 && next < len(list); next += step {
		switch {
		case !list[next].deleted.IsZero():
		case len(page) == limit:
			return page, true, true
		default:
			page = append(page, list[next])
			if deleteLast && len(page) == limit {
				list[next].deleted = time.Now()
			}
		}
	}
	return page, false, true
}
