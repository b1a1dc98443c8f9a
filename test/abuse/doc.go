// Package abuse attacks digate as a stranger can: it opens streams and leaves them,
// sends messages that grow when they are decoded, resets calls as fast as it can,
// floods without a credential, sends endless metadata, reads and writes slowly.
// Meanwhile callers whom Diga knows make copies. A bare grpc-go server of the same
// contract meets the attacks on gRPC in the same run, for comparison. Others attack the
// REST listener, or the TLS and the credentials of a digate with a file of accounts.
// In some, one of the callers takes all it can of what they share.
//
// The attacks are bounded in time and number, and go to loopback addresses only.
//
// The tests of the package run each attack in a short form. The figures of
// docs/abuse.md come from `make abuse`.
package abuse
