package control

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/user"
	"strconv"
	"syscall"
	"time"

	"gorsyncd/cmd/gorsyncd/internal/names"
	"gorsyncd/cmd/gorsyncd/internal/status"
	"gorsyncd/journal"
)

// Client asks a daemon. Its methods are safe for concurrent use; all their
// errors are *Error. Each ends with its context, and on its own when the
// daemon is silent for long.
type Client struct {
	Path string // of the socket

	// Dial connects to the daemon; nil dials Path. For tests.
	Dial func(ctx context.Context) (net.Conn, error)
}

// New returns a client of the socket.
func New(path string) *Client { return &Client{Path: path} }

// Status asks for the state of everything.
func (c *Client) Status(ctx context.Context) (status.Status, error) {
	var s status.Status
	return s, c.ask(ctx, lookLimit, http.MethodGet, "/status", nil, nil, &s)
}

// Explain asks about one absolute path.
func (c *Client) Explain(ctx context.Context, path string) (Explanation, error) {
	var e Explanation
	return e, c.ask(ctx, lookLimit, http.MethodGet, "/explain", pathValues(path), nil, &e)
}

// ConfigShow asks for the running configuration.
func (c *Client) ConfigShow(ctx context.Context) (string, error) {
	var d configDoc
	err := c.ask(ctx, lookLimit, http.MethodGet, "/config", nil, nil, &d)
	return d.Config, err
}

// JournalStats asks for the size of the journal.
func (c *Client) JournalStats(ctx context.Context) (JournalStats, error) {
	var s JournalStats
	return s, c.ask(ctx, actLimit, http.MethodGet, "/journal/stats", nil, nil, &s)
}

// JournalCheck has every rule of the journal verified.
func (c *Client) JournalCheck(ctx context.Context) (JournalReport, error) {
	var r JournalReport
	return r, c.ask(ctx, longLimit, http.MethodPost, "/journal/check", nil, nil, &r)
}

// Inspect calls row for each entry that q selects.
func (c *Client) Inspect(ctx context.Context, q journal.Query, row func(Row) error) error {
	v := url.Values{}
	if q.Path != "" {
		v = pathValues(q.Path)
	}
	for key, value := range map[string]string{"source": q.Source, "remote": q.Remote, "state": q.State} {
		if value != "" {
			v.Set(key, value)
		}
	}
	for key, seq := range map[string]uint64{"from": q.From, "to": q.To} {
		if seq != 0 {
			v.Set(key, strconv.FormatUint(seq, 10))
		}
	}
	return follow(ctx, c, http.MethodGet, "/journal/entries", v, nil, row)
}

// Flush waits until the changes made before the call are on the remotes.
func (c *Client) Flush(ctx context.Context, r FlushRequest, progress func(FlushProgress) error) error {
	return follow(ctx, c, http.MethodPost, "/flush", nil, r, progress)
}

// Sync asks for full syncs, or shows what they would do.
func (c *Client) Sync(ctx context.Context, r SyncRequest, line func(SyncProgress) error) error {
	return follow(ctx, c, http.MethodPost, "/sync", nil, r, line)
}

// Retry skips back-offs; it returns the remotes concerned.
func (c *Client) Retry(ctx context.Context, r RetryRequest) ([]string, error) {
	return c.act(ctx, "/retry", r)
}

// Pause stops remotes; it returns their names.
func (c *Client) Pause(ctx context.Context, r PauseRequest) ([]string, error) {
	return c.act(ctx, "/pause", r)
}

// Resume ends pauses; it returns the remotes concerned.
func (c *Client) Resume(ctx context.Context, names []string) ([]string, error) {
	return c.act(ctx, "/resume", namesRequest{names})
}

// Approve releases what a guard holds; it returns the remotes concerned.
func (c *Client) Approve(ctx context.Context, names []string) ([]string, error) {
	return c.act(ctx, "/approve", namesRequest{names})
}

// Reload has the configuration read again; it returns what has changed.
func (c *Client) Reload(ctx context.Context, r ReloadRequest) (ReloadResult, error) {
	var res ReloadResult
	return res, c.ask(ctx, reloadLimit, http.MethodPost, "/reload", nil, r, &res)
}

func (c *Client) act(ctx context.Context, path string, body any) ([]string, error) {
	var d affectedDoc
	err := c.ask(ctx, actLimit, http.MethodPost, path, nil, body, &d)
	return d.Affected, err
}

func pathValues(path string) url.Values {
	p := names.NewPath(path)
	if p.B64 != "" {
		return url.Values{"path_b64": {p.B64}}
	}
	return url.Values{"path": {p.Text}}
}

