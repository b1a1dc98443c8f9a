package term

import (
	"os"

	"golang.org/x/sys/windows"
)

// hide keeps a console from showing what is typed, and from making lines of it, until
// shown is called. No process is suspended there, so again is never called.
func hide(f *os.File, _ func()) (shown func(), err error) {
	console := windows.Handle(f.Fd())
	var before uint32
	if err := windows.GetConsoleMode(console, &before); err != nil {
		return nil, err
	}
	hidden := before &^ (windows.ENABLE_ECHO_INPUT | windows.ENABLE_LINE_INPUT)
	if err := windows.SetConsoleMode(console, hidden); err != nil {
		return nil, err
	}
	return func() { _ = windows.SetConsoleMode(console, before) }, nil
}
