package main

import (
	"context"
	"errors"
	"fmt"

	"gorsyncd/cmd/gorsyncd/internal/control"
	"gorsyncd/cmd/gorsyncd/internal/events"
	"gorsyncd/cmd/gorsyncd/internal/names"
	"gorsyncd/cmd/gorsyncd/internal/status"
)

// eventsView shows a stream and keeps how far it has come.
type eventsView struct {
	app  *app
	seen *events.Position // nil before anything was seen
	told string           // the last position line
	gaps int
	n    uint64
	wide int // of the names of sources
}

// brokeOff tells whether a stream may be continued.
func (v *eventsView) brokeOff(ctx context.Context, err error) bool {
	var e *control.Error
	return ctx.Err() == nil && v.seen != nil && errors.As(err, &e) && (e.Code == control.CodeUnreachable || e.Code == control.CodeInterrupted)
}

func (v *eventsView) show(l events.Line) error {
	if err := v.pass(l); err != nil {
		return err
	}
	switch {
	case l.Event == events.KindPosition && (!v.app.json || l.Position == v.told):
		return nil // it was told before the stream broke off
	case v.app.json:
		if l.Event == events.KindPosition {
			v.told = l.Position
		}
		return v.app.printJSON(l)
	case l.Event == events.KindGap:
		return v.app.print("-- %s --\n", names.Printable(gapText(l)))
	}
	v.wide = max(v.wide, len(l.Source))
	line := fmt.Sprintf("%s  %-*s  %8s  %-6s  %s", clock(v.app.now(), l.Time), v.wide, l.Source, fmt.Sprintf("#%d", l.Seq), l.Op, dotted(l.Path))
	if l.Count > 1 {
		line += fmt.Sprintf("  (%s paths)", status.Count(l.Count))
	}
	return v.app.print("%s\n", line)
}

// dotted is a path of a source, whose root is a dot.
func dotted(p *names.Path) string {
	if p == nil || p.String() == "" {
		return "."
	}
	return p.String()
}

// pass notes how far the stream has come.
func (v *eventsView) pass(l events.Line) error {
	switch l.Event {
	case events.KindPosition:
		p, err := events.ParsePosition(l.Position)
		if err != nil {
			return err
		}
		v.seen = &p
	case events.KindEntry:
		v.n++
		if v.seen != nil {
			v.seen.Next[l.Source] = l.Seq + 1
		}
	case events.KindGap:
		v.gaps++
		if v.seen != nil && l.Reason == events.GapTruncated {
			v.seen.Next[l.Source] = l.To + 1
		}
	}
	return nil
}

func (v *eventsView) end() error {
	if v.gaps > 0 {
		return &control.Error{Code: control.CodeGap, Message: "the journal does not have all that was asked for",
			Hint: "what was delivered is deleted after journal.retain; see gorsyncd docs events"}
	}
	v.app.message("%s", many(v.n, "event"))
	return nil
}

func gapText(l events.Line) string {
	switch {
	case l.Reason == events.GapRebuilt:
		return l.Source + ": this is another journal: what changed before it began is not in it"
	case l.From == 0:
		return fmt.Sprintf("%s: changes up to #%d are no longer in the journal", l.Source, l.To)
	}
	return fmt.Sprintf("%s: #%d to #%d are no longer in the journal", l.Source, l.From, l.To)
}

// many is a number of things.
func many(n uint64, word string) string {
	if n != 1 {
		word += "s"
	}
	return status.Count(n) + " " + word
}
