package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/term"

	integrationv1 "github.com/digate/digate/gen/diga/integration/v1"
)

type integrationsDeleteCmd struct {
	IntegrationID string `arg:"" name:"integration_id" help:"The integration's id, a UUID."`
	Yes           bool   `name:"yes" short:"y" help:"Do not ask."`

	callFlags `embed:""`
}

// Help is shown by --help.
func (integrationsDeleteCmd) Help() string {
	return "It asks before it does, on a terminal; elsewhere it wants --yes. What is already gone is REJECTED, with NOT_FOUND.\n\n" + exitHelp
}

func (c *integrationsDeleteCmd) Run(ctx context.Context, std stdio) error {
	if !c.Yes {
		if !isTerminal(std.in) {
			complain(std.err, errors.New("standard input is no terminal, so nobody can be asked: --yes deletes without asking"))
			return exitError(exitUsage)
		}
		if err := c.confirm(ctx, std); err != nil {
			return err
		}
	}
	ctx, client, done, err := c.dial(ctx, std, changes)
	if err != nil {
		return err
	}
	defer done()
	resp, err := client.DeleteIntegration(ctx, &integrationv1.DeleteIntegrationRequest{IntegrationId: c.IntegrationID})
	if err != nil {
		return fail(std.err, c.Output, changes, err)
	}
	if c.Output == outputJSON {
		return printJSON(std.out, resp)
	}
	_, err = fmt.Fprintf(std.out, "integration %s was deleted\n", printable(c.IntegrationID))
	return err
}

// confirm shows what would be deleted and asks whether to. It has a connection
// of its own, so that the time to think does not count.
func (c *integrationsDeleteCmd) confirm(ctx context.Context, std stdio) error {
	name, err := c.lookUp(ctx, std)
	if err != nil {
		return err
	}
	fmt.Fprintf(std.err, "Delete the integration %s (%s) with its tools, for good? [y/N] ", printable(name), printable(c.IntegrationID))
	answer, err := readLine(ctx, std.in)
	if err != nil {
		fmt.Fprintln(std.err)
		return fmt.Errorf("nothing was deleted: %w", err)
	}
	switch strings.ToLower(strings.TrimSpace(answer)) {
	case "y", "yes":
		return nil
	}
	return errors.New("nothing was deleted")
}

func (c *integrationsDeleteCmd) lookUp(ctx context.Context, std stdio) (string, error) {
	ctx, client, done, err := c.dial(ctx, std, reads)
	if err != nil {
		return "", err
	}
	defer done()
	resp, err := client.GetIntegration(ctx, &integrationv1.GetIntegrationRequest{IntegrationId: c.IntegrationID})
	if err != nil {
		return "", fail(std.err, c.Output, reads, err)
	}
	return resp.GetIntegration().GetName(), nil
}

// maxLine bounds what a person types as an answer, in bytes.
const maxLine = 1 << 10

// readLine returns the next line, or an error once the context ends; then the
// reading goes on in the background.
func readLine(ctx context.Context, r io.Reader) (string, error) {
	type line struct {
		text string
		err  error
	}
	read := make(chan line, 1)
	go func() {
		text, err := bufio.NewReader(io.LimitReader(r, maxLine)).ReadString('\n')
		if errors.Is(err, io.EOF) {
			err = nil // an answer that nothing ends is one too
		}
		read <- line{text, err}
	}()
	select {
	case l := <-read:
		return l.text, l.err
	case <-ctx.Done():
		return "", errors.New("interrupted")
	}
}

func isTerminal(r io.Reader) bool {
	f, ok := r.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}
