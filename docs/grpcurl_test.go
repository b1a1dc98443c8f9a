package docs

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/dynamicpb"

	_ "github.com/digate/digate/gen/diga/integration/v1" // the methods
)

// grpcurl does what the program of that name does with the flags that the pages
// use, so that their examples run without it.
func grpcurl(args []string) int {
	if err := call(os.Stdout, args); err != nil {
		fmt.Fprintln(os.Stderr, "grpcurl:", err)
		return 1
	}
	return 0
}

func call(w io.Writer, args []string) error {
	flags := flag.NewFlagSet("grpcurl", flag.ContinueOnError)
	plaintext := flags.Bool("plaintext", false, "")
	header := flags.String("H", "", "")
	data := flags.String("d", "{}", "")
	if err := flags.Parse(args); err != nil {
		return err
	}
	name, value, _ := strings.Cut(*header, ": ")
	if flags.NArg() != 2 || !*plaintext || value == "" {
		return fmt.Errorf("unexpected arguments %q", args)
	}
	full := flags.Arg(1)
	d, err := protoregistry.GlobalFiles.FindDescriptorByName(protoreflect.FullName(strings.ReplaceAll(full, "/", ".")))
	if err != nil {
		return err
	}
	method, ok := d.(protoreflect.MethodDescriptor)
	if !ok {
		return fmt.Errorf("%s is no method", full)
	}
	request, response := dynamicpb.NewMessage(method.Input()), dynamicpb.NewMessage(method.Output())
	if err := protojson.Unmarshal([]byte(*data), request); err != nil {
		return err
	}
	conn, err := grpc.NewClient(flags.Arg(0), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	ctx, cancel := context.WithTimeout(metadata.AppendToOutgoingContext(context.Background(), name, value), 30*time.Second)
	defer cancel()
	if err := conn.Invoke(ctx, "/"+full, request, response); err != nil {
		return err
	}
	_, err = fmt.Fprintln(w, protojson.Format(response))
	return err
}
