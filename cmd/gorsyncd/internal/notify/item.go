package notify

import "time"

// Event is what an item tells.
type Event string

const (
	Began Event = "began" // it is new, or has not been told before
	Worse Event = "worse" // it was told, and wants other hands now
	Still Event = "still" // it was told, and goes on
	Ended Event = "ended" // it is over
	Gone  Event = "gone"  // its subject is no longer configured
)

// Item is one thing to tell.
type Item struct {
	Key
	Event Event `json:"event"`
	Condition
	Until         *time.Time    `json:"until"` // when it was last seen, of what is over
	Lasted        time.Duration `json:"-"`
	LastedSeconds float64       `json:"lasted_seconds"`
	Interruptions int           `json:"interruptions"` // times that it was away, and came back
	Untold        bool          `json:"untold"`        // it is over, and nobody was told that it had begun
}

func (i *Item) over() bool { return i.Event == Ended || i.Event == Gone }

// outbox holds what is to be told, one item for each key, oldest first.
type outbox []Item

// put adds what is newer than all that is in it.
func (o *outbox) put(items ...Item) {
	for _, it := range items {
		i := o.find(it.Key)
		if i < 0 {
			*o = append(*o, it)
			continue
		}
		(*o)[i] = follow((*o)[i], it)
	}
}

// back adds what could not be delivered, and is older than all that is in it.
func (o *outbox) back(items []Item) {
	newer := *o
	*o = append(outbox(nil), items...)
	o.put(newer...)
}

func (o outbox) find(k Key) int {
	for i := range o {
		if o[i].Key == k {
			return i
		}
	}
	return -1
}

// follow is what is to be told of a key when old was not delivered before next.
func follow(old, next Item) Item {
	switch {
	case next.over() && !old.over():
		next.Untold = old.Event == Began
	case next.over():
		next.Untold = next.Untold || old.Untold
	case old.Event == Began:
		next.Event = Began
	}
	return next
}
