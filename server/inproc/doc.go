// Package inproc calls gRPC services inside the process: a [Channel] is the registrar
// that services are registered with, and calls their methods. A call passes the same
// interceptors and the same handler as one that came over a socket, but nothing is
// marshalled and no connection is involved. A unary method is called by [Channel.Call],
// whose caller fills in the request that the method has made. A streaming method is
// called by [Channel.Serve], with the server's end of a stream that the caller
// implements. [Channel.Carry] calls either kind for a caller whose messages are encoded.
//
// # What a call keeps of gRPC
//
// Status codes, messages and details, header, deadline and cancellation are those of
// grpc-go; a suite in this package runs the same assertions against both for unary
// calls. The handler's context descends from the caller's: it carries the caller's
// values too, incoming metadata among them, and it ends when the caller's ends or when
// the handler has returned, whichever comes first.
//
// # Who owns a message
//
// A request belongs to the service, which may keep and change it. A response must be
// treated as read-only: the service may respond with a message that other calls share.
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
