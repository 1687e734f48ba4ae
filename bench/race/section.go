package main

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"gorsyncd/bench/report"
)

// section is what a scenario has to say.
type section struct {
	text  strings.Builder
	goals []goal
	plots map[string]string // SVG by file name
}

// goal is a figure that gorsyncd is to reach.
type goal struct {
	what string
	unit string
	got  float64
	most float64
}

func (s *section) printf(format string, args ...any) { fmt.Fprintf(&s.text, format, args...) }

// table adds a table.
func (s *section) table(header []string, rows [][]string) {
	s.printf("\n| %s |\n|%s\n", strings.Join(header, " | "), strings.Repeat("---|", len(header)))
	for _, row := range rows {
		s.printf("| %s |\n", strings.Join(row, " | "))
	}
	if strings.Contains(fmt.Sprint(rows), "†") {
		s.printf("\n† everything but the modification times of directories, which stay different: rsync compares whole seconds unless it is told otherwise.\n")
	}
}

// plot adds a drawing.
func (s *section) plot(file, alt, svg string) {
	if s.plots == nil {
		s.plots = map[string]string{}
	}
	s.plots[file] = svg
	s.printf("\n![%s](%s)\n", alt, file)
}

// goal notes a figure; one that was not measured (0) is missed.
func (s *section) goal(what, unit string, got, most float64) {
	s.goals = append(s.goals, goal{what, unit, got, most})
}

// race measures a scenario and writes its section.
func (r *rig) race(sc *scenario) error {
	r.absent = map[string]bool{}
	s, err := sc.run(r)
	if err != nil {
		return err
	}
	var b strings.Builder
	fmt.Fprintf(&b, "## %s\n\n`make bench` (`go run ./bench/race -only %s`), %s, %s%s. Seed %d.\n\n", sc.title, sc.name,
		time.Now().UTC().Format("2006-01-02"), report.Machine(""), peerVersions(), r.o.seed)
	for _, name := range []string{"lsyncd", "inotifywait"} {
		if r.absent[name] {
			fmt.Fprintf(&b, "**%s is not installed on this machine and absent below.**\n\n", name)
		}
	}
	for _, p := range r.places {
		if p.apart() {
			fmt.Fprintf(&b, "What is copied from %s goes to another file system of that kind. ", p.name)
		}
	}
	b.WriteString(strings.TrimLeft(s.text.String(), "\n"))
	if len(s.goals) > 0 {
		b.WriteString("\n| goal | reached | at most | |\n|---|---|---|---|\n")
		for _, g := range s.goals {
			verdict := "missed"
			if g.got > 0 && g.got <= g.most {
				verdict = "met"
			}
			fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", g.what, g.figure(g.got), g.figure(g.most), verdict)
		}
	}
	return r.write(sc, b.String(), s.plots)
}

func (g goal) figure(v float64) string {
	if v == 0 {
		return "–"
	}
	digits := 2
	if v < 0.1 {
		digits = 4
	}
	return strings.TrimSpace(fmt.Sprintf("%.*f %s", digits, v, g.unit))
}

func (r *rig) replace(name, text string) error {
	return report.Replace(filepath.Join(r.o.out, "README.md"), name, text)
}

// peerVersions asks the peers that are installed. Debian's inotifywait tells its
// version in the first line of its help.
func peerVersions() string {
	s := ""
	for _, ask := range [][]string{{"lsyncd", "--version"}, {"inotifywait", "--help"}} {
		out, _ := exec.Command(ask[0], ask[1:]...).CombinedOutput() // help ends with 1; absent ones are told elsewhere
		words := strings.Fields(strings.SplitN(string(out), "\n", 2)[0])
		if i := slices.IndexFunc(words, func(w string) bool { return w != "" && w[0] >= '0' && w[0] <= '9' }); i >= 0 {
			s += ", " + ask[0] + " " + words[i]
		}
	}
	return s
}
