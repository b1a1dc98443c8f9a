package authn

import "net/http"

// Middleware authenticates an HTTP request before its body is read. A request
// without a valid credential goes to refuse and no further.
func Middleware(a Authenticator, next http.Handler, refuse func(http.ResponseWriter, *http.Request, error)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p, err := a.Authenticate(r.Context(), Request{
			Authorization: r.Header["Authorization"], TLS: r.TLS, Account: r.Header[accountHeader],
		})
		if p != nil {
			r = r.WithContext(NewContext(r.Context(), p))
		}
		if err != nil {
			refuse(w, r, err)
			return
		}
		next.ServeHTTP(w, r)
	})
}
