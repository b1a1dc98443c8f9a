package copies

import (
	"context"
	"log/slog"

	"google.golang.org/protobuf/reflect/protoreflect"

	digatev1 "github.com/digate/digate/gen/digate/v1"
	"github.com/digate/digate/server/ledger"
)

// Marks settles doubts by proof. A call that creates an integration is sent with a mark
// at the end of the name. The mark is unique to the claim, and nobody can guess it. Once
// the call is recorded as done, the integration is renamed to the requested name. An
// integration that still has the mark of a call in doubt was therefore created by that
// call.
type Marks struct {
	// Mark returns the mark of a claim.
	Mark     func(key ledger.Digest, token ledger.Token) string
	Upstream Upstream
	Ledger   MarksLedger
	Observer Observer
	// BeforeSettle, if set, runs before a doubt is settled. It gets the request with
	// which the caller could have settled it. If BeforeSettle fails, the doubt is not
	// settled.
	BeforeSettle func(context.Context, *digatev1.ResolveCopyRequest) error
	Log          *slog.Logger
}

// MarksLedger stores the records; see [ledger.Store].
type MarksLedger interface {
	Named(ctx context.Context, createdIDs []string) ([]string, error)
	Resolve(ctx context.Context, key ledger.Digest, token ledger.Token, createdID string) error
}

// markSeparator separates the mark from the name.
const markSeparator = "~"

// suffix returns what is added to the name in the request of a claim.
func (m *Marks) suffix(key ledger.Digest, token ledger.Token) string {
	return markSeparator + m.Mark(key, token)
}

// mark returns the request to send. If calls of its kind are marked, the mark is added to
// its name.
func (a *attempt) mark() (request, error) {
	req, marks := a.create.request(), a.coordinator.cfg.Marks
	if marks == nil {
		return req, nil
	}
	name := a.create.name()
	if name == nil {
		return req, nil
	}
	asked, err := name(a.ledgerTime)
	if err != nil {
		return nil, err
	}
	if asked == "" {
		// Only Diga decides what an empty or unknown name becomes, so the request gets no
		// mark.
		return req, nil
	}
	a.requestedName, a.suffix = asked, marks.suffix(a.key, a.token)
	return withName(req, asked+a.suffix), nil
}

// withName returns a copy of a request with another name. All other fields are shared
// with the original.
func withName(req request, name string) request {
	from := req.ProtoReflect()
	to := from.New()
	from.Range(func(field protoreflect.FieldDescriptor, value protoreflect.Value) bool {
		to.Set(field, value)
		return true
	})
	to.Set(from.Descriptor().Fields().ByName("name"), protoreflect.ValueOfString(name))
	return to.Interface().(request)
}
