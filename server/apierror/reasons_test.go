package apierror_test

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/digate/digate/server/apierror"
	"github.com/digate/digate/server/exchange"
)

var updateReasons = flag.Bool("update-reasons", false, "write docs/reasons.md anew")

const reasonsPage = "../../docs/reasons.md"

// samples are errors by the function that makes them: one of each code and outcome.
func samples() map[string][]*apierror.Error {
	lost, names := errors.New("lost"), []string{"a"}
	notChecked := func(code codes.Code) *apierror.Error {
		return apierror.NotChecked(&apierror.Error{Code: code, Outcome: exchange.Unknown})
	}
	one := func(e *apierror.Error) []*apierror.Error { return []*apierror.Error{e} }
	all := map[string][]*apierror.Error{
		"InvalidCredential":         one(apierror.InvalidCredential("m")),
		"CredentialExpired":         one(apierror.CredentialExpired()),
		"AuthenticationUnavailable": one(apierror.AuthenticationUnavailable()),
		"AccountRequired":           one(apierror.AccountRequired(names)),
		"OtherAccount":              one(apierror.OtherAccount(names)),
		"NotAllowed":                one(apierror.NotAllowed("m")),
		"QuotaExceeded":             one(apierror.QuotaExceeded("m", time.Second)),
		"InvalidRequest":            one(apierror.InvalidRequest(apierror.Violation{Field: "name"})),
		"BodyIncomplete":            one(apierror.BodyIncomplete()),
		"MissingCredential":         one(apierror.MissingCredential("m")),
		"RequestTooLarge":           one(apierror.RequestTooLarge(1)),
		"MetadataTooLarge":          one(apierror.MetadataTooLarge(1)),
		"ResponseTooLarge":          one(apierror.ResponseTooLarge(2, 1)),
		"PreviewTooLarge":           one(apierror.PreviewTooLarge()),
		"NotChecked":                {notChecked(codes.Unavailable), notChecked(codes.Canceled), notChecked(codes.DeadlineExceeded)},
		"RouteNotFound":             one(apierror.RouteNotFound()),
		"MethodNotAllowed":          one(apierror.MethodNotAllowed()),
		"UnknownMethod":             one(apierror.UnknownMethod()),
		"UnsupportedEncoding":       one(apierror.UnsupportedEncoding("br")),
		"UnsupportedMediaType":      one(apierror.UnsupportedMediaType()),
		"HTTP2Required":             one(apierror.HTTP2Required()),
		"UnknownEncoding":           one(apierror.UnknownEncoding()),
		"MalformedHeader":           one(apierror.MalformedHeader()),
		"Unreachable":               one(apierror.Unreachable(lost)),
		"CircuitOpen":               one(apierror.CircuitOpen(time.Second)),
		"Overloaded":                one(apierror.Overloaded(time.Second)),
		"TooManyStreams":            one(apierror.TooManyStreams()),
		"LedgerUnavailable":         one(apierror.LedgerUnavailable(lost)),
		"LedgerShareExceeded":       one(apierror.LedgerShareExceeded()),
		"AuditUnavailable":          one(apierror.AuditUnavailable()),
		"NoRecord":                  one(apierror.NoRecord()),
		"NotResolvable":             one(apierror.NotResolvable("m")),
		"InDoubt":                   one(apierror.InDoubt(apierror.Integration, nil)),
		"AlreadyCreated":            one(apierror.AlreadyCreated(apierror.Tool, "id", lost)),
		"StillUnderWay":             {apierror.StillUnderWay(context.DeadlineExceeded), apierror.StillUnderWay(context.Canceled)},
		"TooManyItems":              one(apierror.TooManyItems(1)),
		"Draining":                  one(apierror.Draining()),
		"Stalled":                   one(apierror.Stalled(time.Second)),
		"EndlessList":               one(apierror.EndlessList()),
		"Drifted":                   one(apierror.Drifted(nil)),
		"NotBegun":                  {apierror.NotBegun(context.Canceled), apierror.NotBegun(context.DeadlineExceeded)},
		"Internal":                  {apierror.Internal(lost, exchange.NotSent), apierror.Internal(lost, exchange.Unknown)},
		"FromError":                 one(apierror.FromError(status.Error(codes.Unavailable, "m"))),
		"FromStatus":                one(apierror.FromStatus(status.New(codes.Unavailable, "m"))),
	}
	for _, write := range []bool{false, true} {
		for _, cause := range []error{io.ErrUnexpectedEOF, context.Canceled, context.DeadlineExceeded} {
			all["ResponseLost"] = append(all["ResponseLost"], apierror.ResponseLost(cause, write))
		}
		for code := 100; code <= 599; code++ {
			for _, body := range []string{"", `{"status":"error","error_code":"","message":"m"}`} {
				all["FromResponse"] = append(all["FromResponse"], apierror.FromResponse(apierror.Response{Status: code, Body: []byte(body)}, write, nil))
			}
		}
	}
	return all
}

// parsed returns the files of the package without its tests.
func parsed(t *testing.T) []*ast.File {
	t.Helper()
	entries, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	var files []*ast.File
	for _, e := range entries {
		if strings.HasSuffix(e.Name(), ".go") && !strings.HasSuffix(e.Name(), "_test.go") {
			f, err := parser.ParseFile(token.NewFileSet(), e.Name(), nil, parser.SkipObjectResolution)
			if err != nil {
				t.Fatal(err)
			}
			files = append(files, f)
		}
	}
	return files
}

