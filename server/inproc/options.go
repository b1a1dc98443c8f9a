package inproc

import (
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// checkOptions refuses the call options whose effect a caller would miss:
// credentials, authority, codecs, callbacks, and options of client interceptors,
// of which there are none here. Options that only tune a connection pass, since
// there is nothing left to tune: waiting for it, compression, the size of what
// is sent and received.
func checkOptions(opts []grpc.CallOption) error {
	for _, o := range opts {
		switch o.(type) {
		case grpc.HeaderCallOption, grpc.TrailerCallOption, grpc.PeerCallOption: // see deliver
		case grpc.EmptyCallOption, grpc.StaticMethodCallOption, grpc.FailFastCallOption,
			grpc.CompressorCallOption, grpc.MaxRetryRPCBufferSizeCallOption,
			grpc.MaxRecvMsgSizeCallOption, grpc.MaxSendMsgSizeCallOption:
		default:
			return status.Errorf(codes.Internal, "inproc: call option %T is not supported", o)
		}
	}
	return nil
}

// deliver fills in the targets of the options grpc.Header, grpc.Trailer and
// grpc.Peer.
func deliver(t *transport, opts []grpc.CallOption) {
	for _, o := range opts {
		switch o := o.(type) {
		case grpc.HeaderCallOption:
			*o.HeaderAddr = t.sentHeader()
		case grpc.TrailerCallOption:
			*o.TrailerAddr = t.finalTrailer()
		case grpc.PeerCallOption:
			*o.PeerAddr = *self
		}
	}
}
