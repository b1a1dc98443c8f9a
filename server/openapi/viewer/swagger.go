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
	// RecordFile is the file that records the package which the files of Swagger UI come
	// from.
	RecordFile = "source.json"
	// Zipped is the suffix of a file that is stored compressed.
	Zipped = ".gz"
)

// Files are the stored files of Swagger UI, by their names in the package. They include
// those that its license requires to be distributed.
var Files = map[string]string{
	"swagger-ui-bundle.js":             "swagger-ui-bundle.js" + Zipped,
	"swagger-ui.css":                   "swagger-ui.css" + Zipped,
	"swagger-ui-bundle.js.LICENSE.txt": "swagger-ui-bundle.js.LICENSE.txt",
	"LICENSE":                          "LICENSE",
	"NOTICE":                           "NOTICE",
}

// Source is the npm package that the files of Swagger UI come from.
type Source struct {
	Package string `json:"package"`
	Version string `json:"version"`
	// Integrity is the digest of the package, in npm's form.
	Integrity string `json:"integrity"`
	// SHA256 is the digest of each file in the package.
	SHA256 map[string]string `json:"sha256"`
}

// Recorded returns the recorded source of the files.
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
