package main

import (
	"fmt"
	"os"
	"time"

	"github.com/mattn/go-runewidth"

	"gorsyncd/cmd/gorsyncd/internal/status"
)

// plainEvery is how often progress is a line of its own where no line can be drawn
// again. The first one comes after as long: what is done by then is worth none.
const plainEvery = 30 * time.Second

// progressLine tells on standard error how far a command is: on a terminal in one
// line that is drawn again, elsewhere now and then in a line. With --json it tells
// nothing.
type progressLine struct {
	app  *app
	live bool
	drew bool      // there is a line that is not ended
	next time.Time // of the next plain line
}

func newProgressLine(a *app) *progressLine {
	return &progressLine{app: a, live: isTerminal(a.err) && os.Getenv("TERM") != "dumb" && !a.json, next: a.now().Add(plainEvery)}
}

// show shows a text; on a terminal the first one that fits, else the last, cut.
func (p *progressLine) show(texts ...func() string) {
	if p.live {
		columns, line := terminalWidth(p.app.err), ""
		for _, text := range texts {
			if line = text(); (&runewidth.Condition{}).StringWidth(line) < columns {
				break
			}
		}
		p.drew = true
		fmt.Fprintf(p.app.err, "\r\x1b[K%s", fit(line, columns))
		return
	}
	if now := p.app.now(); !now.Before(p.next) {
		p.next = now.Add(plainEvery)
		p.app.message("%s", texts[0]())
	}
}

// clear makes room for another line.
func (p *progressLine) clear() {
	if p.drew {
		fmt.Fprint(p.app.err, "\r\x1b[K")
		p.drew = false
	}
}

// keep ends the line and leaves it there.
func (p *progressLine) keep() {
	if p.drew {
		fmt.Fprintln(p.app.err)
		p.drew = false
	}
}

// estimate tells from what was done since some moment how long the rest takes.
type estimate struct {
	at   time.Time
	done uint64
}

// left: , ~4m10s left; "" while that says nothing.
func (e *estimate) left(now time.Time, done, total uint64) string {
	if e.at.IsZero() || done < e.done {
		*e = estimate{now, done}
	}
	spent := now.Sub(e.at)
	if done == e.done || total <= done || spent < 2*time.Second {
		return ""
	}
	return ", ~" + status.Duration(time.Duration(float64(spent)*float64(total-done)/float64(done-e.done))) + " left"
}
