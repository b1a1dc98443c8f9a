// Package inproc calls gRPC services inside the process: a [Channel] is at once
// the registrar that services are registered with and the connection that
// generated clients call. A call passes the same interceptors and the same
// handler as one that came over a socket, but nothing is marshalled and no
// connection is involved. A streaming method is called by [Channel.Serve], with
// the server's end of a stream that the caller implements.
//
// # What a call keeps of gRPC
//
// Status codes, messages and details, header and trailer, metadata (validated,
// without the keys that HTTP/2 reserves), deadline and cancellation are those of
// grpc-go; a suite in this package runs the same assertions against both for unary
// calls. The handler's context descends from the caller's: it carries the caller's
// values too, and it ends when the caller's ends or when the handler has returned,
// whichever comes first.
//
// # Who owns a message
//
// A unary call hands its messages over: the receiving side gets a message struct
// of its own, whose nested messages, lists, maps and byte slices are those of the
// sender. So a caller must not touch a request again once it has passed it to
// Invoke, nor send it twice, and must treat the reply as read-only. The service
// needs no rule beyond gRPC's own: it may keep and change its request, and may
// respond with a message that other calls share.
//
// The messages of a stream are passed to the caller's stream as they are. It must
// not keep one that it was sent: the handler may fill it again.
//
// # Deadlines and panics
//
// A call runs on the caller's goroutine and returns when the handler does. The
// handler is expected to heed its context; what it returns counts, even if the
// deadline has passed by then, because a late response tells more than a timeout.
//
// Panics are not recovered; that is an interceptor's job. A panic unwinds to the
// caller.
package inproc
