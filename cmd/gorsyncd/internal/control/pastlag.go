package control

import (
	"context"
	"net/http"
	"time"
)

// PastLag is how far remotes and sinks were behind in the last hour.
type PastLag struct {
	EverySeconds float64               `json:"every_seconds"` // between two values
	Remotes      map[string][]*float64 `json:"remotes"`       // seconds by full name, oldest first; null where nothing is known
}

// Every is the time between two values, 0 for none.
func (l PastLag) Every() time.Duration { return time.Duration(l.EverySeconds * float64(time.Second)) }

// PastLag asks for it. A daemon that does not know the question answers with
// CodeNotFound.
func (c *Client) PastLag(ctx context.Context) (PastLag, error) {
	var l PastLag
	return l, c.ask(ctx, lookLimit, http.MethodGet, "/lag", nil, nil, &l)
}
