//go:build !race

package web

const manyStreams = 10_000
