package main

import (
	"net/url"
	"slices"
	"strings"
)

// exposesPassword reports whether a command line holds this setting, and the setting
// is a URL with a password: everybody on the machine can read the command line of a
// process.
func exposesPassword(args []string, setting string) bool {
	u, err := url.Parse(setting)
	if err != nil {
		return false
	}
	_, has := u.User.Password()
	has = has || u.Query().Has("password") || u.Query().Has("sslpassword")
	return has && slices.ContainsFunc(args, func(arg string) bool { return strings.HasSuffix(arg, setting) })
}
