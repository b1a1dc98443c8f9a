package term

import (
	"context"
	"io"
	"strings"
	"testing"
)

func TestConfirm_OnlyAYesIsAYes(t *testing.T) {
	t.Parallel()
	for reply, want := range map[string]bool{
		"y\n": true, "Y\r\n": true, " yes \n": true, "yes": true,
		"": false, "\n": false, "n\n": false, "yess\n": false, "no\ny\n": false,
		strings.Repeat(" ", maxLine) + "y\n": false,
	} {
		var asked strings.Builder
		err := Confirm(t.Context(), IO{In: strings.NewReader(reply), Err: &asked}, "Delete\x1b[2J?", "nothing was deleted")
		if (err == nil) != want || err != nil && !strings.HasPrefix(err.Error(), "nothing was deleted") {
			t.Errorf("%q: got %v", reply, err)
		}
		if got := asked.String(); got != "Delete\ufffd[2J? [y/N] " {
			t.Errorf("asked %q", got)
		}
	}
}

func TestConfirm_InterruptedOrUnreadable_IsARefusal(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	never, write := io.Pipe()
	t.Cleanup(func() { _ = write.Close() })
	if err := Confirm(ctx, IO{In: never, Err: io.Discard}, "Sure?", "nothing was done"); err == nil || err.Error() != "nothing was done: interrupted" {
		t.Errorf("interrupted: got %v", err)
	}
	broken, end := io.Pipe()
	_ = end.CloseWithError(io.ErrClosedPipe)
	if err := Confirm(t.Context(), IO{In: broken, Err: io.Discard}, "Sure?", "nothing was done"); err == nil || !strings.HasPrefix(err.Error(), "nothing was done: ") {
		t.Errorf("unreadable: got %v", err)
	}
}
