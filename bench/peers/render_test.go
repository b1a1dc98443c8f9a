package main

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/digate/digate/bench/peers/internal/chart"
)

// tables returns the parts of the page that were measured, by their names.
func (m measurements) tables() map[string]string {
	tables := map[string]string{
		"machine": fmt.Sprintf("The figures are of %s, from %s.\n", m.On, m.Machine),
		"summary": m.summary(),
		"size":    m.sizeTable(),
		"cores":   m.coresTable(),
		"ledger":  m.ledgerTable(),
		"half":    m.halfTable(),
		"idle":    m.idleTable(),
		"traces":  m.tracesTable(),
		"model":   m.modelTable(),
		"check":   m.checkTable(),
	}
	peers := m.Sections[peersSection]
	for _, protocol := range []string{"grpc", "rest"} {
		var b strings.Builder
		printRatios(&b, defaults(), peers, protocol, peers.cells(protocol), false)
		tables["ratios-"+protocol] = b.String()
		b.Reset()
		var some []cell
		for _, c := range peers.cells(protocol) {
			if c.InFlight == 128 {
				some = append(some, c)
			}
		}
		printFigures(&b, defaults(), peers, protocol, some)
		tables["figures-"+protocol] = b.String()
	}
	return tables
}

// drawings returns the curves of the page, by their names.
func (m measurements) drawings() map[string]string {
	four := []curve{
		{"grpc", "digate", "digate, gRPC"}, {"grpc", "parts", "the parts"},
		{"rest", "digate", "digate, REST"}, {"rest", "reverseproxy", "ReverseProxy"},
	}
	two := []curve{four[0], four[2]}
	plain := func(v float64) string { return fmt.Sprintf("%.0f", v) }
	inFlight := chart.Chart{X: "calls in flight", Label: plain}
	byInFlight := func(c cell) float64 { return float64(c.InFlight) }
	connections := chart.Chart{X: "gRPC connections", Label: plain}
	byConnections := func(c cell) float64 { return float64(c.Connections) }
	size := chart.Chart{X: "variables", Label: func(v float64) string { return bytesText(int(v)) }, LogY: true}
	bySize := func(c cell) float64 { return float64(c.Variables) }
	titled := func(c chart.Chart, title, y string) chart.Chart {
		c.Title, c.Y = title, y
		return c
	}
	idle := titled(connections, "Memory of a digate with idle gRPC connections", "MiB")
	idle.LinearX = true
	return map[string]string{
		"concurrency-cpu": m.draw(titled(inFlight, "CPU time of a call", "µs"), concurrencySection, byInFlight, microseconds, four),
		"concurrency-rate": m.draw(titled(inFlight, "Calls in a second, with callers and upstream on the same cores", "calls/s"),
			concurrencySection, byInFlight, perSecond, two),
		"concurrency-p99": m.draw(titled(inFlight, "How long 99 of 100 calls take at most", "ms"), concurrencySection, byInFlight,
			func(s *series) float64 { return p99(s).Seconds() * 1000 }, two),
		"size-cpu": m.draw(titled(size, "CPU time of a call", "µs"), sizeSection, bySize, microseconds, four),
		"connections-cpu": m.draw(titled(connections, "CPU time of a call, 256 in flight", "µs"), connectionsSection, byConnections,
			microseconds, four[:2]),
		"idle-memory": m.draw(idle, idleSection, byConnections, mib, four[:1]),
	}
}

// curve is a peer whose figures are drawn.
type curve struct{ protocol, peer, name string }

// draw draws a figure of each cell of a section.
func (m measurements) draw(c chart.Chart, section string, at func(cell) float64, figure func(*series) float64, curves []curve) string {
	r := m.Sections[section]
	for _, drawn := range curves {
		line := chart.Curve{Name: drawn.name}
		for _, cell := range r.cells(drawn.protocol) {
			if s := r.of(cell, drawn.peer); s != nil {
				line.Points = append(line.Points, chart.Point{X: at(cell), Y: figure(s)})
			}
		}
		c.Curves = append(c.Curves, line)
	}
	return c.SVG()
}

// table writes a table, the first column to the left and the others to the right.
func table(head []string, rows [][]string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "| %s |\n|---|%s\n", strings.Join(head, " | "), strings.Repeat("--:|", len(head)-1))
	for _, row := range rows {
		fmt.Fprintf(&b, "| %s |\n", strings.Join(row, " | "))
	}
	return b.String()
}

