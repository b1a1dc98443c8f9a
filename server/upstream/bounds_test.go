package upstream

import (
	"context"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"github.com/digate/digate/server/apierror"
	"github.com/digate/digate/server/exchange"
)

func TestBoundedReader_ByteByByte_TakesExactlyTheBound(t *testing.T) {
	t.Parallel()
	for text, fails := range map[string]bool{"abc": false, "abcd": true} {
		got, err := io.ReadAll(&boundedReader{r: iotest.OneByteReader(strings.NewReader(text)), left: 3})
		if string(got) != "abc" || (err != nil) != fails {
			t.Errorf("%s: %q, %v", text, got, err)
		}
	}
}

func TestBudget_EnoughTimeOnlyWithWhatIsKeptBack_IsNotBegun(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := &call{client: &Client{timeout: time.Minute, minTime: 95 * time.Millisecond}}
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		if _, err := c.budget(ctx); err == nil {
			t.Error("begun with 90 ms, where 95 are the least")
		}
	})
}

func TestCall_TooLittleTimeAfterBeforeSend_NothingIsSent(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newClientOf(t, after(0, 201, wholeResponse), func(c *Config) { c.MinDeadline = time.Second })
		ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
		defer cancel()
		copyVia(t.Context(), c, func() (context.Context, error) { return ctx, nil }).
			want(t, apierror.ReasonDeadlineBeforeSend, exchange.NotSent, 0, 0, "deadline exceeded")
	})
}
