package channel

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"gorsyncd/cmd/gorsyncd/internal/notify"
	"gorsyncd/cmd/gorsyncd/internal/outbound"
)

// Webhook posts messages to a server. Either URL or URLFile is set.
type Webhook struct {
	Format      string // a key of presets
	URL         string
	URLFile     string
	SecretFile  string // "" for no signature
	Headers     []string
	HeadersFile string
	CAFile      string

	client outbound.Client
}

var _ notify.Channel = (*Webhook)(nil)

// String names the host only: paths and queries of webhooks are secrets.
func (w *Webhook) String() string {
	if w.URL == "" {
		return w.Format + " in " + w.URLFile
	}
	return outbound.HostOnly(w.URL)
}

// Formats are those that a webhook can have; the first is the default.
func Formats() []string {
	return []string{"json", "slack", "ntfy", "dingtalk", "wecom", "feishu", "healthchecks"}
}

// Signs tells whether a format has a place for a signature.
func Signs(format string) bool { return presets[format].signs }

// request is what is sent.
type request struct {
	url  *url.URL
	head http.Header
	body []byte
}

// Send implements notify.Channel.
func (w *Webhook) Send(ctx context.Context, m *notify.Message) (notify.Answer, *notify.Failure) {
	address, secret, head, f := w.secrets()
	if f != nil {
		return notify.Answer{}, f
	}
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return notify.Answer{}, person(idSecret, "it has to be one line that begins with https://", "what is given as the URL is none")
	}
	p := presets[w.Format]
	hidden := append(headerSecrets(head), secret)
	req := &request{url: u, head: head}
	if req.head.Get("Content-Type") == "" {
		req.head.Set("Content-Type", p.content)
	}
	title, text := m.Render(p.limit)
	p.fill(req, m, title, text, secret, time.Now())
	w.client.CAFile = w.CAFile
	reply, err := w.client.Do(ctx, http.MethodPost, req.url.String(), req.head, req.body)
	var impossible *outbound.RequestError
	switch {
	case errors.As(err, &impossible):
		f = person(idStatus, "check the URL, and ca_file if there is one", "%s", outbound.Plainly(err))
	case err != nil:
		f = broken(ctx, err)
	default:
		if f = judge(reply); f == nil && p.judge != nil {
			f = p.judge(reply)
		}
	}
	if f != nil {
		f.Message = redact(f.Message, address, hidden...)
		return notify.Answer{}, f
	}
	return notify.Answer{Text: redact(strings.TrimSpace(reply.Status+" "+reply.Said()), address, hidden...)}, nil
}

// headerSecrets are what of given headers a receiver could repeat in its answer: the
// values, and of one with a scheme such as Bearer what is behind it.
func headerSecrets(head http.Header) []string {
	var list []string
	for name, values := range head {
		if name == "Content-Type" || name == "User-Agent" || name == "Host" {
			continue
		}
		for _, v := range values {
			_, rest, _ := strings.Cut(v, " ")
			list = append(list, v, strings.TrimSpace(rest))
		}
	}
	return list
}

// secrets reads what stands in files.
func (w *Webhook) secrets() (address, secret string, head http.Header, f *notify.Failure) {
	address = w.URL
	var err error
	if w.URLFile != "" {
		if address, err = outbound.ReadSecret(w.URLFile); err != nil {
			return "", "", nil, person(idSecret, "check url_file", "%s", outbound.Plainly(err))
		}
		address = strings.TrimSpace(address)
	}
	if w.SecretFile != "" {
		if secret, err = outbound.ReadSecret(w.SecretFile); err != nil {
			return "", "", nil, person(idSecret, "check secret_file", "%s", outbound.Plainly(err))
		}
		secret = strings.TrimSpace(secret)
	}
	if head, err = outbound.Headers(w.Headers, w.HeadersFile); err != nil {
		return "", "", nil, person(idSecret, "check headers_file", "%s", outbound.Plainly(err))
	}
	return address, secret, head, nil
}

// judge says what a status means.
func judge(r *outbound.Reply) *notify.Failure {
	said := ""
	if s := r.Said(); s != "" {
		said = ": " + s
	}
	switch code := r.Code; {
	case code >= 200 && code < 300:
		return nil
	case code >= 300 && code < 400:
		return person(idStatus, "requests are not redirected: give the address it redirects to", "the server answered %s", r.Status)
	case code == http.StatusTooManyRequests:
		return limited(r.RetryAfter, "the server answered %s%s", r.Status, said)
	case code == http.StatusRequestTimeout, code == http.StatusTooEarly, code >= 500:
		f := transient(idStatus, "", "the server answered %s%s", r.Status, said)
		f.After = r.RetryAfter
		return f
	case code == http.StatusUnauthorized, code == http.StatusForbidden, code == http.StatusProxyAuthRequired:
		return person(idStatus, "check the URL, headers_file and secret_file", "the server answered %s%s", r.Status, said)
	}
	return person(idStatus, "check the URL and format", "the server answered %s%s", r.Status, said)
}