func (m measurements) sizeTable() string {
	r := m.Sections[sizeSection]
	var rows [][]string
	for _, c := range r.cells("grpc") {
		rest := c
		rest.Protocol, rest.Connections = "rest", 0
		rows = append(rows, []string{
			bytesText(c.Variables),
			microsecondsText(r.of(c, "digate")), ratioText(r, c, "digate", "parts"),
			microsecondsText(r.of(rest, "digate")), ratioText(r, rest, "digate", "reverseproxy"),
		})
	}
	return table([]string{"variables", "gRPC, CPU of a call", "÷ parts", "REST, CPU of a call", "÷ ReverseProxy"}, rows)
}

func (m measurements) coresTable() string {
	r := m.Sections[coresSection]
	var rows [][]string
	for _, protocol := range []string{"grpc", "rest"} {
		for _, c := range r.cells(protocol) {
			one, all := r.of(c, oneCore), r.of(c, "digate")
			rows = append(rows, []string{
				fmt.Sprintf("%s, %d in flight", protocolNames[protocol], c.InFlight),
				microsecondsText(one), fmt.Sprintf("%.0f", perSecond(one)), busy(one),
				microsecondsText(all), fmt.Sprintf("%.0f", perSecond(all)), busy(all),
			})
		}
	}
	return table([]string{
		"calls", "CPU of a call, 1 core", "calls/s", "cores in use", "CPU of a call, all cores", "calls/s", "cores in use",
	}, rows)
}

// busy returns how many cores the process has kept busy.
func busy(s *series) string { return fmt.Sprintf("%.2f", perSecond(s)*microseconds(s)/1e6) }

func (m measurements) ledgerTable() string {
	r := m.Sections[ledgerSection]
	var rows [][]string
	for _, kind := range [][2]string{
		{"digate", "calls without a request id"},
		{"memory", "`memory`, each call with a new id"},
		{"bulk", "`memory`, the same as items of four bulk streams"},
		{"sqlite", "`sqlite`, each call with a new id"},
		{"postgres", "`postgres`, each call with a new id"},
	} {
		peer := kind[0]
		if r.of(r.cells("grpc")[0], peer) == nil {
			continue
		}
		row := []string{kind[1]}
		for _, c := range r.cells("grpc") {
			s := r.of(c, peer)
			row = append(row, microsecondsText(s), ratioText(r, c, peer, "digate"), fmt.Sprintf("%.0f", perSecond(s)))
		}
		rows = append(rows, row)
	}
	head := []string{"ledger"}
	for _, c := range r.cells("grpc") {
		head = append(head, fmt.Sprintf("CPU of a call, %d in flight", c.InFlight), "÷ without", "calls/s")
	}
	return table(head, rows)
}

func (m measurements) tracesTable() string {
	r := m.Sections[tracesSection]
	if r == nil {
		return "Not measured yet.\n"
	}
	var rows [][]string
	for _, protocol := range []string{"grpc", "rest"} {
		for _, c := range r.cells(protocol) {
			rows = append(rows, []string{
				fmt.Sprintf("%s, %d in flight", protocolNames[protocol], c.InFlight), microsecondsText(r.of(c, "digate")),
				microsecondsText(r.of(c, "1 %")), ratioText(r, c, "1 %", "digate"),
				microsecondsText(r.of(c, "all")), ratioText(r, c, "all", "digate"),
			})
		}
	}
	return table([]string{"calls", "CPU of a call, no traces", "1 % sampled", "÷ without", "all sampled", "÷ without"}, rows)
}

func (m measurements) halfTable() string {
	r := m.Sections[halfSection]
	var rows [][]string
	for _, s := range r.Series {
		rows = append(rows, []string{
			fmt.Sprintf("%d ms", s.Cell.Away.Milliseconds()), s.Peer, fmt.Sprintf("%.0f", perSecond(s)),
			duration(p50(s)), duration(p99(s)), fmt.Sprintf("%.1f", p99(s).Seconds()/p50(s).Seconds()),
		})
	}
	return table([]string{"Diga responds after", "peer", "calls/s", "p50", "p99", "p99 ÷ p50"}, rows)
}

func (m measurements) idleTable() string {
	r := m.Sections[idleSection]
	var rows [][]string
	for _, c := range r.cells("grpc") {
		rows = append(rows, []string{strconv.Itoa(c.Connections), fmt.Sprintf("%.0f MiB", mib(r.of(c, "digate")))})
	}
	return table([]string{"idle gRPC connections", "memory"}, rows)
}

