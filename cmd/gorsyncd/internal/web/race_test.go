//go:build race

package web

// manyStreams is fewer with the race detector, which makes each of them slow.
const manyStreams = 2000
