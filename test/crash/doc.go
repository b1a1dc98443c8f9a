// Package crash ends digate, its database and its client with kill -9 at random
// moments of a bulk run, lets them go on, and then compares the list of the
// vendor with the ledger and with what the client was told: nothing twice,
// nothing lost, every doubt named.
//
// The tests of the package run each scene in a short form. The long form, whose
// table stands in docs/crash.md, is `make crash`.
package crash
