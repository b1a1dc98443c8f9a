package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/digate/digate/cmd/digate/internal/client"
	"github.com/digate/digate/cmd/digate/internal/term"
	"github.com/digate/digate/internal/spelling"
	"github.com/digate/digate/server/accounts"
)

type accountsCmd struct {
	Check   accountsCheckCmd   `cmd:"" help:"Check a file of accounts and callers. Reads nothing else."`
	Explain accountsExplainCmd `cmd:"" help:"Say what a caller may do, and which line of the file allows it."`
}

type accountsCheckCmd struct {
	File   string `arg:"" name:"file" help:"The file of accounts and callers, as serve has it in --accounts-file."`
	Tokens bool   `name:"tokens" help:"Also read the accounts' tokens where the file says that they are. They are not sent anywhere."`
}

// Help is shown by --help.
func (accountsCheckCmd) Help() string {
	return `Exit codes:

  0  the file can be used
  2  wrong usage
  6  something in it is wrong, or a token cannot be read
`
}

func (c *accountsCheckCmd) Run(std term.IO) error {
	set, err := readAccounts(c.File)
	if err == nil && c.Tokens {
		err = set.ReadTokens(nil)
	}
	if p, ok := errors.AsType[accounts.FileError](err); ok {
		for _, problem := range p {
			fmt.Fprintf(std.Err, "%s: %s\n", c.File, problem)
		}
		return client.ExitError(client.ExitFindings)
	}
	if err != nil {
		return err
	}
	fmt.Fprintf(std.Out, "%s can be used: %s, %s, %s\n", c.File,
		count(len(set.Accounts()), "account"), count(len(set.Callers()), "caller"), count(len(set.Issuers()), "issuer"))
	for _, a := range set.Accounts() {
		if !slices.ContainsFunc(set.Callers(), func(c *accounts.Caller) bool { return slices.Contains(c.Accounts(), a.Name) }) {
			fmt.Fprintf(std.Out, "line %d: no caller may use the account %s\n", a.Line, a.Name)
		}
	}
	if set.HasCertificates() {
		fmt.Fprintln(std.Out, "Callers with dns or uri need --tls-client-ca-file of serve.")
	}
	return nil
}

func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// readAccounts reads a file of accounts.
func readAccounts(path string) (*accounts.Set, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	text, err := io.ReadAll(io.LimitReader(f, accounts.MaxFile+1))
	if err != nil {
		return nil, err
	}
	return accounts.Parse(text)
}

type accountsExplainCmd struct {
	File     string `name:"accounts-file" required:"" type:"existingfile" placeholder:"FILE" help:"The file of accounts and callers, as serve has it."`
	Caller   string `name:"caller" required:"" placeholder:"NAME" help:"The caller, by the name in the file."`
	Account  string `name:"account" placeholder:"NAME" help:"The account. Without it, the one that the caller has."`
	Method   string `name:"method" placeholder:"NAME" help:"The method, such as CopyTemplate. Without it, every method that is allowed is listed."`
	Template string `name:"template" placeholder:"ID" help:"The template that the call is about."`
}

// Help is shown by --help.
func (accountsExplainCmd) Help() string {
	return `Exit codes:

  0  it is allowed, or no method was asked for
  1  the file cannot be used, or has no such caller, account or method
  2  wrong usage
  6  it is not allowed
`
}

