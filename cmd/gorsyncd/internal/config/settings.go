package config

import (
	"time"

	"gorsyncd/watch"
)

// Settings are the keys that may stand in defaults, on a source or on a
// remote. The YAML key of each is in fields.go, with its default.
type Settings struct {
	PasswordFile string // "" for none; always "" unless the target is an rsync daemon
	SSH          SSH
	TLS          TLS
	Workers      int // rsync processes at once, per remote
	Warm         int // rsync processes kept connected while a remote is active
	Batch        Batch
	Settle       time.Duration // a path is sent this long after its last event…
	SettleMax    time.Duration // …but at the latest this long after its first
	Watch        Watch
	Attributes   Attributes // which of their changes count
	EmptyDirs    bool       // directories with nothing in them are sent, too
	Delete       Delete
	Fsync        bool // each file is on the remote's disk before it has its name
	Rsync        Rsync
	Window       []Item // when the remote may be sent to; empty for always
	BWLimit      BWLimit
	Retry        Retry
	FullSync     FullSync
	Verify       Verify
	Guard        Guard
	Rules        []Item // key filter: rsync rules, first match wins
	Exclude      []Item // key exclude: patterns, tried after Rules
}

// SSH holds what differs from ssh's own configuration; zero values leave it.
type SSH struct {
	Port         int
	IdentityFile string
	ConfigFile   string
	KnownHosts   string
	Options      []Item // each as for ssh -o
	RRsync       bool   // the key is restricted by rrsync; always false unless the target is host:/path
}

// TLS holds whom a target rsyncs:// trusts, and what it shows.
type TLS struct {
	CAFile     string // "" for those of the system
	ServerName string // "" for the host of the target
	CertFile   string
	KeyFile    string
}

// Batch limits one rsync run.
type Batch struct {
	Files int
	Bytes Size
}

// Watch says how changes of a tree are noticed.
type Watch struct {
	Backend watch.Backend
}

// Attributes says which changes of attributes (modes, owners, times of
// directories) are journaled.
type Attributes string

const (
	AttributesAlways Attributes = "always"       // each
	AttributesLater  Attributes = "with_content" // those of files that change otherwise, too
)

// Delete says which files are removed on a remote.
type Delete string

const (
	DeleteNone    Delete = "none"    // nothing
	DeleteTracked Delete = "tracked" // what the source is known to have lost
	DeleteAll     Delete = "all"     // also what the source never had, in reconciles
)

// Rsync says how rsync is run.
type Rsync struct {
	Path           string // program name or absolute path
	Args           []Item // added to gorsyncd's own
	Timeout        time.Duration
	ConnectTimeout time.Duration
	Compress       bool
}

// Retry is the exponential back-off of a path or a remote.
type Retry struct {
	Initial, Max time.Duration
	Jitter       float64 // 0 to 1, the share of a delay that is random
}

// OnStart says when a start asks for a full sync.
type OnStart string

const (
	IfNeeded OnStart = "if_needed" // new remote, lost journal
	Always   OnStart = "always"
	Never    OnStart = "never"
)

// FullSync says when every directory is reconciled.
type FullSync struct {
	OnStart  OnStart
	Schedule string // for cron.ParseStandard; "" for never
}

// Verify says when a remote is compared with its source.
type Verify struct {
	Schedule string // for cron.ParseStandard; "" for never
	Checksum bool   // contents, too
	Repair   bool   // what differs is journaled to be sent again
}

// Guard holds a remote or a source instead of replicating a disaster.
type Guard struct {
	MaxDelete      uint64 // removals at once; 0 for no limit
	EmptySource    bool
	SameFilesystem bool
}

// Item is one element of a list with the place it came from.
type Item struct {
	Text string
	Pos  Pos
}

// Texts returns the items without their places.
func Texts(items []Item) []string {
	out := make([]string, 0, len(items))
	for _, it := range items {
		out = append(out, it.Text)
	}
	return out
}
