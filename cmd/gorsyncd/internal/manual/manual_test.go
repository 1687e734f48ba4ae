package manual

import (
	"strings"
	"testing"

	"github.com/urfave/cli/v2"
)

func TestRoff(t *testing.T) {
	const md = "# Title\n\nAbout `a-b` and **c** or *d*, see [there](x.md#y).\n.dot \\* and 'www/\\*'\n\n## Second part\n\n- one\n  goes on\n- two…\n\n" +
		"```sh\n.x -y 'z\\n'\n```\n\nText.\n\n| key | default | meaning |\n|---|---|---|\n| `k` | `1` | A \\| b. |\n| `l` | | C. |\n"
	const want = `.SH DESCRIPTION
About \fBa\-b\fR and \fBc\fR or \fId\fR, see there.
\&.dot * and 'www/*'
.SH SECOND PART
.IP \(bu 2
one
goes on
.IP \(bu 2
two...
.PP
.RS 4
.EX
\&.x \-y 'z\en'
.EE
.RE
.PP
Text.
.TP
\fBk\fR  (\fB1\fR)
A | b.
.TP
\fBl\fR
C.
.SH SEE ALSO
\fBx\fR(1)
`
	got := Page{Name: "n", Section: 8, Date: "2026-01-31", Title: "t", Summary: "s", SeeAlso: "**x**(1)"}.Roff(md)
	_, body, ok := strings.Cut(got, "n \\- s\n")
	if !ok || body != want {
		t.Errorf("got\n%s\nwant\n%s", body, want)
	}
	if !strings.Contains(got, "\n.TH N 8 \"2026-01-31\" \"gorsyncd\" \"t\"\n") {
		t.Errorf("the title is not right:\n%s", got)
	}
}

func TestReference(t *testing.T) {
	app := &cli.App{Name: "p", Flags: []cli.Flag{&cli.BoolFlag{Name: "json", Usage: "documents"}, &cli.BoolFlag{Name: "h", Hidden: true}},
		Commands: []*cli.Command{
			{Name: "b", Category: "Two", Usage: "do b", ArgsUsage: "NAME...", Description: "Takes 'x/*'.\n\n   code: *\n\nEXAMPLE\n   p b x\n   p b y\n\nFor every command.",
				Flags: []cli.Flag{&cli.StringFlag{Name: "time", Aliases: []string{"t"}, Usage: "wait `TIME`, a|b", Value: "1m"}}},
			{Name: "a", Category: "One", Subcommands: []*cli.Command{{Name: "c", Usage: "do c"}}},
			{Name: "hidden", Category: "Two", Hidden: true},
		}}
	got, err := Reference(app, []Exit{{0, "done"}}, "# H\n\n"+PlaceFlags+"\n"+PlaceExits+"\n"+PlaceCommands+"## End\n")
	if err != nil {
		t.Fatal(err)
	}
	const want = "# H\n\n| flag | meaning |\n|---|---|\n| `--json` | Documents. |\n\n| status | meaning |\n|---|---|\n| `0` | Done. |\n\n" +
		"## Two\n\n### p b\n\n`p b NAME... [FLAGS]`\n\nDo b.\n\nTakes 'x/\\*'.\n\n```\ncode: *\n```\n\n" +
		"| flag | meaning |\n|---|---|\n| `--time TIME, -t` | Wait TIME, a\\|b (default 1m). |\n\n```sh\np b x\np b y\n```\n\n" +
		"## One\n\n### p a c\n\n`p a c`\n\nDo c.\n\n## End\n"
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if _, err := Reference(app, nil, "# H\n"); err == nil {
		t.Error("a head without places was taken")
	}
}
