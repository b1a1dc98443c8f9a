package integration

import (
	"context"
	"crypto/sha256"
	"errors"
	"sync/atomic"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/digate/digate/server/apierror"
	"github.com/digate/digate/server/exchange"
	"github.com/digate/digate/server/upstream"
)

const (
	// streamPage is the number of items in a page of a stream, unless these are too large
	// for one response.
	streamPage = 100
	// maxStale is how many pages in a row may contain nothing new. A list with more of
	// them is endless.
	maxStale = 20
	// maxSeen is the maximum number of ids that a stream remembers in order to send each
	// item once.
	maxSeen = 100_000
)

// page is one page of a list.
type page[Item any] interface {
	GetData() []Item
	GetLastId() string
	GetHasMore() bool
}

// listing is a list that is streamed.
type listing[Item any] struct {
	after *string // the id after which the stream begins
	most  *int32  // how many items are streamed; nil for all
	page  func(ctx context.Context, after *string, limit int32) (page[Item], error)
	id    func(Item) string
	// send waits until the stream has accepted the item.
	send func(Item) error
	// asking reports whether a request for a page is in progress.
	asking atomic.Bool
}

// stream sends the items of a list, page by page. It reads a page once the stream has
// accepted the items of the previous one. The stream ends if nothing moves for the stall
// timeout, and when the server stops. The outcome of its error is that of the next page.
func stream[Item any](ctx context.Context, s *Service, l *listing[Item]) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	moved := make(chan struct{}, 1)
	ended := make(chan error, 1)
	go func() { ended <- l.run(ctx, moved) }()
	outcome := func() exchange.Outcome {
		if l.asking.Load() {
			return exchange.Unknown
		}
		return exchange.NotSent
	}
	timer := time.NewTimer(s.bulk.StallTimeout)
	defer timer.Stop()
	for {
		select {
		case err := <-ended:
			return err
		case <-moved:
			timer.Reset(s.bulk.StallTimeout)
		case <-s.draining:
			return apierror.Draining().WithOutcome(outcome()).WithMessage("the server is stopping; go on after the last item, on another one")
		case <-timer.C:
			return apierror.Stalled(s.bulk.StallTimeout).WithOutcome(outcome()).WithMessage("the stream stood still for too long; go on after the last item")
		}
	}
}

// run sends the items until the list ends. It notes each move of the stream.
func (l *listing[Item]) run(ctx context.Context, moved chan<- struct{}) error {
	sent := make(seen)
	left := int32(-1) // no limit
	if l.most != nil {
		left = *l.most
	}
	var cursors cursors
	back := 0 // how many ids before the last one the latest cursor was
	size := int32(streamPage)
	for after, stale := l.after, 0; ; {
		limit := size
		if left >= 0 {
			limit = min(limit, left)
		}
		p, err := l.ask(ctx, after, limit)
		note(moved)
		if limit > 1 && errors.Is(err, upstream.ErrResponseTooLarge) {
			size = limit / 2
			continue
		}
		if err != nil {
			back = 2*back + 1 // a few requests find an item that still exists
			if after = cursors.before(err, back); after == nil {
				return err
			}
			continue
		}
		stale++
		cursors = nil // the cursors are positions in the previous page
		for _, item := range p.GetData() {
			id := l.id(item)
			if id != "" {
				cursors = append(cursors, id)
				if !sent.first(id) {
					continue
				}
			}
			if err := l.send(item); err != nil {
				return notSent(ctx, err)
			}
			note(moved)
			stale = 0
			if left--; left == 0 {
				return nil
			}
		}
		if !p.GetHasMore() {
			return nil
		}
		if last := p.GetLastId(); last != "" && (len(cursors) == 0 || cursors[len(cursors)-1] != last) {
			cursors = append(cursors, last)
		}
		if len(cursors) == 0 || stale >= maxStale || after != nil && *after == cursors[len(cursors)-1] {
			return apierror.EndlessList()
		}
		after, back = &cursors[len(cursors)-1], 0
	}
}

// ask reads a page.
func (l *listing[Item]) ask(ctx context.Context, after *string, limit int32) (page[Item], error) {
	l.asking.Store(true)
	defer l.asking.Store(false)
	return l.page(ctx, after, limit)
}

// note records that the stream moved.
func note(moved chan<- struct{}) {
	select {
	case moved <- struct{}{}:
	default:
	}
}

// notSent returns the error of a stream that did not accept an item.
func notSent(ctx context.Context, err error) error {
	switch cause := ctx.Err(); {
	case errors.Is(cause, context.Canceled):
		return apierror.NotBegun(cause).WithMessage("the caller left before the end of the list")
	case cause != nil:
		return apierror.NotBegun(cause).WithMessage("the deadline passed before the end of the list")
	}
	return err
}

// cursors are the ids in a page. The next page can begin after each of them.
type cursors []string

// before returns the id that is back positions before the last one, if the error says
// that Diga does not know the last one because its item was deleted. It returns nil for
// any other error, and if there is no such id.
func (c cursors) before(err error, back int) *string {
	if code := apierror.FromError(err).Code; code != codes.InvalidArgument && code != codes.NotFound || back >= len(c) {
		return nil
	}
	return &c[len(c)-1-back]
}

// seen are the ids that were seen, hashed to limit their size.
type seen map[[16]byte]struct{}

// first reports whether an id is seen for the first time.
func (s seen) first(id string) bool {
	digest := sha256.Sum256([]byte(id))
	key := [16]byte(digest[:16])
	if _, again := s[key]; again {
		return false
	}
	if len(s) >= maxSeen {
		clear(s) // a repeated item follows soon after the first one, or not at all
	}
	s[key] = struct{}{}
	return true
}
