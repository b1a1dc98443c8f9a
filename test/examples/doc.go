// Package examples runs the clients in ../../examples as their READMEs say.
//
// A README has blocks of sh: the last one runs the client, and those before it
// prepare that. The clients do the same and print the same (printed in
// examples_test.go), in each language. Besides what a client prints, digate's metrics
// and the journal of Diga's stand-in show which calls it made.
//
// `make examples` runs the tests. Elsewhere they are skipped. To add a client, add a
// directory and a row to the table.
package examples
