// Package rolling restarts two replicas of digate in turns, as a rolling update does:
// under load, with a ledger in PostgreSQL, behind a balancer of TCP connections that
// learns from /readyz alone. No call of any client may fail by it, and nothing may be
// made twice.
//
// `make rolling` runs it for longer.
package rolling
