package replicate

// Life is told what the goroutine of Run does, for a watchdog: that it goes round,
// at least twice a minute and after each Nudge, and that it looks at the source,
// whose file system may be that of a server that does not answer: no reason to take
// it for one that hangs. Workers do that, too.
type Life interface {
	Round()
	Enter() // a call begins that may take any time
	Leave() // it has ended
	Done()  // the loop has ended
}

// nobody is the Life of a Dispatcher without one.
type nobody struct{}

func (nobody) Round() {}
func (nobody) Enter() {}
func (nobody) Leave() {}
func (nobody) Done()  {}

func (o *Options) life() Life {
	if o.Life == nil {
		return nobody{}
	}
	return o.Life
}

// Nudge has the goroutine of Run go round once, should it rest. It waits for
// nothing.
func (d *Dispatcher) Nudge() {
	select {
	case d.nudges <- struct{}{}:
	default:
	}
}
