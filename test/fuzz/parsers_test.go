package fuzz

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const root = "../.."

// folders are those of the code that reads what comes from outside.
var folders = []string{"server", "cmd", "internal"}

// parserName is the name of a function that parses, by its name.
var parserName = regexp.MustCompile(`^(?i:parse|unmarshal|decode|mend)|^(Bearer|Verify)$`)

// parsed are the types of what is parsed.
var parsed = []string{"string", "[]byte", "[]string", "io.Reader", "url.Values", "http.Header", "lex.Text", "mem.BufferSlice"}

// fuzzed are the parsers, as folder.function, and the fuzz test that reaches each, beside
// the parser if it has no folder. Those whose names do not say it are here too.
var fuzzed = map[string]string{
	// Callers' headers, queries and messages.
	"server/loglevel.parse":              "FuzzParse",
	"server/authn.Bearer":                "FuzzBearer",
	"server/authn/jwt.Verify":            "FuzzVerify",
	"server/telemetry.requestID":         "FuzzRequestID",
	"server/prefer.Wait":                 "FuzzWait",
	"server/gateway.parseTimeout":        "FuzzTimeout",
	"server/gateway.parseQuery":          "FuzzQuery",
	"server/gateway.readItem":            "FuzzBulkItems",
	"server/gateway.parseUnresolved":     "FuzzBulkItems",
	"server/web.parseConnectTimeout":     "FuzzConnectTimeout",
	"server/web.parseGRPCTimeout":        "FuzzGRPCTimeout",
	"server/web.Unmarshal":               "FuzzUnmarshal",
	"server/digajson.ParseText":          "FuzzParseText",
	"server/digajson.parseNumber":        "FuzzParseText",
	"server/digajson.Unmarshal":          "FuzzForwardedWire",
	"server/digajson.UnmarshalRequest":   "FuzzRequest",
	"server/digajson.UnmarshalForwarded": "server/gateway.FuzzBulkItems",
	"server/digajson.CheckWire":          "FuzzCheckWire",
	"server/digajson.Canonical":          "server/canonical.FuzzCopy",
	"server/intake.decode":               "FuzzDecode",
	"server/intake.decompress":           "FuzzDecompress",
	"server/nearjson.Mend":               "FuzzMend",
	"server/connections.scan":            "FuzzFrames",
	"server/connections.lastField":       "FuzzHeaderBlock",
	"server/connections.verdictOn":       "FuzzHeaderBlock",
	"server/ledger/listing.Parse":        "FuzzParse",
	"server/ledger/listing.ParseSince":   "FuzzParse",
	"server/ledger.ParseState":           "server/ledger/listing.FuzzParse",
	"server/emulator.decodeJSON":         "FuzzDecodeJSON",
	"server/emulator.parseUUID":          "FuzzParseUUID",
	"server/emulator.parseInteger":       "FuzzParseInteger",
	"server/emulator.ParseState":         "FuzzParseState",
	"server/emulator.decodeDocument":     "FuzzParseState",
	"server/emulator.ParseLatency":       "FuzzParseLatency",
	"server/emulator.UnmarshalText":      "FuzzParseLatency",
	"server/emulator.parseDelay":         "FuzzParseLatency",
	// What Diga and the issuers of tokens send.
	"server/apierror.FromResponse":          "FuzzFromResponse",
	"server/apierror.retryAfter":            "FuzzRetryAfter",
	"server/digajson.UnmarshalResponse":     "FuzzResponse",
	"server/digajson.decodeFields":          "FuzzResponse",
	"server/digajson.parseTime":             "FuzzResponse",
	"server/upstream.decode":                "server/digajson.FuzzResponse",
	"server/upstream.decodeBody":            "FuzzReadBody",
	"server/upstream.decodeOutermost":       "FuzzReadBody",
	"server/preview.NamesIn":                "FuzzNamesIn",
	"server/contract/surface.UnmarshalJSON": "FuzzOfOpenAPI",
	"server/authn/jwt.parseKeys":            "FuzzParseKeys",
	// Files, settings and the environment.
	"server/accounts.Parse":                  "FuzzParse",
	"server/setting.List":                    "FuzzList",
	"server/systemd.socketNames":             "FuzzSocketNames",
	"server/telemetry/export.pairs":          "FuzzPairs",
	"server/telemetry/export.Read":           "FuzzEnvironment",
	"server/certs.parseKey":                  "FuzzLoad",
	"server/certs.certificates":              "FuzzLoad",
	"server/contractwatch.ParseURL":          "FuzzParseURL",
	"server/ledger.ParseSpec":                "FuzzParseSpec",
	"server/ledger.LoadKey":                  "FuzzLoadKey",
	"server/ledger/postgres.parse":           "FuzzParse",
	"server/socket.ParseMode":                "FuzzAddress",
	"server/socket.Path":                     "FuzzAddress",
	"server/upstream/wire.parseProxy":        "FuzzParseProxy",
	"cmd/digate.loadSettings":                "FuzzLoadSettings",
	"cmd/digate.assignmentsOrNames":          "FuzzAssignments",
	"cmd/digate/internal/file.ReadSecret":    "FuzzReadSecret",
	"cmd/digate/internal/bulk.decoded":       "FuzzCSV_AnyBytes_EveryRowHasALineOfItsOwn",
	"cmd/digate/internal/bulk.parse":         "FuzzNDJSON",
	"cmd/digate/internal/bulk.readResults":   "FuzzResults",
	"cmd/digate/internal/bulk.resultOfCells": "FuzzResults",
	"cmd/digate/internal/bulk.readLines":     "FuzzJob",
}

