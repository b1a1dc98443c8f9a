package httpserver

import "net/http"

// closeChunked returns a handler that closes the connection after an HTTP/1 request with
// a chunked body. If such a request also had a Content-Length, a proxy could see another
// end of the body (RFC 9112, 6.1: the server must close the connection), and net/http
// does not report which requests had one.
func closeChunked(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if len(r.TransferEncoding) > 0 {
			w.Header().Set("Connection", "close")
		}
		next.ServeHTTP(w, r)
	})
}
