package web

import (
	"mime"
	"net/http"
	"strings"

	"github.com/digate/digate/server/exchange"
)

// protocol is the protocol and encoding of a request. The zero protocol means that the
// request has none of this package's.
type protocol struct {
	name     exchange.Protocol
	json     bool // messages are JSON instead of protobuf
	streamed bool // of Connect: messages are in envelopes, as in streams
}

// The content types of requests.
const (
	typeUnaryProto  = "application/proto"
	typeUnaryJSON   = "application/json"
	typeStreamProto = "application/connect+proto"
	typeStreamJSON  = "application/connect+json"
	typeWeb         = "application/grpc-web"
	typeWebProto    = "application/grpc-web+proto"
	typeWebJSON     = "application/grpc-web+json"
)

var protocols = map[string]protocol{
	typeUnaryProto:  {name: exchange.Connect},
	typeUnaryJSON:   {name: exchange.Connect, json: true},
	typeStreamProto: {name: exchange.Connect, streamed: true},
	typeStreamJSON:  {name: exchange.Connect, streamed: true, json: true},
	typeWeb:         {name: exchange.GRPCWeb},
	typeWebProto:    {name: exchange.GRPCWeb},
	typeWebJSON:     {name: exchange.GRPCWeb, json: true},
}

// acceptPost is the value of the Accept-Post header in the response to a request with
// another content type.
var acceptPost = strings.Join([]string{typeUnaryProto, typeUnaryJSON, typeStreamProto, typeStreamJSON, typeWebProto, typeWebJSON}, ", ")

// protocolOf returns the protocol of a request, by its content type.
func protocolOf(r *http.Request) protocol {
	if r.Method != http.MethodPost {
		return protocol{}
	}
	text := r.Header.Get("Content-Type")
	if p, ok := protocols[text]; ok {
		return p
	}
	media, params, err := mime.ParseMediaType(text)
	if charset := params["charset"]; err != nil || charset != "" && !strings.EqualFold(charset, "utf-8") {
		return protocol{}
	}
	return protocols[media]
}

// isGRPC reports whether a request is a gRPC call, which was sent to the wrong listener.
// It gets a REST response, by which digate's own client recognizes the mistake.
func isGRPC(r *http.Request) bool {
	media, _, _ := strings.Cut(r.Header.Get("Content-Type"), ";")
	return media == "application/grpc" || strings.HasPrefix(media, "application/grpc+")
}

// encodingHeader returns the name of the header with the encoding of messages.
func (p protocol) encodingHeader() string {
	switch {
	case p.name == exchange.GRPCWeb:
		return "Grpc-Encoding"
	case p.streamed:
		return "Connect-Content-Encoding"
	default:
		return "Content-Encoding"
	}
}
