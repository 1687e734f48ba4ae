package draft

import "fmt"

// Kind says what became of something in the other program's configuration.
type Kind string

const (
	Changed Kind = "changed" // it works in another way
	Dropped Kind = "dropped" // it is not needed any more
	Lost    Kind = "lost"    // it was not carried over
)

// Note is one difference between what the other program did and what gorsyncd will
// do.
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

// File is one configuration of another program.
type File struct {
	Name string
	Data []byte
}

// SyntaxError says why a file cannot be read as what it should be.
type SyntaxError struct {
	File string
	Line int
	Text string
}

func (e *SyntaxError) Error() string { return fmt.Sprintf("%s:%d: %s", e.File, e.Line, e.Text) }
