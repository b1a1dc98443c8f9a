package apierror

import (
	"maps"
	"net/http"
	"strconv"
)

// Write writes the response.
func (a RESTResponse) Write(w http.ResponseWriter) {
	maps.Copy(w.Header(), a.Header)
	w.Header().Set("Content-Length", strconv.Itoa(len(a.Body)))
	w.WriteHeader(a.Status)
	_, _ = w.Write(a.Body) // fails if the caller has disconnected
}
