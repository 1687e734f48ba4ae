package config

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"gorsyncd/cmd/gorsyncd/internal/sink"
	"gorsyncd/watch"
)

// SinkKind is who a sink tells.
type SinkKind string

const (
	SinkCommand SinkKind = "command"
	SinkHTTP    SinkKind = "http"
	SinkTCP     SinkKind = "tcp"
	SinkUnix    SinkKind = "unix"
	SinkCDN     SinkKind = "cdn"
)

// Formats of what a sink is told.
const (
	FormatPaths   = "paths"   // command: absolute paths on stdin
	FormatJSON    = "json"    // JSON lines, or one document
	FormatSersync = "sersync" // what sersync's plugin of that name sent
)

// Journaled and Acked are values of when; acked may name a remote: acked:nas.
const (
	Journaled = "journaled"
	Acked     = "acked"
)

// Sink is one reader of a source's journal that is no remote.
type Sink struct {
	Name   string
	Kind   SinkKind
	Filter *watch.Filter // never nil
	SinkSettings

	Pos     Pos
	origins map[string]Pos
}

// SinkSettings are the keys of a sink. The YAML key of each is in sink_fields.go, with
// its default.
type SinkSettings struct {
	When        string // journaled, acked, or acked:REMOTE
	Match       []Item
	Ops         []Item // change, remove, resync
	Directories bool
	Batch       int
	Gather      time.Duration
	Timeout     time.Duration
	Rate        float64
	Retry       Retry
	Format      string
	Reply       bool

	Command []Item
	HTTP    HTTPRequest
	TCP     string
	Unix    string
	CDN     CDNRequest
}

// HTTPRequest is how a request is made.
type HTTPRequest struct {
	URL         string
	Method      string
	Headers     []Item // "Name: value"
	HeadersFile string
	SecretFile  string
}

// CDNRequest is how copies are purged.
type CDNRequest struct {
	Site         []Item
	Preset       string
	URL          string
	Method       string
	Body         string
	Headers      []Item
	HeadersFile  string
	User         string
	PasswordFile string
}

// AckedBy is the remote that has to have an event before the sink is told: "" for all
// of the source; false when it is told at once.
func (s *Sink) AckedBy() (remote string, acked bool) {
	word, remote, _ := strings.Cut(s.When, ":")
	return remote, word == Acked
}

// FullSinkName is the name everything else uses: source/sink.
func (s Source) FullSinkName(k Sink) string { return s.Name + "/" + k.Name }

// Same tells whether two sinks are configured alike. Where a value stands in the file
// does not matter.
func (k Sink) Same(o Sink) bool {
	return k.Name == o.Name && k.Kind == o.Kind && sinkTable.same(&k.SinkSettings, &o.SinkSettings)
}

// buildSink resolves what was written of a sink and reports what does not go
// together.
func buildSink(rs rawNamed, rep *reporter) Sink {
	k := Sink{Name: rs.name.Text, Pos: rs.pos}
	k.origins = sinkTable.resolve(&k.SinkSettings, rs.settings)
	k.origins["name"] = rs.name.Pos
	k.Filter = parseRules(matchRules(k.Match), rs.pos, rep)
	if rs.broken {
		return k
	}
	kinds := k.kinds()
	switch len(kinds) {
	case 0:
		rep.add(rs.pos, "a sink needs one of command, http, tcp, unix, cdn")
		return k
	case 1:
		k.Kind = kinds[0]
	default:
		rep.add(rs.pos, "a sink tells one receiver, this one has %s and %s: make two sinks of it", kinds[0], kinds[1])
		return k
	}
	if k.Name == "" {
		k.Name = string(k.Kind)
	}
	k.complete(rep)
	return k
}

func matchRules(items []Item) []watch.Rule {
	out := make([]watch.Rule, 0, len(items))
	for _, it := range items {
		out = append(out, watch.Rule{Text: it.Text, Origin: origin(it.Pos)})
	}
	return out
}

// kinds are those that were written.
func (k *Sink) kinds() []SinkKind {
	var out []SinkKind
	for kind, on := range map[SinkKind]bool{SinkCommand: len(k.Command) > 0, SinkHTTP: k.HTTP.URL != "", SinkTCP: k.TCP != "",
		SinkUnix: k.Unix != "", SinkCDN: len(k.CDN.Site) > 0} {
		if on {
			out = append(out, kind)
		}
	}
	slices.Sort(out)
	return out
}