func TestReasons_SamplesAreOfEveryFunctionThatMakesAnError(t *testing.T) {
	t.Parallel()
	made := samples()
	for _, f := range parsed(t) {
		for _, d := range f.Decls {
			fn, ok := d.(*ast.FuncDecl)
			if !ok || fn.Recv != nil || !fn.Name.IsExported() || fn.Type.Results == nil {
				continue
			}
			if star, ok := fn.Type.Results.List[0].Type.(*ast.StarExpr); ok {
				if id, ok := star.X.(*ast.Ident); ok && id.Name == "Error" && made[fn.Name.Name] == nil {
					t.Errorf("samples has no error of %s", fn.Name.Name)
				}
			}
		}
	}
}

// Every constant of a reason has its entry, and no other has one.
func TestReasons_AreTheConstants(t *testing.T) {
	t.Parallel()
	var constants []string
	for _, f := range parsed(t) {
		ast.Inspect(f, func(n ast.Node) bool {
			spec, ok := n.(*ast.ValueSpec)
			if !ok || !strings.HasPrefix(spec.Names[0].Name, "Reason") {
				return true
			}
			if text, ok := spec.Values[0].(*ast.BasicLit); ok {
				constants = append(constants, strings.Trim(text.Value, `"`))
			}
			return true
		})
	}
	var listed []string
	for _, r := range apierror.Reasons() {
		listed = append(listed, r.Reason)
		for _, text := range []string{r.Meaning, r.Remedy} {
			if !strings.HasSuffix(text, ".") || strings.Contains(text, "|") {
				t.Errorf("%s: no sentence for a table: %q", r.Reason, text)
			}
		}
	}
	for _, reason := range constants {
		if !slices.Contains(listed, reason) {
			t.Errorf("%s has no entry in reasons.go", reason)
		}
	}
	slices.Sort(listed)
	for i, reason := range listed {
		if !slices.Contains(constants, reason) {
			t.Errorf("reasons.go explains %s, which is no constant", reason)
		}
		if i > 0 && reason == listed[i-1] {
			t.Errorf("reasons.go explains %s twice", reason)
		}
	}
}

// forms returns how each reason of digate's own comes, as the page has it.
func forms(t *testing.T) map[string][]string {
	t.Helper()
	type form struct {
		code    codes.Code
		outcome exchange.Outcome
		rest    string
		retry   bool
	}
	seen := make(map[string][]form)
	for _, errs := range samples() {
		for _, e := range errs {
			if e.Domain != apierror.DomainDigate && !slices.ContainsFunc(apierror.Reasons(), func(r apierror.ReasonInfo) bool { return r.Reason == e.Reason }) {
				continue
			}
			f := form{e.Code, e.Outcome, strconv.Itoa(e.REST(nil).Status), e.RetryAfter != nil}
			if e.HTTPStatus == e.REST(nil).Status {
				f.rest = "Diga's"
			}
			if !slices.Contains(seen[e.Reason], f) {
				seen[e.Reason] = append(seen[e.Reason], f)
			}
		}
	}
	// It is written before there is a call: server/tls.go.
	seen[apierror.ReasonTLSRequired] = []form{{outcome: exchange.NotSent, rest: "400"}}
	texts := make(map[string][]string)
	for reason, all := range seen {
		slices.SortFunc(all, func(a, b form) int {
			return cmp.Or(cmp.Compare(a.code, b.code), cmp.Compare(a.outcome, b.outcome), cmp.Compare(a.rest, b.rest), cmp.Compare(count(a.retry), count(b.retry)))
		})
		for _, f := range all {
			code := "`" + codeName(f.code) + "`"
			if f.code == codes.OK {
				code = "REST alone"
			}
			text := code + ", `" + f.outcome.String() + "`, " + f.rest
			if f.retry {
				text += ", with a delay"
			}
			texts[reason] = append(texts[reason], text)
		}
	}
	return texts
}

func count(b bool) int {
	if b {
		return 1
	}
	return 0
}

// codeName returns the name of a code as gRPC's documentation has it.
func codeName(c codes.Code) string {
	if c == codes.Canceled {
		return "CANCELLED"
	}
	var name strings.Builder
	for i, r := range c.String() {
		if i > 0 && r >= 'A' && r <= 'Z' {
			name.WriteByte('_')
		}
		name.WriteRune(r)
	}
	return strings.ToUpper(name.String())
}

func TestReasons_PageHasThem(t *testing.T) {
	t.Parallel()
	var table strings.Builder
	table.WriteString("| reason | comes as | what happened | what to do |\n|---|---|---|---|\n")
	comes := forms(t)
	for _, r := range apierror.Reasons() {
		if comes[r.Reason] == nil {
			t.Errorf("samples has no error with the reason %s", r.Reason)
		} else if !slices.Equal(r.Forms, comes[r.Reason]) {
			t.Errorf("%s comes as %q, and its Forms in reasons.go are %q", r.Reason, comes[r.Reason], r.Forms)
		}
		fmt.Fprintf(&table, "| `%s` | %s | %s | %s |\n", r.Reason, strings.Join(r.Forms, "<br>"), r.Meaning, r.Remedy)
	}
	page, err := os.ReadFile(reasonsPage)
	if err != nil {
		t.Fatal(err)
	}
	begin := strings.Index(string(page), "| reason |")
	if begin < 0 {
		t.Fatal("docs/reasons.md has no table of reasons")
	}
	length := strings.Index(string(page)[begin:], "\n\n")
	if length < 0 {
		length = len(page) - begin - 1
	}
	if string(page)[begin:begin+length+1] == table.String() {
		return
	}
	if !*updateReasons {
		t.Fatal("docs/reasons.md has another table: go test ./server/apierror -run TestReasons -update-reasons writes it anew")
	}
	text := string(page)[:begin] + table.String() + string(page)[begin+length+1:]
	if err := os.WriteFile(reasonsPage, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}
