package status

import (
	"fmt"
	"strings"

	"gorsyncd/cmd/gorsyncd/internal/names"
	"gorsyncd/replicate"
)

// Verdict is a Status in one sentence, taken apart so that it can be said in
// another language: the kind, the counts, and what it is about by name. String
// says it in English.
type Verdict struct {
	Kind    VerdictKind
	Offline bool // the daemon is not running: it was so when it ended
	Remotes int  // all there are
	Sinks   int  // all there are

	// Parts are what the kind is about, in the order of the Status, all of them:
	// what needs a person for VerdictProblem, what is not in sync for
	// VerdictBehind, none for the others.
	Parts []VerdictPart

	// Unseen is a source that has not been scanned since the start, which makes
	// VerdictInSync a guess; "" for none.
	Unseen string
}

// VerdictKind is what a verdict comes to.
type VerdictKind string

const (
	VerdictProblem VerdictKind = "problem" // at least one thing needs a person
	VerdictBehind  VerdictKind = "behind"  // not all are in sync, which will heal itself or was asked for
	VerdictInSync  VerdictKind = "in_sync"
	VerdictNothing VerdictKind = "nothing" // there is no remote and no sink
)

// VerdictPart is one thing that a verdict is about.
type VerdictPart struct {
	What  VerdictWhat
	Name  string          // of a source, source/remote or source/sink; "" for the journal; may hold any bytes
	State replicate.State // the word of a remote or a sink, StateHeld for a source, "" for the journal
}

// VerdictWhat is a sort of thing that a verdict can be about.
type VerdictWhat string

const (
	OfJournal VerdictWhat = "journal" // it waits for space
	OfSource  VerdictWhat = "source"  // it is held
	OfRemote  VerdictWhat = "remote"
	OfSink    VerdictWhat = "sink"
)

// Verdict judges s in one sentence.
func (s Status) Verdict() Verdict {
	v := Verdict{Kind: VerdictInSync, Offline: s.From == FromJournal, Remotes: len(s.Remotes), Sinks: len(s.Sinks)}
	var problems, behind []VerdictPart
	if s.Journal.Waiting != "" {
		problems = append(problems, VerdictPart{What: OfJournal})
	}
	for _, src := range s.Sources {
		if v.Unseen == "" && src.Unseen() {
			v.Unseen = src.Name
		}
		if src.State == held {
			problems = append(problems, VerdictPart{OfSource, src.Name, replicate.StateHeld})
		}
	}
	for i, r := range s.rows() {
		p := VerdictPart{OfRemote, r.Name, r.State}
		if i >= len(s.Remotes) {
			p.What = OfSink
		}
		switch exitOf(r.State) {
		case ExitProblem:
			problems = append(problems, p)
		case ExitBehind:
			behind = append(behind, p)
		}
	}
	switch {
	case len(problems) > 0:
		v.Kind, v.Parts = VerdictProblem, problems
	case len(behind) > 0:
		v.Kind, v.Parts = VerdictBehind, behind
	case v.Remotes+v.Sinks == 0:
		v.Kind = VerdictNothing
	}
	return v
}

// String is the sentence in English, safe for a terminal.
func (v Verdict) String() string {
	text := v.when() + v.sentence()
	if v.Kind == VerdictInSync && v.Unseen != "" {
		text += " as far as is known: source " + names.Printable(v.Unseen) + " is still being scanned"
	}
	return text
}

func (v Verdict) when() string {
	if v.Offline {
		return "when it ended: "
	}
	return ""
}

func (v Verdict) sentence() string {
	total := v.Remotes + v.Sinks
	switch n := len(v.Parts); {
	case v.Kind == VerdictProblem:
		return fmt.Sprintf("%d %s you: %s", n, plural(n, "needs", "need"), list(v.spelt()))
	case v.Kind == VerdictBehind:
		return fmt.Sprintf("%d of %d not in sync: %s", n, total, list(v.spelt()))
	case v.Kind == VerdictNothing:
		return "no remote to show"
	case total == 1 && v.Sinks == 0:
		return "1 remote in sync"
	case v.Sinks == 0:
		return fmt.Sprintf("all %d remotes in sync", total)
	}
	return fmt.Sprintf("%d %s and %d %s in sync", v.Remotes, plural(v.Remotes, "remote", "remotes"), v.Sinks, plural(v.Sinks, "sink", "sinks"))
}

func (v Verdict) spelt() []string {
	out := make([]string, 0, len(v.Parts))
	for _, p := range v.Parts {
		switch p.What {
		case OfJournal:
			out = append(out, "the journal waits for space")
		case OfSource:
			out = append(out, "source "+p.Name+" is held")
		default:
			out = append(out, p.Name+" is "+strings.ReplaceAll(string(p.State), "_", " "))
		}
	}
	return out
}

func list(items []string) string {
	const most = 5
	if len(items) > most {
		items = append(items[:most:most], fmt.Sprintf("%d more", len(items)-most))
	}
	return names.Printable(strings.Join(items, ", "))
}
