// Package chart draws curves as SVG.
package chart

import (
	"fmt"
	"html"
	"math"
	"strings"
)

// Chart is a diagram of curves.
type Chart struct {
	Title, X, Y string
	// Label writes a value of the horizontal axis, which is logarithmic unless it is
	// linear.
	Label   func(x float64) string
	LinearX bool
	// LogY makes the vertical axis logarithmic, without a zero.
	LogY   bool
	Curves []Curve
}

// Curve is a curve with its points from left to right.
type Curve struct {
	Name   string
	Points []Point
}

// Point is a point of a curve.
type Point struct{ X, Y float64 }

const (
	width, height             = 720, 400
	left, right, top, bottom  = 70, 190, 40, 60
	plotWidth, plotHeight     = width - left - right, height - top - bottom
	grid, ink, muted          = "#d8dee4", "#1f2328", "#59636e"
	lineHeight                = 20
	fewestLines, mostInterval = 4, 5
)

// colours are told apart by most people who see some colours alike (Okabe and Ito).
var colours = []string{"#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000"}

// SVG returns the drawing.
func (c Chart) SVG() string {
	x, y, xs, lines := c.axes()
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="system-ui, sans-serif" font-size="13">`+"\n", width, height)
	fmt.Fprintf(&b, `<rect width="%d" height="%d" fill="#ffffff"/>`+"\n", width, height)
	text := func(x, y float64, anchor, colour, s string) {
		fmt.Fprintf(&b, `<text x="%.1f" y="%.1f" text-anchor="%s" fill="%s">%s</text>`+"\n", x, y, anchor, colour, html.EscapeString(s))
	}
	line := func(x1, y1, x2, y2 float64, colour string) {
		fmt.Fprintf(&b, `<line x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f" stroke="%s"/>`+"\n", x1, y1, x2, y2, colour)
	}
	text(left, top-18, "start", ink, c.Title)
	for _, v := range lines {
		line(left, y(v), left+plotWidth, y(v), grid)
		text(left-8, y(v)+4, "end", muted, number(v))
	}
	for _, v := range xs {
		line(x(v), top+plotHeight, x(v), top+plotHeight+5, muted)
		text(x(v), top+plotHeight+lineHeight, "middle", muted, c.Label(v))
	}
	text(left+plotWidth/2, height-14, "middle", ink, c.X)
	fmt.Fprintf(&b, `<text transform="translate(16 %d) rotate(-90)" text-anchor="middle" fill="%s">%s</text>`+"\n",
		top+plotHeight/2, ink, html.EscapeString(c.Y))
	for i, curve := range c.Curves {
		colour := colours[i%len(colours)]
		points := make([]string, len(curve.Points))
		for j, p := range curve.Points {
			points[j] = fmt.Sprintf("%.1f,%.1f", x(p.X), y(p.Y))
			fmt.Fprintf(&b, `<circle cx="%.1f" cy="%.1f" r="3" fill="%s"/>`+"\n", x(p.X), y(p.Y), colour)
		}
		fmt.Fprintf(&b, `<polyline points="%s" fill="none" stroke="%s" stroke-width="2"/>`+"\n", strings.Join(points, " "), colour)
		at := float64(top + 10 + i*lineHeight)
		fmt.Fprintf(&b, `<line x1="%d" y1="%.1f" x2="%d" y2="%.1f" stroke="%s" stroke-width="2"/>`+"\n",
			left+plotWidth+16, at, left+plotWidth+36, at, colour)
		text(left+plotWidth+42, at+4, "start", ink, curve.Name)
	}
	b.WriteString("</svg>\n")
	return b.String()
}

// axes returns where values are in the drawing, and which of them the axes show: the
// horizontal one each point's, the vertical one those of its lines.
func (c Chart) axes() (x, y func(v float64) float64, xs, lines []float64) {
	least, greatest, lowest, highest := math.Inf(1), math.Inf(-1), math.Inf(1), 0.0
	seen := make(map[float64]bool)
	for _, curve := range c.Curves {
		for _, p := range curve.Points {
			least, greatest = min(least, p.X), max(greatest, p.X)
			lowest, highest = min(lowest, p.Y), max(highest, p.Y)
			if !seen[p.X] {
				seen[p.X], xs = true, append(xs, p.X)
			}
		}
	}
	y = func(v float64) float64 { return top + plotHeight*(1-v/highest) }
	if c.LogY {
		low, high := math.Floor(math.Log10(lowest)), math.Ceil(math.Log10(highest))
		for power := low; power <= high; power++ {
			lines = append(lines, math.Pow(10, power))
		}
		y = func(v float64) float64 { return top + plotHeight*(1-(math.Log10(v)-low)/(high-low)) }
	} else {
		step := interval(highest)
		highest = step * math.Ceil(highest/step)
		for v := 0.0; v <= highest+step/2; v += step {
			lines = append(lines, v)
		}
	}
	x = func(v float64) float64 {
		switch {
		case greatest == least:
			return left
		case c.LinearX:
			return left + plotWidth*(v-least)/(greatest-least)
		default:
			return left + plotWidth*math.Log(v/least)/math.Log(greatest/least)
		}
	}
	return x, y, xs, lines
}

// interval returns the distance of the horizontal lines: 1, 2 or 5 times a power of
// ten, such that there are some, and not many.
func interval(highest float64) float64 {
	if highest <= 0 {
		return 1
	}
	power := math.Pow(10, math.Floor(math.Log10(highest)))
	for _, step := range []float64{power / mostInterval, power / 2, power} {
		if n := highest / step; n >= fewestLines-1 && n <= 2*fewestLines {
			return step
		}
	}
	return power
}

// number writes a value of the vertical axis.
func number(v float64) string {
	if v >= 10_000 {
		return fmt.Sprintf("%gk", v/1000)
	}
	return fmt.Sprintf("%.6g", v)
}
