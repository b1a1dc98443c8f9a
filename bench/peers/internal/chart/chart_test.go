package chart_test

import (
	"encoding/xml"
	"errors"
	"io"
	"strconv"
	"strings"
	"testing"

	"github.com/digate/digate/bench/peers/internal/chart"
)

// A drawing is well-formed, and every point of a curve is inside of it.
func TestSVG_IsWellFormed(t *testing.T) {
	for _, c := range []chart.Chart{{}, {LogY: true}, {LinearX: true}} {
		c.Title, c.X, c.Y = "a < b & c", "x", "y"
		c.Label = func(v float64) string { return strconv.Itoa(int(v)) }
		c.Curves = []chart.Curve{
			{Name: "up", Points: []chart.Point{{1, 3}, {16, 40}, {1024, 977}}},
			{Name: "alone", Points: []chart.Point{{16, 5}}},
		}
		points := 0
		d := xml.NewDecoder(strings.NewReader(c.SVG()))
		for {
			token, err := d.Token()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			e, ok := token.(xml.StartElement)
			if !ok || e.Name.Local != "circle" {
				continue
			}
			points++
			for _, a := range e.Attr {
				v, _ := strconv.ParseFloat(a.Value, 64)
				if a.Name.Local == "cx" && (v < 0 || v > 720) || a.Name.Local == "cy" && (v < 0 || v > 400) {
					t.Errorf("%+v: a point at %s=%s", c, a.Name.Local, a.Value)
				}
			}
		}
		if points != 4 {
			t.Errorf("%d points", points)
		}
	}
}
