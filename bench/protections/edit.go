package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// edit replaces text in one file of the source.
type edit struct {
	file string // relative to the top of the checkout
	old  string // occurs there exactly once
	new  string
}

// in returns the file's content before and after the edit.
func (e edit) in(dir string) (before, after string, err error) {
	b, err := os.ReadFile(filepath.Join(dir, e.file))
	if err != nil {
		return "", "", err
	}
	if n := strings.Count(string(b), e.old); n != 1 {
		return "", "", fmt.Errorf("%s has %d times, not once:\n%s", e.file, n, e.old)
	}
	return string(b), strings.Replace(string(b), e.old, e.new, 1), nil
}

// apply makes the edits below dir and returns what undoes them.
func apply(dir string, edits []edit) (undo func() error, err error) {
	type saved struct{ name, content string }
	var all []saved
	undo = func() error {
		for i := len(all) - 1; i >= 0; i-- {
			if err := os.WriteFile(all[i].name, []byte(all[i].content), 0o644); err != nil {
				return fmt.Errorf("undo edit: %w", err)
			}
		}
		return nil
	}
	for _, e := range edits {
		before, after, err := e.in(dir)
		if err != nil {
			return undo, fmt.Errorf("edit: %w", err)
		}
		name := filepath.Join(dir, e.file)
		all = append(all, saved{name, before})
		if err := os.WriteFile(name, []byte(after), 0o644); err != nil {
			return undo, fmt.Errorf("edit: %w", err)
		}
	}
	return undo, nil
}

// checkout copies the source without what is no part of it, and returns the
// copy.
func checkout(from string) (string, error) {
	to, err := os.MkdirTemp("", "gorsyncd-protections-")
	if err != nil {
		return "", err
	}
	err = filepath.WalkDir(from, func(path string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		target := filepath.Join(to, rel)
		switch {
		case d.IsDir() && (rel == ".git" || rel == "build"):
			return filepath.SkipDir
		case d.IsDir():
			return os.MkdirAll(target, 0o755)
		case !d.Type().IsRegular():
			return nil
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		return os.WriteFile(target, b, info.Mode().Perm())
	})
	if err != nil {
		os.RemoveAll(to)
		return "", fmt.Errorf("copy the checkout: %w", err)
	}
	return to, nil
}
