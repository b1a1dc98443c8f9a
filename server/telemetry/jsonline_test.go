package telemetry

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"testing"
	"time"
)

// FuzzJSONLines holds the lines equal to those of slog's own handler.
func FuzzJSONLines(f *testing.F) {
	for _, s := range []string{"", "call", "a b", "é", "\"", "\\", "\n", "\x7f", "\xff", "\u2028", "<&>", "~"} {
		f.Add(s, s, s, int64(1), uint64(1), int64(0), 0, uint8(0))
	}
	f.Add("call", "method", "x", int64(-5), uint64(1)<<63, int64(1_764_460_800_123_456_789), 3, uint8(1))
	f.Add("call", "method", "x", int64(-5), uint64(0), int64(-1<<63), -4, uint8(2))
	for kind := range uint8(9) {
		f.Add("call", "k", "v", int64(kind), uint64(7), int64(1_764_460_800_120_000_000), 8, kind)
	}
	f.Fuzz(func(t *testing.T, message, key, text string, signed int64, unsigned uint64, at int64, level int, kind uint8) {
		var when time.Time
		if at != 0 {
			when = time.Unix(0, at)
		}
		r := slog.NewRecord(when, slog.Level(level), message, 0)
		r.AddAttrs(slog.String(key, text), slog.Int64("signed", signed), slog.Uint64("unsigned", unsigned), slog.Bool("even", signed%2 == 0))
		switch kind {
		case 1:
			r.AddAttrs(slog.Float64(key, float64(signed)))
		case 2:
			r.AddAttrs(slog.Any(key, errors.New(text)))
		case 3:
			r.AddAttrs(slog.Group(key, slog.String("in", text)))
		case 4:
			r.AddAttrs(slog.Duration(key, time.Duration(signed)))
		case 5:
			r.AddAttrs(slog.Time(key, when))
		case 6:
			r.AddAttrs(slog.Any(key, []string{text}))
		case 7:
			r.AddAttrs(slog.Attr{})
		case 8:
			r.AddAttrs(slog.Any(key, nil))
		}
		var got, want bytes.Buffer
		lines, plain := newJSONLines(&got, nil), slog.Handler(slog.NewJSONHandler(&want, nil))
		for range 2 {
			if err := errors.Join(lines.Handle(context.Background(), r.Clone()), plain.Handle(context.Background(), r.Clone())); err != nil {
				t.Fatal(err)
			}
			lines, plain = lines.WithAttrs([]slog.Attr{slog.String("of", text)}).WithGroup("in"), plain.WithAttrs([]slog.Attr{slog.String("of", text)}).WithGroup("in")
		}
		if got.String() != want.String() {
			t.Errorf("got  %s\nwant %s", &got, &want)
		}
	})
}

func TestJSONLines_AccessLine_AllocatesNothing(t *testing.T) {
	var out bytes.Buffer
	h := newJSONLines(&out, nil)
	r := slog.NewRecord(time.Now(), slog.LevelInfo, "call", 0)
	r.AddAttrs(slog.String("protocol", "rest"), slog.String("code", "OK"), slog.Int64("duration_us", 1234))
	if got := testing.AllocsPerRun(100, func() {
		out.Reset()
		if err := h.Handle(context.Background(), r); err != nil {
			t.Error(err)
		}
	}); got > 0 {
		t.Errorf("%v allocations", got)
	}
}
