package postgres

import (
	"errors"
	"net/url"
	"strings"

	"github.com/jackc/pgx/v5/pgxpool"
)

// errURL is for a URL of which it cannot be told what is its password, so that
// nothing of it can be quoted.
var errURL = errors.New("the PostgreSQL URL cannot be read: its form is postgres://USER:PASSWORD@HOST:PORT/DATABASE?OPTION=VALUE, with special characters percent-encoded")

// defaultConns is how many connections a server keeps at most whose URL does not
// say: a change takes one for a write to the disk, and pgxpool's own default of
// as many as there are processors, or four, has the callers wait for each other.
const defaultConns = 16

// CheckURL says what is wrong with the URL of a database, without connecting to
// it and without quoting its password.
func CheckURL(url string) error {
	_, err := parse(url)
	return err
}

// parse reads the URL. What the parser says of a wrong one may quote any part of
// it, and a password with a special character in it makes a part look like
// another; so its words are used only where no secret can be among them.
func parse(text string) (*pgxpool.Config, error) {
	scheme, rest, _ := strings.Cut(text, "://")
	if scheme != "postgres" && scheme != "postgresql" {
		return nil, errURL
	}
	end := strings.IndexAny(rest, "/?#")
	if end < 0 {
		end = len(rest)
	}
	authority, behind := rest[:end], rest[end:]
	if strings.ContainsAny(behind, "@#") {
		return nil, errURL
	}
	config, err := pgxpool.ParseConfig(text)
	if err == nil {
		if !strings.Contains(behind, "pool_max_conns=") {
			config.MaxConns = max(config.MaxConns, defaultConns)
		}
		return config, nil
	}
	at := strings.LastIndex(authority, "@")
	_, reason, found := strings.Cut(err.Error(), "`: ")
	if !found || at < 0 && strings.Contains(authority, ":") {
		return nil, errURL
	}
	_, password, _ := strings.Cut(authority[:max(at, 0)], ":")
	secrets := []string{password}
	if plain, err := url.PathUnescape(password); err == nil {
		secrets = append(secrets, plain)
	}
	_, query, _ := strings.Cut(behind, "?")
	for option := range strings.SplitSeq(query, "&") {
		name, value, _ := strings.Cut(option, "=")
		if name != "password" && name != "sslpassword" {
			continue
		}
		plain, err := url.QueryUnescape(value)
		if err != nil {
			return nil, errURL
		}
		secrets = append(secrets, value, plain)
	}
	for _, s := range secrets {
		if s != "" && strings.Contains(reason, s) {
			return nil, errURL
		}
	}
	return nil, errors.New("the PostgreSQL URL: " + reason)
}