// summary returns what the page says first.
func (m measurements) summary() string {
	peers, ledger, idle, half := m.Sections[peersSection], m.Sections[ledgerSection], m.Sections[idleSection], m.Sections[halfSection]
	grpc := cell{Protocol: "grpc", InFlight: 128, Connections: 4}
	rest := cell{Protocol: "rest", InFlight: 128}
	most := idle.cells("grpc")[len(idle.cells("grpc"))-1]
	paced := half.Series[0] // digate, with a Diga that is near
	return fmt.Sprintf(`- A copy over gRPC takes %s of CPU time. That is %s times what grpc-go and net/http alone take, and %s
  times what vanguard-go takes.
- A copy over REST takes %s of CPU time. That is %s times what httputil.ReverseProxy takes.
- With a request id and the in-memory ledger, a copy takes %s times the CPU time of a copy without an id.
- %s idle gRPC connections take %.0f MiB of memory.
- At half of the load, 99 of 100 calls take at most %s, and half of them at most %s.
`, microsecondsText(peers.of(grpc, "digate")), ratioText(peers, grpc, "digate", "parts"), ratioText(peers, grpc, "digate", "vanguard"),
		microsecondsText(peers.of(rest, "digate")), ratioText(peers, rest, "digate", "reverseproxy"),
		ratioText(ledger, grpc, "memory", "digate"), thousands(float64(most.Connections)), mib(idle.of(most, "digate")),
		duration(p99(paced)), duration(p50(paced)))
}

// modelTable says what a number of cores carry, if nothing but digate's own time
// bounds them: what a call takes at 128 in flight.
func (m measurements) modelTable() string {
	r := m.Sections[peersSection]
	var rows [][]string
	for _, protocol := range []string{"grpc", "rest"} {
		for _, c := range r.cells(protocol) {
			if c.InFlight != 128 || c.Away == 0 {
				continue
			}
			core := 1e6 / microseconds(r.of(c, "digate"))
			// Little's law, for a Diga that takes 100 ms.
			const takes = 100 * time.Millisecond
			for _, machine := range []struct {
				name  string
				cores float64
			}{{"one core", 1}, {"a machine with eight", 8}, {"a hundred such machines", 800}} {
				rate := rounded(core * machine.cores)
				rows = append(rows, []string{
					protocolNames[protocol] + ", " + machine.name, microsecondsText(r.of(c, "digate")), thousands(rate), thousands(rounded(rate * takes.Seconds())),
				})
			}
		}
	}
	return table([]string{"", "CPU of a call", "calls/s", "requests to Diga at once, if it takes 100 ms"}, rows)
}

// checkTable shows how far the time of a call, on which the model rests, is the same
// in other situations.
func (m measurements) checkTable() string {
	var rows [][]string
	for _, protocol := range []string{"grpc", "rest"} {
		connections := map[string]int{"grpc": 4}[protocol]
		row := func(name, section, peer string, c cell) {
			c.Protocol, c.Connections = protocol, max(c.Connections, connections)
			if s := m.Sections[section].of(c, peer); s != nil {
				rows = append(rows, []string{protocolNames[protocol] + ", " + name, microsecondsText(s), ratioText(m.Sections[section], c, peer, yardsticks[protocol])})
			}
		}
		const near, far = time.Duration(0), 20 * time.Millisecond
		row("as in the model", peersSection, "digate", cell{InFlight: 128, Away: far})
		row("Diga is near", peersSection, "digate", cell{InFlight: 128, Away: near})
		row("1,000 in flight", peersSection, "digate", cell{InFlight: 1000, Away: far})
		row("with TLS on both sides", peersSection, "digate", cell{InFlight: 128, TLS: true})
		row("one core", coresSection, oneCore, cell{InFlight: 128})
		if protocol == "grpc" {
			row("256 connections", connectionsSection, "digate", cell{InFlight: 256, Connections: 256})
		}
	}
	return table([]string{"situation", "CPU of a call", "÷ the yardstick in the same situation"}, rows)
}

// rounded returns a number with two digits.
func rounded(v float64) float64 {
	power := 1.0
	for v/power >= 100 {
		power *= 10
	}
	return float64(int(v/power+0.5)) * power
}

// thousands writes a number with commas.
func thousands(v float64) string {
	s := strconv.Itoa(int(v))
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

func microsecondsText(s *series) string { return fmt.Sprintf("%.0f µs", microseconds(s)) }

func ratioText(r *results, c cell, peer, other string) string {
	ratio, ok := r.ratio(c, peer, other)
	if !ok {
		return ""
	}
	return fmt.Sprintf("%.2f", ratio.median)
}
