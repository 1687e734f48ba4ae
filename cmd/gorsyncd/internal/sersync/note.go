package sersync

import "fmt"

// Kind says what became of something in the XML.
type Kind string

const (
	Changed Kind = "changed" // it works in another way
	Dropped Kind = "dropped" // it is not needed any more
	Lost    Kind = "lost"    // it was not carried over
)

// Note is one difference between what sersync did and what gorsyncd will do.
type Note struct {
	File string `json:"file"` // "" for all of them
	Line int    `json:"line"` // 0 for none
	Kind Kind   `json:"kind"`
	Text string `json:"text"`
}

func (n Note) String() string {
	switch {
	case n.File == "":
		return fmt.Sprintf("%s: %s", n.Kind, n.Text)
	case n.Line == 0:
		return fmt.Sprintf("%s: %s: %s", n.File, n.Kind, n.Text)
	}
	return fmt.Sprintf("%s:%d: %s: %s", n.File, n.Line, n.Kind, n.Text)
}

// general holds for every configuration of sersync.
var general = []Note{
	{Kind: Changed, Text: "names that begin with a dot or end with ~, the name 4913, links, and changes of mode, owner and time are replicated, too; sersync left them out while it watched. To keep some out, list them under exclude"},
	{Kind: Changed, Text: "more than 1000 removals at once are held until gorsyncd approve: guard.max_delete"},
	{Kind: Changed, Text: "removed is what the source had and lost; what others put on the remote stays, also in a full sync. With delete: all a full sync removes it, as sersync -r and its crontab did"},
}