// ask makes one request with one document as its answer.
func (c *Client) ask(ctx context.Context, limit time.Duration, method, path string, v url.Values, body, out any) error {
	ctx, cancel := context.WithTimeoutCause(ctx, limit+graceWrite, c.mute())
	defer cancel()
	resp, err := c.do(ctx, method, path, v, body)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if err := json.NewDecoder(resp.Body).Decode(out); err != nil {
		return c.broken(ctx, err)
	}
	return nil
}

// follow reads a stream until its last frame.
func follow[T any](ctx context.Context, c *Client, method, path string, v url.Values, body any, each func(T) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	quiet := time.AfterFunc(silence, func() { cancel(c.mute()) })
	defer quiet.Stop()
	resp, err := c.do(ctx, method, path, v, body)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	dec := json.NewDecoder(bufio.NewReader(resp.Body))
	for {
		var f frame
		if err := dec.Decode(&f); err != nil {
			return c.broken(ctx, err)
		}
		quiet.Reset(silence)
		switch {
		case f.Error != nil:
			return f.Error
		case f.Done:
			return nil
		case f.Item != nil:
			var item T
			if err := json.Unmarshal(f.Item, &item); err != nil {
				return c.broken(ctx, err)
			}
			quiet.Stop() // what we do ourselves is no silence of the daemon's
			if err := each(item); err != nil {
				return err
			}
			quiet.Reset(silence)
		}
	}
}

// do sends a request and turns every answer but a good one into an *Error.
func (c *Client) do(ctx context.Context, method, path string, v url.Values, body any) (*http.Response, error) {
	u := url.URL{Scheme: "http", Host: "gorsyncd", Path: prefix + path, RawQuery: v.Encode()}
	var rd io.Reader
	if body != nil {
		data, err := json.Marshal(body)
		if err != nil {
			return nil, Classify(fmt.Errorf("encode request: %w", err))
		}
		rd = bytes.NewReader(data)
	}
	req, err := http.NewRequestWithContext(ctx, method, u.String(), rd)
	if err != nil {
		return nil, Classify(fmt.Errorf("make request: %w", err))
	}
	// One connection per request: a command makes one or two, and nothing is
	// left open when it ends.
	tr := &http.Transport{DialContext: c.dial, DisableKeepAlives: true}
	resp, err := tr.RoundTrip(req)
	if err != nil {
		return nil, c.unreachable(ctx, err)
	}
	if resp.StatusCode == http.StatusOK {
		return resp, nil
	}
	defer resp.Body.Close()
	var d ErrorDocument
	if err := json.NewDecoder(io.LimitReader(resp.Body, maxBody)).Decode(&d); err != nil || d.Error == nil {
		return nil, c.broken(ctx, fmt.Errorf("answer %s without a reason", resp.Status))
	}
	return nil, d.Error
}

func (c *Client) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	if c.Dial != nil {
		return c.Dial(ctx)
	}
	d := net.Dialer{Timeout: dialTimeout}
	conn, err := d.DialContext(ctx, "unix", c.Path)
	if err != nil {
		return nil, err
	}
	if err := checkPeer(c.Path, conn); err != nil {
		conn.Close()
		return nil, err
	}
	return conn, nil
}

func (c *Client) unreachable(ctx context.Context, err error) error {
	var known *Error
	switch {
	case errors.As(err, &known):
		return known
	case errors.Is(err, fs.ErrPermission):
		return &Error{Code: CodePermission, Message: "permission denied on " + c.Path,
			Hint: "use sudo or join group " + c.group(), Err: err}
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ECONNREFUSED):
		return &Error{Code: CodeUnreachable, Message: "the daemon is not running (no answer on " + c.Path + ")",
			Hint: "start it with: gorsyncd run", Err: err}
	}
	return c.broken(ctx, err)
}

// group is the group that owns the socket, if it can be seen.
func (c *Client) group() string {
	if st, err := os.Stat(c.Path); err == nil {
		if sys, ok := st.Sys().(*syscall.Stat_t); ok && sys.Gid != 0 {
			if g, err := user.LookupGroupId(strconv.Itoa(int(sys.Gid))); err == nil {
				return g.Name
			}
		}
	}
	return "gorsyncd"
}

// broken is about a connection that was there and ended too early.
func (c *Client) broken(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return Classify(context.Cause(ctx))
	}
	return &Error{Code: CodeUnreachable, Message: fmt.Sprintf("the daemon broke off: %v", err), Hint: "see its log", Err: err}
}

func (c *Client) mute() error {
	return &Error{Code: CodeUnreachable, Message: "the daemon does not answer on " + c.Path, Hint: "it may be overloaded or stopped: see its log"}
}
