package main

import (
	"net/url"
	"slices"
	"strings"
)

// exposesPassword reports whether the setting is on the command line and is a URL with a
// password. All users of a machine can read the command lines of its processes.
func exposesPassword(args []string, setting string) bool {
	u, err := url.Parse(setting)
	if err != nil {
		return false
	}
	_, has := u.User.Password()
	has = has || u.Query().Has("password") || u.Query().Has("sslpassword")
	return has && slices.ContainsFunc(args, func(arg string) bool { return strings.HasSuffix(arg, setting) })
}
