package watch

// hint is what events said of a path. It is never trusted to be complete.
type hint uint16

const (
	hintAttr  hint = 1 << iota // attributes changed
	hintWrite                  // content changed, or may have
	hintName                   // the name appeared, went away or was moved
	hintEvent                  // with hintName: an event said so, nobody only suspects it
	hintMade                   // with hintName: the name appeared
	hintGone                   // with hintName: what had the name was removed, not moved away
	hintOver                   // the name appeared, was written to and then went away or appeared again

	// Of fanotify only:
	hintLoose // the order of what was said is not known
	hintTwice // the name appeared for more than one file, or appeared and was removed
	hintStore // with hintWrite: the content changed for certain
	hintClose // with hintWrite: a file was closed that could be written to
)

// A file that is written through a mapping of it causes no event until it is
// closed, so closing is a hint of a write; and where a file is open for ever,
// or shut without a close as by truncate(2), only hintStore comes.

func (h hint) has(all hint) bool { return h&all == all }

// then adds what a later event said.
//
// Where the order is lost, events of one file came as one, at the place of the
// first, and what is told later may have been earlier than what is told before.
// Any order must do then: a name that was written to, that appeared, and that
// also was removed or appeared for another file, may have hidden that write.
// (Of one file that appears under a name, leaves it and appears there again
// nothing is hidden: it has the name, or another event tells what became of it.)
func (h hint) then(later hint) hint {
	all := h | later
	if all&hintLoose == 0 {
		if h.has(hintMade|hintWrite) && later&(hintMade|hintGone) != 0 {
			all |= hintOver
		}
		return all
	}
	if h&later&hintMade != 0 || later&(hintMade|hintGone) != 0 && all.has(hintMade|hintGone) {
		all |= hintTwice
	}
	if all.has(hintTwice|hintWrite) && later&(hintMade|hintGone|hintWrite) != 0 {
		all |= hintOver
	}
	return all
}

// heeded is what is left of hints when a look has answered what they hide.
func (h hint) heeded() hint {
	if h.has(hintOver) {
		h &^= hintTwice
	}
	return h &^ hintOver
}

// isOpen says that a file was written to and is not closed yet: there is more to
// come. It cannot be said where closing is not told.
func (h hint) isOpen() bool { return h&(hintStore|hintClose) == hintStore }

// onlyClosed says that nothing tells of a change but that a file was closed.
func (h hint) onlyClosed() bool {
	return h&(hintAttr|hintWrite|hintName|hintStore|hintClose) == hintWrite|hintClose
}
