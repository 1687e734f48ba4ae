package notify

import (
	"crypto/rand"
	"encoding/hex"
	"slices"
	"time"
)

// MessageKind says what a message is for.
type MessageKind string

const (
	Problem   MessageKind = "problem"   // something is wrong that was not told before
	Reminder  MessageKind = "reminder"  // only what was told and goes on
	Recovery  MessageKind = "recovered" // only what is over
	Test      MessageKind = "test"
	Heartbeat MessageKind = "heartbeat" // all is well
	Flatline  MessageKind = "flatline"  // it is not, for receivers that want to be told so
)

// Message is what a channel delivers. Its JSON form is part of the program's
// interface: docs/notifications.md describes it.
type Message struct {
	V         int         `json:"v"`
	ID        string      `json:"id"` // the same when a delivery is repeated
	Time      time.Time   `json:"time"`
	Host      string      `json:"host"`
	Notifier  string      `json:"notifier"`
	Kind      MessageKind `json:"kind"`
	Title     string      `json:"title"`
	Text      string      `json:"text"`      // for people
	Problems  []Item      `json:"problems"`  // never null
	Recovered []Item      `json:"recovered"` // never null
	More      int         `json:"more"`      // items that are left out

	Language Language `json:"-"`
}

// maxItems bounds a message.
const maxItems = 200

// NewMessage is a message of items, of which there is at least one.
func NewMessage(host, notifier string, lang Language, now time.Time, items []Item) Message {
	m := Message{V: 1, ID: newID(), Time: now.UTC(), Host: host, Notifier: notifier, Kind: Recovery, Problems: []Item{}, Recovered: []Item{}, Language: lang}
	for _, it := range items {
		switch {
		case len(m.Problems)+len(m.Recovered) == maxItems:
			m.More++
		case it.over():
			m.Recovered = append(m.Recovered, it)
		default:
			m.Problems = append(m.Problems, it)
		}
	}
	for _, it := range m.Problems {
		if it.Event != Still {
			m.Kind = Problem
			break
		}
		m.Kind = Reminder
	}
	m.Title = m.title()
	_, m.Text = m.Render(maxText)
	return m
}

// repeats tells whether m says of the same things what old, which was not delivered,
// was to say.
func (m *Message) repeats(old *Message) bool {
	same := func(a, b Item) bool { return a.Key == b.Key && a.Event == b.Event && a.Since.Equal(b.Since) }
	return m.More == old.More && slices.EqualFunc(m.Problems, old.Problems, same) && slices.EqualFunc(m.Recovered, old.Recovered, same)
}

// NewTest is a message that only shows that messages arrive.
func NewTest(host, notifier string, lang Language, now time.Time) Message {
	return plain(Test, host, notifier, lang, now, "")
}

// newBeat is the message of a heartbeat; why it is not well, if it is not.
func newBeat(host, notifier string, lang Language, now time.Time, why string) Message {
	if why != "" {
		return plain(Flatline, host, notifier, lang, now, why)
	}
	return plain(Heartbeat, host, notifier, lang, now, "")
}

func plain(kind MessageKind, host, notifier string, lang Language, now time.Time, why string) Message {
	m := Message{V: 1, ID: newID(), Time: now.UTC(), Host: host, Notifier: notifier, Kind: kind, Problems: []Item{}, Recovered: []Item{}, Language: lang}
	m.Title, m.Text = m.standing(why)
	return m
}

func newID() string {
	var b [8]byte
	_, _ = rand.Read(b[:]) // never fails
	return hex.EncodeToString(b[:])
}