// formats are those that a kind has; the first is the default.
var formats = map[SinkKind][]string{
	SinkCommand: {FormatPaths, FormatJSON}, SinkHTTP: {FormatJSON, FormatSersync}, SinkTCP: {FormatJSON, FormatSersync}, SinkUnix: {FormatJSON, FormatSersync},
}

// complete fills in what depends on the kind.
func (k *Sink) complete(rep *reporter) {
	known := formats[k.Kind]
	switch {
	case k.Format == "" && len(known) > 0:
		k.Format = known[0]
	case k.Format != "" && !slices.Contains(known, k.Format):
		rep.add(k.origins["format"], "format: %s has no %q, only %s", k.Kind, k.Format, orNone(known))
	}
	if k.Reply && k.Kind != SinkTCP && k.Kind != SinkUnix {
		rep.add(k.origins["reply"], "reply is for tcp and unix")
	}
	if k.Retry.Max < k.Retry.Initial {
		rep.add(nearer(k.origins, "retry.max", "retry.initial"), "retry.max (%s) is below retry.initial (%s)", formatDuration(k.Retry.Max), formatDuration(k.Retry.Initial))
	}
	for _, f := range sinkFields {
		head, _, _ := strings.Cut(f.path, ".")
		if (head == "http" || head == "cdn") && string(k.Kind) != head && k.origins[f.path].Line > 0 {
			rep.add(k.origins[f.path], "%s has no meaning beside %s", f.path, k.Kind)
		}
	}
	if k.Kind == SinkCDN {
		k.CDN.complete(k.origins, rep)
		if k.CDN.Preset == "cloudflare" && k.origins["batch"].Line == 0 {
			k.Batch = 30 // what its API takes
		}
	}
	if k.Kind == SinkHTTP && k.HTTP.Method == "" {
		k.HTTP.Method = "POST"
	}
}

func orNone(list []string) string {
	if len(list) == 0 {
		return "its own"
	}
	return strings.Join(list, " and ")
}

// cdnPresets are requests that are made often. What is written beside a preset wins.
var cdnPresets = map[string]CDNRequest{
	"purge":      {URL: "{url}", Method: "PURGE"}, // Varnish, nginx, Squid, Fastly
	"cloudflare": {Method: "POST", Body: `{"files":{urls_json}}`, Headers: []Item{{Text: "Content-Type: application/json"}}},
	"sersync":    {URL: "http://ccms.chinacache.com/index.jsp?user={user}&pswd={password}&ok=ok&{kind}={urls_query}", Method: "HEAD"},
}

// complete takes from the preset what was not written.
func (c *CDNRequest) complete(from map[string]Pos, rep *reporter) {
	p := cdnPresets[c.Preset]
	if c.URL == "" {
		c.URL = p.URL
	}
	if c.Method == "" {
		c.Method = p.Method
	}
	if c.Body == "" {
		c.Body = p.Body
	}
	if len(c.Headers) == 0 {
		c.Headers = p.Headers
	}
	if c.URL == "" {
		rep.add(nearer(from, "cdn.preset", "cdn.site"), "cdn.preset %s needs cdn.url: the address of its API", c.Preset)
	}
	if strings.Contains(c.URL, "{user}") && c.User == "" {
		rep.add(nearer(from, "cdn.url", "cdn.preset"), "the request needs cdn.user")
	}
	if strings.Contains(c.URL+c.Body, "{password}") && c.PasswordFile == "" {
		rep.add(nearer(from, "cdn.url", "cdn.body", "cdn.preset"), "the request needs cdn.password_file")
	}
	if !strings.Contains(c.URL+c.Body, "{url") && !strings.Contains(c.URL+c.Body, "{path}") {
		rep.add(nearer(from, "cdn.url", "cdn.body", "cdn.site"), "the request names no address: put {url}, {path}, {urls_json} or {urls_query} into cdn.url or cdn.body")
	}
}

