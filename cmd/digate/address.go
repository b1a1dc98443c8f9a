package main

import "net"

// dialable returns a listener's address as a client on this machine dials it.
func dialable(addr net.Addr) string {
	host, port, err := net.SplitHostPort(addr.String())
	if ip := net.ParseIP(host); err == nil && ip != nil && ip.IsUnspecified() {
		return net.JoinHostPort("127.0.0.1", port)
	}
	return addr.String()
}

func httpURL(addr net.Addr) string { return "http://" + dialable(addr) }
