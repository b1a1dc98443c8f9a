package main

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"

	peersv1 "github.com/digate/digate/bench/peers/gen/peers/v1"
	"github.com/digate/digate/bench/peers/internal/process"
)

// envoyConfig is Envoy with its access log and its filter that turns gRPC into REST. What it
// is filled with are the listener's port, the contract, the listener's TLS, the upstream's port
// and TLS.
const envoyConfig = `
static_resources:
  listeners:
  - address: {socket_address: {address: 127.0.0.1, port_value: %s}}
    filter_chains:
    - filters:
      - name: envoy.filters.network.http_connection_manager
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          codec_type: HTTP2
          http2_protocol_options: {max_concurrent_streams: 1000}
          stat_prefix: calls
          access_log:
          - name: envoy.access_loggers.file
            typed_config: {"@type": type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog, path: access.log}
          route_config:
            virtual_hosts:
            - {name: all, domains: ["*"], routes: [{match: {prefix: "/"}, route: {cluster: diga, timeout: 0s}}]}
          http_filters:
          - name: envoy.filters.http.grpc_json_reverse_transcoder
            typed_config:
              "@type": type.googleapis.com/envoy.extensions.filters.http.grpc_json_reverse_transcoder.v3.GrpcJsonReverseTranscoder
              descriptor_path: %s
          - name: envoy.filters.http.router
            typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router}
      %s
  clusters:
  - name: diga
    connect_timeout: 5s
    circuit_breakers: {thresholds: [{max_connections: 4096, max_pending_requests: 4096, max_requests: 4096}]}
    load_assignment:
      cluster_name: diga
      endpoints: [{lb_endpoints: [{endpoint: {address: {socket_address: {address: 127.0.0.1, port_value: %s}}}}]}]
    %s
`

// envoy starts Envoy with its filter grpc_json_reverse_transcoder; nil where it is not
// installed. The filter does not know response_body, so the contract is the one whose
// response is the integration.
func (s *stage) envoy() (*process.Process, error) {
	path, err := exec.LookPath("envoy")
	if errors.Is(err, exec.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	dir, addr, err := s.place("envoy")
	if err != nil {
		return nil, err
	}
	contract, err := proto.Marshal(withImports(peersv1.File_peers_v1_peers_proto))
	if err != nil {
		return nil, err
	}
	descriptors := filepath.Join(dir, "contract.binpb")
	if err := os.WriteFile(descriptors, contract, 0o600); err != nil {
		return nil, err
	}
	listener, cluster := "", ""
	if s.settings.CertFile != "" {
		listener = fmt.Sprintf(`transport_socket:
        name: envoy.transport_sockets.tls
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext
          common_tls_context:
            alpn_protocols: [h2]
            tls_certificates: [{certificate_chain: {filename: %s}, private_key: {filename: %s}}]`, s.settings.CertFile, s.settings.KeyFile)
		cluster = fmt.Sprintf(`transport_socket:
      name: envoy.transport_sockets.tls
      typed_config:
        "@type": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext
        sni: localhost
        common_tls_context:
          validation_context:
            trusted_ca: {filename: %s}
            match_typed_subject_alt_names: [{san_type: DNS, matcher: {exact: localhost}}]`, s.settings.CAFile)
	}
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, err
	}
	_, upstream, _ := strings.Cut(s.settings.Upstream, "://")
	_, upstreamPort, err := net.SplitHostPort(upstream)
	if err != nil {
		return nil, err
	}
	config := fmt.Sprintf(envoyConfig, port, descriptors, listener, upstreamPort, cluster)
	file := filepath.Join(dir, "envoy.yaml")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		return nil, err
	}
	cmd := exec.Command(path, "--config-path", file, "--disable-hot-restart", "--log-level", "warning")
	cmd.Dir = dir
	return s.run(cmd, process.Serving{GRPC: addr})
}

// withImports returns a file and all that it imports, each after its own imports.
func withImports(file protoreflect.FileDescriptor) *descriptorpb.FileDescriptorSet {
	set := new(descriptorpb.FileDescriptorSet)
	seen := make(map[string]bool)
	var add func(protoreflect.FileDescriptor)
	add = func(file protoreflect.FileDescriptor) {
		if seen[file.Path()] {
			return
		}
		seen[file.Path()] = true
		for i := range file.Imports().Len() {
			add(file.Imports().Get(i).FileDescriptor)
		}
		set.File = append(set.File, protodesc.ToFileDescriptorProto(file))
	}
	add(file)
	return set
}
