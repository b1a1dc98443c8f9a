// Package contract reads the services' descriptors once: the methods, the HTTP request of
// each, and digate's own options. Package upstream encodes requests by it and package
// gateway matches them. A rule that one of the two could not follow, or that they would
// follow differently, is an error at start.
package contract

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"slices"

	"google.golang.org/genproto/googleapis/api/annotations"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"

	integrationv1 "github.com/digate/digate/gen/diga/integration/v1"
	annotationsv1 "github.com/digate/digate/gen/digate/annotations/v1"
	digatev1 "github.com/digate/digate/gen/digate/v1"
)

// Contract has the methods of the loaded services. It is safe for concurrent use.
type Contract struct {
	methods []*Method
	byName  map[string]*Method
}

// Method is one RPC.
type Method struct {
	// FullName is the gRPC name, such as "/package.Service/Method".
	FullName   string
	Descriptor protoreflect.MethodDescriptor
	// Unary means that neither side streams.
	Unary bool
	// FacadeOnly means that Diga does not have the operation, so nothing is ever sent for
	// it.
	FacadeOnly bool
	// Write means that the call may change something. All methods may, except a GET, a
	// HEAD and a method with the option idempotency_level NO_SIDE_EFFECTS.
	Write bool
	// SuccessStatus is the HTTP status of a success. It is 200 unless the contract says
	// otherwise.
	SuccessStatus int
	// Binding is the HTTP form. It is nil if the method has none.
	Binding *Binding
}

// Integration returns the descriptor of the service that digate implements with Diga's
// API.
func Integration() protoreflect.ServiceDescriptor {
	return integrationv1.File_diga_integration_v1_integration_service_proto.Services().ByName("IntegrationService")
}

// Ledger returns the descriptor of the service that is digate's own.
func Ledger() protoreflect.ServiceDescriptor {
	return digatev1.File_digate_v1_ledger_service_proto.Services().ByName("LedgerService")
}

// Load reads the services. Its error names every method with an unsupported rule.
func Load(services ...protoreflect.ServiceDescriptor) (*Contract, error) {
	c := &Contract{byName: make(map[string]*Method)}
	var errs []error
	for _, sd := range services {
		for i := range sd.Methods().Len() {
			md := sd.Methods().Get(i)
			m, broken := load(md)
			for _, err := range broken {
				errs = append(errs, fmt.Errorf("%s: %w", md.FullName(), err))
			}
			if broken != nil {
				continue
			}
			c.methods = append(c.methods, m)
			c.byName[m.FullName] = m
		}
	}
	errs = append(errs, c.conflicts()...)
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	return c, nil
}

// Method returns the method with a full gRPC name, or nil if there is none.
func (c *Contract) Method(fullName string) *Method { return c.byName[fullName] }

// Methods returns the methods in the order of the services. The slice must not be
// modified.
func (c *Contract) Methods() []*Method { return c.methods }

// Names returns the full gRPC name of every method.
func (c *Contract) Names() []string {
	names := make([]string, len(c.methods))
	for i, m := range c.methods {
		names[i] = m.FullName
	}
	return names
}

// Forwarded reports whether messages of a type are requests to Diga whose values only
// Diga needs.
func (c *Contract) Forwarded(md protoreflect.MessageDescriptor) bool {
	return slices.ContainsFunc(c.methods, func(m *Method) bool { return !m.FacadeOnly && m.Descriptor.Input() == md })
}

func load(md protoreflect.MethodDescriptor) (_ *Method, broken []error) {
	own, _ := proto.GetExtension(md.Options(), annotationsv1.E_Method).(*annotationsv1.MethodRules)
	rule, _ := proto.GetExtension(md.Options(), annotations.E_Http).(*annotations.HttpRule)
	m := &Method{
		FullName:      fmt.Sprintf("/%s/%s", md.Parent().FullName(), md.Name()),
		Descriptor:    md,
		Unary:         !md.IsStreamingClient() && !md.IsStreamingServer(),
		FacadeOnly:    own.GetFacadeOnly(),
		Write:         true,
		SuccessStatus: cmp.Or(int(own.GetSuccessStatus()), http.StatusOK),
	}
	if err := checkKey(md.Input()); err != nil {
		broken = append(broken, err)
	}
	if rule == nil {
		if !m.FacadeOnly {
			broken = append(broken, errors.New("has no google.api.http rule and is not facade_only"))
		}
		return m, broken
	}
	if !m.Unary && !(m.FacadeOnly && !md.IsStreamingClient() && rule.GetGet() != "") {
		broken = append(broken, errors.New("a stream is not one HTTP exchange, unless it is a facade_only GET"))
	}
	if m.SuccessStatus/100 != 2 {
		broken = append(broken, fmt.Errorf("success_status %d is no success", m.SuccessStatus))
	}
	b, errs := bind(rule, md)
	if m.SuccessStatus == http.StatusNoContent && b.Response != nil {
		broken = append(broken, errors.New("success_status 204 has no body, and the response has fields"))
	}
	m.Binding, m.Write = b, !isRead(b.Verb) && !noSideEffects(md)
	return m, append(broken, errs...)
}

// noSideEffects reports whether the contract says that a method changes nothing.
func noSideEffects(md protoreflect.MethodDescriptor) bool {
	options, _ := md.Options().(*descriptorpb.MethodOptions)
	return options.GetIdempotencyLevel() == descriptorpb.MethodOptions_NO_SIDE_EFFECTS
}
