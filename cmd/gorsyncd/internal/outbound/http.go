package outbound

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"gorsyncd/cmd/gorsyncd/internal/names"
)

// Client is an HTTP client with connections of its own. The zero value is ready; its
// fields are not to be changed after the first request. It may be used by several
// goroutines.
type Client struct {
	CAFile string // certificates to trust instead of the system's; "" for those

	once   sync.Once
	client *http.Client
	err    error
}

func (c *Client) start() {
	t := &http.Transport{
		Proxy:                  http.ProxyFromEnvironment,
		DialContext:            (&net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second}).DialContext,
		TLSHandshakeTimeout:    10 * time.Second,
		MaxIdleConnsPerHost:    8,
		IdleConnTimeout:        60 * time.Second,
		MaxResponseHeaderBytes: 256 << 10,
		ForceAttemptHTTP2:      true,
	}
	if c.CAFile != "" {
		pool, err := Roots(c.CAFile)
		if err != nil {
			c.err = &RequestError{err}
			return
		}
		t.TLSClientConfig = &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
	}
	c.client = &http.Client{
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport:     t,
	}
}

// Close ends connections that wait to be used again.
func (c *Client) Close() {
	if c.client != nil {
		c.client.CloseIdleConnections()
	}
}

// Roots reads certificates to trust from a PEM file.
func Roots(file string) (*x509.CertPool, error) {
	pem, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("ca_file: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("ca_file: %s holds no certificate in PEM form", file)
	}
	return pool, nil
}

// Reply is what a server answered.
type Reply struct {
	Code       int
	Status     string // code and words
	Body       []byte // at most MaxReply
	RetryAfter time.Duration
	Location   string // of a redirect, as it may be shown
}

// Said is the last line of the body that says something, fit to be shown.
func (r *Reply) Said() string {
	var t Tail
	_, _ = t.Write(bytes.TrimSpace(r.Body)) // never fails
	return t.String()
}

// Do sends one request and reads the answer. Its error does not hold the URL. With a
// header Host that is the host asked for.
func (c *Client) Do(ctx context.Context, method, url string, head http.Header, body []byte) (*Reply, error) {
	if c.once.Do(c.start); c.err != nil {
		return nil, c.err
	}
	req, err := http.NewRequestWithContext(ctx, method, url, bytes.NewReader(body))
	if err != nil {
		return nil, &RequestError{withoutURL(err)}
	}
	req.Header = head
	if host := head.Get("Host"); host != "" {
		req.Host = host
		head.Del("Host")
	}
	if head.Get("User-Agent") == "" {
		head.Set("User-Agent", "gorsyncd")
	}
	resp, err := c.client.Do(req)
	if err != nil {
		return nil, withoutURL(err)
	}
	defer resp.Body.Close()
	text, _ := io.ReadAll(io.LimitReader(resp.Body, MaxReply)) // what came is enough to say what is wrong
	r := &Reply{Code: resp.StatusCode, Status: resp.Status, Body: text, RetryAfter: retryAfter(resp.Header.Get("Retry-After"), time.Now())}
	if to := resp.Header.Get("Location"); to != "" {
		r.Location = WithoutSecrets(to)
	}
	return r, nil
}

// MaxReply bounds what is read of an answer.
const MaxReply = 64 << 10

// RequestError is a request that cannot be made at all.
type RequestError struct{ Err error }

func (e *RequestError) Error() string { return e.Err.Error() }

func (e *RequestError) Unwrap() error { return e.Err }

// withoutURL is an error of a request without its URL, which may hold secrets.
func withoutURL(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err
	}
	return err
}

// retryAfter reads the header of that name: seconds, or a date.
func retryAfter(text string, now time.Time) time.Duration {
	if n, err := strconv.Atoi(text); err == nil && n >= 0 && n < 1<<30 {
		return time.Duration(n) * time.Second
	}
	if at, err := http.ParseTime(text); err == nil && at.After(now) {
		return at.Sub(now)
	}
	return 0
}

// WithoutSecrets is a URL as it may be shown: without password, and without the
// query, which holds passwords and tokens as a rule.
func WithoutSecrets(text string) string {
	u, err := url.Parse(text)
	if err != nil {
		return "URL"
	}
	if u.User != nil {
		u.User = url.User(u.User.Username())
	}
	if u.RawQuery != "" {
		u.RawQuery = "…"
	}
	return names.Printable(strings.ReplaceAll(u.String(), "%E2%80%A6", "…"))
}

// HostOnly is a URL as it may be shown when its path is a secret, too.
func HostOnly(text string) string {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" {
		return "URL"
	}
	return names.Printable(u.Scheme + "://" + u.Host + "/…")
}
