package sink

import (
	"context"
	"net/url"
	"strings"

	"gorsyncd/cmd/gorsyncd/internal/names"
	"gorsyncd/cmd/gorsyncd/internal/outbound"
	"gorsyncd/replicate"
)

// CDN has copies of changed files purged: one request for each address, or one for
// many where the template of the request takes a list.
type CDN struct {
	Sites        []string // addresses of the source's root
	URL          string   // template of the address that requests go to
	Method       string
	Body         string // template
	Headers      []string
	HeadersFile  string
	User         string
	PasswordFile string
	Missing      bool // 404 says that there is no copy, which is as good
	Limits
	Batch int // addresses in one request

	client web
}

func (c *CDN) String() string { return c.Method + " " + names.Printable(c.Sites[0]) }

// Placeholders of templates. In an address values are escaped as part of a query,
// but for {url} itself; in a body {urls_json} is a list of JSON strings.
const (
	holderURL      = "{url}"
	holderPath     = "{path}"
	holderKind     = "{kind}"
	holderUser     = "{user}"
	holderPassword = "{password}"
	holderQuery    = "{urls_query}"
	holderJSON     = "{urls_json}"
	holderLines    = "{urls_lines}"
)

// Holders are all placeholders.
var Holders = []string{holderURL, holderPath, holderKind, holderUser, holderPassword, holderQuery, holderJSON, holderLines}

// many tells whether a request takes a list of addresses.
func (c *CDN) many() bool {
	for _, h := range []string{holderQuery, holderJSON, holderLines} {
		if strings.Contains(c.URL+c.Body, h) {
			return true
		}
	}
	return false
}

// address is one of the addresses of an event.
type address struct {
	url   string
	path  string // of it
	isDir bool
	event int
}

func (c *CDN) addresses(events []Event) []address {
	var out []address
	for i := range events {
		for _, site := range c.Sites {
			p := escapePath(events[i].rel)
			if events[i].isDir && p != "" {
				p += "/"
			}
			a := address{url: strings.TrimSuffix(site, "/") + "/" + p, path: p, isDir: events[i].isDir, event: i}
			if u, err := url.Parse(a.url); err == nil {
				a.path = u.EscapedPath()
			}
			out = append(out, a)
		}
	}
	return out
}

// escapePath escapes a path for a URL; names are bytes, whatever their encoding.
func escapePath(rel string) string {
	parts := strings.Split(rel, "/")
	for i := range parts {
		parts[i] = url.PathEscape(parts[i])
	}
	return strings.Join(parts, "/")
}

// Deliver implements Delivery.
func (c *CDN) Deliver(ctx context.Context, events []Event) Result {
	all := c.addresses(events)
	size := 1
	if c.many() {
		size = max(1, c.Batch)
	}
	bad := map[int]bool{}
	worst := delivered
	for len(all) > 0 {
		group := c.group(all, size)
		res := c.request(ctx, group)
		switch {
		case res.Class == replicate.ClassOK:
		case res.Class == replicate.ClassEntry && len(group) == 1:
			bad[group[0].event], worst = true, res
		case res.Class == replicate.ClassEntry && size > 1:
			size = max(1, len(group)/2) // until the one to blame is alone
			continue
		default:
			for i := range events {
				if bad[i] || i >= group[0].event {
					res.Left = append(res.Left, i)
				}
			}
			return res
		}
		all = all[len(group):]
	}
	for i := range events {
		if bad[i] {
			worst.Left = append(worst.Left, i)
		}
	}
	return worst
}

// group is what goes into the next request: of one kind where that makes a difference.
func (c *CDN) group(all []address, size int) []address {
	n := min(size, len(all))
	if strings.Contains(c.URL+c.Body, holderKind) {
		for i := 1; i < n; i++ {
			if all[i].isDir != all[0].isDir {
				n = i
			}
		}
	}
	return all[:n]
}

func (c *CDN) request(ctx context.Context, group []address) Result {
	head, err := outbound.Headers(c.Headers, c.HeadersFile)
	if err != nil {
		return needsPerson(idSecret, "check headers_file", "%s", outbound.Plainly(err))
	}
	password := ""
	if c.PasswordFile != "" {
		if password, err = outbound.ReadSecret(c.PasswordFile); err != nil {
			return needsPerson(idSecret, "check password_file", "%s", outbound.Plainly(err))
		}
	}
	to := fill(c.URL, group, c.User, password, url.QueryEscape)
	body := fill(c.Body, group, c.User, password, jsonInside)
	res := c.client.do(ctx, c.Limits, c.Method, to, head, []byte(body))
	if res.Status == 404 && c.Missing {
		return delivered
	}
	return res
}
