package authn

import "net/http"

// Middleware returns a handler that authenticates a request before its body is read. It
// calls refuse instead of next for a request without a valid credential.
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
