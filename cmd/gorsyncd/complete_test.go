package main

import (
	"bytes"
	"cmp"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const namesConfig = `sources:
  - {path: /data0/www, name: www, remotes: ["web1::www", {name: nas, target: /mnt/nas}]}
  - {path: /data0/bbs, remotes: ["web1::bbs"]}
notify: [{name: ops, command: [x]}, {name: mail, command: [x]}]
`

// completing is the environment of a shell with gorsyncd in its PATH, which has a
// configuration and no daemon.
func completing(t *testing.T) (dir string, env []string) {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir = t.TempDir()
	for name, text := range map[string]string{"g.yaml": namesConfig, "confxml.xml": "", "sub/x": "", "other.yaml": strings.ReplaceAll(namesConfig, "nas", "dr")} {
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	bin := t.TempDir()
	if err := os.Symlink(exe, filepath.Join(bin, "gorsyncd")); err != nil {
		t.Fatal(err)
	}
	return dir, []string{"PATH=" + bin + ":" + os.Getenv("PATH"), "HOME=" + t.TempDir(), "GORSYNCD_CONFIG=" + dir + "/g.yaml",
		"GORSYNCD_SOCKET=" + dir + "/none", "TERM=dumb", "LC_ALL=C.UTF-8", "GORACE=" + os.Getenv("GORACE")}
}

// completions are command lines up to the cursor, and what a shell must offer for
// the last word: everything, or with + in front among other things. With ! in
// front it must not be offered.
var completions = []struct{ line, want string }{
	{"gorsyncd st", "status"},
	{"gorsyncd journal ", "+inspect +stats +check !status"},
	{"gorsyncd journal inspect --sta", "--state --state-dir"},
	{"gorsyncd journal inspect --state ", "queued failing acked"},
	{"gorsyncd journal inspect --state fai", "failing"},
	{"gorsyncd journal inspect --state=fai", "failing"},
	{"gorsyncd journal inspect --remote www/n", "www/nas"},
	{"gorsyncd --log-level de", "debug"},
	{"gorsyncd status --log-format js", "json"},
	{"gorsyncd status www/", "www/web1 www/nas"},
	{"gorsyncd status --json www/n", "www/nas"},
	{"gorsyncd --json status bb", "bbs/web1 bbs"},
	{"gorsyncd status www/nas www/", "www/web1"},
	{"gorsyncd status -c other.yaml www/d", "www/dr"},
	{"gorsyncd status www/nas --wat", "--watch"},
	{"gorsyncd pause www/nas --f", "--for"},
	{"gorsyncd pause www/nas --for ", ""},
	{"gorsyncd pause www/nas --reason -", ""},
	{"gorsyncd status -- --wat", ""},
	{"gorsyncd docs migrate-l", "migrate-lsyncd"},
	{"gorsyncd docs errors ", ""},
	{"gorsyncd completion ", "bash zsh fish"},
	{"gorsyncd notify test ", "ops mail"},
	{"gorsyncd notify test ops ma", "mail"},
	{"gorsyncd help jour", "journal"},
	{"gorsyncd help journal insp", "inspect"},
	{"gorsyncd config import-sersync conf", "confxml.xml"},
	{"gorsyncd run -o conf", "confxml.xml"},
	{"gorsyncd --config oth", "other.yaml"},
	{"gorsyncd init su", "+sub !sub/x"},
	{"gorsyncd nonsense ", ""},
}

func TestBashCompletes(t *testing.T) {
	t.Parallel()
	// bash splits at the characters of COMP_WORDBREAKS, of which = matters here.
	const driver = `source <(gorsyncd completion bash)
line=$1
COMP_WORDS=(${line//=/ = })
[[ $line == *' ' ]] && COMP_WORDS+=('')
COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
complete -p gorsyncd >/dev/null || exit 1
_gorsyncd gorsyncd "${COMP_WORDS[COMP_CWORD]}"
printf '%s\n' "${COMPREPLY[@]}"`
	testCompletion(t, "bash", func(line string) []string { return []string{"--norc", "-c", driver, "bash", line} })
}

func TestZshCompletes(t *testing.T) {
	t.Parallel()
	// compadd is replaced by one that prints what matches, as zsh would show it.
	const driver = `compdef() { :; }
_files() { if [[ $1 == -/ ]]; then print -rl -- ${PREFIX}*(N/); else print -rl -- ${PREFIX}*(N); fi; }
compset() { PREFIX=${PREFIX#*=}; }
compadd() { local -a hits; hits=(${(P)@[-1]}); print -rl -- ${(M)hits:#${PREFIX}*}; }
source <(gorsyncd completion zsh)
words=(${=1}); [[ $1 == *' ' ]] && words+=('')
CURRENT=$#words PREFIX=$words[-1]
_gorsyncd`
	testCompletion(t, "zsh", func(line string) []string { return []string{"-f", "-c", driver, "zsh", line} })
}

func TestFishCompletes(t *testing.T) {
	t.Parallel()
	testCompletion(t, "fish", func(line string) []string {
		return []string{"--no-config", "-c", "gorsyncd completion fish | source; complete -C $argv[1]", line}
	})
}

func testCompletion(t *testing.T, shell string, args func(line string) []string) {
	dir, env := completing(t)
	for _, c := range completions {
		cmd := exec.Command(shell, args(c.line)...)
		cmd.Dir, cmd.Env = dir, env
		var errOut bytes.Buffer
		cmd.Stderr = &errOut
		out, err := cmd.Output()
		if err != nil || errOut.Len() > 0 {
			t.Fatalf("%s %q: %v\n%s", shell, c.line, err, errOut.String())
		}
		got := []string{}
		for line := range strings.Lines(string(out)) {
			word, _, _ := strings.Cut(strings.TrimSpace(line), "\t")
			// Only bash replaces the value alone, and directories may end in a slash.
			word = strings.TrimSuffix(word[strings.LastIndexByte(word, '=')+1:], "/")
			if word != "" {
				got = append(got, word)
			}
		}
		if why := unlike(got, strings.Fields(c.want)); why != "" {
			t.Errorf("%s %q: %s: %q", shell, c.line, why, got)
		}
	}
}

func unlike(got, want []string) string {
	exact := true
	for _, w := range want {
		switch w[0] {
		case '+':
			exact = false
			if !slices.Contains(got, w[1:]) {
				return w[1:] + " is missing"
			}
		case '!':
			if slices.Contains(got, w[1:]) {
				return w[1:] + " is offered"
			}
		}
	}
	if !exact {
		return ""
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		return "want " + cmp.Or(strings.Join(want, " "), "nothing")
	}
	return ""
}

// TestCompleteNeverFails: whatever the words are, and nothing is said on stderr.
func TestCompleteNeverFails(t *testing.T) {
	t.Setenv("GORSYNCD_CONFIG", filepath.Join(t.TempDir(), "none"))
	t.Setenv("GORSYNCD_SOCKET", filepath.Join(t.TempDir(), "none"))
	for _, words := range [][]string{nil, {""}, {"="}, {"--"}, {"--="}, {"--x", "=", ""}, {"-", "-"}, {"help"}, {"help", ""}, {"status", "\xff\x00"}, {"--remote", ""}, {"status", ":f"}} {
		var out, errOut bytes.Buffer
		if code := newApp(&out, &errOut).run(append([]string{completeArg}, words...)); code != 0 || errOut.Len() > 0 {
			t.Errorf("%q: exit %d, %s", words, code, errOut.String())
		}
	}
}