func (c *accountsExplainCmd) Run(std term.IO) error {
	set, err := readAccounts(c.File)
	if err != nil {
		return fmt.Errorf("--accounts-file %s: %w", c.File, err)
	}
	caller := set.Caller(c.Caller)
	if caller == nil {
		return unknownName("--caller", "caller", c.Caller, names(set.Callers(), func(c *accounts.Caller) string { return c.Name }))
	}
	account, err := c.account(set, caller)
	if err != nil {
		return err
	}
	if c.Method == "" {
		return c.table(std, caller, account)
	}
	if !slices.Contains(accounts.Methods(), c.Method) {
		return unknownName("--method", "method", c.Method, accounts.Methods())
	}
	d := caller.Decide(accounts.Question{Account: account.Name, Method: c.Method, Template: c.Template})
	if !d.Allowed {
		fmt.Fprintf(std.Out, "refused: %s\n", d.Refusal)
		fmt.Fprintf(std.Out, "No rule of the caller (line %d) allows it, and what no rule allows is refused.\n", caller.Line)
		return client.ExitError(client.ExitFindings)
	}
	limited := ""
	if d.Limited && accounts.NamesTemplate(c.Method) {
		limited = ", with the templates of the rule alone: --template asks about one"
	}
	fmt.Fprintf(std.Out, "allowed: %s may call %s in the account %s%s\n", caller.Name, c.Method, account.Name, limited)
	fields := [][2]string{{"  rule", line(d.Rule)}, {"  account", line(d.Account)}, {"  method", line(d.Method)}}
	if d.Template != 0 {
		fields = append(fields, [2]string{"  template", line(d.Template)})
	}
	fields = append(fields,
		[2]string{"  requests a second", quotas(perSecond(caller.Quota), perSecond(account.Quota))},
		[2]string{"  copies a day", quotas(perDay(caller.Quota), perDay(account.Quota))})
	return term.WriteFields(std.Out, fields)
}

// account returns the account that --account names or, without that flag, the caller's
// only account.
func (c *accountsExplainCmd) account(set *accounts.Set, caller *accounts.Caller) (*accounts.Account, error) {
	if c.Account == "" {
		if len(caller.Accounts()) != 1 {
			return nil, fmt.Errorf("--account is missing: %s has %s", caller.Name, strings.Join(caller.Accounts(), ", "))
		}
		return set.Account(caller.Accounts()[0]), nil
	}
	if a := set.Account(c.Account); a != nil {
		return a, nil
	}
	return nil, unknownName("--account", "account", c.Account, names(set.Accounts(), func(a *accounts.Account) string { return a.Name }))
}

// table shows the allowed methods, with the lines of the file that allow them.
func (c *accountsExplainCmd) table(std term.IO, caller *accounts.Caller, account *accounts.Account) error {
	t := term.Table{{"METHOD", "RULE", "ENTRY", "TEMPLATES"}}
	for _, method := range accounts.Methods() {
		if d := caller.Decide(accounts.Question{Account: account.Name, Method: method, Template: c.Template}); d.Allowed {
			templates := ""
			if d.Limited && accounts.NamesTemplate(method) {
				templates = "those of the rule"
			}
			t = append(t, []string{method, line(d.Rule), line(d.Method), templates})
		}
	}
	fmt.Fprintf(std.Out, "%s may call these methods in the account %s, and no others:\n", caller.Name, account.Name)
	return t.Write(std.Out, term.Columns(std.Out))
}

func line(n int) string { return fmt.Sprintf("line %d", n) }

func perSecond(q accounts.Quota) string {
	if q.PerSecond == 0 {
		return ""
	}
	return fmt.Sprintf("%g", q.PerSecond)
}

func perDay(q accounts.Quota) string {
	if q.CopiesPerDay < 0 {
		return ""
	}
	return strconv.Itoa(q.CopiesPerDay)
}

// quotas describes the quotas of a caller and of an account.
func quotas(caller, account string) string {
	return fmt.Sprintf("caller %s, account %s", cmp.Or(caller, "unbounded"), cmp.Or(account, "unbounded"))
}

func names[T any](all []*T, name func(*T) string) []string {
	list := make([]string, len(all))
	for i, one := range all {
		list[i] = name(one)
	}
	return list
}

func unknownName(flag, noun, name string, known []string) error {
	hint := ""
	if near, ok := spelling.Nearest(name, known); ok {
		hint = "; did you mean " + near + "?"
	}
	return fmt.Errorf("%s: there is no %s %q%s", flag, noun, name, hint)
}
