package control

import (
	"context"
	"net/http"
	"regexp"
)

type distantKey struct{}

// Distant marks a request as one that did not come over the unix socket. What only
// the administrator of the machine may do is refused to it, whatever its right is.
func Distant(r *http.Request) *http.Request {
	return r.WithContext(context.WithValue(r.Context(), distantKey{}, true))
}

func distant(ctx context.Context) bool { return ctx.Value(distantKey{}) != nil }

// inURL is what stands behind the host in an address.
var inURL = regexp.MustCompile(`(https?://[^\s/?#"']+)[/?#][^\s"']+`)

// hideSecrets leaves only the hosts of addresses: those of webhooks have secrets in
// their paths and queries, which whoever may open the socket may see in the file.
func hideSecrets(text string) string { return inURL.ReplaceAllString(text, "$1/***") }

// socketOnly refuses what is for the unix socket.
func socketOnly(what string) error {
	return &Error{Code: CodePermission, Message: what + " is to be had at the unix socket only", Hint: "use the command line on the machine itself"}
}
