// Package client shows how a Go program calls digate and reads what became of a
// call that failed. Its example runs against digate with the stand-in for Diga
// behind it.
package client
