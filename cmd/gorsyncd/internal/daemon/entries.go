package daemon

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"slices"
	"strings"

	"gorsyncd/cmd/gorsyncd/internal/control"
	"gorsyncd/journal"
	"gorsyncd/replicate"
)

// What one page of entries may cost: so many records are looked at, in steps of so
// many.
const (
	entriesLooks = 20_000
	entriesStep  = 1000
)

// place is where a page of entries begins. Its JSON form in base64 is what the page
// before it said is next.
type place struct {
	Remote string `json:"r"`           // full name
	After  []byte `json:"p,omitempty"` // failing: the path behind which
	Begun  bool   `json:"b,omitempty"` // there is such a path; "" is the root
	Seq    uint64 `json:"s,omitempty"` // queued: from here on
}

func (p place) String() string {
	text, err := json.Marshal(p)
	if err != nil { // of strings and numbers
		return ""
	}
	return base64.RawURLEncoding.EncodeToString(text)
}

func parsePlace(text string) (p place, err error) {
	raw, err := base64.RawURLEncoding.DecodeString(text)
	if err == nil {
		err = json.Unmarshal(raw, &p)
	}
	if err != nil {
		return p, &control.Error{Code: control.CodeUsage, Message: "after: this is not what a page of entries said is next", Err: err}
	}
	return p, nil
}

// stored is a remote or sink with what the journal keeps of it.
type stored struct {
	name, source string
	store        *journal.Remote
	failing      func() int
}

// storedOnes are the chosen remotes and sinks, by name.
func (d *Daemon) storedOnes(patterns []string) ([]stored, error) {
	var all []stored
	for _, r := range d.allRemotes() {
		all = append(all, stored{r.name, r.unit.cfg.Name, r.store, func() int { return r.disp.Status().Failing }})
	}
	for _, r := range d.allReaders() {
		all = append(all, stored{r.name, r.unit.cfg.Name, r.store, func() int { return r.sink.Status().Failing }})
	}
	names := make([]string, len(all))
	for i, r := range all {
		names[i] = r.name
	}
	picked, err := control.Select(patterns, names)
	if err != nil {
		return nil, err
	}
	all = slices.DeleteFunc(all, func(r stored) bool { return !slices.Contains(picked, r.name) })
	slices.SortFunc(all, func(a, b stored) int { return strings.Compare(a.name, b.name) })
	return all, nil
}

// Entries implements control.Overseer.
func (d *Daemon) Entries(ctx context.Context, q control.EntriesQuery) (control.EntriesPage, error) {
	var from place
	if q.After != "" {
		var err error
		if from, err = parsePlace(q.After); err != nil {
			return control.EntriesPage{}, err
		}
	}
	all, err := d.storedOnes(q.Remotes)
	if err != nil {
		return control.EntriesPage{}, err
	}
	p := pager{q: q, from: from}
	if q.State == journal.StateFailing && q.Contains == "" {
		n := uint64(0)
		for _, r := range all {
			n += uint64(r.failing())
		}
		p.page.Total = &n
	}
	for _, r := range all {
		if r.name < from.Remote {
			continue
		}
		if r.name != from.Remote {
			p.from = place{Remote: r.name}
		}
		if done, err := p.remote(ctx, r); done || err != nil {
			return p.page, err
		}
	}
	return p.page, nil
}

// pager makes one page.
type pager struct {
	q    control.EntriesQuery
	from place // in the remote that is read
	page control.EntriesPage
	seen int // records that were looked at
}

// remote adds what one remote has, and tells whether the page is at its end.
func (p *pager) remote(ctx context.Context, r stored) (done bool, err error) {
	for more := true; more; {
		if err := ctx.Err(); err != nil {
			return true, err
		}
		if p.seen >= entriesLooks || len(p.page.Entries) >= p.q.Limit {
			p.page.Next = p.from.String()
			return true, nil
		}
		if p.q.State == journal.StateFailing {
			more, err = p.failing(r)
		} else {
			more, err = p.queued(r)
		}
		if err != nil {
			return true, err
		}
	}
	return false, nil
}

// step is how many records to read: not many more than can be used.
func (p *pager) step() int {
	if p.q.Contains != "" {
		return entriesStep
	}
	return min(entriesStep, p.q.Limit-len(p.page.Entries))
}

func (p *pager) failing(r stored) (more bool, err error) {
	list, more, err := r.store.RetryPage(string(p.from.After), p.from.Begun, p.step())
	p.seen += len(list)
	for i, t := range list {
		p.from = place{Remote: r.name, After: []byte(t.Path), Begun: true}
		if replicate.Failed(t) && p.wanted(t.Path) {
			p.page.Entries = append(p.page.Entries, control.NewFailing(r.name, r.source, t))
		}
		if len(p.page.Entries) >= p.q.Limit {
			return more || i+1 < len(list), err
		}
	}
	return more, err
}

func (p *pager) queued(r stored) (more bool, err error) {
	const looks = entriesStep
	list, next, err := r.store.QueuePage(p.from.Seq, looks)
	p.seen += looks
	for i, e := range list {
		p.from = place{Remote: r.name, Seq: e.Seq + 1}
		if p.wanted(e.Path) {
			p.page.Entries = append(p.page.Entries, control.NewQueued(r.name, r.source, e))
		}
		if len(p.page.Entries) >= p.q.Limit {
			return next > 0 || i+1 < len(list), err
		}
	}
	p.from = place{Remote: r.name, Seq: next}
	return next > 0, err
}

func (p *pager) wanted(path string) bool { return strings.Contains(path, p.q.Contains) }
