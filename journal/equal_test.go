package journal

import (
	"log/slog"
	"reflect"
	"testing"
)

// equal compares deeply; want takes the type of got.
func equal[T any](t testing.TB, what string, got, want T) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%s:\n got %+v\nwant %+v", what, got, want)
	}
}

var nopLog = slog.New(slog.DiscardHandler)
