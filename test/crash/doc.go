// Package crash ends digate, its database and its client with kill -9 at random
// moments of a bulk run with creates beside it, and starts them again. Then it
// compares the upstream's lists with the ledger and with the responses that the
// client got: nothing twice, nothing lost, every doubt named.
//
// The tests of the package run each scene in a short form. `make crash` runs the
// long form and prints the table of docs/crash.md.
package crash
