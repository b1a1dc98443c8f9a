package copies

import (
	"context"
	"log/slog"

	"google.golang.org/protobuf/reflect/protoreflect"

	digatev1 "github.com/digate/digate/gen/digate/v1"
	"github.com/digate/digate/server/ledger"
)

// Marks settles doubts by proof. A call that creates an integration is sent with a
// mark at the end of the name, which no other claim has and nobody can guess. Once
// the call is recorded as done, the integration gets the name that was asked for. So
// an integration with the mark of a call in doubt is the one that the call created.
type Marks struct {
	// Mark returns the mark of a claim.
	Mark     func(key ledger.Digest, token ledger.Token) string
	Upstream Upstream
	Ledger   MarksLedger
	Observer Observer
	// BeforeSettle, if set, runs before a doubt is settled, with the request by which its
	// caller could settle it. If it fails, the doubt is not settled.
	BeforeSettle func(context.Context, *digatev1.ResolveCopyRequest) error
	Log          *slog.Logger
}

// MarksLedger keeps the records: see [ledger.Store].
type MarksLedger interface {
	Named(ctx context.Context, createdIDs []string) ([]string, error)
	Resolve(ctx context.Context, key ledger.Digest, token ledger.Token, createdID string) error
}

// markSeparator precedes the mark in a name.
const markSeparator = "~"

// suffix returns the end of the name under which the call of a claim is sent.
func (m *Marks) suffix(key ledger.Digest, token ledger.Token) string {
	return markSeparator + m.Mark(key, token)
}

// mark returns the request to send: with a mark behind its name, if calls of its kind
// are marked.
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
		// What Diga makes of an empty name, or of one that is not known, is not digate's to
		// say.
		return req, nil
	}
	a.asked, a.suffix = asked, marks.suffix(a.key, a.token)
	return withName(req, asked+a.suffix), nil
}

// withName returns a request with another name. It shares everything else with the
// original.
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