// exempt are functions with the name of a parser that have no fuzz test, and why.
var exempt = map[string]string{
	"server/contract.parsePath":    "reads the paths of the contract, which is part of the program",
	"server/setting.parse":         "reads the defaults of settings, which are part of the program",
	"server/exchange.ParseOutcome": "compares a word with a list",
	"server/copies.ParseMethod":    "compares a word with a list",
}

// Every function that parses what comes from outside has a fuzz test.
func TestParsers_EachHasAFuzzTest(t *testing.T) {
	functions, fuzzTests := sources(t)
	for name, isParser := range functions {
		if isParser && fuzzed[name] == "" && exempt[name] == "" {
			t.Errorf("%s parses something: write a fuzz test and name it in this list, or say why there is none", name)
		}
	}
	for name, fuzz := range fuzzed {
		if _, ok := functions[name]; !ok {
			t.Errorf("there is no %s", name)
		}
		if !strings.Contains(fuzz, "/") {
			fuzz = name[:strings.LastIndexByte(name, '.')] + "." + fuzz
		}
		if !slices.Contains(fuzzTests, fuzz) {
			t.Errorf("%s: there is no fuzz test %s", name, fuzz)
		}
	}
	for name := range exempt {
		if !functions[name] {
			t.Errorf("%s is no function with the name of a parser", name)
		}
	}
}

// sources returns the functions of the source, each with whether it is a parser by its
// name, and the fuzz tests.
func sources(t *testing.T) (functions map[string]bool, fuzzTests []string) {
	t.Helper()
	functions = make(map[string]bool)
	files, tree := token.NewFileSet(), os.DirFS(root)
	for _, folder := range folders {
		err := fs.WalkDir(tree, folder, func(name string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || !strings.HasSuffix(name, ".go") {
				return err
			}
			text, err := fs.ReadFile(tree, name)
			if err != nil {
				return err
			}
			file, err := parser.ParseFile(files, name, text, parser.SkipObjectResolution)
			if err != nil {
				return err
			}
			for _, decl := range file.Decls {
				f, ok := decl.(*ast.FuncDecl)
				if !ok {
					continue
				}
				full := path.Dir(name) + "." + f.Name.Name
				switch {
				case !strings.HasSuffix(name, "_test.go"):
					functions[full] = functions[full] || parserName.MatchString(f.Name.Name) && takesText(f.Type, files, text)
				case strings.HasPrefix(f.Name.Name, "Fuzz"):
					fuzzTests = append(fuzzTests, full)
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return functions, fuzzTests
}

// takesText reports whether a function takes what can be parsed.
func takesText(f *ast.FuncType, files *token.FileSet, text []byte) bool {
	return slices.ContainsFunc(f.Params.List, func(p *ast.Field) bool {
		from, to := files.Position(p.Type.Pos()).Offset, files.Position(p.Type.End()).Offset
		return slices.Contains(parsed, string(text[from:to]))
	})
}
