package replicate

// Slots bound the processes that several remotes keep waiting together: each has
// a few megabytes here and on the other side. nil does not.
type Slots chan struct{}

// NewSlots returns room for n processes.
func NewSlots(n int) Slots { return make(Slots, n) }

func (s Slots) take() bool {
	if s == nil {
		return true
	}
	select {
	case s <- struct{}{}:
		return true
	default:
		return false
	}
}

func (s Slots) give() {
	if s != nil {
		<-s
	}
}
