package bulk

import (
	"bytes"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/digate/digate/cmd/digate/internal/term"
)

// workbookName returns what a file is by its name, if it is a spreadsheet's own.
func workbookName(path string) string {
	switch strings.ToLower(filepath.Ext(path)) {
	case ".xlsx", ".xlsm", ".xlsb", ".xls":
		return "an Excel workbook"
	case ".ods":
		return "an OpenDocument spreadsheet"
	case ".numbers":
		return "a Numbers spreadsheet"
	}
	return ""
}

// workbookContent returns what a file is by its first bytes, if it is a
// spreadsheet's own.
func workbookContent(first []byte) string {
	switch {
	case bytes.HasPrefix(first, []byte("PK\x03\x04")):
		return "a workbook or an archive, not CSV"
	case bytes.HasPrefix(first, []byte("\xd0\xcf\x11\xe0")):
		return "an Excel workbook"
	}
	return ""
}

// saveAsCSV says what to do with a workbook.
func saveAsCSV(path, what string) string {
	return fmt.Sprintf("%s is %s: save its sheet as \"CSV UTF-8\"", term.Printable(path), what)
}
