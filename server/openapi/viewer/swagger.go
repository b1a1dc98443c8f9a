package viewer

import (
	"embed"
	"encoding/json"
	"net/http"
	"path"
	"strings"

	"github.com/digate/digate/server/static"
)

//go:embed swagger-ui
var swagger embed.FS

const (
	folder = "swagger-ui"
	// RecordFile is the file beside those of Swagger UI that says which package they are
	// from.
	RecordFile = "source.json"
	// Zipped ends the name of a file that is kept compressed.
	Zipped = ".gz"
)

// Files are the files of Swagger UI as they are kept, by the name that each has in its
// package. What its license asks to be passed on is among them.
var Files = map[string]string{
	"swagger-ui-bundle.js":             "swagger-ui-bundle.js" + Zipped,
	"swagger-ui.css":                   "swagger-ui.css" + Zipped,
	"swagger-ui-bundle.js.LICENSE.txt": "swagger-ui-bundle.js.LICENSE.txt",
	"LICENSE":                          "LICENSE",
	"NOTICE":                           "NOTICE",
}

// Source is the npm package that the files of Swagger UI are from.
type Source struct {
	Package string `json:"package"`
	Version string `json:"version"`
	// Integrity is the digest of the package, as npm writes it.
	Integrity string `json:"integrity"`
	// SHA256 is the digest of each file in the package.
	SHA256 map[string]string `json:"sha256"`
}

// Recorded returns where the files are from.
func Recorded() (s Source, err error) {
	text, err := swagger.ReadFile(path.Join(folder, RecordFile))
	if err != nil {
		return s, err
	}
	return s, json.Unmarshal(text, &s)
}

// swaggerHandlers returns the handlers of the files of Swagger UI, by their names in the
// package.
func swaggerHandlers() map[string]http.Handler {
	handlers := make(map[string]http.Handler)
	for name, kept := range Files {
		read := func() ([]byte, error) { return swagger.ReadFile(path.Join(folder, kept)) }
		if !strings.HasSuffix(kept, Zipped) {
			handlers[name] = static.Text(plainText, read)
			continue
		}
		kind := javaScript
		if path.Ext(name) == ".css" {
			kind = styleSheet
		}
		handlers[name] = static.Zipped(kind, read)
	}
	return handlers
}
