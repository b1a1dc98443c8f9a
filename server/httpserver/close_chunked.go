package httpserver

import "net/http"

// closeChunked returns a handler that closes the connection after a request of HTTP/1
// whose body came in chunks. One with a Content-Length beside them could mean another
// end of the body to a proxy in front (RFC 9112, 6.1: the server must close the
// connection), and net/http does not tell which request had one.
func closeChunked(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if len(r.TransferEncoding) > 0 {
			w.Header().Set("Connection", "close")
		}
		next.ServeHTTP(w, r)
	})
}
