package sink

import (
	"context"
	"errors"
	"net/http"
	"time"

	"gorsyncd/cmd/gorsyncd/internal/outbound"
)

// web is an HTTP client with connections and a limit of its own.
type web struct {
	client outbound.Client
	rate   rate
}

// Limits of requests.
type Limits struct {
	Timeout   time.Duration // of one
	PerSecond float64       // 0 for no limit
}

// do sends one request and judges the answer.
func (w *web) do(ctx context.Context, l Limits, method, url string, head http.Header, body []byte) Result {
	if err := w.rate.wait(ctx, l.PerSecond); err != nil {
		return broken(ctx, err)
	}
	ctx, cancel := timed(ctx, l.Timeout)
	defer cancel()
	reply, err := w.client.Do(ctx, method, url, head, body)
	var impossible *outbound.RequestError
	switch {
	case errors.As(err, &impossible):
		return rejected(idStatus, "", "%s", outbound.Plainly(err))
	case err != nil:
		return broken(ctx, err)
	}
	res := judgeStatus(reply)
	res.Status = reply.Code
	return res
}
