package reportpage

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"slices"
	"sync"
	"time"

	"gorsyncd/cmd/gorsyncd/internal/control"
	"gorsyncd/cmd/gorsyncd/internal/history"
	"gorsyncd/cmd/gorsyncd/internal/names"
)

// Options are what a report does not say itself.
type Options struct {
	Lang string         // one of Languages; "" is English
	Zone *time.Location // of the times that are shown; nil is UTC
}

//go:embed page.html
var pageText string

// pageTemplate is parsed when it is needed: each command is a process of its own.
var pageTemplate = sync.OnceValue(func() *template.Template { return template.Must(template.New("page").Parse(pageText)) })

// page is what the template is filled with.
type page struct {
	Words   words
	Since   string
	Until   string
	Zone    string
	Offline bool
	Verdict string
	Bad     bool // there was an outage, or paths fail
	Remotes []remote
}

// Write writes the page of a report, which should have its spans.
func Write(w io.Writer, r control.Report, o Options) error {
	b, err := newBuilder(r, o)
	if err != nil {
		return err
	}
	p := page{Words: b.words, Since: b.moment(r.Since), Until: b.moment(r.Until), Zone: b.zoneName(), Offline: r.Source == "files"}
	for _, rep := range r.Remotes {
		p.Remotes = append(p.Remotes, b.remote(rep))
	}
	p.Verdict, p.Bad = b.verdict(r.Remotes)
	if err := pageTemplate().Execute(w, p); err != nil {
		return fmt.Errorf("write the report: %w", err)
	}
	return nil
}

// builder turns a report into what is shown of it.
type builder struct {
	words        words
	zone         *time.Location
	since, until time.Time
	axis         axis
}

func newBuilder(r control.Report, o Options) (*builder, error) {
	w, ok := languages[o.Lang]
	if o.Lang == "" {
		w, ok = languages["en"], true
	}
	if !ok {
		return nil, &control.Error{Code: control.CodeUsage, Message: fmt.Sprintf("there is no report in the language %q", o.Lang), Hint: "en and zh can be had"}
	}
	if o.Zone == nil {
		o.Zone = time.UTC
	}
	b := &builder{words: w, zone: o.Zone, since: r.Since, until: r.Until}
	b.axis = newAxis(r.Since, r.Until, o.Zone)
	return b, nil
}

func (b *builder) moment(t time.Time) string { return t.In(b.zone).Format("2006-01-02 15:04") }

// zoneName: UTC, or CET (UTC+01:00).
func (b *builder) zoneName() string {
	t := b.until.In(b.zone)
	name, offset := t.Zone()
	if offset == 0 {
		return "UTC"
	}
	return name + " (UTC" + t.Format("-07:00") + ")"
}

// known is when the known part of the time begins, false for none.
func (b *builder) known(r control.RemoteReport) (time.Time, bool) {
	if r.Known == nil || !r.Known.Before(b.until) {
		return b.until, false
	}
	if r.Known.Before(b.since) {
		return b.since, true
	}
	return *r.Known, true
}

// part is an outage within the time of the report.
type part struct {
	history.Outage
	from, to time.Time
	lasts    bool
}

// outages are the parts, oldest first.
func (b *builder) outages(r control.RemoteReport) []part {
	var out []part
	for _, o := range r.Outages {
		p := part{Outage: o, from: o.Begin, to: o.End, lasts: o.End.IsZero()}
		if p.lasts || p.to.After(b.until) {
			p.to = b.until
		}
		if p.from.Before(b.since) {
			p.from = b.since
		}
		if p.to.After(p.from) || p.lasts {
			out = append(out, p)
		}
	}
	slices.SortStableFunc(out, func(x, y part) int { return x.from.Compare(y.from) })
	return out
}

func (p part) stopped() bool { return p.ErrorID == history.Stopped }

// covered is how long some parts last together; where they overlap it counts once.
func covered(parts []part) time.Duration {
	var sum time.Duration
	var until time.Time
	for _, p := range parts {
		from := p.from
		if from.Before(until) {
			from = until
		}
		if p.to.After(from) {
			sum += p.to.Sub(from)
			until = p.to
		}
	}
	return sum
}

// verdict sums all remotes up in a sentence.
func (b *builder) verdict(list []control.RemoteReport) (text string, bad bool) {
	if len(list) == 0 {
		return b.words.NoRemotes, false
	}
	var worst string
	var longest time.Duration
	down, failing, unknown := 0, 0, 0
	for _, r := range list {
		parts := b.outages(r)
		if d := covered(parts); d > 0 {
			down++
			if d > longest {
				longest, worst = d, names.Printable(r.Remote)
			}
		}
		if r.Failing > 0 {
			failing++
		}
		if _, ok := b.known(r); !ok {
			unknown++
		}
	}
	switch {
	case down == 0 && len(list) == unknown:
		text = b.words.NothingKnown
	case down == 0:
		text = fmt.Sprintf(b.words.AllUp, len(list)-unknown)
	default:
		text = fmt.Sprintf(b.words.SomeDown, down, len(list), worst, span(longest))
	}
	if failing > 0 {
		text += " " + fmt.Sprintf(b.words.SomeFailing, failing)
	}
	return text, down+failing > 0
}
