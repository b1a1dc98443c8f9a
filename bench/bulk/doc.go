// Package bulk measures what a ledger costs a copy, and what a bulk run of many
// copies needs.
//
// The tests of the package run each case in a short form. The figures of
// docs/bulk.md come from `make bulk` and
//
//	go test -run '^$' -bench . -benchmem -count 3 ./bench/bulk
package bulk
