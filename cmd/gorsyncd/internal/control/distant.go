package control

import (
	"context"
	"net/http"
)

type distantKey struct{}

// Distant marks a request as one that did not come over the unix socket. What only
// the administrator of the machine may do is refused to it, whatever its right is.
func Distant(r *http.Request) *http.Request {
	return r.WithContext(context.WithValue(r.Context(), distantKey{}, true))
}

func distant(ctx context.Context) bool { return ctx.Value(distantKey{}) != nil }

// socketOnly refuses what is for the unix socket.
func socketOnly(what string) error {
	return &Error{Code: CodePermission, Message: what + " is to be had at the unix socket only", Hint: "use the command line on the machine itself"}
}
