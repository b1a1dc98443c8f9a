package listing

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/digate/digate/server/ledger"
)

// Path is where the handler is.
const Path = "/ledger/records"

// DefaultLimit is how many records are listed unless the request says otherwise.
const DefaultLimit = 100

// patience is how long a request waits for the ledger.
const patience = 10 * time.Second

// Ledger is what the handler needs of a ledger: see [ledger.Reader].
type Ledger interface {
	List(ctx context.Context, q ledger.Query) ([]ledger.Record, error)
}

// Handler returns a handler that lists records. It changes nothing.
func Handler(l Ledger) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		q, err := Parse(r.URL.RawQuery)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		ctx, cancel := context.WithTimeout(r.Context(), patience)
		defer cancel()
		limit := q.Limit
		q.Limit++ // tells whether there are more
		found, err := l.List(ctx, q)
		if err != nil {
			http.Error(w, "the ledger cannot be used; the log has the cause", http.StatusServiceUnavailable)
			return
		}
		h := w.Header()
		h.Set("Content-Type", "application/json")
		h.Set("Cache-Control", "no-store")
		h.Set("X-Content-Type-Options", "nosniff")
		_ = json.NewEncoder(w).Encode(PageOf(found, limit))
	})
}

// Parse returns the query of a request: state, parent, record, since (RFC 3339, or a
// duration before now) and limit. A parameter with another name is an error, and so is one
// that is there twice or cannot be read: without it more would be listed than was asked for.
func Parse(query string) (q ledger.Query, err error) {
	parameters, err := url.ParseQuery(query)
	if err != nil {
		return q, errors.New("the query is malformed")
	}
	q.Limit = DefaultLimit
	for name, values := range parameters {
		if len(values) > 1 {
			return q, errors.New("a parameter is there more than once")
		}
		value := values[0]
		switch name {
		case "state":
			q.State, err = ledger.ParseState(value)
		case "parent":
			q.ParentID = value
		case "record":
			q.Record = value
		case "since":
			q.Since, err = ParseSince(value, time.Now())
		case "limit":
			q.Limit, err = strconv.Atoi(value)
		default:
			return q, errors.New("the parameters are state, parent, record, since and limit")
		}
		if err != nil {
			return q, errors.New("the parameter " + name + " is malformed")
		}
	}
	if q.Limit >= ledger.MaxListed {
		return q, errors.New("the parameter limit must be less than " + strconv.Itoa(ledger.MaxListed))
	}
	if err := q.Check(); err != nil {
		return q, errors.New("a parameter is malformed: limit is a number of 1 or more, record hexadecimal digits")
	}
	return q, nil
}

// ParseSince returns the time that a text names: RFC 3339, or a duration before now.
func ParseSince(text string, now time.Time) (time.Time, error) {
	if d, err := time.ParseDuration(text); err == nil && d >= 0 {
		return now.Add(-d), nil
	}
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return time.Time{}, errors.New("must be a duration such as 2h, or a time such as 2006-01-02T15:04:05Z")
	}
	return at, nil
}

// Values returns the parameters of a query.
func Values(q ledger.Query) url.Values {
	v := url.Values{"limit": {strconv.Itoa(q.Limit)}}
	if q.State != 0 {
		v.Set("state", q.State.String())
	}
	if q.ParentID != "" {
		v.Set("parent", q.ParentID)
	}
	if q.Record != "" {
		v.Set("record", q.Record)
	}
	if !q.Since.IsZero() {
		v.Set("since", q.Since.UTC().Format(time.RFC3339Nano))
	}
	return v
}
