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
	creates     bool // the calls create, preview and stream, instead of copying alone
	guarded     bool // digate's own circuit breaker and limits are on
	// servers is how many digates share the calls of a long run. What looks like
	// overload lowers digate's limit to one request at a time: where requests also
	// take long, one digate would get little through.
	servers int
	// shows are the verdicts that must be told.
	shows []shown
}

var everything = []share{
	{latency, 40}, {bandwidth, 15}, {resetBefore, 40}, {resetAfter, 40}, {silentBefore, 10}, {silentAfter, 10},
	{truncated, 50}, {pageBefore, 30}, {pageAfter, 30}, {sentTwice, 30}, {closesIdle, 40}, {garbage, 20},
	{slow, 15}, {errorBefore, 30}, {errorAfter, 30}, {refusal, 40}, {storm, 60}, {busy, 40}, {noID, 20},
}

// mixes are all mixes of the suite.
var mixes = []mix{
	{
		name: "calm", what: "nothing but callers with short deadlines and callers that cancel",
		shows: []shown{{done, 400}},
	},
	{
		name: "latency", what: "each way up to 250 ms late, or 1 to 16 kB/s slow, or an upstream that takes longer than its callers wait",
		attempts: []share{{latency, 400}, {bandwidth, 200}, {slow, 150}},
		shows:    []shown{{done, 300}, {unknown, 50}},
	},
	{
		name: "reset-before", what: "the connection is reset with the request on it, before the upstream saw it",
		attempts: []share{{resetBefore, 300}}, connections: []share{{resetAccept, 150}},
		shows: []shown{{done, 250}, {unknown, 100}},
	},
	{
		name: "reset-after", what: "the upstream makes the copy and the connection is reset before a byte of its response",
		attempts: []share{{resetAfter, 400}},
		shows:    []shown{{done, 200}, {unknown, 100}},
	},
	{
		name: "half-open", what: "a connection that accepts and then says nothing, or an upstream that falls silent before or after it made the copy",
		attempts: []share{{silentBefore, 120}, {silentAfter, 120}}, connections: []share{{silentAccept, 100}},
		shows: []shown{{done, 250}, {unknown, 80}},
	},
	{
		name: "truncated", what: "responses that break off anywhere, with or without a length; responses that are not HTTP; a 2xx without an id",
		attempts: []share{{truncated, 350}, {garbage, 80}, {noID, 100}},
		shows:    []shown{{done, 200}, {unknown, 100}},
	},
	{
		name: "gateway-page", what: "a proxy responds with HTML (502, 503, 504, 520), before or after the upstream made the copy",
		attempts: []share{{pageBefore, 250}, {pageAfter, 250}},
		shows:    []shown{{done, 150}, {unknown, 100}},
	},
	{
		name: "upstream-errors", what: "500 in the upstream's envelope, before or after it made the copy, and 4xx",
		attempts: []share{{errorBefore, 200}, {errorAfter, 200}, {refusal, 250}},
		shows:    []shown{{done, 100}, {unknown, 100}, {rejected, 60}},
	},
	{
		name: "storm-429", what: "429 with Retry-After in seconds, as a date, in the past, too far off, or without one",
		attempts: []share{{storm, 700}},
		shows:    []shown{{done, 80}, {rejected, 100}},
	},
	{
		name: "busy-503", what: "503 in the upstream's envelope, with every kind of Retry-After",
		attempts: []share{{busy, 500}},
		shows:    []shown{{done, 150}, {rejected, 120}},
	},
	{
		name: "stale", what: "responses that come twice, connections that are closed just as the next request may come",
		attempts: []share{{sentTwice, 250}, {closesIdle, 350}},
		shows:    []shown{{done, 200}, {unknown, 50}},
	},
	{
		name: "refused", what: "nothing listens where the upstream should be",
		absent: true, shows: []shown{{notSent, 500}},
	},
	{
		name: "restart", what: "the upstream goes away, with every connection, and comes back on the same port, five times",
		attempts: []share{{latency, 500}}, restarts: 5,
		shows: []shown{{done, 250}, {unknown, 40}},
	},
	{
		name: "dns", what: "the upstream's name does not resolve",
		nameless: true, shows: []shown{{notSent, 500}},
	},
	{
		name: "tls", what: "over TLS: somebody else's certificate, a handshake that is cut, gets no reply, or one in plain HTTP; connections closed and reset after the copy",
		attempts: []share{{closesIdle, 350}, {resetAfter, 150}}, tls: true,
		connections: []share{{wrongCert, 220}, {cutHello, 220}, {silentHello, 40}, {plainHello, 120}}, servers: 4,
		shows: []shown{{done, 120}, {unknown, 60}, {notSent, 100}},
	},
	{
		name: "hold-ups", what: "callers that never read a response of 1 MB, over gRPC and REST, or never finish their request, among others that do",
		attempts: []share{{latency, 100}}, holdUps: 60,
		shows: []shown{{done, 400}, {unread, 15}, {unasked, 8}},
	},
	{
		name: "random", what: "all of these at once, three restarts among them",
		attempts: everything, connections: []share{{resetAccept, 30}, {silentAccept, 10}}, restarts: 3, holdUps: 10, servers: 8,
		shows: []shown{{done, 120}, {unknown, 60}, {rejected, 20}},
	},
	{
		name: "random-tls", what: "all of these at once over TLS",
		attempts: everything, tls: true, restarts: 2, holdUps: 10, servers: 8,
		connections: []share{{resetAccept, 20}, {silentAccept, 10}, {wrongCert, 30}, {cutHello, 30}, {silentHello, 10}, {plainHello, 20}},
		shows:       []shown{{done, 120}, {unknown, 60}, {rejected, 20}},
	},
	{
		name: "creates", what: "callers that create integrations and tools, and copy templates, three times each with one request id, over gRPC and REST; that preview copies and stream lists while these grow; all faults of requests at once",
		creates: true, attempts: []share{
			{latency, 30}, {bandwidth, 10}, {resetBefore, 40}, {resetAfter, 60}, {silentBefore, 5}, {silentAfter, 10},
			{truncated, 50}, {pageBefore, 20}, {pageAfter, 30}, {sentTwice, 20}, {closesIdle, 30}, {garbage, 20},
			{deletesLast, 60}, {slow, 10}, {errorBefore, 30}, {errorAfter, 40}, {refusal, 40}, {storm, 30}, {busy, 20}, {noID, 20},
		},
		servers: 8, shows: []shown{{done, 100}, {notSent, 100}, {rejected, 20}, {unknown, 60}},
	},
	{
		name: "outages", what: "two long outages of resets, HTML from a proxy and 500, and two quiet times, with digate's circuit breaker open for 200 ms at a time",
		attempts: []share{{resetBefore, 200}, {resetAfter, 200}, {pageAfter, 200}, {errorAfter, 300}},
		outages:  2, guarded: true, shows: []shown{{done, 200}, {notSent, 80}, {unknown, 80}},
	},
	{
		name: "random-guarded", what: "all of these at once and four restarts, with digate's circuit breaker, retry budget and load limit on",
		attempts: everything, connections: []share{{resetAccept, 30}, {silentAccept, 10}}, restarts: 4, guarded: true, servers: 8,
		shows: []shown{{done, 80}, {unknown, 40}, {rejected, 12}},
	},
}
