// Package clients calls digate, as a process, with the gRPC libraries that its
// callers use, and holds it to what they need of a server.
//
// A driver is a small program in a client's language, below this directory. It is
// given the path of a plan (plan in driver_test.go), makes the calls of the plan all
// at once, and writes a line of JSON for each when it ends. The end of its standard
// input cancels the calls that are under way. A driver encodes, sends and reads as
// the library's users do, and error details as the library's own helper reads them.
//
// The drivers of Connect's libraries also speak Connect and gRPC-Web. One of them is a web
// page, which makes its calls from a headless Chromium.
//
// `make clients` installs the libraries, in the versions that the drivers name, and
// runs the tests. Elsewhere they are skipped.
package clients
