package export

import (
	"crypto/tls"
	"errors"
	"net"
	"net/url"
	"strconv"
	"strings"
	"time"

	"golang.org/x/net/http/httpguts"

	"github.com/digate/digate/server/certs"
)

// The protocols of OTLP.
const (
	protocolGRPC = "grpc"
	protocolHTTP = "http/protobuf"
)

// of returns the value of a variable of OTLP, and its name: that of one signal if it is
// set, else that of all.
func (e *environment) of(signal, name string) (value, variable string) {
	variable = prefix + signal + "_" + name
	if value = e.get(variable); value != "" {
		return value, variable
	}
	variable = prefix + name
	return e.get(variable), variable
}

// target returns where a signal goes.
func (e *environment) target(name string, of signal) Target {
	variable := func(what string) string { _, v := e.of(name, what); return v }
	t := Target{
		GRPC:    e.one(variable("PROTOCOL"), protocolHTTP, []string{protocolGRPC, protocolHTTP}, []string{"http/json"}) == protocolGRPC,
		Timeout: e.milliseconds(variable("TIMEOUT"), 10*time.Second),
		Gzip:    e.one(variable("COMPRESSION"), "none", []string{"gzip", "none"}, nil) == "gzip",
		Headers: e.headers(name),
	}
	secure := e.endpoint(&t, name, of)
	if material := e.material(name); secure {
		t.TLS = material
	}
	return t
}

// endpoint sets the URL of a target, and reports whether TLS is spoken there.
func (e *environment) endpoint(t *Target, name string, of signal) (secure bool) {
	value, variable := e.of(name, "ENDPOINT")
	own := variable != prefix+"ENDPOINT"
	if value == "" {
		value = "http://localhost:4318"
		if t.GRPC {
			value = "http://localhost:4317"
		}
	}
	if t.GRPC && !strings.Contains(value, "://") {
		_, insecure := e.of(name, "INSECURE")
		t.URL = value
		local := strings.HasPrefix(value, "unix:")
		if !local && !isTarget(value) {
			e.problemf(variable, "must be the address of a collector: HOST:PORT, http://HOST:PORT or https://HOST:PORT")
		}
		return !e.boolean(insecure) && !local
	}
	u, err := url.Parse(value)
	switch {
	case err != nil:
		e.problemf(variable, "is not a URL")
		return false
	case u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || !isPort(u.Port()):
		e.problemf(variable, "must be the URL of a collector: http://HOST:PORT or https://HOST:PORT")
		return false
	}
	secure = u.Scheme == "https"
	if t.GRPC {
		t.URL = u.Host
		if u.Port() == "" {
			t.URL = u.Host + map[bool]string{true: ":443", false: ":80"}[secure]
		}
		return secure
	}
	if !own {
		u = u.JoinPath(of.path)
	} else if u.Path == "" {
		u.Path = "/"
	}
	t.URL = u.String()
	return secure
}

// isTarget reports whether a text is a host with a port, or without one.
func isTarget(text string) bool {
	host, port, err := net.SplitHostPort(text)
	if err != nil {
		host, port, err = net.SplitHostPort(text + ":443")
	}
	return err == nil && httpguts.ValidHostHeader(host) && isPort(port)
}

// isPort reports whether a text is the number of a port, or empty.
func isPort(text string) bool {
	_, err := strconv.ParseUint(text, 10, 16)
	return text == "" || err == nil
}

// headers returns what is sent with each request.
func (e *environment) headers(name string) map[string]string {
	value, variable := e.of(name, "HEADERS")
	all, err := pairs(value)
	if err != nil {
		e.problemf(variable, "%v", err)
		return nil
	}
	of := make(map[string]string)
	for key, v := range all {
		if !httpguts.ValidHeaderFieldName(key) || !httpguts.ValidHeaderFieldValue(v) {
			e.problemf(variable, "has a header that cannot be sent")
			return nil
		}
		of[strings.ToLower(key)] = v
	}
	return of
}

// material returns how TLS is spoken with a collector.
func (e *environment) material(name string) *tls.Config {
	var files certs.Files
	for _, f := range []struct {
		to   *certs.File
		name string
	}{
		{&files.Authorities, "CERTIFICATE"}, {&files.Certificate, "CLIENT_CERTIFICATE"}, {&files.Key, "CLIENT_KEY"},
	} {
		f.to.Path, f.to.Flag = e.of(name, f.name)
	}
	if (files.Certificate.Path == "") != (files.Key.Path == "") {
		e.problemf(files.Key.Flag, "and %s are set together or not at all", files.Certificate.Flag)
		return nil
	}
	m, err := files.Load()
	if wrong, ok := errors.AsType[*certs.FileError](err); ok {
		e.problemf(wrong.Flag, "cannot be used: %v", wrong.Err)
		return nil
	}
	return m.ClientConfig()
}
