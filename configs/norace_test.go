//go:build !race

package configs_test

const slowdown = 1
