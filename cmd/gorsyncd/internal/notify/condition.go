package notify

import "time"

// Kind is what is wrong, in the words of the configuration's on.
type Kind string

const (
	Failing  Kind = "failing"  // a remote needs a person
	Held     Kind = "held"     // a guard stopped a remote or a source
	Retrying Kind = "retrying" // an outage of a remote that will heal by itself
	Lagging  Kind = "lagging"  // a remote or sink is further behind than max_lag
	Diverged Kind = "diverged" // a verify found differences that nothing repairs
	Sink     Kind = "sink"     // a sink fails
	Journal  Kind = "journal"  // nothing can be journaled, or hardly anything more
	Watch    Kind = "watch"    // directories are not watched, or events were lost
	Reload   Kind = "reload"   // a changed configuration was refused
	Crash    Kind = "crash"    // the daemon did not end by itself
)

// Recovered is the word in on for the end of any of them.
const Recovered = "recovered"

// Kinds are all of them.
var Kinds = []Kind{Failing, Held, Retrying, Lagging, Diverged, Sink, Journal, Watch, Reload, Crash}

// level orders kinds of one aspect by how much they want a person.
func (k Kind) level() int {
	switch k {
	case Retrying:
		return 1
	case Held:
		return 3
	}
	return 2
}

// Key is one aspect of a subject. At most one condition of it holds at a time.
type Key struct {
	Subject string `json:"subject"` // source/remote, source/sink, a source, journal or gorsyncd
	Aspect  string `json:"aspect"`
}

// Aspects of subjects.
const (
	AspectState = "state"
	AspectLag   = "lag"
	AspectWatch = "watch"
	AspectCrash = "crash"
	AspectConf  = "configuration"
)

// Condition is something wrong.
type Condition struct {
	Kind    Kind      `json:"kind"`
	ID      string    `json:"error_id"` // "" for none
	Text    string    `json:"message"`  // in one line, fit to be shown
	Hint    string    `json:"hint"`
	Command string    `json:"command"` // to look at it, or to end it
	Since   time.Time `json:"since"`   // zero: when it was first seen
	AtOnce  bool      `json:"at_once"` // not to wait for after
}

// Health is what was seen of a key.
type Health uint8

const (
	Well    Health = iota
	Unknown        // it cannot be told now
	Ill            // Condition says what it has
)

// Sight is one key as seen at one moment.
type Sight struct {
	Key
	Health    Health
	Condition Condition
}

// View is everything seen at one moment.
type View struct {
	Elapsed time.Duration // since the view before, monotonic
	Time    time.Time     // for people
	Sights  []Sight
	Beat    Beat
}

// Beat is whether a heartbeat is due.
type Beat struct {
	OK       bool
	Starting bool   // it is not known yet
	Why      string // not
}
