package reportpage

import (
	"bytes"
	"encoding/xml"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
	_ "time/tzdata" // wherever the tests run

	"gorsyncd/cmd/gorsyncd/internal/control"
	"gorsyncd/cmd/gorsyncd/internal/history"
	"gorsyncd/cmd/gorsyncd/internal/names"
)

var (
	show     = flag.String("show", "", "write the page of a sample to this `file`")
	showLang = flag.String("lang", "en", "in this language")
)

var until = time.Date(2026, 11, 30, 14, 20, 0, 0, time.UTC)

const hostile = `<img src=x onerror=alert(1)>"'&` + "\x1b[2J\xff报表"

// sample has remotes of all kinds over some days.
func sample(days int) control.Report {
	since := until.Add(-time.Duration(days) * 24 * time.Hour)
	rnd := rand.New(rand.NewPCG(1, 1))
	rep := control.Report{Source: "daemon", Since: since, Until: until, Remotes: []control.RemoteReport{}}
	for i, name := range []string{"www/web1", "www/nas", "bbs/" + hostile, "new/unknown"} {
		var l history.Log
		for h := time.Duration(0); i < 3 && h < time.Duration(days)*24*time.Hour; h += 10 * time.Minute {
			at := since.Add(h)
			busy := at.Hour() >= 7 && at.Hour() < 20 && at.Weekday()%6 != 0
			quiet := i == 2 && h < 30*time.Hour || !busy && rnd.IntN(40) > 0
			if i == 1 && h == 40*time.Hour {
				l.Health(at, "E-CONNECT")
			}
			if i == 1 && h >= 40*time.Hour && h < 46*time.Hour {
				l.Behind(at, h-40*time.Hour)
				continue
			}
			if i == 1 && h == 46*time.Hour {
				l.Health(at, "")
			}
			if i < 2 && h >= 80*time.Hour && h < 91*time.Hour {
				continue
			}
			if quiet {
				continue
			}
			took := time.Duration(rnd.ExpFloat64() * float64(30*time.Millisecond))
			if i == 1 && rnd.IntN(50) == 0 {
				took *= 5000
			}
			l.Delivered(at, at.Add(-took))
			l.Carried(at, rnd.Int64N(400<<20))
		}
		if i == 1 {
			l.Health(until.Add(-20*time.Minute), "E-NOSPACE")
		}
		if i == 0 || i == 1 {
			l.Down(since.Add(80*time.Hour), since.Add(91*time.Hour))
		}
		if i == 2 {
			l.Ran(history.Run{Kind: history.KindFull, Begin: since.Add(30 * time.Hour), End: since.Add(31 * time.Hour), Reason: "new remote", Dirs: 12345, Complete: true})
			l.Ran(history.Run{Kind: history.KindVerify, Begin: since.Add(50 * time.Hour), End: since.Add(52 * time.Hour), Complete: true, Checksum: true, Paths: 98765, Differences: 3, Repaired: 2})
			l.Ran(history.Run{Kind: history.KindVerify, Begin: since.Add(60 * time.Hour), End: since.Add(61 * time.Hour), Path: "a<b", Message: hostile})
		}
		r := control.RemoteReport{Remote: name, Sum: l.Sum(since, until), BehindNow: float64(i%2) * 1200, Worst: []control.FailingPath{}}
		r.Spans = l.Spans(since, until)
		if i == 2 {
			r.Failing = 30
			r.Worst = append(r.Worst, control.FailingPath{Path: names.NewPath("dir/" + hostile), ErrorID: "E-DEST-PERM", Message: "mkstemp: Permission denied (13)", Attempts: 6, First: since.Add(100 * time.Hour)})
		}
		rep.Remotes = append(rep.Remotes, r)
	}
	return rep
}

