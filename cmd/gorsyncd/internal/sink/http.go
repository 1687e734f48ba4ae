package sink

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"gorsyncd/cmd/gorsyncd/internal/outbound"
	"gorsyncd/replicate"
)

// SignatureHeader carries the HMAC-SHA256 of the body under the secret, in hex.
const SignatureHeader = "X-Gorsyncd-Signature-256"

// HTTP posts events to a server.
type HTTP struct {
	URL         string
	Method      string
	Headers     []string // "Name: value"
	HeadersFile string   // more of them, that nobody is to read
	SecretFile  string   // signs bodies; "" for no signature
	Sersync     bool     // the form that sersync's plugin posted, one request for each event
	Limits
	Source string
	Sink   string
	Root   string

	client web
}

// body is the JSON document of a batch.
type body struct {
	V      int       `json:"v"`
	Sent   time.Time `json:"sent"`
	Source string    `json:"source"`
	Sink   string    `json:"sink"`
	Root   string    `json:"root"`
	Events []Event   `json:"events"`
}

func (h *HTTP) String() string { return h.Method + " " + outbound.WithoutSecrets(h.URL) }

// Deliver implements Delivery.
func (h *HTTP) Deliver(ctx context.Context, events []Event) Result {
	if h.Sersync {
		return each(ctx, events, func(ctx context.Context, e *Event) Result {
			return h.send(ctx, []byte(h.form(e)), "application/x-www-form-urlencoded")
		})
	}
	b, err := json.Marshal(body{V: 1, Sent: time.Now().UTC(), Source: h.Source, Sink: h.Sink, Root: h.Root, Events: events})
	if err != nil {
		return rejected(idStatus, "", "events cannot be written as JSON: %v", err)
	}
	return h.send(ctx, b, "application/json")
}

// The inotify masks that sersync would have sent (inotify(7)).
const (
	inCloseWrite = 0x8
	inCreate     = 0x100
	inDelete     = 0x200
	inIsDir      = 0x40000000
)

// form is what sersync's plugin posted, with its values escaped.
func (h *HTTP) form(e *Event) string {
	mask, isDir := inCloseWrite, "0"
	switch {
	case e.Op == OpRemove:
		mask = inDelete
	case e.isDir:
		mask = inCreate
	}
	if e.isDir {
		mask, isDir = mask|inIsDir, "1"
	}
	return "watchroot=" + url.QueryEscape(h.Root) + "&isdir=" + isDir + "&inotifyPath=" + url.QueryEscape(e.In(h.Root)) +
		"&mask=" + strconv.Itoa(mask)
}

func (h *HTTP) send(ctx context.Context, b []byte, kind string) Result {
	head, err := outbound.Headers(h.Headers, h.HeadersFile)
	if err != nil {
		return needsPerson(idSecret, "check headers_file", "%s", outbound.Plainly(err))
	}
	if head.Get("Content-Type") == "" {
		head.Set("Content-Type", kind)
	}
	if h.SecretFile != "" {
		secret, err := outbound.ReadSecret(h.SecretFile)
		if err != nil {
			return needsPerson(idSecret, "check secret_file", "%s", outbound.Plainly(err))
		}
		head.Set(SignatureHeader, "sha256="+Sign(secret, b))
	}
	return h.client.do(ctx, h.Limits, h.Method, h.URL, head, b)
}

// Sign is the HMAC-SHA256 of a body under a secret, in hex.
func Sign(secret string, body []byte) string {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write(body)
	return hex.EncodeToString(mac.Sum(nil))
}

// each delivers events one by one. What the receiver rejects does not keep the others;
// what is no event's fault does.
func each(ctx context.Context, events []Event, send func(context.Context, *Event) Result) Result {
	var bad []int
	worst := delivered
	for i := range events {
		res := send(ctx, &events[i])
		switch res.Class {
		case replicate.ClassOK:
		case replicate.ClassEntry:
			bad, worst = append(bad, i), res
		default:
			res.Left = bad // tried again with the rest
			return res.from(i, len(events))
		}
	}
	worst.Left = bad
	return worst
}

// judgeStatus says what a status means.
func judgeStatus(reply *outbound.Reply) Result {
	text := fmt.Sprintf("the server answered %s", reply.Status)
	if said := reply.Said(); said != "" {
		text += ": " + said
	}
	switch code := reply.Code; {
	case code >= 200 && code < 300:
		return delivered
	case code >= 300 && code < 400:
		return needsPerson(idStatus, "requests are not redirected: give the address it redirects to", "%s to %s", text, reply.Location)
	case code == http.StatusUnauthorized, code == http.StatusForbidden, code == http.StatusProxyAuthRequired:
		return needsPerson(idStatus, "check headers_file or secret_file", "%s", text)
	case code == http.StatusNotFound, code == http.StatusMethodNotAllowed, code == http.StatusGone, code == http.StatusUpgradeRequired:
		return rejected(idStatus, "check url and method", "%s", text)
	case code == http.StatusRequestTimeout, code == http.StatusTooEarly, code == http.StatusTooManyRequests, code >= 500:
		res := transient(idStatus, "", "%s", text)
		res.After = reply.RetryAfter
		return res
	}
	return rejected(idStatus, "see what the server says", "%s", text)
}
