package main

import (
	"slices"
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"
)

// What Diga documents and the contract does not say, because a .proto cannot say it or
// because gRPC accepts more. A test compares the result with Diga's own document.

// always are the fields that a response always has, although they may be null.
var always = []protoreflect.FullName{"diga.integration.v1.HttpTool.headers"}

// kept are the fields of update requests that cannot be cleared: Diga refuses null.
var kept = []protoreflect.FullName{
	"diga.integration.v1.UpdateIntegrationRequest.name",
	"diga.integration.v1.UpdateIntegrationRequest.base_url",
	"diga.integration.v1.UpdateToolRequest.name",
	"diga.integration.v1.UpdateToolRequest.description",
	"diga.integration.v1.UpdateToolRequest.method",
	"diga.integration.v1.UpdateToolRequest.approval_required",
}

// scalars are the fields whose values are neither objects nor lists.
var scalars = []protoreflect.FullName{
	"diga.integration.v1.QueryParam.fixed_value",
	"diga.integration.v1.BodyParam.fixed_value",
}

// isID reports whether a field is an id that Diga assigned, which is a UUID.
func isID(fd protoreflect.FieldDescriptor) bool {
	name := string(fd.Name())
	return fd.Kind() == protoreflect.StringKind && (name == "id" || strings.HasSuffix(name, "_id"))
}

// inRequest reports whether a field belongs to a request message itself.
func inRequest(fd protoreflect.FieldDescriptor) bool {
	return strings.HasSuffix(string(fd.ContainingMessage().Name()), "Request")
}

// mayBeNull reports whether a field may be null.
func mayBeNull(fd protoreflect.FieldDescriptor) bool {
	switch fd.Kind() {
	case protoreflect.BoolKind, protoreflect.Int32Kind, protoreflect.Int64Kind, protoreflect.DoubleKind:
		if !fd.HasPresence() && !fd.IsList() {
			return false // unset means false or 0
		}
	}
	return !isRequired(fd) && !slices.Contains(kept, fd.FullName())
}

// inEveryResponse reports whether a message always has a field.
func inEveryResponse(fd protoreflect.FieldDescriptor) bool {
	return isRequired(fd) || slices.Contains(always, fd.FullName())
}
