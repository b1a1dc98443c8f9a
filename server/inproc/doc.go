// Package inproc calls gRPC services inside the process: a [Channel] is at once
// the registrar that services are registered with and the connection that
// generated clients call. A call passes the same interceptors and the same
// handler as one that came over a socket, streams included, but nothing is
// marshalled and no connection is involved.
//
// # What a call keeps of gRPC
//
// Status codes, messages and details, header and trailer, metadata (validated,
// without the keys that HTTP/2 reserves), deadline, cancellation, half-close,
// flow control and cardinality are those of grpc-go; a suite in this package
// runs the same assertions against both. The handler's context descends from the
// caller's: it carries the caller's values too, and it ends when the caller's
// ends or when the handler has returned, whichever comes first.
//
// # Who owns a message
//
// A unary call hands its messages over: the receiving side gets a message struct
// of its own, whose nested messages, lists, maps and byte slices are those of the
// sender. So a caller must not touch a request again once it has passed it to
// Invoke, nor send it twice, and must treat the reply as read-only. The service
// needs no rule beyond gRPC's own: it may keep and change its request, and may
// answer with a message that other calls share.
//
// A stream copies each message as it is sent, deeply: both sides may do with
// theirs what they like. Senders that fill one message again and again are common
// enough in streams, and the error would be a wrong value rather than a crash.
//
// # Deadlines and panics
//
// A unary call runs on the caller's goroutine and returns when the handler does.
// The handler is expected to heed its context; what it answers counts, even if the
// deadline has passed by then, because a late answer says more than a timeout.
//
// Panics are not recovered; that is an interceptor's job. In a unary call a panic
// unwinds to the caller. A stream's handler has a goroutine of its own, where a
// panic would end the process, so it crosses over: the client's RecvMsg panics
// with a [HandlerPanic]. A client that has left its stream never learns of it.
package inproc
