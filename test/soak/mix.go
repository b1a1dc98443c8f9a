package soak

// share is how many of a thousand attempts, or connections, meet a kind of fault.
type share struct {
	kind     kind
	perMille int
}

// mix is the set of faults of a run.
type mix struct {
	name, what  string
	attempts    []share
	connections []share
	tls         bool // the upstream speaks TLS
	restarts    int
	outages     int  // the number of outages: faults happen only in them
	holdUps     int  // callers, of a thousand, that do not read or do not finish
	absent      bool // nothing listens where the upstream should be
	nameless    bool // the upstream's name does not resolve
	guarded     bool // digate's own circuit breaker and limits are on
	// shows are the verdicts that must occur: a run without them proves nothing.
	shows []verdict
}

var everything = []share{
	{latency, 60}, {bandwidth, 30}, {resetBefore, 40}, {resetAfter, 40}, {silentBefore, 15}, {silentAfter, 15},
	{truncated, 50}, {pageBefore, 30}, {pageAfter, 30}, {sentTwice, 30}, {closesIdle, 40}, {garbage, 20},
	{slow, 30}, {errorBefore, 30}, {errorAfter, 30}, {refusal, 40}, {storm, 60}, {busy, 40}, {noID, 20},
}

// mixes are all mixes of the suite.
var mixes = []mix{
	{
		name: "calm", what: "nothing but callers with short deadlines and callers that cancel",
		shows: []verdict{done},
	},
	{
		name: "latency", what: "each way up to 250 ms late, or 1 to 16 kB/s slow, or an upstream that takes longer than its callers wait",
		attempts: []share{{latency, 400}, {bandwidth, 200}, {slow, 150}},
		shows:    []verdict{done, unknown},
	},
	{
		name: "reset-before", what: "the connection is reset with the request on it, before the upstream saw it",
		attempts: []share{{resetBefore, 300}}, connections: []share{{resetAccept, 150}},
		shows: []verdict{done, unknown},
	},
	{
		name: "reset-after", what: "the upstream makes the copy and the connection is reset before a byte of its response",
		attempts: []share{{resetAfter, 400}},
		shows:    []verdict{done, unknown},
	},
	{
		name: "half-open", what: "a connection that accepts and then says nothing, or an upstream that falls silent before or after it made the copy",
		attempts: []share{{silentBefore, 120}, {silentAfter, 120}}, connections: []share{{silentAccept, 100}},
		shows: []verdict{done, unknown},
	},
	{
		name: "truncated", what: "responses that break off anywhere, with or without a length; responses that are not HTTP; a 2xx without an id",
		attempts: []share{{truncated, 350}, {garbage, 80}, {noID, 100}},
		shows:    []verdict{done, unknown},
	},
	{
		name: "gateway-page", what: "a proxy responds with HTML (502, 503, 504, 520), before or after the upstream made the copy",
		attempts: []share{{pageBefore, 250}, {pageAfter, 250}},
		shows:    []verdict{done, unknown},
	},
	{
		name: "upstream-errors", what: "500 in the upstream's envelope, before or after it made the copy, and 4xx",
		attempts: []share{{errorBefore, 200}, {errorAfter, 200}, {refusal, 250}},
		shows:    []verdict{done, unknown, rejected},
	},
	{
		name: "storm-429", what: "429 with Retry-After in seconds, as a date, in the past, too far off, or without one",
		attempts: []share{{storm, 700}},
		shows:    []verdict{done, rejected},
	},
	{
		name: "busy-503", what: "503 in the upstream's envelope, with every kind of Retry-After",
		attempts: []share{{busy, 500}},
		shows:    []verdict{done, rejected},
	},
	{
		name: "stale", what: "responses that come twice, connections that are closed just as the next request may come",
		attempts: []share{{sentTwice, 250}, {closesIdle, 350}},
		shows:    []verdict{done},
	},
	{
		name: "refused", what: "nothing listens where the upstream should be",
		absent: true, shows: []verdict{notSent},
	},
	{
		name: "restart", what: "the upstream goes away, with every connection, and comes back on the same port, five times",
		attempts: []share{{latency, 500}}, restarts: 5,
		shows: []verdict{done, unknown},
	},
	{
		name: "dns", what: "the upstream's name does not resolve",
		nameless: true, shows: []verdict{notSent},
	},
	{
		name: "tls", what: "over TLS: somebody else's certificate, a handshake that is cut, gets no reply, or one in plain HTTP; connections closed and reset after the copy",
		attempts: []share{{closesIdle, 350}, {resetAfter, 150}}, tls: true,
		connections: []share{{wrongCert, 120}, {cutHello, 120}, {silentHello, 40}, {plainHello, 80}},
		shows:       []verdict{done, unknown},
	},
	{
		name: "hold-ups", what: "callers that never read a response of 1 MB, over gRPC and REST, or never finish their request, among others that do",
		attempts: []share{{latency, 100}}, holdUps: 60,
		shows: []verdict{done, unread, unasked},
	},
	{
		name: "random", what: "all of these at once, three restarts among them",
		attempts: everything, connections: []share{{resetAccept, 30}, {silentAccept, 10}}, restarts: 3, holdUps: 10,
		shows: []verdict{done, unknown, rejected},
	},
	{
		name: "random-tls", what: "all of these at once over TLS",
		attempts: everything, tls: true, restarts: 2, holdUps: 10,
		connections: []share{{resetAccept, 20}, {silentAccept, 10}, {wrongCert, 30}, {cutHello, 30}, {silentHello, 10}, {plainHello, 20}},
		shows:       []verdict{done, unknown, rejected},
	},
	{
		name: "outages", what: "two long outages of resets, HTML from a proxy and 500, and two quiet times, with digate's circuit breaker open for 200 ms at a time",
		attempts: []share{{resetBefore, 200}, {resetAfter, 200}, {pageAfter, 200}, {errorAfter, 300}},
		outages:  2, guarded: true, shows: []verdict{done, notSent, unknown},
	},
	{
		name: "random-guarded", what: "all of these at once and four restarts, with digate's circuit breaker, retry budget and load limit on",
		attempts: everything, connections: []share{{resetAccept, 30}, {silentAccept, 10}}, restarts: 4, guarded: true,
		shows: []verdict{done, unknown},
	},
}