// checkURL takes an address of a server.
func checkURL(s string) (string, error) {
	u, err := url.Parse(s)
	switch {
	case s == "":
		return "", nil
	case err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https":
		return "", errors.New("must be an address that begins with http:// or https://")
	case u.User != nil:
		return "", errors.New("must not hold a user; put an Authorization line into headers_file")
	}
	return s, nil
}

// checkTemplate takes an address with placeholders.
func checkTemplate(s string) (string, error) {
	if s == "" {
		return "", nil
	}
	rest := s
	for _, h := range sink.Holders {
		rest = strings.ReplaceAll(rest, h, "x")
	}
	if i := strings.IndexAny(rest, "{}"); i >= 0 {
		return "", fmt.Errorf("unknown placeholder, known are %s", strings.Join(sink.Holders, " "))
	}
	head, query, _ := strings.Cut(s, "?")
	if strings.Contains(query, "{url}") || strings.Contains(query, "{path}") {
		return "", errors.New("behind ? use {urls_query}, which is escaped for that place")
	}
	if strings.Contains(strings.TrimPrefix(head, "{url}"), "{url}") {
		return "", errors.New("{url} can only stand at the beginning")
	}
	if strings.HasPrefix(s, "{url}") {
		return s, nil
	}
	_, err := checkURL(rest)
	return s, err
}

func checkSite(s string) error {
	_, err := checkURL(s)
	if err == nil && strings.ContainsAny(s, "?#") {
		err = errors.New("must be the address of a directory, without ? and #")
	}
	return err
}

func checkOp(s string) error {
	if known := []string{sink.OpChange, sink.OpRemove, sink.OpResync}; !slices.Contains(known, s) {
		return fmt.Errorf("unknown value %q, known are %s%s", s, strings.Join(known, ", "), didYouMean(s, known))
	}
	return nil
}

// checkMatch takes a rule. A pattern alone would leave out what it matches, which is
// the opposite of what "match" says.
func checkMatch(s string) error {
	if !strings.HasPrefix(s, "+ ") && !strings.HasPrefix(s, "- ") {
		return fmt.Errorf("%q is no rule: begin it with \"+ \" for what is wanted, and end the list with \"- *\"", s)
	}
	return checkRule(s)
}

func checkBody(s string) (string, error) {
	return s, nil // any text; placeholders that are none stay as they are
}

// checkAddress takes host:port.
func checkAddress(s string) (string, error) {
	if s == "" {
		return "", nil
	}
	host, port, err := net.SplitHostPort(s)
	n, perr := strconv.ParseUint(port, 10, 16)
	if err != nil || perr != nil || n == 0 || host == "" {
		return "", fmt.Errorf("%q is not HOST:PORT", s)
	}
	return s, nil
}

func checkMethod(s string) (string, error) {
	if s != "" && strings.Trim(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZ-") != "" {
		return "", fmt.Errorf("%q is not a method such as POST or PURGE", s)
	}
	return s, nil
}

func checkWhen(s string) (string, error) {
	word, remote, named := strings.Cut(s, ":")
	if s == Journaled || word == Acked && (!named || remote != "") {
		return s, nil
	}
	return "", fmt.Errorf("unknown value %q, known are journaled, acked and acked:REMOTE", s)
}

// perSecond takes 10, 0.5, 10/s or 30/m.
func perSecond(s string) (float64, error) {
	num, unit, _ := strings.Cut(s, "/")
	by := map[string]float64{"": 1, "s": 1, "m": 60, "h": 3600}[unit]
	f, err := strconv.ParseFloat(num, 64)
	if err != nil || by == 0 || !(f >= 0 && f <= 1e6) {
		return 0, fmt.Errorf("%q is not a rate such as 10/s or 30/m", s)
	}
	return f / by, nil
}

// checkArg takes an element of a command.
func checkArg(s string) error {
	return nil // each is one argument, whatever is in it
}

func checkProgram(items []Item) error {
	if len(items) == 0 {
		return nil
	}
	p := items[0].Text
	switch {
	case p == "" || strings.Contains(p, "{path}"):
		return errors.New("begins with the program to run")
	case strings.Contains(p, "/") && !filepath.IsAbs(p):
		return fmt.Errorf("%q must be an absolute path, or a name to be found in PATH", p)
	}
	return nil
}