func render(t *testing.T, r control.Report, o Options) string {
	t.Helper()
	var b bytes.Buffer
	if err := Write(&b, r, o); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// parsed checks that a page is well-formed and returns its text and its elements.
func parsed(t *testing.T, page string) (text string, elements []xml.StartElement) {
	t.Helper()
	d := xml.NewDecoder(strings.NewReader(page))
	d.Entity = xml.HTMLEntity
	var b strings.Builder
	style := false
	for {
		tok, err := d.Token()
		if errors.Is(err, io.EOF) {
			return b.String(), elements
		}
		if err != nil {
			t.Fatalf("the page is not well-formed: %v", err)
		}
		switch e := tok.(type) {
		case xml.StartElement:
			style = e.Name.Local == "style"
			elements = append(elements, e.Copy())
		case xml.EndElement:
			style = false
		case xml.CharData:
			if !style {
				b.Write(e)
			}
		}
	}
}

// TestPageStandsAlone: no script, nothing loaded, names as text, and coordinates
// within the plot.
func TestPageStandsAlone(t *testing.T) {
	for _, days := range []int{1, 7, 35} {
		for lang := range languages {
			page := render(t, sample(days), Options{Lang: lang})
			if *show != "" && days == 7 && lang == *showLang {
				if err := os.WriteFile(*show, []byte(page), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			text, elements := parsed(t, page)
			for _, e := range elements {
				if slices.Contains([]string{"script", "img", "image", "link", "iframe", "object", "embed", "base", "form", "use"}, e.Name.Local) {
					t.Errorf("there is a <%s>", e.Name.Local)
				}
				for _, a := range e.Attr {
					value := strings.ToLower(a.Value)
					if strings.HasPrefix(a.Name.Local, "on") || strings.Contains(value, "javascript:") ||
						(a.Name.Local == "src" || a.Name.Local == "href") && !strings.HasPrefix(value, "#") {
						t.Errorf("<%s %s=%q>", e.Name.Local, a.Name.Local, a.Value)
					}
				}
			}
			if strings.Contains(strings.ReplaceAll(page, "http://www.w3.org/", ""), "http") || strings.Contains(page, "@import") || strings.Contains(strings.ReplaceAll(page, "url(#", ""), "url(") {
				t.Error("something is loaded")
			}
			if !strings.Contains(text, names.Printable(hostile)) {
				t.Error("the name is not there as text")
			}
			for _, r := range page {
				if r < 0x20 && r != '\n' || r == 0x7f {
					t.Fatalf("control character %q", r)
				}
			}
			within(t, elements)
		}
	}
}

var coordinate = regexp.MustCompile(`[-+]?[0-9.]+(e[-+]?[0-9]+)?|NaN|Inf`)

// within checks that all that is drawn is in the plot.
func within(t *testing.T, elements []xml.StartElement) {
	t.Helper()
	drawn := 0
	for _, e := range elements {
		at := map[string]string{}
		for _, a := range e.Attr {
			at[a.Name.Local] = a.Value
		}
		switch {
		case e.Name.Local == "path":
			for _, c := range coordinate.FindAllString(at["d"], -1) {
				v, err := strconv.ParseFloat(c, 64)
				if err != nil || !(v >= 0 && v <= plotWidth) {
					t.Fatalf("%q in %.100s", c, at["d"])
				}
				drawn++
			}
		case e.Name.Local == "rect":
			x, err1 := strconv.ParseFloat(at["x"], 64)
			w, err2 := strconv.ParseFloat(at["width"], 64)
			if errors.Join(err1, err2) != nil || !(x >= plotLeft && w > 0 && x+w <= plotWidth-plotRight+0.11) {
				t.Fatalf("a rectangle at %v", at)
			}
		}
	}
	if drawn < 50 {
		t.Errorf("only %d coordinates", drawn)
	}
}

// TestPageOfNothing: no remote, and remotes of which nothing is known.
func TestPageOfNothing(t *testing.T) {
	r := sample(7)
	r.Remotes = r.Remotes[3:]
	text, _ := parsed(t, render(t, r, Options{}))
	if !strings.Contains(text, "Nothing is known of this time.") || strings.Contains(text, "100 %") {
		t.Errorf("%s", text)
	}
	r.Remotes = nil
	if text, _ := parsed(t, render(t, r, Options{})); !strings.Contains(text, "No remote is configured.") {
		t.Errorf("%s", text)
	}
	var e *control.Error
	if err := Write(io.Discard, r, Options{Lang: "de"}); !errors.As(err, &e) || e.Code != control.CodeUsage {
		t.Errorf("got %v", err)
	}
}

// TestFigures: what is said of a known history, in another zone.
func TestFigures(t *testing.T) {
	since := until.Add(-100 * time.Hour)
	begin := since.Add(-time.Hour)
	r := control.Report{Since: since, Until: until, Remotes: []control.RemoteReport{{Remote: "a/b", Sum: history.Sum{Known: &begin, Begin: &begin, Delivered: 12345, Bytes: 5 << 30, Behind: 7980,
		Latency: &history.Latency{P99: 0.0126},
		Outages: []history.Outage{
			{Begin: since.Add(-5 * time.Hour), End: since.Add(time.Hour), ErrorID: "E-X"},
			{Begin: since.Add(2 * time.Hour), End: since.Add(4 * time.Hour), ErrorID: history.Stopped},
			{Begin: since.Add(3 * time.Hour), End: since.Add(5 * time.Hour), ErrorID: "E-Y"},
			{Begin: until.Add(-time.Hour), ErrorID: "E-Z"}}}}}}
	b, err := newBuilder(r, Options{Zone: time.FixedZone("CST", 8*3600)})
	if err != nil {
		t.Fatal(err)
	}
	got := b.remote(r.Remotes[0])
	for what, c := range map[string][2]string{
		"availability": {got.Availability, "95.00 %"}, // 1 + 3 + 1 of 100 hours
		"stopped":      {got.Stopped, "2h"}, "down": {got.Down, "3h"}, "worst": {got.LagWorst, "2h13m"}, "99": {got.Lag99, "12.6 ms"},
		"changes": {got.Changes, "12 345"}, "bytes": {got.Bytes, "5.0 GiB"}, "zone": {b.zoneName(), "CST (UTC+08:00)"},
		"newest outage": {got.Outages[0].End + " " + got.Outages[0].Took, "lasts 1h"}, "oldest": {got.Outages[3].Begin + " " + got.Outages[3].Took, "2026-11-26 13:20 6h"},
		"known since": {got.KnownSince, ""},
	} {
		if c[0] != c[1] {
			t.Errorf("%s: %q, want %q", what, c[0], c[1])
		}
	}
	verdict, bad := b.verdict(r.Remotes)
	if verdict != "1 of 1 remotes were not available all of the time, the longest a/b, for 5h." || !bad {
		t.Errorf("%q", verdict)
	}
}

func TestPercentIsFullOnlyWhenNothingIsMissing(t *testing.T) {
	for part, want := range map[float64]string{1: "100 %", 0.9999999: "99.99 %", 0.5: "50.00 %", 0: "0.00 %", -1: "0.00 %", 2: "100 %"} {
		if got := percent(part); got != want {
			t.Errorf("%v: %s, want %s", part, got, want)
		}
	}
}

// TestAxis: round moments, not too many, within the time, over a change of the clock.
func TestAxis(t *testing.T) {
	zone, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	end := time.Date(2026, 10, 26, 9, 30, 0, 0, zone) // the day after
	for _, back := range []time.Duration{time.Minute, 2 * time.Hour, 30 * time.Hour, 7 * 24 * time.Hour, 35 * 24 * time.Hour} {
		a := newAxis(end.Add(-back), end, zone)
		if len(a.Ticks) > maxTicks+1 || back > time.Hour && len(a.Ticks) < 2 {
			t.Errorf("%s: %d ticks", back, len(a.Ticks))
		}
		last := -1.0
		for _, k := range a.Ticks {
			at, err := strconv.ParseFloat(k.At, 64)
			if err != nil || at <= last || !strings.HasSuffix(k.Label, ":00") && k.Label[2] != '-' {
				t.Errorf("%s: %v", back, a.Ticks)
			}
			last = at
		}
	}
}

// TestLanguagesAreComplete: each has every text, with the same values in it.
func TestLanguagesAreComplete(t *testing.T) {
	verbs := regexp.MustCompile(`%[sd]`)
	en := reflect.ValueOf(english)
	for lang, w := range languages {
		v := reflect.ValueOf(w)
		for i := range v.NumField() {
			text, want := v.Field(i).String(), en.Field(i).String()
			name := v.Type().Field(i).Name
			if text == "" || fmt.Sprint(verbs.FindAllString(text, -1)) != fmt.Sprint(verbs.FindAllString(want, -1)) {
				t.Errorf("%s: %s is %q", lang, name, text)
			}
		}
	}
}
