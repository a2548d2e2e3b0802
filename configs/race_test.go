//go:build race

package configs_test

// The race detector costs 2 to 20 times the time (https://go.dev/doc/articles/race_detector).
const slowdown = 10
