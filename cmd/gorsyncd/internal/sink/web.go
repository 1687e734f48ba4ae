package sink

import (
	"bytes"
	"context"
	"errors"
	"net"
	"net/http"
	neturl "net/url"
	"sync"
	"time"
)

// web is an HTTP client with connections and a limit of its own.
type web struct {
	once   sync.Once
	client *http.Client
	rate   rate
}

func (w *web) start() {
	w.once.Do(func() {
		w.client = &http.Client{
			// A redirect would lose the body or the method.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
			Transport: &http.Transport{
				Proxy:                  http.ProxyFromEnvironment,
				DialContext:            (&net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second}).DialContext,
				TLSHandshakeTimeout:    10 * time.Second,
				MaxIdleConnsPerHost:    8,
				IdleConnTimeout:        60 * time.Second,
				MaxResponseHeaderBytes: 256 << 10,
				ForceAttemptHTTP2:      true,
			},
		}
	})
}

// Limits of requests.
type Limits struct {
	Timeout   time.Duration // of one
	PerSecond float64       // 0 for no limit
}

// do sends one request and judges the answer.
func (w *web) do(ctx context.Context, l Limits, method, url string, head http.Header, body []byte) Result {
	w.start()
	if err := w.rate.wait(ctx, l.PerSecond); err != nil {
		return broken(ctx, err)
	}
	ctx, cancel := timed(ctx, l.Timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, url, bytes.NewReader(body))
	if err != nil {
		return rejected(idStatus, "", "%s", plainly(err))
	}
	req.Header = head
	if host := head.Get("Host"); host != "" {
		req.Host = host
		head.Del("Host")
	}
	if head.Get("User-Agent") == "" {
		head.Set("User-Agent", "gorsyncd")
	}
	resp, err := w.client.Do(req)
	if err != nil {
		return broken(ctx, withoutURL(err))
	}
	defer resp.Body.Close()
	res := judgeStatus(resp, readReply(resp))
	res.Status = resp.StatusCode
	return res
}

// withoutURL is an error of a request without its URL, which may hold secrets.
func withoutURL(err error) error {
	var u *neturl.Error
	if errors.As(err, &u) {
		return u.Err
	}
	return err
}
