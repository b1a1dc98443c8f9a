package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/digate/digate/bench/peers/internal/process"
)

// nginx starts nginx as a proxy with its access log, which keeps connections to the
// upstream; nil where it is not installed.
func (s *stage) nginx() (*process.Process, error) {
	path, err := exec.LookPath("nginx")
	if err != nil {
		if path = "/usr/sbin/nginx"; !exists(path) {
			return nil, nil
		}
	}
	dir, addr, err := s.place("nginx")
	if err != nil {
		return nil, err
	}
	listener := "listen " + addr + ";"
	if s.settings.CertFile != "" {
		listener = fmt.Sprintf("listen %s ssl; ssl_certificate %s; ssl_certificate_key %s; "+
			"proxy_ssl_trusted_certificate %s; proxy_ssl_verify on; proxy_ssl_name localhost;",
			addr, s.settings.CertFile, s.settings.KeyFile, s.settings.CAFile)
	}
	scheme, upstream, _ := strings.Cut(s.settings.Upstream, "://")
	user := ""
	if os.Getuid() == 0 {
		user = "user root;"
	}
	config := fmt.Sprintf(`%s daemon off; worker_processes auto; worker_rlimit_nofile 8192; pid nginx.pid; error_log error.log;
events { worker_connections 4096; }
http {
	access_log access.log; client_max_body_size 8m; client_body_buffer_size 2m; keepalive_requests 100000000;
	client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi; uwsgi_temp_path uwsgi; scgi_temp_path scgi;
	upstream diga { server %s; keepalive 1024; keepalive_requests 100000000; }
	server {
		%s
		location / { proxy_pass %s://diga; proxy_http_version 1.1; proxy_set_header Connection ""; }
	}
}
`, user, upstream, listener, scheme)
	file := filepath.Join(dir, "nginx.conf")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		return nil, err
	}
	return s.run(exec.Command(path, "-p", dir, "-c", file, "-e", "error.log"), process.Serving{REST: addr})
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
