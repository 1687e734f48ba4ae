package lsyncd

import (
	"bytes"
	"context"
	"errors"
	"regexp"
	"strconv"
	"strings"
	"time"

	lua "github.com/yuin/gopher-lua"

	"gorsyncd/cmd/gorsyncd/internal/draft"
)

// runLimit is how long a configuration may take.
const runLimit = 2 * time.Second

// call is one sync{} of the file.
type call struct {
	line  int
	table *lua.LTable
}

// program is what running a file gave.
type program struct {
	settings []*lua.LTable
	syncs    []call
}

// run runs a file. What it defines is only read afterwards.
func run(f draft.File) (*program, error) {
	ctx, cancel := context.WithTimeout(context.Background(), runLimit)
	defer cancel()
	l := lua.NewState(lua.Options{SkipOpenLibs: true, CallStackSize: 200, RegistryMaxSize: 1 << 20})
	defer l.Close()
	l.SetContext(ctx)
	for _, lib := range []struct {
		name string
		open lua.LGFunction
	}{{lua.BaseLibName, lua.OpenBase}, {lua.TabLibName, lua.OpenTable}, {lua.StringLibName, lua.OpenString}, {lua.MathLibName, lua.OpenMath}} {
		if err := l.CallByParam(lua.P{Fn: l.NewFunction(lib.open), Protect: true}, lua.LString(lib.name)); err != nil {
			return nil, err
		}
	}
	for _, name := range []string{"dofile", "loadfile", "load", "loadstring", "require", "module", "collectgarbage", "print", "_printregs", "newproxy"} {
		l.SetGlobal(name, lua.LNil)
	}
	p := &program{}
	p.define(l)
	fn, err := l.Load(bytes.NewReader(f.Data), f.Name)
	if err == nil {
		l.Push(fn)
		err = l.PCall(0, 0, nil)
	}
	switch {
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return nil, &draft.SyntaxError{File: f.Name, Line: 1, Text: "it does not end within " + runLimit.String()}
	case err != nil:
		return nil, syntaxError(f, err)
	}
	if t, ok := l.GetGlobal("settings").(*lua.LTable); ok {
		p.settings = append(p.settings, t) // as it was written for lsyncd 2.0
	}
	return p, nil
}

// define gives the file what lsyncd gives it.
func (p *program) define(l *lua.LState) {
	defaults := l.NewTable()
	for _, name := range []string{"rsync", "rsyncssh", "direct"} {
		t := l.NewTable()
		t.RawSetString(kindKey, lua.LString(name))
		defaults.RawSetString(name, t)
	}
	l.SetGlobal("default", defaults)
	l.SetGlobal("settings", l.NewFunction(func(l *lua.LState) int {
		p.settings = append(p.settings, l.CheckTable(1))
		return 0
	}))
	l.SetGlobal("sync", l.NewFunction(func(l *lua.LState) int {
		p.syncs = append(p.syncs, call{lineOf(l.Where(1)), l.CheckTable(1)})
		return 0
	}))
	for _, lib := range []string{"os", "io"} {
		l.SetGlobal(lib, absent(l, lib))
	}
	nothing := l.NewFunction(func(*lua.LState) int { return 0 })
	for _, name := range []string{"log", "nonobserve", "terminate", "print"} {
		l.SetGlobal(name, nothing)
	}
}

// absent stands for a library that is not there, and says so of what is used.
func absent(l *lua.LState, lib string) *lua.LTable {
	t, meta := l.NewTable(), l.NewTable()
	meta.RawSetString("__index", l.NewFunction(func(l *lua.LState) int {
		l.RaiseError("%s.%s is not there: an import reads no environment and no files, and runs nothing; write the value into the file", lib, l.ToString(2))
		return 0
	}))
	l.SetMetatable(t, meta)
	return t
}

// kindKey marks default.rsync and the others.
const kindKey = "\x00kind"

var place = regexp.MustCompile(`:(\d+):|line:(\d+)`)

func lineOf(where string) int {
	m := place.FindStringSubmatch(where)
	if m == nil {
		return 1
	}
	n, err := strconv.Atoi(m[1] + m[2])
	if err != nil {
		return 1
	}
	return n
}

// syntaxError takes the place out of what Lua says.
func syntaxError(f draft.File, err error) error {
	text, _, _ := strings.Cut(err.Error(), "\nstack traceback:")
	line := lineOf(text)
	if strings.HasPrefix(text, f.Name+" at EOF") {
		line = bytes.Count(f.Data, []byte("\n")) + 1
	}
	for _, before := range []string{f.Name + ":" + strconv.Itoa(line) + ":", f.Name + " "} {
		text = strings.TrimSpace(strings.TrimPrefix(text, before))
	}
	return &draft.SyntaxError{File: f.Name, Line: line, Text: strings.Join(strings.Fields(text), " ")}
}
