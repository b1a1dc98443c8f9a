package web

import (
	"context"
	"maps"
	"net/http"
	"strings"

	"connectrpc.com/connect"
	"google.golang.org/grpc/metadata"

	"github.com/digate/digate/server/prefer"
)

const binarySuffix = "-bin"

// ofHTTP are the headers that belong to HTTP or to the protocol and are not metadata.
var ofHTTP = map[string]bool{
	"Accept-Encoding": true, "Connect-Accept-Encoding": true, "Connect-Content-Encoding": true, headerConnectVersion: true,
	headerConnectTimeout: true, "Connection": true, "Content-Encoding": true, "Content-Length": true, "Content-Type": true,
	"Grpc-Accept-Encoding": true, "Grpc-Encoding": true, headerGRPCTimeout: true, "Te": true, "Trailer": true, "Transfer-Encoding": true,
}

// metadataOf returns the header of a request as the metadata of a call. It drops binary
// values that are not valid base64.
func metadataOf(header http.Header) metadata.MD {
	md := make(metadata.MD, len(header))
	for name, values := range header {
		if ofHTTP[name] {
			continue
		}
		key := strings.ToLower(name)
		if !strings.HasSuffix(key, binarySuffix) {
			md[key] = values
			continue
		}
		for _, list := range values {
			for value := range strings.SplitSeq(list, ",") {
				if b, err := connect.DecodeBinaryHeader(strings.TrimSpace(value)); err == nil {
					md[key] = append(md[key], string(b))
				}
			}
		}
	}
	return md
}

// addMetadata adds metadata of a call to the header of its response.
func addMetadata(to http.Header, md metadata.MD) {
	for key, values := range md {
		for _, value := range values {
			if strings.HasSuffix(key, binarySuffix) {
				value = connect.EncodeBinaryHeader([]byte(value))
			}
			to.Add(key, value)
		}
	}
}

// withoutTimeout returns the header without timeouts, because connect-go would apply them
// again.
func withoutTimeout(header http.Header) http.Header {
	header = maps.Clone(header)
	delete(header, headerConnectTimeout)
	delete(header, headerGRPCTimeout)
	return header
}

// withPreference returns the context of a call with the time for which the caller is
// ready to wait, if it said so.
func withPreference(ctx context.Context, r *http.Request) context.Context {
	if wait, ok := prefer.Wait(r.Header[prefer.Header]); ok {
		return prefer.NewContext(ctx, wait)
	}
	return ctx
}
