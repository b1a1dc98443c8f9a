// Command peers measures what a call through digate costs, beside what somebody
// could write or run in its place: the same calls to every peer in turn, round
// after round, each peer in a process of its own.
//
// The figure is the time of a processor that a call takes in the process, user and
// system. It is compared within a round alone, so that a machine that is busy with
// something else for a while does not decide:
//
//   - The yardstick of gRPC is parts: what a facade cannot do without. It is the
//     time of a grpc-go server that responds by itself to the same messages, plus
//     that of a net/http client that sends the same REST requests.
//   - The yardstick of REST is reverseproxy: httputil.ReverseProxy, which looks at
//     nothing.
//
// digate runs as `digate serve` does by default: it authenticates, validates, tells
// outcomes, measures, and writes a line of its log for each call.
//
// A net/http client that asks the upstream itself, without a facade, is what the peers'
// calls in a second are compared with. It is the client of parts.
//
// An upstream that stands in for Diga looks at every request, and counts them; every
// field of every response is looked at. So nobody wins by leaving work out.
//
//	go run . [-only digate] [-in-flight 16,128] [-rounds 3]
//
// compares the tree's digate with the yardsticks alone. With -binary before=PATH
// another build of digate runs in the same rounds. With -way plain,ids,bulk each digate
// is called in each way, so that digate ids ÷ digate is what a request id costs if the
// ledger is in memory, and digate bulk ÷ digate is what a copy costs as an item of a bulk
// stream, where each has a request id.
package main
