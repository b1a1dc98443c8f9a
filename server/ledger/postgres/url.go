package postgres

import (
	"errors"
	"net/url"
	"strings"

	"github.com/jackc/pgx/v5/pgxpool"
)

// errURL is the error of a URL that cannot be parsed. It quotes nothing, since any
// part of the URL may be the password.
var errURL = errors.New("the PostgreSQL URL cannot be read: its form is postgres://USER:PASSWORD@HOST:PORT/DATABASE?OPTION=VALUE, with special characters percent-encoded")

// defaultConns bounds the connections of a server whose URL does not say. A change
// keeps a connection for the time of a write to the disk. With pgxpool's own
// default, the number of processors or four, callers would wait for each other.
const defaultConns = 16

// CheckURL returns an error unless the URL of a database can be used. It does not
// connect, and quotes no password.
func CheckURL(url string) error {
	_, err := parse(url)
	return err
}

// parse parses the URL. The parser's own errors may quote any part of the URL, and a
// password with a special character may look like another part. They are used only
// if no secret can be in them.
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
